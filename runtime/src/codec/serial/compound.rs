//! The parts of sequences, maps, tuples, structs and variants, as serde hands them over. Relies on
//! `encoder` and `shapes`.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::encoder::{Encoder, too_long};
use super::fault::Fault;
use super::format::{INLINE, LONGEST, kind, wide, word};
use super::packed::{self, Number};
use super::shapes::{self, Owner, Rest, packed};

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
    pub(super) fn begin(
        to: &'e mut Encoder<'w, 's>,
        kind: u8,
        len: Option<usize>,
    ) -> Result<Self, Fault> {
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
    pub(super) fn finish(self) -> Result<(), Fault> {
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

/// Writes a key or value, which a map holds.
#[inline]
fn entry<T: Serialize + ?Sized>(parts: &mut Parts<'_, '_, '_>, value: &T) -> Result<(), Fault> {
    if packed::is_leaf::<T>() {
        return parts.part(value);
    }
    match parts.to.nested_in_map(value) {
        Ok(()) => Ok(()),
        Err(fault) => Err(parts.to.broken(fault.in_element(parts.count))),
    }
}

impl SerializeMap for Parts<'_, '_, '_> {
    type Ok = ();
    type Error = Fault;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        entry(self, key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        entry(self, value)?;
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
    /// The variant that it is in.
    pub(super) variant: Option<&'static str>,
}

/// The most elements of a tuple, by its head.
const WIDEST: usize = INLINE as usize;

impl<'e, 'w, 's> Tuple<'e, 'w, 's> {
    #[inline]
    pub(super) fn begin(to: &'e mut Encoder<'w, 's>, len: usize) -> Result<Self, Fault> {
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
    pub(super) fn finish(self) -> Result<(), Fault> {
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
    pub(super) fn begin(to: &'e mut Encoder<'w, 's>, owner: Owner) -> Result<Self, Fault> {
        let Owner { kind, name, .. } = owner;
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
    pub(super) fn finish(self) -> Result<(), Fault> {
        match self.rest.entry {
            Some(entry) if self.rest.is_at_end() => {
                self.to.is_used(entry);
                Ok(())
            }
            _ => unpredicted_end(self.to, self.owner, self.head, self.rest, self.from),
        }
    }
}

/// The next name is another than was predicted: there may be another prediction, else the list is
/// recorded.
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
