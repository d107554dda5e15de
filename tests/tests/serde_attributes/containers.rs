//! The attributes of types: how enums are written, conversions, remote types.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

/// Variants of all forms, as far as the representation allows.
macro_rules! commands {
    ($($name:ident $attribute:meta $({ $($tuple:tt)* })?;)+) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[$attribute]
        enum $name {
            Go { to: (i32, i32), fast: Option<bool> },
            Boxed(Box<Inner>),
            Stop,
            $($($tuple)*)?
        }
    )+};
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inner {
    list: Vec<Option<Option<u8>>>,
    map: std::collections::BTreeMap<u32, char>,
}

fn inner() -> Box<Inner> {
    Box::new(Inner {
        list: vec![None, Some(None), Some(Some(3))],
        map: [(7, 'x'), (9, 'ß')].into(),
    })
}

commands! {
    External serde(rename_all = "snake_case") { Pair(u8, String), };
    Internal serde(tag = "type");
    Adjacent serde(tag = "t", content = "c") { Pair(u8, String), };
    Untagged serde(untagged) { Pair(u8, String), };
}

/// One command of each form, and all of them inside of each other.
macro_rules! all_forms {
    ($name:ident) => {{
        let go = || $name::Go { to: (-1, 2), fast: None };
        everywhere!($name:
            go() => go();
            $name::Boxed(inner()) => $name::Boxed(inner());
            $name::Stop => $name::Stop;
        );
        everywhere!(@ echo_inside Option<Vec<($name, Result<$name, String>)>>:
            Some(vec![(go(), Ok($name::Stop))]) => Some(vec![(go(), Ok($name::Stop))]);
        );
    }};
}

#[mp::test]
fn names_outside() {
    all_forms!(External);
}

#[mp::test]
fn tag() {
    all_forms!(Internal);
}

#[mp::test]
fn tag_and_content() {
    all_forms!(Adjacent);
}

#[mp::test]
fn untagged() {
    all_forms!(Untagged);
}

#[mp::test]
fn pairs() {
    everywhere!((External, Adjacent, Untagged):
        (External::Pair(1, "a".into()), Adjacent::Pair(2, "b".into()), Untagged::Pair(3, "c".into()))
            => (External::Pair(1, "a".into()), Adjacent::Pair(2, "b".into()), Untagged::Pair(3, "c".into()));
    );
}

#[mp::test]
fn a_tag_without_a_place() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        Number(u32),
    }
    refused!(Tagged: Tagged::Number(1) => "Tagged" "Number");
}

#[mp::test]
fn numbers_of_128_bits() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Plain {
        value: u128,
        other: i128,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        Wide { value: u128 },
    }
    let plain = || Plain {
        value: u128::MAX,
        other: i128::MIN,
    };
    everywhere!(Plain: plain() => plain(););
    refused!(Tagged: Tagged::Wide { value: 1 } => "Tagged" "128");
    refused!(Tagged: Tagged::Wide { value: u128::MAX } => "Tagged" "128");
}

#[mp::test]
fn other() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    enum Versions {
        #[serde(skip_deserializing)]
        New {
            x: u8,
        },
        Old {
            y: u8,
        },
        #[serde(other)]
        Unknown,
    }
    everywhere!(Versions:
        Versions::New { x: 1 } => Versions::Unknown;
        Versions::Old { y: 1 } => Versions::Old { y: 1 };
        Versions::Unknown => Versions::Unknown;
    );
}

#[mp::test]
fn untagged_variants() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Mixed {
        Named {
            x: u8,
        },
        Unit,
        #[serde(untagged)]
        Number(i64),
        #[serde(untagged)]
        Texts(Vec<String>),
    }
    everywhere!(Mixed:
        Mixed::Named { x: 1 } => Mixed::Named { x: 1 };
        Mixed::Unit => Mixed::Unit;
        Mixed::Number(-3) => Mixed::Number(-3);
        Mixed::Texts(vec!["Unit".into()]) => Mixed::Texts(vec!["Unit".into()]);
    );
}

#[mp::test]
fn conversions() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(from = "String", into = "String")]
    struct Name(Vec<char>);
    impl From<String> for Name {
        fn from(text: String) -> Self {
            Name(text.chars().collect())
        }
    }
    impl From<Name> for String {
        fn from(name: Name) -> Self {
            name.0.into_iter().collect()
        }
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "u32", into = "u32")]
    struct Even(u32);
    impl TryFrom<u32> for Even {
        type Error = String;
        fn try_from(number: u32) -> Result<Self, String> {
            match number % 2 {
                0 => Ok(Even(number)),
                _ => Err(format!("{number} is odd")),
            }
        }
    }
    impl From<Even> for u32 {
        fn from(even: Even) -> Self {
            even.0
        }
    }
    everywhere!((Name, Even): (Name(vec!['a']), Even(2)) => (Name(vec!['a']), Even(2)););
    refused!(Even: Even(3) => "Even" "3 is odd");
}

#[mp::test]
fn transparent() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Thin {
        value: Option<Vec<u8>>,
        #[serde(skip)]
        extra: u8,
    }
    let thin = |extra| Thin {
        value: Some(vec![1]),
        extra,
    };
    everywhere!(Thin: thin(3) => thin(0););
}

#[mp::test]
fn deny_unknown_fields() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        a: u8,
        b: Option<u8>,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Stricter {
        #[serde(skip_deserializing)]
        extra: u8,
        a: u8,
    }
    everywhere!(Strict: Strict { a: 1, b: None } => Strict { a: 1, b: None };);
    refused!(Stricter: Stricter { extra: 1, a: 2 } => "Stricter" "extra");
}

#[mp::test]
fn bound() {
    #[derive(Clone, Debug, PartialEq)]
    struct NeverSent;
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(bound = "")]
    struct Marked<T> {
        value: u8,
        mark: PhantomData<T>,
    }
    let marked = || Marked::<NeverSent> {
        value: 1,
        mark: PhantomData,
    };
    everywhere!(Marked<NeverSent>: marked() => marked(););
}

/// As if it came from another crate.
mod elsewhere {
    #[derive(Clone, Debug, PartialEq)]
    pub(super) struct Span {
        seconds: i64,
        pub(super) nanos: i32,
    }

    impl Span {
        pub(super) fn new(seconds: i64, nanos: i32) -> Self {
            Span { seconds, nanos }
        }

        pub(super) fn seconds(&self) -> i64 {
            self.seconds
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "elsewhere::Span")]
struct SpanFields {
    #[serde(getter = "elsewhere::Span::seconds")]
    seconds: i64,
    nanos: i32,
}

impl From<SpanFields> for elsewhere::Span {
    fn from(fields: SpanFields) -> Self {
        elsewhere::Span::new(fields.seconds, fields.nanos)
    }
}

#[mp::test]
fn remote_and_getter() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Process {
        line: String,
        #[serde(with = "SpanFields")]
        took: elsewhere::Span,
    }
    let process = || Process {
        line: "x".into(),
        took: elsewhere::Span::new(-1, 2),
    };
    everywhere!(Process: process() => process(););
}
