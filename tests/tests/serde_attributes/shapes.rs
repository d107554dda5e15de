//! One type, thousands of lists of fields: each combination of optional fields is another list.

use std::time::Duration;

use mp::Queue;
use serde::{Deserialize, Serialize};

/// A struct of optional fields, and the value of which those are there whose bits are set.
macro_rules! optional {
    ($name:ident $($field:ident)+) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $name {
            $(#[serde(default, skip_serializing_if = "Option::is_none")] $field: Option<u8>,)+
            mask: u32,
        }
        impl $name {
            fn of(mask: u32) -> Self {
                let mut left = mask;
                $(
                    let $field = (left & 1 == 1).then_some(mask as u8);
                    left >>= 1;
                )+
                assert_eq!(left, 0, "as many fields as bits");
                $name { $($field,)+ mask }
            }
        }
    };
}
optional! { Twelve a b c d e f g h i j k l }
optional! { Seventeen a b c d e f g h i j k l m n o p q }

fn arrive<T>(masks: impl Iterator<Item = u32>, of: fn(u32) -> T)
where
    T: Clone + std::fmt::Debug + PartialEq + Serialize + serde::de::DeserializeOwned + 'static,
{
    let queue = Queue::unbounded().expect("a queue");
    for mask in masks {
        queue.put(of(mask)).expect("it is sent");
        let found = queue.get_timeout(Duration::from_secs(60));
        assert_eq!(found.expect("it is read"), Some(of(mask)));
    }
}

#[mp::task]
fn check_masks(values: Vec<Twelve>) -> Vec<Twelve> {
    assert!(values.iter().all(|value| *value == Twelve::of(value.mask)));
    values
}

#[mp::test(timeout = "4m")]
fn all_lists_of_twelve_optional_fields() {
    arrive(0..1 << 12, Twelve::of);
    // As elements of one value, there and back.
    let all: Vec<Twelve> = (0..1 << 12).map(Twelve::of).collect();
    let found = crate::ways::pool().apply(check_masks, all.clone());
    assert_eq!(found.expect("they travel"), all);
}

#[mp::test(timeout = "4m")]
fn more_lists_than_any_table_holds() {
    // More than 65,536, from both ends, and then some of them again.
    arrive(
        (0..35_000).chain((1 << 17) - 35_000..1 << 17),
        Seventeen::of,
    );
    arrive((0..1 << 17).step_by(97), Seventeen::of);
}
