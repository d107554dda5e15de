#![allow(unsafe_code)]
//! The cursor that reads values, bounded by the message. Relies on `format`, `shapes` and `depth`.
//!
//! The bytes are private to this process and stay as they are. Each value takes at least one byte,
//! or as many as its number has in a packed list; so a count is checked against the bytes that are
//! left before anything is made of it.

use std::marker::PhantomData;

use serde::de::DeserializeSeed;

use super::depth::{self, Depth};
use super::fault::Fault;
use super::format::{INLINE, kind};
use super::packed;
use super::primitive::{self, Primitive};
use super::shapes::{self, Shape};
use crate::heap::Buffered;

/// Reads values from a message.
pub(super) struct Decoder<'de> {
    at: *const u8,
    end: *const u8,
    pub(super) depth: Depth,
    /// The block whose extra bytes say what the message holds; 0 if there is none.
    pub(super) block: u64,
    /// Whether a handle was met.
    pub(super) met_handle: bool,
    /// Whether handles are only to be found, not taken: a sender decodes its own value.
    pub(super) is_rehearsal: bool,
    /// What to say of something that serde cannot buffer, if such was shown to a visitor that takes
    /// anything.
    pub(super) hint: Option<&'static str>,
    /// A value that may be buffered is nested deeper than the stack allows: restart with room for
    /// so many levels.
    pub(super) needs_levels: u32,
    /// How deep buffered values may be.
    buffered_levels: u32,
    /// Values up to here are known not to be deeper.
    measured: *const u8,
    /// Why a list, map or struct was left before its end: where the next value begins is not known
    /// any more.
    pub(super) lost: Option<Fault>,
    /// While handles may stand in serde's buffers.
    pub(super) buffered: Option<Buffered>,
    memory: PhantomData<&'de [u8]>,
}

/// The names of a struct, or of a variant, whose own is the first.
#[derive(Clone, Copy)]
pub(super) enum Names<'de> {
    Known(&'static Shape),
    /// They stand in the message; looked up one by one, since that is rare.
    Inline(&'de [u8]),
}

impl<'de> Names<'de> {
    #[inline(always)]
    pub(super) fn get(self, index: usize) -> Option<&'de str> {
        match self {
            Names::Known(shape) => shape.names.get(index).copied(),
            Names::Inline(list) => shapes::name_in(list, index),
        }
    }

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        match self {
            Names::Known(shape) => shape.names.len(),
            Names::Inline(list) => shapes::names_in(list).map_or(0, |names| names.len()),
        }
    }

    /// The name of a variant.
    #[inline(always)]
    pub(super) fn variant(self) -> Result<&'de str, Fault> {
        self.get(0)
            .ok_or_else(|| Fault::new("a variant has no name"))
    }

    /// The names from the `first` on, for an error.
    pub(super) fn listed(self, first: usize) -> String {
        let names: Vec<&str> = (first..self.len()).filter_map(|at| self.get(at)).collect();
        match names.is_empty() {
            true => "no field".to_owned(),
            false => names.join(", "),
        }
    }
}

impl<'de> Decoder<'de> {
    pub(super) fn new(bytes: &'de [u8], block: u64, depth: Depth) -> Self {
        let ends = bytes.as_ptr_range();
        Decoder {
            at: ends.start,
            end: ends.end,
            block,
            met_handle: false,
            is_rehearsal: false,
            hint: None,
            needs_levels: 0,
            buffered_levels: depth.buffered_levels(),
            measured: ends.start,
            lost: None,
            buffered: None,
            depth,
            memory: PhantomData,
        }
    }

    /// From the begin once more. What was taken over stays with this message.
    pub(super) fn again<'b>(&mut self, bytes: &'b [u8], depth: Depth) -> Decoder<'b> {
        let mut again = Decoder::new(bytes, self.block, depth);
        again.is_rehearsal = self.is_rehearsal;
        again.buffered = self.buffered.take();
        again
    }

    /// A handle is next: it is taken, unless this is a rehearsal.
    pub(super) fn meets_handle(&mut self) -> Result<(), Fault> {
        self.met_handle = true;
        if self.is_rehearsal {
            return Err(self.is_lost(Fault::new("a handle is not taken for a rehearsal")));
        }
        let block = self.block;
        self.buffered.get_or_insert_with(|| Buffered::begin(block));
        Ok(())
    }

    /// How many bytes are left.
    #[inline(always)]
    pub(super) fn left(&self) -> usize {
        self.end.addr() - self.at.addr()
    }

    /// What kind of value is next.
    #[inline(always)]
    pub(super) fn peek(&self) -> Result<u8, Fault> {
        match self.left() {
            0 => Err(too_short()),
            // SAFETY: there is a byte.
            _ => Ok(unsafe { *self.at }),
        }
    }

    #[inline(always)]
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'de [u8], Fault> {
        if self.left() < count {
            return Err(too_short());
        }
        // SAFETY: there are as many bytes, which stay as they are for `'de`.
        unsafe {
            let bytes = std::slice::from_raw_parts(self.at, count);
            self.at = self.at.add(count);
            Ok(bytes)
        }
    }

    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        if self.left() < N {
            return Err(too_short());
        }
        // SAFETY: there are as many bytes.
        unsafe {
            let array = self.at.cast::<[u8; N]>().read_unaligned();
            self.at = self.at.add(N);
            Ok(array)
        }
    }

    /// The number behind this kind, if that is what is next.
    #[inline(always)]
    pub(super) fn number_if<T: Primitive<N>, const N: usize>(&mut self, kind: u8) -> Option<T> {
        // SAFETY: there are as many bytes (checked first).
        unsafe {
            if self.left() <= N || *self.at != kind {
                return None;
            }
            let bytes = self.at.add(1).cast::<[u8; N]>().read_unaligned();
            self.at = self.at.add(1 + N);
            primitive::from_bytes(&bytes)
        }
    }

    /// A number without its kind.
    #[inline(always)]
    pub(super) fn bare<T: Primitive<N>, const N: usize>(&mut self) -> Result<T, Fault> {
        let bytes = self.array()?;
        primitive::from_bytes(&bytes).ok_or_else(too_short)
    }

    /// Takes the byte of a kind.
    #[inline(always)]
    pub(super) fn kind(&mut self) -> Result<u8, Fault> {
        self.array().map(|[kind]| kind)
    }

    /// The number in a head of four bytes.
    #[inline(always)]
    pub(super) fn word(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?) >> 8)
    }

    /// The length in a head of eight bytes.
    #[inline(always)]
    pub(super) fn wide(&mut self) -> Result<usize, Fault> {
        let length = u64::from_le_bytes(self.array()?) >> 8;
        usize::try_from(length).map_err(|_| too_short())
    }

    /// The count in a head of eight bytes, of parts that take at least `least` bytes each.
    #[inline(always)]
    pub(super) fn count(&mut self, least: usize) -> Result<usize, Fault> {
        let count = self.wide()?;
        self.checked(count, least)
    }

    /// The count in the head of a tuple.
    #[inline(always)]
    pub(super) fn tuple_count(&mut self) -> Result<usize, Fault> {
        let count = self.word()? as usize;
        self.checked(count, 1)
    }

    #[inline(always)]
    fn checked(&self, count: usize, least: usize) -> Result<usize, Fault> {
        if count > self.left() / least {
            return Err(too_many(count, self.left()));
        }
        Ok(count)
    }

    /// Text or bytes behind their length.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Result<&'de [u8], Fault> {
        let len = self.wide()?;
        self.bytes(len)
    }

    #[inline(always)]
    pub(super) fn str(&mut self) -> Result<&'de str, Fault> {
        let bytes = self.text()?;
        std::str::from_utf8(bytes).map_err(|cause| Fault::new(cause.to_string()))
    }

    /// The names in a head of four bytes: of a struct, or of a variant, whose own is the first.
    #[inline(always)]
    pub(super) fn names(&mut self, kind: u8) -> Result<Names<'de>, Fault> {
        match self.shape(kind)? {
            Some(shape) => Ok(Names::Known(shape)),
            None => self.inline_names(),
        }
    }

    /// The shape in a head of four bytes; `None` where the names follow.
    #[inline(always)]
    pub(super) fn shape(&mut self, kind: u8) -> Result<Option<&'static Shape>, Fault> {
        match self.word()? {
            INLINE => Ok(None),
            number => shapes::shape(number, kind).map(Some),
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn inline_names(&mut self) -> Result<Names<'de>, Fault> {
        let len = u32::from_le_bytes(self.array()?);
        let list = self.bytes(len as usize)?;
        match shapes::names_in(list) {
            Some(_) => Ok(Names::Inline(list)),
            None => Err(Fault::new("a list of names is spoilt")),
        }
    }

    /// Reads a part of another value.
    #[inline(always)]
    pub(super) fn part<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        if packed::is_leaf_seed::<S>() {
            return seed.deserialize(self);
        }
        self.nested(|from| seed.deserialize(from))
    }

    /// Reads a key or value of a map.
    #[inline(always)]
    pub(super) fn map_part<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        if packed::is_leaf_seed::<S>() {
            return seed.deserialize(self);
        }
        self.nested_by(depth::MAP_LEVELS, |from| seed.deserialize(from))
    }

    /// Reads what is inside another value.
    #[inline(always)]
    pub(super) fn nested<R>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        self.nested_by(1, read)
    }

    /// Reads what is inside another value, so many levels down.
    #[inline(always)]
    pub(super) fn nested_by<R>(
        &mut self,
        levels: u32,
        read: impl FnOnce(&mut Self) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let done = match self.depth.enter(levels) {
            true => read(self),
            false => self.deep(read),
        };
        self.depth.leave(levels);
        done
    }

    /// Reads what an option has: no level of its own.
    #[inline(always)]
    pub(super) fn some<R>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        match self.depth.has_room() {
            true => read(self),
            false => self.deep(read),
        }
    }

    #[cold]
    #[inline(never)]
    fn deep<R>(&mut self, read: impl FnOnce(&mut Self) -> Result<R, Fault>) -> Result<R, Fault> {
        if let Err(fault) = self.depth.check(0) {
            return Err(self.is_lost(fault));
        }
        depth::on_fresh_stack(|| {
            let floor = self.depth.on_fresh_stack();
            let done = read(&mut *self);
            self.depth.back_to(floor);
            done
        })
    }

    /// Passes over a value, without recursion.
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        let mut left: usize = 1;
        while left > 0 {
            left -= 1;
            left = left.saturating_add(self.skip_head()?);
        }
        Ok(())
    }

    /// Passes over the head of a value and what is no value; gives how many values follow.
    fn skip_head(&mut self) -> Result<usize, Fault> {
        let kind = self.peek()?;
        if let Some(width) = kind::width(kind) {
            return self.bytes(1 + width).map(|_| 0);
        }
        if let Some(width) = kind.checked_sub(kind::PACKED).and_then(kind::width) {
            let count = self.count(width)?;
            return self.bytes(count * width).map(|_| 0);
        }
        match kind {
            kind::UNIT | kind::NONE | kind::FALSE | kind::TRUE => self.kind().map(|_| 0),
            kind::SOME => self.kind().map(|_| 1),
            kind::CHAR => self.word().map(|_| 0),
            kind::STR | kind::BYTES | kind::PATH => self.text().map(|_| 0),
            kind::SEQ => self.count(1),
            kind::MAP => self.count(2).map(|count| 2 * count),
            kind::TUPLE => self.tuple_count(),
            kind::STRUCT => self.names(kind).map(|names| names.len()),
            kind::UNIT_VARIANT => self.names(kind).map(|_| 0),
            kind::NEWTYPE_VARIANT | kind::TUPLE_VARIANT => self.names(kind).map(|_| 1),
            kind::STRUCT_VARIANT => self.names(kind).map(|names| names.len().saturating_sub(1)),
            kind::HANDLE => self.bytes(9).map(|_| 0),
            other => Err(no_kind(other)),
        }
    }

    /// Makes sure that a value which serde may buffer, and read again from there, is not too deep
    /// for that.
    #[inline]
    pub(super) fn may_be_buffered(&mut self) -> Result<(), Fault> {
        if self.at < self.measured {
            return Ok(());
        }
        let (levels, end) = self.levels()?;
        self.measured = end;
        if levels <= self.buffered_levels {
            return Ok(());
        }
        if let Err(fault) = self.depth.check(levels) {
            return Err(self.is_lost(fault));
        }
        self.needs_levels = self.needs_levels.max(levels);
        Err(self.is_lost(Fault::new("it is nested too deep for this stack")))
    }

    /// How deep the next value is nested, and where it ends.
    fn levels(&self) -> Result<(u32, *const u8), Fault> {
        // SAFETY: from the cursor to the end of the message.
        let rest = unsafe { std::slice::from_raw_parts(self.at, self.left()) };
        let mut ahead = Decoder::new(rest, 0, self.depth.clone());
        // How many values are left on each level, and how many levels it counts as.
        let mut open: Vec<(usize, u32)> = vec![(1, 1)];
        let (mut level, mut deepest) = (1u32, 1);
        while let Some((left, levels)) = open.last_mut() {
            if *left == 0 {
                level -= *levels;
                open.pop();
                continue;
            }
            *left -= 1;
            let levels = match ahead.peek()? {
                kind::MAP | kind::STRUCT | kind::STRUCT_VARIANT => depth::MAP_LEVELS,
                _ => 1,
            };
            let inside = ahead.skip_head()?;
            if inside > 0 {
                open.push((inside, levels));
                level = level.saturating_add(levels);
                deepest = deepest.max(level);
            }
        }
        Ok((deepest, ahead.at))
    }

    /// A list, map or struct was left before its end.
    #[cold]
    #[inline(never)]
    pub(super) fn is_lost(&mut self, fault: Fault) -> Fault {
        self.loses(&fault);
        fault
    }

    /// The same for an error that is on its way already.
    #[cold]
    #[inline(never)]
    pub(super) fn loses(&mut self, fault: &Fault) {
        if self.lost.is_none() {
            self.lost = Some(Fault::new(fault.to_string()));
        }
    }

    /// A visitor has stopped before the end: by this error, or without one.
    #[cold]
    #[inline(never)]
    pub(super) fn stopped(&mut self, fault: Option<&Fault>, what: &str) {
        match fault {
            Some(fault) => self.loses(fault),
            None => self.loses(&Fault::new(format!("{what} was not read to its end"))),
        }
    }

    /// How many bytes of the message were read.
    pub(super) fn read_of(&self, bytes: &[u8]) -> usize {
        bytes.len() - self.left()
    }
}

#[cold]
pub(super) fn too_short() -> Fault {
    Fault::new("the message ends too early")
}

#[cold]
fn too_many(count: usize, left: usize) -> Fault {
    Fault::new(format!(
        "{count} parts are said to follow, but the message has only {left} bytes left"
    ))
}

#[cold]
pub(super) fn no_kind(kind: u8) -> Fault {
    Fault::new(format!("{kind} is no kind of value"))
}
