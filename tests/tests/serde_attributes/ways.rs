//! The ways that a value goes: as a message, as an argument, as a result.

use std::time::Duration;

use mp::{Pool, Queue};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Puts the value into a queue, and gets it.
pub(crate) fn travel<T: Serialize + DeserializeOwned + 'static>(value: T) -> mp::Result<T> {
    let queue = Queue::unbounded()?;
    queue.put(value)?;
    let got = queue.get_timeout(Duration::from_secs(60));
    let found = got.unwrap_or_else(|error| panic!("put said Ok, get said: {error}"));
    Ok(found.expect("it was put"))
}

/// A pool of one worker.
pub(crate) fn pool() -> Pool {
    Pool::builder().workers(1).build().expect("a pool")
}

/// Each of the values arrives as expected, as a message, and there and back through a task.
macro_rules! everywhere {
    (@ $echo:ident $type:ty: $($value:expr => $expected:expr;)+) => {{
        #[mp::task]
        fn $echo(value: $type) -> $type {
            value
        }
        let pool = $crate::ways::pool();
        $(
            let expected: $type = $expected;
            assert_eq!($crate::ways::travel::<$type>($value).expect("it is sent"), expected);
            assert_eq!(pool.apply($echo, $value).expect("it is sent"), expected);
        )+
    }};
    ($type:ty: $($cases:tt)+) => {
        everywhere!(@ echo $type: $($cases)+)
    };
}

/// The value is refused where it is sent, by an error with these words in it.
macro_rules! refused {
    ($type:ty: $value:expr => $($word:literal)+) => {{
        #[mp::task]
        fn take(value: $type) {
            let _ = value;
        }
        #[mp::task]
        fn give() -> $type {
            $value
        }
        let pool = $crate::ways::pool();
        let message = $crate::ways::travel::<$type>($value).err();
        let argument = pool.apply(take, $value).err();
        let result = pool.apply(give, ()).err();
        for (way, error) in [("message", message), ("argument", argument), ("result", result)] {
            let error = error.unwrap_or_else(|| panic!("{way}: it was sent"));
            assert!(way == "result" || error.is_encode(), "{way}: {error}");
            let text = error.to_string();
            $(assert!(text.contains($word), "{way}: no {:?} in: {text}", $word);)+
        }
    }};
}
