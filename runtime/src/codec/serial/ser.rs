//! serde's writing half: what a value says of itself becomes kinds, counts and shapes. Relies on
//! `encoder`.

use std::fmt::{self, Display, Write};

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::compound::{Fields, Parts, Tuple};
use super::encoder::{Encoder, WIDE_HINT};
use super::fault::Fault;
use super::format::{kind, wide, word};
use super::packed;
use super::shapes::Owner;
use crate::heap::{HANDLE, ticket_of};

/// serde's buffers say so whatever the format says, so nothing else is right on either end.
pub(super) const HUMAN_READABLE: bool = true;

macro_rules! numbers {
    ($($method:ident($ty:ty) $kind:ident;)*) => {$(
        #[inline(always)]
        fn $method(self, value: $ty) -> Result<(), Fault> {
            self.number(kind::$kind, value)
        }
    )*};
}

impl<'e, 'w, 's> Serializer for &'e mut Encoder<'w, 's> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Parts<'e, 'w, 's>;
    type SerializeMap = Parts<'e, 'w, 's>;
    type SerializeTuple = Tuple<'e, 'w, 's>;
    type SerializeTupleStruct = Tuple<'e, 'w, 's>;
    type SerializeTupleVariant = Tuple<'e, 'w, 's>;
    type SerializeStruct = Fields<'e, 'w, 's>;
    type SerializeStructVariant = Fields<'e, 'w, 's>;

    numbers! {
        serialize_i8(i8) I8;
        serialize_i16(i16) I16;
        serialize_i32(i32) I32;
        serialize_i64(i64) I64;
        serialize_u8(u8) U8;
        serialize_u16(u16) U16;
        serialize_u32(u32) U32;
        serialize_u64(u64) U64;
        serialize_f32(f32) F32;
        serialize_f64(f64) F64;
    }

    fn serialize_i128(self, value: i128) -> Result<(), Fault> {
        self.is_wide(i64::try_from(value).is_err(), WIDE_HINT)?;
        self.number(kind::I128, value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Fault> {
        self.is_wide(u64::try_from(value).is_err(), WIDE_HINT)?;
        self.number(kind::U128, value)
    }

    #[inline(always)]
    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        self.put([if value { kind::TRUE } else { kind::FALSE }])
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.put(word(kind::CHAR, value.into()))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Fault> {
        self.text(kind::STR, value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<(), Fault> {
        self.text(kind::BYTES, value)
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Fault> {
        self.put([kind::NONE])
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        self.put([kind::SOME])?;
        self.some(value)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Fault> {
        self.put([kind::UNIT])
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.put([kind::UNIT])
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        if name == HANDLE
            && let Some(held) = ticket_of(value)
        {
            return self.handle(held);
        }
        self.nested(value)
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        of: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Fault> {
        Fields::begin(self, variant_of(kind::UNIT_VARIANT, of, variant, 0))?.finish()
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        of: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        Fields::begin(
            &mut *self,
            variant_of(kind::NEWTYPE_VARIANT, of, variant, 0),
        )?
        .finish()?;
        self.nested(value)
            .map_err(|fault| self.broken(fault.in_field(variant)))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Parts<'e, 'w, 's>, Fault> {
        Parts::begin(self, kind::SEQ, len)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Parts<'e, 'w, 's>, Fault> {
        Parts::begin(self, kind::MAP, len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Tuple<'e, 'w, 's>, Fault> {
        Tuple::begin(self, len)
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Tuple<'e, 'w, 's>, Fault> {
        self.tuple_is_used(struct_of(kind::TUPLE, name, len));
        Tuple::begin(self, len)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        of: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Tuple<'e, 'w, 's>, Fault> {
        Fields::begin(&mut *self, variant_of(kind::TUPLE_VARIANT, of, variant, 0))?.finish()?;
        let mut tuple = Tuple::begin(self, len)?;
        tuple.variant = Some(variant);
        Ok(tuple)
    }

    #[inline(always)]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Fields<'e, 'w, 's>, Fault> {
        Fields::begin(self, struct_of(kind::STRUCT, name, len))
    }

    #[inline(always)]
    fn serialize_struct_variant(
        self,
        of: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Fields<'e, 'w, 's>, Fault> {
        Fields::begin(self, variant_of(kind::STRUCT_VARIANT, of, variant, len))
    }

    #[inline]
    fn collect_seq<I>(self, all: I) -> Result<(), Fault>
    where
        I: IntoIterator<Item: Serialize>,
    {
        let all = all.into_iter();
        let count = match all.size_hint() {
            (least, Some(most)) if least == most => Some(most),
            _ => None,
        };
        if let (Some(number), Some(count)) = (packed::kind_of::<I::Item>(), count) {
            return packed::put_all(self, number, count, all);
        }
        let mut parts = Parts::begin(self, kind::SEQ, count)?;
        for part in all {
            parts.serialize_element(&part)?;
        }
        parts.finish()
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Fault> {
        let head = self.used();
        self.put(wide(kind::STR, 0))?;
        let mut text = Text {
            to: self,
            fault: None,
        };
        if write!(text, "{value}").is_err() {
            let fault = text.fault.take();
            return Err(fault.unwrap_or_else(|| Fault::new("its `Display` failed")));
        }
        let len = self.used() - head - 8;
        self.patch(head, wide(kind::STR, len as u64));
        Ok(())
    }

    #[inline(always)]
    fn is_human_readable(&self) -> bool {
        HUMAN_READABLE
    }
}

#[inline(always)]
fn struct_of(kind: u8, name: &'static str, fields: usize) -> Owner {
    let of = "";
    Owner {
        kind,
        name,
        of,
        fields,
    }
}

#[inline(always)]
fn variant_of(kind: u8, of: &'static str, name: &'static str, fields: usize) -> Owner {
    Owner {
        kind,
        name,
        of,
        fields,
    }
}

/// Text that is written piece by piece.
struct Text<'e, 'w, 's> {
    to: &'e mut Encoder<'w, 's>,
    fault: Option<Fault>,
}

impl Write for Text<'_, '_, '_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.to.put_slice(piece.as_bytes()).map_err(|fault| {
            self.fault = Some(fault);
            fmt::Error
        })
    }
}
