//! serde's reading half: what a visitor expects is tried first, and what it is not goes to
//! [`any`](super::any). Relies on `decoder`.

use serde::de::{Deserializer, IntoDeserializer, Visitor};

use super::access::{Elements, Entries, Fields, Values, Variant};
use super::decoder::{Decoder, Names};
use super::fault::Fault;
use super::format::kind;
use super::ser::HUMAN_READABLE;
use super::shapes::Shape;
use super::{any, paths};
use crate::heap::{HANDLE, TicketSource, TicketVisitor};

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ident;)*) => {$(
        #[inline(always)]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.number_if(kind::$kind) {
                Some(value) => visitor.$visit(value),
                None => any::any(self, visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Fault;

    numbers! {
        deserialize_i8 visit_i8 I8;
        deserialize_i16 visit_i16 I16;
        deserialize_i32 visit_i32 I32;
        deserialize_i64 visit_i64 I64;
        deserialize_i128 visit_i128 I128;
        deserialize_u8 visit_u8 U8;
        deserialize_u16 visit_u16 U16;
        deserialize_u32 visit_u32 U32;
        deserialize_u64 visit_u64 U64;
        deserialize_u128 visit_u128 U128;
        deserialize_f32 visit_f32 F32;
        deserialize_f64 visit_f64 F64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        any::any(self, visitor)
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = match self.peek()? {
            kind::FALSE => false,
            kind::TRUE => true,
            _ => return any::any(self, visitor),
        };
        self.kind()?;
        visitor.visit_bool(value)
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        any::any(self, visitor)
    }

    #[inline(always)]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek()? {
            kind::STR => visitor.visit_borrowed_str(self.str()?),
            kind::PATH => path(self, visitor),
            _ => any::any(self, visitor),
        }
    }

    #[inline(always)]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        any::any(self, visitor)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        any::any(self, visitor)
    }

    #[inline(always)]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek()? {
            kind::NONE | kind::UNIT => {
                self.kind()?;
                visitor.visit_none()
            }
            kind::SOME => {
                self.kind()?;
                self.some(|from| visitor.visit_some(from))
            }
            _ => visitor.visit_some(self),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek()? {
            kind::UNIT | kind::NONE => {
                self.kind()?;
                visitor.visit_unit()
            }
            _ => any::any(self, visitor),
        }
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == HANDLE && TicketVisitor::admits::<V>() {
            return handle(self, visitor);
        }
        self.nested(|from| visitor.visit_newtype_struct(from))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match Elements::open(self)? {
            Ok(elements) => elements.visit(visitor),
            Err(from) => any::any(from, visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek()? {
            kind::MAP => Entries::open(self)?.visit(visitor),
            _ => any::any(self, visitor),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.peek()? {
            kind::STRUCT => match self.shape(kind::STRUCT)? {
                Some(shape) => known_struct(self, shape, 0, fields, visitor),
                None => {
                    let names = self.inline_names()?;
                    by_name(self, names, 0, Some(fields), visitor)
                }
            },
            kind::MAP => Entries::open(self)?.visit(visitor),
            _ => any::any(self, visitor),
        }
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.peek()? {
            kind @ kind::UNIT_VARIANT..=kind::STRUCT_VARIANT => {
                let names = self.names(kind)?;
                visitor.visit_enum(Variant::new(self, names.variant()?, names, kind))
            }
            kind::STR => visitor.visit_enum(self.str()?.into_deserializer()),
            kind::MAP => any::map_as_enum(self, visitor),
            _ => any::any(self, visitor),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.skip()?;
        visitor.visit_unit()
    }

    #[inline(always)]
    fn is_human_readable(&self) -> bool {
        HUMAN_READABLE
    }
}

/// The fields of a struct, or of a variant behind its name.
#[inline(always)]
pub(super) fn known_struct<'de, V: Visitor<'de>>(
    from: &mut Decoder<'de>,
    shape: &'static Shape,
    first: usize,
    fields: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Fault> {
    let reader = by_name::<V> as ByName<'_, 'de, V> as usize;
    if !shape.has_just::<V>(first, fields, reader) {
        return by_name(from, Names::Known(shape), first, Some(fields), visitor);
    }
    Values::visit(from, shape.names, first, visitor)
}

/// The type of [`by_name`].
type ByName<'d, 'de, V> = fn(
    &'d mut Decoder<'de>,
    Names<'de>,
    usize,
    Option<&'static [&'static str]>,
    V,
) -> Result<<V as Visitor<'de>>::Value, Fault>;

/// The fields of a struct by their names.
#[inline(never)]
pub(super) fn by_name<'de, V: Visitor<'de>>(
    from: &mut Decoder<'de>,
    names: Names<'de>,
    first: usize,
    fields: Option<&'static [&'static str]>,
    visitor: V,
) -> Result<V::Value, Fault> {
    Fields::new(from, names, first)
        .visit(visitor)
        .map_err(|mut fault| {
            if fault.is_here() && fault.text().starts_with("missing field") {
                let read = fields.map(|fields| fields.join(", "));
                let read = read.map_or_else(String::new, |read| format!("; it reads {read}"));
                fault.note(&format!(" (it wrote {}{read})", names.listed(first)));
            }
            fault
        })
}

/// A path that is no text, for a visitor of paths.
#[cold]
fn path<'de, V: Visitor<'de>>(from: &mut Decoder<'de>, visitor: V) -> Result<V::Value, Fault> {
    let bytes = from.text()?;
    match paths::made(bytes) {
        Some(path) => Ok(path),
        None => visitor.visit_borrowed_bytes(bytes),
    }
}

/// A handle of an object that the message holds.
#[cold]
fn handle<'de, V: Visitor<'de>>(from: &mut Decoder<'de>, visitor: V) -> Result<V::Value, Fault> {
    if from.peek()? != kind::HANDLE {
        return any::any(from, visitor);
    }
    from.kind()?;
    let number = u64::from_le_bytes(from.array()?);
    from.meets_handle()?;
    let held = crate::heap::Held::named(from.block, number).map_err(Fault::own)?;
    visitor.visit_newtype_struct(TicketSource::<Fault>::new(held))
}
