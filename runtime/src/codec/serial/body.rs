//! What is in a variant, as a value of its own: whatever shape the reader expects there. Relies on
//! `decoder` and `de`.

use serde::de::{Deserializer, Visitor};

use super::decoder::{Decoder, Names};
use super::fault::Fault;
use super::format::kind;
use super::ser::HUMAN_READABLE;
use super::{any, de};

/// The inside of a variant whose head was read.
pub(super) struct Body<'d, 'de> {
    from: &'d mut Decoder<'de>,
    names: Names<'de>,
    kind: u8,
}

impl<'d, 'de> Body<'d, 'de> {
    #[inline]
    pub(super) fn new(from: &'d mut Decoder<'de>, names: Names<'de>, kind: u8) -> Self {
        Body { from, names, kind }
    }

    /// It was left unread.
    pub(super) fn left(self, why: &str) -> Fault {
        self.from.is_lost(Fault::new(why))
    }
}

/// A variant's one value, or its tuple, is a value already: it is read as such.
macro_rules! inner {
    ($($method:ident($($arg:ident: $ty:ty),*);)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* visitor: V) -> Result<V::Value, Fault> {
            match self.kind {
                kind::NEWTYPE_VARIANT | kind::TUPLE_VARIANT => {
                    self.from.nested(|from| from.$method($($arg,)* visitor))
                }
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Body<'_, 'de> {
    type Error = Fault;

    inner! {
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind {
            kind::UNIT_VARIANT => visitor.visit_unit(),
            kind::STRUCT_VARIANT => {
                self.from.may_be_buffered()?;
                de::by_name(self.from, self.names, 1, None, visitor)
            }
            _ => self.from.nested(|from| any::any(from, visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind {
            kind::UNIT_VARIANT => visitor.visit_none(),
            kind::STRUCT_VARIANT => visitor.visit_some(self),
            _ => self.from.nested(|from| from.deserialize_option(visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.kind {
            kind::NEWTYPE_VARIANT | kind::TUPLE_VARIANT => self
                .from
                .nested(|from| from.deserialize_newtype_struct(name, visitor)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.kind {
            kind::STRUCT_VARIANT => match self.names {
                Names::Known(shape) => de::known_struct(self.from, shape, 1, fields, visitor),
                names => de::by_name(self.from, names, 1, Some(fields), visitor),
            },
            kind::UNIT_VARIANT => visitor.visit_unit(),
            _ => self
                .from
                .nested(|from| from.deserialize_struct(name, fields, visitor)),
        }
    }

    fn is_human_readable(&self) -> bool {
        HUMAN_READABLE
    }
}
