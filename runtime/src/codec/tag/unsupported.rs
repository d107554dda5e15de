//! Tags of types that cannot travel. They let the expansion type-check, so that the only message is the one of
//! `probe::Travels`; no program that compiles ever uses them.

use super::Tag;
use super::owned::tag_type;
use crate::codec::{Reader, Writer};
use crate::error::{Error, Kind};

fn refused<T: ?Sized>(kind: Kind) -> Error {
    let name = std::any::type_name::<T>();
    Error::new(kind, format!("`{name}` cannot travel to another process"))
}

tag_type! {
    /// An owned type that cannot travel.
    Never<T>
}

impl<T: 'static> Tag for Never<T> {
    type Of<'a> = T;
    type Held<'m> = Option<T>;
    const FIXED: Option<usize> = None;

    fn hint(self, _: &T) -> usize {
        0
    }

    fn put(self, _: &T, _: &mut Writer<'_>) -> Result<(), Error> {
        Err(refused::<T>(Kind::Encode))
    }

    fn get<'m>(self, _: &mut Reader<'m>) -> Result<Option<T>, Error> {
        Err(refused::<T>(Kind::Decode))
    }

    fn lend<'h, 'm: 'h>(self, held: &'h mut Option<T>) -> T {
        held.take().expect("a decoded value is lent once")
    }
}

impl<T: 'static> super::OwnedTag for Never<T> {
    type Value = T;

    fn get_owned(self, _: &mut Reader<'_>) -> Result<T, Error> {
        Err(refused::<T>(Kind::Decode))
    }
}

tag_type! {
    /// A reference to what cannot travel.
    NeverRef<T>
}

impl<T: ?Sized + 'static> Tag for NeverRef<T> {
    type Of<'a> = &'a T;
    type Held<'m> = &'m T;
    const FIXED: Option<usize> = None;

    fn hint(self, _: &&T) -> usize {
        0
    }

    fn put(self, _: &&T, _: &mut Writer<'_>) -> Result<(), Error> {
        Err(refused::<T>(Kind::Encode))
    }

    fn get<'m>(self, _: &mut Reader<'m>) -> Result<&'m T, Error> {
        Err(refused::<T>(Kind::Decode))
    }

    fn lend<'h, 'm: 'h>(self, held: &'h mut &'m T) -> &'h T {
        held
    }
}
