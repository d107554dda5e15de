//! What a visitor is given to take parts from: elements, entries, fields, variants. Relies on
//! `decoder`.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::body::Body;
use super::de;
use super::decoder::{Decoder, Names};
use super::fault::Fault;
use super::format::kind;
use super::numbers::Bare;

/// The parts of a sequence or tuple.
///
/// No cold function gets it by reference, so that its parts stay in registers; so with [`Values`].
pub(super) struct Elements<'d, 'de> {
    from: &'d mut Decoder<'de>,
    left: usize,
    count: usize,
    /// The kind of all elements of a packed list; 0 where each has its own.
    packed: u8,
}

impl<'d, 'de> Elements<'d, 'de> {
    /// The list that is next, if it is one.
    #[inline(always)]
    pub(super) fn open(
        from: &'d mut Decoder<'de>,
    ) -> Result<Result<Self, &'d mut Decoder<'de>>, Fault> {
        let kind = from.peek()?;
        let (count, packed) = match kind {
            kind::SEQ => (from.count(1)?, 0),
            kind::TUPLE => (from.tuple_count()?, 0),
            // Bytes are shown as such only to a visitor that asks for them, or for anything.
            kind::BYTES => (from.count(1)?, kind::U8),
            _ => match kind
                .checked_sub(kind::PACKED)
                .map(|number| (number, kind::width(number)))
            {
                Some((number, Some(width))) => (from.count(width)?, number),
                _ => return Ok(Err(from)),
            },
        };
        Ok(Ok(Elements {
            from,
            left: count,
            count,
            packed,
        }))
    }

    /// Shows them all to a visitor, which must take all.
    #[inline(always)]
    pub(super) fn visit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        let shown = visitor.visit_seq(&mut self);
        // The result is not touched here, so that it is written where it is to be.
        if self.left != 0 || shown.is_err() {
            let taken = self.count - self.left;
            not_all(self.from, self.count, taken, shown.as_ref().err());
        }
        shown
    }
}

#[cold]
#[inline(never)]
fn not_all(from: &mut Decoder<'_>, count: usize, taken: usize, fault: Option<&Fault>) {
    if let Some(fault) = fault {
        return from.loses(fault);
    }
    from.loses(&Fault::new(format!(
        "{count} parts were written and {taken} are read: where a field is skipped in one direction \
         only, give the type named fields, or skip it in both (`#[serde(skip)]`)"
    )));
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Fault;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        if self.left == 0 {
            return Ok(None);
        }
        let packed = self.packed;
        let part = if packed == 0 {
            self.from.part(seed)
        } else {
            seed.deserialize(Bare::new(self.from, packed))
        };
        let index = self.count - self.left;
        self.left -= 1;
        match part {
            Ok(part) => Ok(Some(part)),
            Err(fault) => Err(fault.in_element(index as u64)),
        }
    }

    #[inline(always)]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The values of fields, without their names.
pub(super) struct Values<'d, 'de> {
    from: &'d mut Decoder<'de>,
    names: &'static [&'static str],
    at: usize,
}

impl<'d, 'de> Values<'d, 'de> {
    /// Shows them all to a visitor, which must take all, from the `first` on; an error says whether
    /// it took any.
    #[inline(always)]
    pub(super) fn visit<V: Visitor<'de>>(
        from: &'d mut Decoder<'de>,
        names: &'static [&'static str],
        first: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let mut values = Values {
            from,
            names,
            at: first,
        };
        let shown = visitor.visit_seq(&mut values);
        let Values { from, at, .. } = values;
        if at != names.len() || shown.is_err() {
            not_all(from, names.len() - first, at - first, shown.as_ref().err());
        }
        shown
    }
}

impl<'de> SeqAccess<'de> for &mut Values<'_, 'de> {
    type Error = Fault;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some(name) = self.names.get(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        match self.from.part(seed) {
            Ok(part) => Ok(Some(part)),
            Err(fault) => Err(fault.in_field(name)),
        }
    }

    #[inline(always)]
    fn size_hint(&self) -> Option<usize> {
        Some(self.names.len() - self.at)
    }
}

/// The keys and values of a map.
pub(super) struct Entries<'d, 'de> {
    from: &'d mut Decoder<'de>,
    left: usize,
    count: usize,
    owes_value: bool,
}

impl<'d, 'de> Entries<'d, 'de> {
    #[inline]
    pub(super) fn open(from: &'d mut Decoder<'de>) -> Result<Self, Fault> {
        let count = from.count(2)?;
        Ok(Entries {
            from,
            left: count,
            count,
            owes_value: false,
        })
    }

    /// Shows them all to a visitor, which must take all.
    #[inline]
    pub(super) fn visit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        let shown = visitor.visit_map(&mut self);
        if self.left != 0 || self.owes_value || shown.is_err() {
            self.from.stopped(shown.as_ref().err(), "a map");
        }
        shown
    }
}

impl<'de> MapAccess<'de> for &mut Entries<'_, 'de> {
    type Error = Fault;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        if self.owes_value {
            self.owes_value = false;
            self.from.skip()?;
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.owes_value = true;
        let index = self.count - self.left - 1;
        let key = self.from.map_part(seed);
        key.map(Some)
            .map_err(|fault| fault.in_element(index as u64))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        if !self.owes_value {
            return Err(Fault::new("a value is asked for before its key"));
        }
        self.owes_value = false;
        let index = self.count - self.left - 1;
        let value = self.from.map_part(seed);
        value.map_err(|fault| fault.in_element(index as u64))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The fields of a struct with their names.
pub(super) struct Fields<'d, 'de> {
    from: &'d mut Decoder<'de>,
    names: Names<'de>,
    at: usize,
    owes_value: bool,
}

impl<'d, 'de> Fields<'d, 'de> {
    pub(super) fn new(from: &'d mut Decoder<'de>, names: Names<'de>, first: usize) -> Self {
        Fields {
            from,
            names,
            at: first,
            owes_value: false,
        }
    }

    /// Shows them all to a visitor, which must take all.
    pub(super) fn visit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Fault> {
        let shown = visitor.visit_map(&mut self);
        if self.at < self.names.len() || self.owes_value || shown.is_err() {
            self.from.stopped(shown.as_ref().err(), "a struct");
        }
        shown
    }
}

impl<'de> MapAccess<'de> for &mut Fields<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        if self.owes_value {
            self.owes_value = false;
            self.from.skip()?;
        }
        let Some(name) = self.names.get(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        self.owes_value = true;
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        if !self.owes_value {
            return Err(Fault::new("a value is asked for before its key"));
        }
        self.owes_value = false;
        let value = self.from.part(seed);
        value.map_err(|fault| match self.names.get(self.at.wrapping_sub(1)) {
            Some(name) => fault.in_field(name),
            None => fault,
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.names.len().saturating_sub(self.at))
    }
}

/// A variant, of which the head was read.
pub(super) struct Variant<'d, 'de> {
    from: &'d mut Decoder<'de>,
    name: &'de str,
    names: Names<'de>,
    kind: u8,
}

impl<'d, 'de> Variant<'d, 'de> {
    #[inline(always)]
    pub(super) fn new(
        from: &'d mut Decoder<'de>,
        name: &'de str,
        names: Names<'de>,
        kind: u8,
    ) -> Self {
        Variant {
            from,
            name,
            names,
            kind,
        }
    }

    /// What is in the variant, as a value of its own.
    #[inline(always)]
    fn body(self) -> Body<'d, 'de> {
        Body::new(self.from, self.names, self.kind)
    }
}

impl<'d, 'de> EnumAccess<'de> for Variant<'d, 'de> {
    type Error = Fault;
    type Variant = Self;

    #[inline(always)]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        let name = BorrowedStrDeserializer::<Fault>::new(self.name);
        match seed.deserialize(name) {
            Ok(value) => Ok((value, self)),
            Err(fault) => Err(self.from.is_lost(fault)),
        }
    }
}

/// Says in which variant something failed.
#[inline(always)]
fn in_variant<R>(name: &str, done: Result<R, Fault>) -> Result<R, Fault> {
    match done {
        Ok(value) => Ok(value),
        Err(fault) => Err(fault.in_field(name)),
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;

    #[inline(always)]
    fn unit_variant(self) -> Result<(), Fault> {
        if self.kind == kind::UNIT_VARIANT {
            return Ok(());
        }
        in_variant(self.name, serde::Deserialize::deserialize(self.body()))
    }

    #[inline(always)]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let name = self.name;
        if self.kind == kind::NEWTYPE_VARIANT {
            return in_variant(name, self.from.part(seed));
        }
        in_variant(name, seed.deserialize(self.body()))
    }

    #[inline(always)]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        let name = self.name;
        if self.kind == kind::TUPLE_VARIANT {
            return in_variant(name, self.from.deserialize_tuple(len, visitor));
        }
        in_variant(name, self.body().deserialize_tuple(len, visitor))
    }

    #[inline(always)]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let name = self.name;
        if let (kind::STRUCT_VARIANT, Names::Known(shape)) = (self.kind, self.names) {
            return in_variant(name, de::known_struct(self.from, shape, 1, fields, visitor));
        }
        in_variant(name, self.body().deserialize_struct("", fields, visitor))
    }
}
