//! The attributes of fields.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

fn seven() -> u32 {
    7
}

#[mp::test]
fn rename() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename = "Another")]
    struct Renamed {
        #[serde(rename = "b")]
        a: u8,
        #[serde(rename = "a")]
        b: u8,
    }
    everywhere!(Renamed: Renamed { a: 1, b: 2 } => Renamed { a: 1, b: 2 };);
}

#[mp::test]
fn rename_of_one_side() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Split {
        #[serde(rename(serialize = "out", deserialize = "back"), alias = "out")]
        a: u8,
        #[serde(rename(serialize = "gone", deserialize = "never"), default = "seven")]
        b: u32,
    }
    everywhere!(Split: Split { a: 1, b: 2 } => Split { a: 1, b: 7 };);
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Torn {
        #[serde(rename(serialize = "out", deserialize = "back"))]
        a: u8,
    }
    refused!(Torn: Torn { a: 1 } => "Torn" "back");
}

#[mp::test]
fn rename_all() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "kebab-case", rename_all_fields = "SCREAMING_SNAKE_CASE")]
    enum Cased {
        FirstOne { some_field: u8 },
        SecondOne,
    }
    everywhere!(Cased:
        Cased::FirstOne { some_field: 1 } => Cased::FirstOne { some_field: 1 };
        Cased::SecondOne => Cased::SecondOne;
    );
}

#[mp::test]
fn alias() {
    // Names of aliases stand between those of fields: a position says nothing.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Aliased {
        #[serde(alias = "x", alias = "y")]
        a: u8,
        b: u8,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Variants {
        #[serde(alias = "Old", alias = "Older")]
        A(u8),
        #[serde(skip)]
        #[allow(dead_code)]
        Hidden,
        B(u8),
    }
    everywhere!(Aliased: Aliased { a: 1, b: 2 } => Aliased { a: 1, b: 2 };);
    everywhere!(Variants:
        Variants::A(1) => Variants::A(1);
        Variants::B(2) => Variants::B(2);
    );
}

#[mp::test]
fn skip() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Skips {
        #[serde(skip)]
        a: u32,
        #[serde(skip, default = "seven")]
        b: u32,
        c: u32,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Tuple(u8, #[serde(skip)] u8, u8);
    everywhere!(Skips: Skips { a: 1, b: 2, c: 3 } => Skips { a: 0, b: 7, c: 3 };);
    everywhere!(Tuple: Tuple(1, 2, 3) => Tuple(1, 0, 3););
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Order {
    #[serde(skip)]
    Internal,
    Buy(u32),
    Sell(u32),
    Hold(u32),
}

#[mp::test]
fn a_skipped_variant() {
    everywhere!(Order:
        Order::Buy(7) => Order::Buy(7);
        Order::Sell(1) => Order::Sell(1);
        Order::Hold(3) => Order::Hold(3);
    );
    refused!(Order: Order::Internal => "Order" "Internal");
    refused!(Vec<(u8, Order)>: vec![(1, Order::Buy(1)), (2, Order::Internal)] => "Order" "Internal");
}

#[mp::test]
fn a_variant_that_is_not_read() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Half {
        #[serde(skip_deserializing)]
        New(u8),
        Old(u8),
    }
    everywhere!(Half: Half::Old(1) => Half::Old(1););
    refused!(Half: Half::New(1) => "Half" "New");
}

#[mp::test]
fn skip_serializing() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Secret {
        #[serde(skip_serializing, default)]
        secret: u32,
        #[serde(skip_serializing)]
        note: Option<String>,
        ids: Vec<u32>,
    }
    let sent = |ids: &[u32]| Secret {
        secret: 7,
        note: Some("x".to_owned()),
        ids: ids.to_vec(),
    };
    let found = |ids: &[u32]| Secret {
        secret: 0,
        note: None,
        ids: ids.to_vec(),
    };
    everywhere!(Secret: sent(&[0]) => found(&[0]); sent(&[1, 2]) => found(&[1, 2]););
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Lost {
        #[serde(skip_serializing)]
        lost: u32,
        kept: u8,
    }
    refused!(Lost: Lost { lost: 1, kept: 2 } => "Lost" "lost");
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Shorter(u8, u8, #[serde(skip_serializing)] u8);
    refused!(Shorter: Shorter(1, 2, 3) => "Shorter");
}

#[mp::test]
fn skip_deserializing() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Derived {
        #[serde(skip_deserializing)]
        derived: u32,
        ids: Vec<u32>,
    }
    let derived = |derived, ids: &[u32]| Derived {
        derived,
        ids: ids.to_vec(),
    };
    everywhere!(Derived:
        derived(0, &[]) => derived(0, &[]);
        derived(1, &[5]) => derived(0, &[5]);
    );
}

#[mp::test]
fn skip_serializing_if() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Player {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nick: Option<u8>,
        level: u8,
        team: Option<u8>,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Wanted {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        list: Vec<u8>,
        size: u32,
    }
    let player = |nick, level, team| Player { nick, level, team };
    everywhere!(Player:
        player(None, 0, Some(0)) => player(None, 0, Some(0));
        player(Some(1), 2, None) => player(Some(1), 2, None);
        player(None, 1, None) => player(None, 1, None);
    );
    everywhere!(Wanted: Wanted { list: vec![1], size: 2 } => Wanted { list: vec![1], size: 2 };);
    refused!(Wanted: Wanted { list: vec![], size: 2 } => "Wanted" "list");
}

#[mp::test]
fn default() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    struct Filled {
        #[serde(skip_serializing_if = "str::is_empty")]
        name: String,
        #[serde(skip_serializing)]
        count: u32,
        #[serde(skip_serializing, default = "seven")]
        other: u32,
    }
    impl Default for Filled {
        fn default() -> Self {
            Filled {
                name: "nobody".to_owned(),
                count: 5,
                other: 6,
            }
        }
    }
    let filled = |name: &str, count, other| Filled {
        name: name.to_owned(),
        count,
        other,
    };
    everywhere!(Filled:
        filled("a", 1, 2) => filled("a", 5, 7);
        filled("", 1, 2) => filled("nobody", 5, 7);
    );
}

mod as_text {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[mp::test]
fn with() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Texts {
        Number {
            #[serde(with = "as_text")]
            value: u128,
        },
    }
    let number = |value| Texts::Number { value };
    everywhere!(Texts: number(u128::MAX) => number(u128::MAX););
}

#[mp::test]
fn flatten() {
    use std::collections::BTreeMap;
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Page {
        limit: u32,
        offset: u32,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Query {
        text: String,
        #[serde(flatten)]
        page: Page,
        #[serde(flatten)]
        more: BTreeMap<String, Option<i64>>,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Perhaps {
        #[serde(flatten)]
        page: Option<Page>,
        last: u8,
    }
    let page = Page {
        limit: 1,
        offset: 2,
    };
    let more = BTreeMap::from([("x".to_owned(), Some(-1)), ("y".to_owned(), None)]);
    let query = Query {
        text: "q".to_owned(),
        page: page.clone(),
        more,
    };
    let perhaps = |page| Perhaps { page, last: 3 };
    everywhere!(Query: query.clone() => query.clone(););
    everywhere!(Perhaps: perhaps(None) => perhaps(None); perhaps(Some(page.clone())) => perhaps(Some(page.clone())););
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Wrong {
        #[serde(flatten)]
        number: u8,
    }
    refused!(Wrong: Wrong { number: 1 } => "Wrong" "flatten");
}

#[mp::test]
fn borrow() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Lent {
        text: Cow<'static, str>,
        bytes: Cow<'static, [u8]>,
    }
    let lent = || Lent {
        text: Cow::Borrowed("text"),
        bytes: Cow::Borrowed(&[1, 2]),
    };
    everywhere!(Lent: lent() => lent(););
    everywhere!(Vec<Cow<'static, str>>: vec!["a".into()] => vec!["a".into()];);
}
