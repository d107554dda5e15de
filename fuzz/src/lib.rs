//! What the decoder is fuzzed with: types of all kinds, one chosen by the first byte of the input.
//!
//! Relies on the library's hidden doors `encode_bytes` and `decode_bytes`: a message of one value,
//! without a heap.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use mp::__private::{decode_bytes, encode_bytes};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fields {
    a: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<String>,
    #[serde(alias = "see")]
    c: Vec<(i16, f32)>,
    #[serde(skip)]
    d: u64,
    e: [Option<char>; 2],
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tuple(u32, #[serde(skip)] u8, String);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unit;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum External {
    Unit,
    Newtype(u64),
    Tuple(u8, String),
    Struct { x: f64, y: Option<Box<External>> },
    #[serde(skip)]
    #[allow(dead_code)]
    Hidden,
    #[serde(untagged)]
    Number(i64),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Internal {
    Unit,
    Newtype(Box<Fields>),
    Struct { x: Vec<Internal>, y: IpAddr },
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c", deny_unknown_fields)]
pub enum Adjacent {
    Unit,
    Newtype(Duration),
    Tuple(u8, Box<Adjacent>),
    Struct { x: BTreeMap<u16, bool> },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Number(i64),
    Float(f64),
    Text(String),
    List(Vec<Untagged>),
    Struct { only: u8, more: Option<Box<Untagged>> },
    Map(BTreeMap<String, Untagged>),
    Unit,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flat {
    id: u32,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, Untagged>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inner {
    x: u8,
    y: Option<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    a: String,
    b: Vec<u8>,
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults {
            a: "a".to_owned(),
            b: vec![1],
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct List {
    value: u8,
    next: Option<Box<List>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    reply: Option<mp::Queue<u64>>,
    #[serde(flatten)]
    more: Commands,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do")]
pub enum Commands {
    Stop,
    Set { to: mp::Event },
    Take { from: mp::Value<u32> },
}

/// Decodes bytes, and what comes of it again.
fn try_one<T: Serialize + DeserializeOwned + 'static>(bytes: &[u8]) {
    let Ok(value) = decode_bytes::<T>(bytes) else {
        return;
    };
    // What was decoded may be refused by its writer (a handle outside of a message), but never by
    // its reader.
    if let Ok(again) = encode_bytes(&value) {
        let back = decode_bytes::<T>(&again);
        assert!(back.is_ok(), "{}: {:?}", std::any::type_name::<T>(), back.err());
    }
}

/// Takes a number, and gives the types in turn to the macro of the two functions below.
macro_rules! types {
    ($($number:literal $type:ty = $seed:expr;)*) => {
        /// Decodes `input`: the first byte chooses a type, the rest is a message of it.
        pub fn decode(input: &[u8]) {
            let Some((number, bytes)) = input.split_first() else {
                return;
            };
            match number % 32 {
                $($number => try_one::<$type>(bytes),)*
                _ => if decode_bytes::<Vec<Fields>>(bytes).is_ok() {
                    // Any value can be passed over.
                    assert!(decode_bytes::<Passed>(bytes).is_ok());
                },
            }
        }

        /// An input for each type.
        pub fn seeds() -> Vec<Vec<u8>> {
            let mut all = Vec::new();
            $({
                let value: $type = $seed;
                let mut input = vec![$number];
                input.extend(encode_bytes(&value).expect("a plain value"));
                all.push(input);
            })*
            all
        }
    };
}

/// A value that is read by being passed over.
#[derive(Serialize)]
struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Passed)
    }
}

fn fields() -> Fields {
    Fields {
        a: 1,
        b: Some("b".to_owned()),
        c: vec![(-2, 0.5), (3, f32::NAN)],
        d: 4,
        e: [None, Some('ß')],
    }
}

fn untagged() -> Untagged {
    let list = vec![Untagged::Number(-1), Untagged::Float(0.5), Untagged::Unit];
    let map = [("k".to_owned(), Untagged::List(list))].into();
    Untagged::Struct {
        only: 1,
        more: Some(Box::new(Untagged::Map(map))),
    }
}

types! {
    0 Fields = fields();
    1 Tuple = Tuple(1, 2, "t".to_owned());
    2 Unit = Unit;
    3 External = External::Struct { x: 1.0, y: Some(Box::new(External::Tuple(1, "x".to_owned()))) };
    4 Internal = Internal::Struct { x: vec![Internal::Unit, Internal::Newtype(Box::new(fields()))], y: [1, 2, 3, 4].into() };
    5 Adjacent = Adjacent::Tuple(1, Box::new(Adjacent::Newtype(Duration::new(1, 2))));
    6 Untagged = untagged();
    7 Flat = Flat { id: 1, inner: Inner { x: 2, y: None }, rest: [("r".to_owned(), untagged())].into() };
    8 Defaults = Defaults { a: "x".to_owned(), b: vec![2, 3] };
    9 List = List { value: 1, next: Some(Box::new(List { value: 2, next: None })) };
    10 Command = Command { reply: None, more: Commands::Stop };
    11 Vec<External> = vec![External::Unit, External::Newtype(7), External::Number(-1)];
    12 Option<Option<Option<u8>>> = Some(Some(None));
    13 HashMap<String, Vec<u64>> = [("a".to_owned(), vec![1, 2])].into();
    14 BTreeMap<(u8, String), Option<()>> = [((1, "a".to_owned()), Some(()))].into();
    15 (u128, i128) = (u128::MAX, i128::MIN);
    16 Vec<()> = vec![(); 9];
    17 Vec<Unit> = vec![Unit; 3];
    18 Cow<'static, str> = "text".into();
    19 Vec<PathBuf> = vec!["/tmp".into()];
    20 (IpAddr, NonZero<u16>, char) = ([0; 16].into(), NonZero::<u16>::MAX, '🦀');
    21 Result<Fields, String> = Ok(fields());
    22 [[u16; 3]; 2] = [[1, 2, 3], [4, 5, 6]];
    23 Vec<Internal> = vec![Internal::Unit, Internal::Other];
    24 HashMap<u32, Untagged> = [(1, untagged())].into();
    25 (Option<Box<Flat>>, Vec<Option<Adjacent>>) = (None, vec![None, Some(Adjacent::Unit)]);
    26 Vec<Vec<Vec<bool>>> = vec![vec![vec![true], vec![]]];
    27 Vec<(String, f64, bool)> = vec![("a".to_owned(), 0.5, true)];
    28 BTreeMap<char, Tuple> = [('k', Tuple(1, 0, String::new()))].into();
    29 Box<[String]> = vec!["a".to_owned(), "b".to_owned()].into();
    30 std::ops::Range<i8> = -1..3;
}
