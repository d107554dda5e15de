//! Tags of owned types: plain data, blocks of it, text, paths, and everything serde knows.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{OwnedTag, Tag};
use crate::codec::reader::ZERO_SIZED;
use crate::codec::{FRAME_HEAD, Plain, Reader, Writer, serial};
use crate::error::{Error, Kind};

/// The bytes of a count or a length.
pub(super) const COUNT: usize = size_of::<u64>();

/// A tag type without contents, for one or no type.
macro_rules! tag_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;
    };
    ($(#[$doc:meta])* $name:ident<$param:ident>) => {
        $(#[$doc])*
        pub struct $name<$param: ?Sized>(std::marker::PhantomData<fn(&$param) -> &$param>);

        impl<$param: ?Sized> Clone for $name<$param> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$param: ?Sized> Copy for $name<$param> {}

        impl<$param: ?Sized> Default for $name<$param> {
            fn default() -> Self {
                $name(std::marker::PhantomData)
            }
        }
    };
}
pub(super) use tag_type;

/// What all tags of owned types that are moved out of their holder have in common.
macro_rules! moved {
    ($ty:ty) => {
        type Of<'a> = $ty;
        type Held<'m> = Option<$ty>;
        const FIXED: Option<usize> = None;

        #[inline]
        fn get<'m>(self, from: &mut Reader<'m>) -> Result<Self::Held<'m>, Error> {
            self.get_owned(from).map(Some)
        }

        #[inline]
        fn lend<'h, 'm: 'h>(self, held: &'h mut Self::Held<'m>) -> Self::Of<'h> {
            held.take().expect("a decoded value is lent once")
        }
    };
}

tag_type! {
    /// A plain value.
    Raw<T>
}

impl<T: Plain> Tag for Raw<T> {
    type Of<'a> = T;
    type Held<'m> = T;
    const FIXED: Option<usize> = Some(size_of::<T>());
    const MAY_HOLD: bool = false;

    #[inline]
    fn hint(self, _: &T) -> usize {
        size_of::<T>()
    }

    #[inline]
    fn put(self, value: &T, out: &mut Writer<'_>) -> Result<(), Error> {
        out.put_plain(value)
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<T, Error> {
        from.get_plain()
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut T) -> T {
        *held
    }
}

impl<T: Plain> OwnedTag for Raw<T> {
    type Value = T;

    #[inline]
    fn get_owned(self, from: &mut Reader<'_>) -> Result<T, Error> {
        from.get_plain()
    }

    #[inline]
    fn get_block(self, from: &mut Reader<'_>, count: usize, out: &mut Vec<T>) -> Result<(), Error> {
        from.get_plain_block(count, out)
    }
}

/// The alignment of a block of `T` in a message: what can be promised there.
pub(super) const fn block_align<T>() -> usize {
    if align_of::<T>() < FRAME_HEAD {
        align_of::<T>()
    } else {
        FRAME_HEAD
    }
}

/// Appends a block of plain values.
#[inline]
pub(super) fn put_block<T: Plain>(values: &[T], out: &mut Writer<'_>) -> Result<(), Error> {
    if size_of::<T>() == 0 && values.len() > ZERO_SIZED {
        return Err(Error::new(
            Kind::Encode,
            format!("a message holds at most {ZERO_SIZED} elements without content"),
        ));
    }
    out.reserve(block_hint(values))?;
    out.put_u64(values.len() as u64)?;
    out.align_to(block_align::<T>())?;
    out.put_plain_slice(values)
}

/// The count of a block, at whose elements the reader stands afterwards.
#[inline]
pub(super) fn block_count<T: Plain>(from: &mut Reader<'_>) -> Result<usize, Error> {
    let count = from.get_count(size_of::<T>())?;
    from.align_to(block_align::<T>())?;
    Ok(count)
}

#[inline]
pub(super) fn block_hint<T>(values: &[T]) -> usize {
    COUNT + FRAME_HEAD + size_of_val(values)
}

/// Appends text or a path.
#[inline]
pub(super) fn put_text(bytes: &[u8], out: &mut Writer<'_>) -> Result<(), Error> {
    out.reserve(COUNT + bytes.len())?;
    out.put_u64(bytes.len() as u64)?;
    out.put_bytes(bytes)
}

#[inline]
fn get_text(from: &mut Reader<'_>) -> Result<Vec<u8>, Error> {
    let count = from.get_count(1)?;
    from.copy_bytes(count)
}

#[cold]
pub(super) fn not_utf8(cause: std::str::Utf8Error) -> Error {
    Error::new(Kind::Decode, format!("the bytes are no text: {cause}"))
}

tag_type! {
    /// A vector of plain values.
    Block<T>
}

impl<T: Plain> Tag for Block<T> {
    moved!(Vec<T>);
    const MAY_HOLD: bool = false;

    #[inline]
    fn hint(self, value: &Vec<T>) -> usize {
        block_hint(value)
    }

    #[inline]
    fn put(self, value: &Vec<T>, out: &mut Writer<'_>) -> Result<(), Error> {
        put_block(value, out)
    }
}

impl<T: Plain> OwnedTag for Block<T> {
    type Value = Vec<T>;

    #[inline]
    fn get_owned(self, from: &mut Reader<'_>) -> Result<Vec<T>, Error> {
        let count = block_count::<T>(from)?;
        let mut out = Vec::new();
        from.get_plain_block(count, &mut out)?;
        Ok(out)
    }
}

tag_type! {
    /// A `String`.
    Text
}

impl Tag for Text {
    moved!(String);
    const MAY_HOLD: bool = false;

    #[inline]
    fn hint(self, value: &String) -> usize {
        COUNT + value.len()
    }

    #[inline]
    fn put(self, value: &String, out: &mut Writer<'_>) -> Result<(), Error> {
        put_text(value.as_bytes(), out)
    }
}

impl OwnedTag for Text {
    type Value = String;

    #[inline]
    fn get_owned(self, from: &mut Reader<'_>) -> Result<String, Error> {
        String::from_utf8(get_text(from)?).map_err(|cause| not_utf8(cause.utf8_error()))
    }
}

tag_type! {
    /// An `OsString`: its bytes, whatever they are.
    Os
}

impl Tag for Os {
    moved!(OsString);
    const MAY_HOLD: bool = false;

    #[inline]
    fn hint(self, value: &OsString) -> usize {
        COUNT + value.len()
    }

    #[inline]
    fn put(self, value: &OsString, out: &mut Writer<'_>) -> Result<(), Error> {
        put_text(value.as_bytes(), out)
    }
}

impl OwnedTag for Os {
    type Value = OsString;

    #[inline]
    fn get_owned(self, from: &mut Reader<'_>) -> Result<OsString, Error> {
        get_text(from).map(OsString::from_vec)
    }
}

tag_type! {
    /// A `PathBuf`: its bytes, whatever they are.
    PathName
}

impl Tag for PathName {
    moved!(PathBuf);
    const MAY_HOLD: bool = false;

    #[inline]
    fn hint(self, value: &PathBuf) -> usize {
        COUNT + value.as_os_str().len()
    }

    #[inline]
    fn put(self, value: &PathBuf, out: &mut Writer<'_>) -> Result<(), Error> {
        put_text(value.as_os_str().as_bytes(), out)
    }
}

impl OwnedTag for PathName {
    type Value = PathBuf;

    #[inline]
    fn get_owned(self, from: &mut Reader<'_>) -> Result<PathBuf, Error> {
        Os.get_owned(from).map(PathBuf::from)
    }
}

tag_type! {
    /// Whatever serde can write and read.
    Serde<T>
}

impl<T: Serialize + DeserializeOwned + 'static> Tag for Serde<T> {
    moved!(T);

    #[inline]
    fn hint(self, _: &T) -> usize {
        size_of::<T>()
    }

    #[inline]
    fn put(self, value: &T, out: &mut Writer<'_>) -> Result<(), Error> {
        serial::put::<T, T>(value, out)
    }
}

impl<T: Serialize + DeserializeOwned + 'static> OwnedTag for Serde<T> {
    type Value = T;

    #[inline]
    fn get_owned(self, from: &mut Reader<'_>) -> Result<T, Error> {
        serial::get(from)
    }
}
