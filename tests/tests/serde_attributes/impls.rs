//! Hand-written impls that write one kind of value and read another, and types that others have
//! written.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::{SerializeMap, SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

/// A type that is written by one function, and read as another type.
macro_rules! uneven {
    ($name:ident($inner:ty): |$value:ident, $to:ident| $write:expr, $read:ty => $back:expr) => {
        #[derive(Clone, Debug, PartialEq)]
        struct $name($inner);
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, $to: S) -> Result<S::Ok, S::Error> {
                let $value = &self.0;
                $write
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                <$read>::deserialize(from).map($back).map($name)
            }
        }
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Colour {
    Red,
    Mix(u8),
}

#[derive(Deserialize)]
struct Point {
    x: u8,
    y: u8,
}

uneven!(Narrow(u32): |value, to| to.serialize_i64(i64::from(*value)), u32 => |x| x);
uneven!(Wide(u8): |value, to| to.serialize_u8(*value), i128 => |x| x as u8);
uneven!(Bytes(Vec<u8>): |value, to| to.serialize_bytes(value), Vec<u8> => |x| x);
uneven!(Named(Colour): |value, to| match value {
    Colour::Red => to.serialize_str("Red"),
    Colour::Mix(part) => {
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry("Mix", part)?;
        map.end()
    }
}, Colour => |x| x);
uneven!(Entries(BTreeMap<String, u8>): |value, to| {
    let mut fields = to.serialize_struct("Entries", 2)?;
    fields.serialize_field("x", &value["x"])?;
    fields.serialize_field("y", &value["y"])?;
    fields.end()
}, BTreeMap<String, u8> => |x| x);
uneven!(Fields((u8, u8)): |value, to| {
    let mut map = to.serialize_map(None)?;
    map.serialize_entry("y", &value.1)?;
    map.serialize_entry("more", &[1, 2])?;
    map.serialize_entry("x", &value.0)?;
    map.end()
}, Point => |point| (point.x, point.y));

/// A visitor that knows maps only, though it is asked for a struct.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct MapOnly {
    x: u8,
    y: u8,
}

impl<'de> Deserialize<'de> for MapOnly {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Maps;
        impl<'de> Visitor<'de> for Maps {
            type Value = MapOnly;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MapOnly, A::Error> {
                let mut found = HashMap::new();
                while let Some((key, value)) = map.next_entry::<String, u8>()? {
                    found.insert(key, value);
                }
                let field = |name: &'static str| {
                    let value = found.get(name).copied();
                    value.ok_or_else(|| A::Error::missing_field(name))
                };
                Ok(MapOnly {
                    x: field("x")?,
                    y: field("y")?,
                })
            }
        }
        from.deserialize_struct("MapOnly", &["x", "y"], Maps)
    }
}

#[mp::test]
fn what_is_written_may_be_read_as_another_kind() {
    everywhere!(Vec<Narrow>: vec![Narrow(0), Narrow(u32::MAX)] => vec![Narrow(0), Narrow(u32::MAX)];);
    everywhere!(Wide: Wide(200) => Wide(200););
    everywhere!(Bytes: Bytes(vec![1, 2]) => Bytes(vec![1, 2]););
    everywhere!([Named; 2]:
        [Named(Colour::Red), Named(Colour::Mix(3))] => [Named(Colour::Red), Named(Colour::Mix(3))];
    );
    let entries = || Entries([("x".to_owned(), 1), ("y".to_owned(), 2)].into());
    everywhere!(Entries: entries() => entries(););
    everywhere!(Fields: Fields((1, 2)) => Fields((1, 2)););
    everywhere!(Vec<MapOnly>: vec![MapOnly { x: 1, y: 2 }; 3] => vec![MapOnly { x: 1, y: 2 }; 3];);
}

#[mp::test]
fn values_without_a_type() {
    use serde_json::{Value, json};
    let value = || {
        json!({
            "null": null, "true": true, "list": [1, -1, 1.5, u64::MAX, i64::MIN, "text", [], {}],
            "deep": { "a": { "b": [null, [null]] } }, "": "empty",
        })
    };
    everywhere!(Value: value() => value(); Value::Null => Value::Null;);
    everywhere!(HashMap<String, Option<Value>>:
        HashMap::from([("a".to_owned(), Some(value()))]) => HashMap::from([("a".to_owned(), Some(value()))]);
    );
}

#[mp::test]
fn types_of_the_standard_library() {
    use std::net::{IpAddr, SocketAddr};
    type Many = (
        IpAddr,
        SocketAddr,
        std::ops::Range<u32>,
        std::num::NonZeroU8,
        char,
        Result<u8, String>,
    );
    let many = |last| -> Many {
        (
            [1, 2, 3, 4].into(),
            ([0, 0, 0, 0, 0, 0, 0, 1], 80).into(),
            1..3,
            std::num::NonZeroU8::MAX,
            'ß',
            last,
        )
    };
    everywhere!(Many: many(Ok(1)) => many(Ok(1)); many(Err("no".into())) => many(Err("no".into())););
}

/// A path that is no UTF-8.
fn odd() -> PathBuf {
    OsString::from_vec(b"/tmp/caf\xe9.txt".to_vec()).into()
}

#[mp::task]
fn paths(list: Vec<PathBuf>, one: Option<PathBuf>, pair: (u8, PathBuf)) -> Vec<PathBuf> {
    list.into_iter().chain(one).chain([pair.1]).collect()
}

#[mp::task]
fn path_map(map: BTreeMap<u8, PathBuf>) -> Option<PathBuf> {
    map.into_values().next()
}

#[mp::test]
fn paths_of_any_bytes() {
    let pool = crate::ways::pool();
    let found = pool.apply(paths, (vec![odd(); 2], Some(odd()), (1, odd())));
    assert_eq!(found.expect("they travel"), vec![odd(); 4]);
    let found = pool.apply(path_map, BTreeMap::from([(1, odd())]));
    assert_eq!(found.expect("it travels"), Some(odd()));
}

#[mp::test]
fn paths_of_any_bytes_inside_types() {
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        size: u64,
        path: PathBuf,
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "do")]
    enum Bare {
        Open { path: PathBuf },
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "do")]
    enum Held {
        Open {
            #[serde(with = "mp::serde_path")]
            path: PathBuf,
        },
    }
    let file = |path| File { size: 1, path };
    everywhere!(File: file("/tmp/x".into()) => file("/tmp/x".into()); file(odd()) => file(odd()););
    everywhere!(Held: Held::Open { path: odd() } => Held::Open { path: odd() };);
    refused!(Bare: Bare::Open { path: odd() } => "Bare" "path" "mp::serde_path");
}
