//! A value shown as what it is, to a visitor that takes anything or expected something else. Relies
//! on `decoder` and `access`.
//!
//! The choices are serde_json's, since that is the format visitors are written for; where it loses
//! something (`Some(None)`, keys that are no text, floats that are no numbers), this does not.

use serde::de::value::{BorrowedStrDeserializer, BytesDeserializer};
use serde::de::{DeserializeSeed, MapAccess, Visitor};

use super::access::{Elements, Entries, Variant};
use super::body::Body;
use super::de;
use super::decoder::{Decoder, Names, no_kind};
use super::encoder::{PATH_HINT, WIDE_HINT};
use super::fault::Fault;
use super::format::kind;
use crate::heap::Buffered;

/// Shows whatever is next.
#[inline(never)]
pub(super) fn any<'de, V: Visitor<'de>>(
    from: &mut Decoder<'de>,
    visitor: V,
) -> Result<V::Value, Fault> {
    let kind = from.peek()?;
    if kind::width(kind).is_some() {
        return number(from, kind, visitor);
    }
    match kind {
        kind::UNIT | kind::NONE => {
            from.kind()?;
            visitor.visit_unit()
        }
        kind::FALSE | kind::TRUE => {
            from.kind()?;
            visitor.visit_bool(kind == kind::TRUE)
        }
        kind::CHAR => {
            let scalar = from.word()?;
            let value = char::from_u32(scalar);
            visitor.visit_char(value.ok_or_else(|| Fault::new("no character has this number"))?)
        }
        kind::STR => visitor.visit_borrowed_str(from.str()?),
        kind::BYTES => visitor.visit_borrowed_bytes(from.text()?),
        kind::PATH => {
            from.hint = Some(PATH_HINT);
            visitor.visit_borrowed_bytes(from.text()?)
        }
        kind::HANDLE => handle(from, visitor),
        _ => {
            from.may_be_buffered()?;
            compound(from, kind, visitor)
        }
    }
}

fn compound<'de, V: Visitor<'de>>(
    from: &mut Decoder<'de>,
    kind: u8,
    visitor: V,
) -> Result<V::Value, Fault> {
    match kind {
        kind::SOME => some(from, visitor),
        kind::MAP => Entries::open(from)?.visit(visitor),
        kind::STRUCT => {
            let names = from.names(kind)?;
            de::by_name(from, names, 0, None, visitor)
        }
        kind::UNIT_VARIANT => {
            let names = from.names(kind)?;
            visitor.visit_borrowed_str(names.variant()?)
        }
        kind::NEWTYPE_VARIANT..=kind::STRUCT_VARIANT => {
            let names = from.names(kind)?;
            let mut entry = OneEntry {
                name: Some(names.variant()?),
                body: Some(Body::new(from, names, kind)),
            };
            let shown = visitor.visit_map(&mut entry);
            match (shown, entry.body) {
                (Ok(value), None) => Ok(value),
                (Ok(_), Some(body)) => Err(body.left("a variant was not read to its end")),
                (Err(fault), Some(body)) => Err(body.left(fault.text())),
                // What was inside is read, or has said itself that it is not.
                (Err(fault), None) => Err(fault),
            }
        }
        _ => match Elements::open(from)? {
            Ok(elements) => elements.visit(visitor),
            Err(_) => Err(no_kind(kind)),
        },
    }
}

fn number<'de, V: Visitor<'de>>(
    from: &mut Decoder<'de>,
    kind: u8,
    visitor: V,
) -> Result<V::Value, Fault> {
    from.kind()?;
    match kind {
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
        kind::U128 => {
            let value: u128 = from.bare()?;
            if let Ok(small) = u64::try_from(value) {
                return visitor.visit_u64(small);
            }
            from.hint = Some(WIDE_HINT);
            visitor.visit_u128(value)
        }
        kind::I128 => {
            let value: i128 = from.bare()?;
            if let Ok(small) = i64::try_from(value) {
                return visitor.visit_i64(small);
            }
            from.hint = Some(WIDE_HINT);
            visitor.visit_i128(value)
        }
        other => Err(no_kind(other)),
    }
}

/// `Some(x)` is shown as `x`, except where `x` itself is nothing: then it would be lost.
fn some<'de, V: Visitor<'de>>(from: &mut Decoder<'de>, visitor: V) -> Result<V::Value, Fault> {
    from.kind()?;
    from.nested(|from| match from.peek()? {
        kind::UNIT | kind::NONE | kind::SOME => visitor.visit_some(from),
        _ => any(from, visitor),
    })
}

/// A handle for a buffer of serde's: bytes that mean something to this message only.
fn handle<'de, V: Visitor<'de>>(from: &mut Decoder<'de>, visitor: V) -> Result<V::Value, Fault> {
    from.kind()?;
    let number = u64::from_le_bytes(from.array()?);
    from.meets_handle()?;
    let block = from.block;
    let buffered = from.buffered.get_or_insert_with(|| Buffered::begin(block));
    let shown = buffered.shown(number);
    visitor.visit_newtype_struct(BytesDeserializer::new(&shown))
}

/// A map of one entry, read as a variant.
pub(super) fn map_as_enum<'de, V: Visitor<'de>>(
    from: &mut Decoder<'de>,
    visitor: V,
) -> Result<V::Value, Fault> {
    let count = from.count(2)?;
    if count != 1 {
        let text = format!("a variant is a map of one entry, and this one has {count}");
        return Err(from.is_lost(Fault::new(text)));
    }
    if from.peek()? != kind::STR {
        return Err(from.is_lost(Fault::new("the name of a variant is text")));
    }
    let name = from.str()?;
    visitor.visit_enum(Variant::new(
        from,
        name,
        Names::Inline(&[]),
        kind::NEWTYPE_VARIANT,
    ))
}

/// A variant as a map: its name, then what is in it.
struct OneEntry<'d, 'de> {
    name: Option<&'de str>,
    body: Option<Body<'d, 'de>>,
}

impl<'de> MapAccess<'de> for &mut OneEntry<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(name) = self.name.take() else {
            return Ok(None);
        };
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let body = self.body.take();
        seed.deserialize(body.ok_or_else(|| Fault::new("a value is asked for twice"))?)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(usize::from(self.name.is_some()))
    }
}
