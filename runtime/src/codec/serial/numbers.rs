//! An element of a packed list: a number without its kind. Relies on `decoder`.

use serde::de::{Deserializer, Visitor};

use super::decoder::{Decoder, no_kind};
use super::fault::Fault;
use super::format::kind;
use super::ser::HUMAN_READABLE;

/// The number that is next, of a kind that the list has told.
pub(super) struct Bare<'d, 'de> {
    from: &'d mut Decoder<'de>,
    kind: u8,
}

impl<'d, 'de> Bare<'d, 'de> {
    #[inline(always)]
    pub(super) fn new(from: &'d mut Decoder<'de>, kind: u8) -> Self {
        Bare { from, kind }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ident;)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            if self.kind == kind::$kind {
                return visitor.$visit(self.from.bare()?);
            }
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Bare<'_, 'de> {
    type Error = Fault;

    numbers! {
        deserialize_i8 visit_i8 I8;
        deserialize_i16 visit_i16 I16;
        deserialize_i32 visit_i32 I32;
        deserialize_i64 visit_i64 I64;
        deserialize_u8 visit_u8 U8;
        deserialize_u16 visit_u16 U16;
        deserialize_u32 visit_u32 U32;
        deserialize_u64 visit_u64 U64;
        deserialize_f32 visit_f32 F32;
        deserialize_f64 visit_f64 F64;
    }

    #[inline(never)]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let from = self.from;
        match self.kind {
            kind::U8 => visitor.visit_u8(from.bare()?),
            kind::U16 => visitor.visit_u16(from.bare()?),
            kind::U32 => visitor.visit_u32(from.bare()?),
            kind::U64 => visitor.visit_u64(from.bare()?),
            kind::I8 => visitor.visit_i8(from.bare()?),
            kind::I16 => visitor.visit_i16(from.bare()?),
            kind::I32 => visitor.visit_i32(from.bare()?),
            kind::I64 => visitor.visit_i64(from.bare()?),
            kind::F32 => visitor.visit_f32(from.bare()?),
            kind::F64 => visitor.visit_f64(from.bare()?),
            other => Err(no_kind(other)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn is_human_readable(&self) -> bool {
        HUMAN_READABLE
    }

    serde::forward_to_deserialize_any! {
        bool i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}
