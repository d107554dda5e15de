//! Tags of borrowed views (slices of plain data, text, paths) that are lent where they lie in a trusted message and
//! copied otherwise. Rely on `owned` for the format, which is the same, but for slices of buffers: they are named.

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
use crate::heap::Held;

tag_type! {
    /// A slice of plain values.
    Slice<T>
}

/// Shorter slices are copied even where they could be named.
const NAMED_FROM: usize = 1024;
/// Beside a count: the elements are not here; object and place follow.
const NAMED: u64 = 1 << 63;

/// The frozen object that a slice lies in: it is named, not copied.
#[inline]
fn home_of<T>(values: &[T]) -> Option<std::sync::Arc<Held>> {
    let bytes = size_of_val(values);
    if bytes < NAMED_FROM {
        return None;
    }
    Held::frozen_around(std::ptr::NonNull::from(values).cast(), bytes)
}

impl<T: Plain> Tag for Slice<T> {
    type Of<'a> = &'a [T];
    type Held<'m> = Cow<'m, [T]>;
    const FIXED: Option<usize> = None;

    #[inline]
    fn hint(self, value: &&[T]) -> usize {
        match home_of(value) {
            Some(_) => 3 * COUNT,
            None => block_hint(value),
        }
    }

    #[inline]
    fn put(self, value: &&[T], out: &mut Writer<'_>) -> Result<(), Error> {
        let Some(held) = home_of(value) else {
            return put_block(value, out);
        };
        let from = value.as_ptr() as usize - held.bytes().0.as_ptr() as usize;
        let index = out.hold(&held, false)?;
        for number in [value.len() as u64 | NAMED, index, from as u64] {
            out.put_u64(number)?;
        }
        Ok(())
    }

    #[inline]
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Cow<'m, [T]>, Error> {
        let head = from.clone().get_u64()?;
        if head & NAMED != 0 {
            from.skip(COUNT)?;
            return named((head & !NAMED) as usize, from);
        }
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

/// `count` elements that stand in an object which the message names and holds.
#[cold]
fn named<'m, T: Plain>(count: usize, from: &mut Reader<'m>) -> Result<Cow<'m, [T]>, Error> {
    let (index, at) = (from.get_u64()?, from.get_u64()?);
    let len = count.saturating_mul(size_of::<T>());
    let base = Held::frozen_bytes(from.block(), index, at, len)?;
    let mut there = from.elsewhere(base, len);
    if let Some(values) = there.lend_plain(count)? {
        return Ok(Cow::Borrowed(values));
    }
    let mut values = Vec::new();
    there.get_plain_block(count, &mut values)?;
    Ok(Cow::Owned(values))
}

tag_type! {
    /// A `str`.
    Str
}

impl Tag for Str {
    type Of<'a> = &'a str;
    type Held<'m> = Cow<'m, str>;
    const FIXED: Option<usize> = None;
    const MAY_HOLD: bool = false;

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
    const MAY_HOLD: bool = false;

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
    const MAY_HOLD: bool = false;

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
