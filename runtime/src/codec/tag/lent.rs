//! Tags of references to sized values, and of slices that serde must build: decoded into a holder and lent from there.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::owned::{COUNT, tag_type};
use super::{OwnedTag, Tag};
use crate::codec::{Plain, Reader, Writer, serial};
use crate::error::Error;

tag_type! {
    /// A reference to a plain value: in place where it can be.
    LentPlain<T>
}

/// A plain value in the message, or a copy of it; on the heap, because it may be too large for a stack.
#[derive(Debug)]
pub enum PlainRef<'m, T> {
    /// Where it lies in the message.
    InPlace(&'m T),
    /// One element: the copy.
    Copied(Vec<T>),
}

impl<T: Plain> Tag for LentPlain<T> {
    type Of<'a> = &'a T;
    type Held<'m> = PlainRef<'m, T>;
    const FIXED: Option<usize> = Some(size_of::<T>());
    const MAY_HOLD: bool = false;

    #[inline]
    fn hint(self, _: &&T) -> usize {
        size_of::<T>()
    }

    #[inline]
    fn put(self, value: &&T, out: &mut Writer<'_>) -> Result<(), Error> {
        out.put_plain_slice(std::slice::from_ref(*value))
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<PlainRef<'m, T>, Error> {
        if let Some([value]) = from.lend_plain(1)? {
            return Ok(PlainRef::InPlace(value));
        }
        let mut values = Vec::new();
        from.get_plain_block(1, &mut values)?;
        Ok(PlainRef::Copied(values))
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut PlainRef<'m, T>) -> &'h T {
        match held {
            PlainRef::InPlace(value) => value,
            PlainRef::Copied(values) => &values[0],
        }
    }
}

tag_type! {
    /// A reference to any other value: `G` decodes it.
    LentValue<G>
}

impl<G: OwnedTag> Tag for LentValue<G> {
    type Of<'a> = &'a G::Value;
    type Held<'m> = G::Value;
    const FIXED: Option<usize> = G::FIXED;
    const MAY_HOLD: bool = G::MAY_HOLD;

    #[inline]
    fn hint(self, value: &&G::Value) -> usize {
        G::default().hint(value)
    }

    #[inline]
    fn put(self, value: &&G::Value, out: &mut Writer<'_>) -> Result<(), Error> {
        G::default().put(value, out)
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<G::Value, Error> {
        G::default().get_owned(from)
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut G::Value) -> &'h G::Value {
        held
    }
}

tag_type! {
    /// A slice of values that are not plain: held as a vector.
    LentSeq<T>
}

impl<T: Serialize + DeserializeOwned + 'static> Tag for LentSeq<T> {
    type Of<'a> = &'a [T];
    type Held<'m> = Vec<T>;
    const FIXED: Option<usize> = None;

    #[inline]
    fn hint(self, value: &&[T]) -> usize {
        COUNT + size_of_val(*value)
    }

    #[inline]
    fn put(self, value: &&[T], out: &mut Writer<'_>) -> Result<(), Error> {
        serial::put::<[T], Vec<T>>(*value, out)
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Vec<T>, Error> {
        serial::get(from)
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut Vec<T>) -> &'h [T] {
        held
    }
}
