//! Tags of borrowed views (slices of plain data, text, paths) that are lent where they lie in a trusted message and
//! copied otherwise. Rely on `owned` for the format, which is the same.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::owned::{
    COUNT, Os, Text, block_count, block_hint, not_utf8, put_block, put_text, tag_type,
};
use super::{OwnedTag, Tag};
use crate::codec::{Plain, Reader, Writer};
use crate::error::Error;

tag_type! {
    /// A slice of plain values.
    Slice<T>
}

impl<T: Plain> Tag for Slice<T> {
    type Of<'a> = &'a [T];
    type Held<'m> = Cow<'m, [T]>;
    const FIXED: Option<usize> = None;

    #[inline]
    fn hint(self, value: &&[T]) -> usize {
        block_hint(value)
    }

    #[inline]
    fn put(self, value: &&[T], out: &mut Writer<'_>) -> Result<(), Error> {
        put_block(value, out)
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Cow<'m, [T]>, Error> {
        let count = block_count::<T>(from)?;
        if let Some(values) = from.lend_plain(count)? {
            return Ok(Cow::Borrowed(values));
        }
        let mut values = Vec::new();
        from.get_plain_block(count, &mut values)?;
        Ok(Cow::Owned(values))
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut Cow<'m, [T]>) -> &'h [T] {
        held
    }
}

tag_type! {
    /// A `str`.
    Str
}

impl Tag for Str {
    type Of<'a> = &'a str;
    type Held<'m> = Cow<'m, str>;
    const FIXED: Option<usize> = None;

    #[inline]
    fn hint(self, value: &&str) -> usize {
        COUNT + value.len()
    }

    #[inline]
    fn put(self, value: &&str, out: &mut Writer<'_>) -> Result<(), Error> {
        put_text(value.as_bytes(), out)
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Cow<'m, str>, Error> {
        if !from.is_trusted() {
            return Text.get_owned(from).map(Cow::Owned);
        }
        let count = from.get_count(1)?;
        let bytes = from.borrow(count)?;
        std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(not_utf8)
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut Cow<'m, str>) -> &'h str {
        held
    }
}

tag_type! {
    /// An `OsStr`.
    OsView
}

impl Tag for OsView {
    type Of<'a> = &'a OsStr;
    type Held<'m> = Cow<'m, OsStr>;
    const FIXED: Option<usize> = None;

    #[inline]
    fn hint(self, value: &&OsStr) -> usize {
        COUNT + value.len()
    }

    #[inline]
    fn put(self, value: &&OsStr, out: &mut Writer<'_>) -> Result<(), Error> {
        put_text(value.as_bytes(), out)
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Cow<'m, OsStr>, Error> {
        if !from.is_trusted() {
            return Os.get_owned(from).map(Cow::Owned);
        }
        let count = from.get_count(1)?;
        from.borrow(count).map(OsStr::from_bytes).map(Cow::Borrowed)
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut Cow<'m, OsStr>) -> &'h OsStr {
        held
    }
}

tag_type! {
    /// A `Path`.
    PathView
}

impl Tag for PathView {
    type Of<'a> = &'a Path;
    type Held<'m> = Cow<'m, OsStr>;
    const FIXED: Option<usize> = None;

    #[inline]
    fn hint(self, value: &&Path) -> usize {
        COUNT + value.as_os_str().len()
    }

    #[inline]
    fn put(self, value: &&Path, out: &mut Writer<'_>) -> Result<(), Error> {
        put_text(value.as_os_str().as_bytes(), out)
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Cow<'m, OsStr>, Error> {
        OsView.get(from)
    }

    #[inline]
    fn lend<'h, 'm: 'h>(self, held: &'h mut Cow<'m, OsStr>) -> &'h Path {
        Path::new(&**held)
    }
}
