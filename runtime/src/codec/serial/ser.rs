//! serde's writing half: what a value says of itself becomes kinds, counts and shapes. Relies on `encoder`.

use std::fmt::{self, Display, Write};

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::encoder::{Encoder, WIDE_HINT, too_long};
use super::fault::Fault;
use super::format::{INLINE, LONGEST, kind, wide, word};
use super::packed::{self, Number};
use super::shapes::{self, Owner, Rest, packed};
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
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Fault> {
        Fields::begin(self, kind::UNIT_VARIANT, variant, 0)?.finish()
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        Fields::begin(&mut *self, kind::NEWTYPE_VARIANT, variant, 0)?.finish()?;
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
        _: &'static str,
        len: usize,
    ) -> Result<Tuple<'e, 'w, 's>, Fault> {
        Tuple::begin(self, len)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Tuple<'e, 'w, 's>, Fault> {
        Fields::begin(&mut *self, kind::TUPLE_VARIANT, variant, 0)?.finish()?;
        let mut tuple = Tuple::begin(self, len)?;
        tuple.variant = Some(variant);
        Ok(tuple)
    }

    #[inline(always)]
    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Fields<'e, 'w, 's>, Fault> {
        Fields::begin(self, kind::STRUCT, name, len)
    }

    #[inline(always)]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Fields<'e, 'w, 's>, Fault> {
        Fields::begin(self, kind::STRUCT_VARIANT, variant, len)
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

/// The elements of a sequence, or keys and values.
pub(super) struct Parts<'e, 'w, 's> {
    to: &'e mut Encoder<'w, 's>,
    head: usize,
    kind: u8,
    declared: u64,
    count: u64,
}

impl<'e, 'w, 's> Parts<'e, 'w, 's> {
    #[inline]
    fn begin(to: &'e mut Encoder<'w, 's>, kind: u8, len: Option<usize>) -> Result<Self, Fault> {
        let declared = len.unwrap_or(0) as u64;
        let head = to.used();
        to.put(wide(kind, declared & LONGEST))?;
        Ok(Parts {
            to,
            head,
            kind,
            declared,
            count: 0,
        })
    }

    #[inline(always)]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        match self.to.nested(value) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.to.broken(fault.in_element(self.count))),
        }
    }

    #[inline]
    fn finish(self) -> Result<(), Fault> {
        // The length is often unknown before, and now and then wrong.
        if self.count != self.declared || self.kind > kind::PACKED {
            if self.count > LONGEST {
                return Err(too_long());
            }
            self.to.patch(self.head, wide(self.kind, self.count));
        }
        Ok(())
    }
}

/// Numbers were packed up to now, and here is something else: each gets its kind.
#[cold]
#[inline(never)]
fn unpack(to: &mut Encoder<'_, '_>, head: usize, number: u8) -> Result<(), Fault> {
    let width = kind::width(number).unwrap_or(1);
    let packed = to.copy_from(head + 8);
    to.rewind(head + 8);
    for bytes in packed.chunks(width) {
        to.put([number])?;
        to.put_slice(bytes)?;
    }
    Ok(())
}

impl SerializeSeq for Parts<'_, '_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline(always)]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        if let Some(number) = packed::kind_of::<T>() {
            if self.count == 0 {
                self.kind = kind::PACKED + number;
            }
            if self.kind == kind::PACKED + number {
                Number::of(value).put(self.to)?;
                self.count += 1;
                return Ok(());
            }
        }
        if self.kind > kind::PACKED {
            unpack(self.to, self.head, self.kind - kind::PACKED)?;
            self.kind = kind::SEQ;
        }
        self.part(value)?;
        self.count += 1;
        Ok(())
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

impl SerializeMap for Parts<'_, '_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.part(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.part(value)?;
        self.count += 1;
        Ok(())
    }

    #[inline]
    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

/// The elements of a tuple.
pub(super) struct Tuple<'e, 'w, 's> {
    to: &'e mut Encoder<'w, 's>,
    head: usize,
    declared: usize,
    count: usize,
    variant: Option<&'static str>,
}

/// The most elements of a tuple, by its head.
const WIDEST: usize = INLINE as usize;

impl<'e, 'w, 's> Tuple<'e, 'w, 's> {
    #[inline]
    fn begin(to: &'e mut Encoder<'w, 's>, len: usize) -> Result<Self, Fault> {
        let head = to.used();
        to.put(word(kind::TUPLE, (len & WIDEST) as u32))?;
        Ok(Tuple {
            to,
            head,
            declared: len,
            count: 0,
            variant: None,
        })
    }

    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.to.nested(value).map_err(|fault| {
            let mut fault = fault.in_element(self.count as u64);
            if let Some(variant) = self.variant {
                fault = fault.in_field(variant);
            }
            self.to.broken(fault)
        })?;
        self.count += 1;
        Ok(())
    }

    #[inline]
    fn finish(self) -> Result<(), Fault> {
        if self.count != self.declared {
            if self.count > WIDEST {
                return Err(too_long());
            }
            self.to
                .patch(self.head, word(kind::TUPLE, self.count as u32));
        }
        Ok(())
    }
}

macro_rules! tuples {
    ($($compound:ident: $method:ident;)*) => {$(
        impl $compound for Tuple<'_, '_, '_> {
            type Ok = ();
            type Error = Fault;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.part(value)
            }

            #[inline]
            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        }
    )*};
}

tuples! {
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

/// The fields of a struct or variant: as predicted, or recorded.
///
/// No cold function gets it by reference, so that its parts stay in registers.
pub(super) struct Fields<'e, 'w, 's> {
    to: &'e mut Encoder<'w, 's>,
    head: usize,
    owner: Owner,
    rest: Rest,
    /// Where the names begin that are recorded, where nothing is predicted.
    from: usize,
}

impl<'e, 'w, 's> Fields<'e, 'w, 's> {
    #[inline(always)]
    fn begin(
        to: &'e mut Encoder<'w, 's>,
        kind: u8,
        name: &'static str,
        fields: usize,
    ) -> Result<Self, Fault> {
        let owner = Owner { kind, name, fields };
        let head = to.used();
        let mut rest = shapes::predicted(owner);
        let number = rest.entry.map_or(INLINE, |entry| entry.number);
        to.put(word(kind, number))?;
        let mut from = 0;
        // A variant's list begins with its own name, which the prediction was found by.
        let is_next = kind == kind::STRUCT || rest.take(packed(name));
        if rest.entry.is_none() || !is_next {
            from = to.start_recording((!is_next).then_some(name));
        }
        Ok(Fields {
            to,
            head,
            owner,
            rest,
            from,
        })
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        if !self.rest.take(packed(name)) {
            (self.rest, self.from) =
                unpredicted(self.to, self.owner, self.head, self.rest, self.from, name);
        }
        match self.to.nested(value) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.to.broken(fault.in_field(name))),
        }
    }

    #[inline(always)]
    fn finish(self) -> Result<(), Fault> {
        match self.rest.entry {
            Some(entry) if self.rest.is_at_end() => {
                self.to.is_used(entry);
                Ok(())
            }
            _ => unpredicted_end(self.to, self.owner, self.head, self.rest, self.from),
        }
    }
}

/// The next name is another than was predicted: there may be another prediction, else the list is recorded.
#[cold]
#[inline(never)]
fn unpredicted(
    to: &mut Encoder<'_, '_>,
    owner: Owner,
    head: usize,
    rest: Rest,
    from: usize,
    name: &'static str,
) -> (Rest, usize) {
    if let Some(other) = shapes::instead(owner, rest, packed(name)) {
        let number = other.entry.map_or(INLINE, |entry| entry.number);
        to.patch(head, word(owner.kind, number));
        return (other, from);
    }
    let from = record(to, rest, from);
    to.side.names.push(name);
    (Rest::NONE, from)
}

/// Gives up on a prediction: what it has right so far is recorded. Tells where the names begin.
#[cold]
fn record(to: &mut Encoder<'_, '_>, rest: Rest, from: usize) -> usize {
    if rest.entry.is_none() {
        return from;
    }
    let from = to.side.names.len();
    to.side.names.extend(rest.taken());
    from
}

#[cold]
#[inline(never)]
fn unpredicted_end(
    to: &mut Encoder<'_, '_>,
    owner: Owner,
    head: usize,
    rest: Rest,
    from: usize,
) -> Result<(), Fault> {
    let from = record(to, rest, from);
    to.recorded(owner, head, from)
}

macro_rules! structs {
    ($($compound:ident;)*) => {$(
        impl $compound for Fields<'_, '_, '_> {
            type Ok = ();
            type Error = Fault;

            #[inline(always)]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Fault> {
                self.field(name, value)
            }

            #[inline(always)]
            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        }
    )*};
}

structs! {
    SerializeStruct;
    SerializeStructVariant;
}
