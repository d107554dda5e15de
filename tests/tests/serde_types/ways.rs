//! What the attributes of the generated types name: functions of `with`, conversions, conditions.

use std::fmt::{self, Debug};

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// True for about half of all values, and always the same for one.
pub(crate) fn at_times<T: Debug>(value: &T) -> bool {
    let text = format!("{value:?}");
    text.bytes().fold(0u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    }) % 3
        == 0
}

/// Numbers as text.
pub(crate) mod as_text {
    use super::*;
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(
        value: &T,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Bytes as such, and not one by one.
pub(crate) mod as_bytes {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        from.deserialize_byte_buf(Bytes)
    }
}

pub(crate) fn as_i64<S: Serializer>(value: &u16, to: S) -> Result<S::Ok, S::Error> {
    i64::from(*value).serialize(to)
}

pub(crate) fn plus_one<S: Serializer>(value: &i32, to: S) -> Result<S::Ok, S::Error> {
    value.wrapping_add(1).serialize(to)
}

pub(crate) fn minus_one<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    i32::deserialize(from).map(|value| value.wrapping_sub(1))
}

/// Asks the format what there is.
pub(crate) fn by_any<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    struct Any;
    impl Visitor<'_> for Any {
        type Value = u32;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number")
        }
        fn visit_u64<E: Error>(self, value: u64) -> Result<u32, E> {
            value.try_into().map_err(E::custom)
        }
    }
    from.deserialize_any(Any)
}

macro_rules! converts {
    ($name:ident $other:tt $first:ident $second:ident) => {
        impl From<$other> for $name {
            fn from(($first, $second): $other) -> Self {
                $name { $first, $second }
            }
        }
        impl From<$name> for $other {
            fn from(value: $name) -> Self {
                (value.$first, value.$second)
            }
        }
    };
}

macro_rules! converts_at_times {
    ($name:ident $other:tt $first:ident $second:ident) => {
        impl TryFrom<$other> for $name {
            type Error = std::convert::Infallible;
            fn try_from(($first, $second): $other) -> Result<Self, Self::Error> {
                Ok($name { $first, $second })
            }
        }
        impl From<$name> for $other {
            fn from(value: $name) -> Self {
                (value.$first, value.$second)
            }
        }
    };
}
