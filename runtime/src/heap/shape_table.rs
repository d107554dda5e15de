#![allow(unsafe_code)]
//! The session's table of byte strings with numbers: append-only, read by all processes. The codec keeps lists of names in it.
//!
//! Relies on `segment` for the memory. What the region holds, and what a kill leaves behind:
//!
//! | words | written by | killed here → then |
//! |---|---|---|
//! | `next`: entries that are taken | an appender, one addition | before the entry: that number stays 0 |
//! | `end`: words of the arena that are taken | an appender, one compare-and-swap | before the text: a gap, never read |
//! | the text: a checksum, then its bytes | the appender that took the room | before the entry: a gap, never read |
//! | `entries[n]`: 0, or length and place | the appender that took `n`, once | after it: the text is whole |
//!
//! Orderings: the store of an entry is a release, its load an acquire; so a reader that sees the entry sees the text.
//! All other words are relaxed. A text is copied out before it is looked at; its checksum is of number and text, and tells
//! whether either was written over.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Heap;
use super::segment::Segment;
use crate::error::{Error, Kind};
use crate::sys::points::stored;

/// How many texts the table can hold.
pub(crate) const ENTRIES: usize = 1 << 16;
/// How many words of text.
const ARENA: usize = 1 << 20;
/// The longest text, in bytes.
const LONGEST: usize = 1 << 16;

/// What the table takes of the file; what is never written takes no memory.
pub(super) const BYTES: u64 = ((2 + ENTRIES + ARENA) * 8) as u64;

/// In an entry that was stored: there is a text.
const THERE: u64 = 1 << 63;

/// The table as words of shared memory.
#[derive(Clone, Copy)]
pub(crate) struct ShapeTable<'h> {
    next: &'h AtomicU64,
    end: &'h AtomicU64,
    entries: &'h [AtomicU64],
    arena: &'h [AtomicU64],
}

impl Heap {
    /// The session's table of shapes.
    pub(crate) fn shapes(&self) -> ShapeTable<'_> {
        ShapeTable::of(self.segment)
    }
}

impl<'h> ShapeTable<'h> {
    fn of(segment: &'h Segment) -> Self {
        let first: NonNull<AtomicU64> = segment.shapes().cast();
        // SAFETY: the region lies before the data, and so inside the file; it has as many words, aligned like a page, and
        // nothing but atomics.
        let words = unsafe { NonNull::slice_from_raw_parts(first, 2 + ENTRIES + ARENA).as_ref() };
        let (head, rest) = words.split_at(2);
        let (entries, arena) = rest.split_at(ENTRIES);
        ShapeTable {
            next: &head[0],
            end: &head[1],
            entries,
            arena,
        }
    }

    /// How many numbers are taken.
    pub(crate) fn len(self) -> usize {
        usize::try_from(self.next.load(Ordering::Relaxed)).map_or(ENTRIES, |next| next.min(ENTRIES))
    }

    /// Appends a text and gives its number; `None` where it is too long or the table is full.
    pub(crate) fn append(self, text: &[u8]) -> Option<u32> {
        if text.len() > LONGEST || self.len() == ENTRIES {
            return None;
        }
        let words = 1 + text.len().div_ceil(8);
        let take = |end: u64| {
            end.checked_add(words as u64)
                .filter(|end| *end <= ARENA as u64)
        };
        // Most often a full arena costs no number.
        take(self.end.load(Ordering::Relaxed))?;
        let number = usize::try_from(self.next.fetch_add(1, Ordering::Relaxed)).ok()?;
        let entry = self.entries.get(number)?;
        stored("shape: number");
        let at = self
            .end
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let at = usize::try_from(at.ok()?).ok()?;
        stored("shape: room");
        let (sum, room) = self.arena.get(at..at + words)?.split_first()?;
        let number = u32::try_from(number).ok()?;
        sum.store(checksum(number, text), Ordering::Relaxed);
        for (word, bytes) in room.iter().zip(text.chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(padded), Ordering::Relaxed);
        }
        stored("shape: text");
        let word = THERE | (text.len() as u64) << 32 | at as u64;
        // Never over another entry: a spoilt `next` may give a number twice.
        entry
            .compare_exchange(0, word, Ordering::Release, Ordering::Relaxed)
            .ok()?;
        stored("shape: entry");
        Some(number)
    }

    /// The text with a number, copied out; `None` where there is none (yet).
    ///
    /// # Errors
    /// The table was written over.
    pub(crate) fn get(self, number: u32) -> Result<Option<Vec<u8>>, Error> {
        let entry = self.entries.get(number as usize);
        let entry = entry.map_or(0, |entry| entry.load(Ordering::Acquire));
        if entry == 0 {
            return Ok(None);
        }
        let len = (entry & !THERE) as usize >> 32;
        let at = entry as u32 as usize;
        let text = (entry & THERE != 0 && len <= LONGEST)
            .then(|| self.arena.get(at..at + 1 + len.div_ceil(8)))
            .flatten()
            .and_then(|words| copied(number, words, len));
        text.map(Some).ok_or_else(|| {
            let text = format!("shape {number} of the session was written over");
            Error::new(Kind::Decode, text)
        })
    }
}

/// The text of `len` bytes behind a checksum, if the checksum is of it and its number.
fn copied(number: u32, words: &[AtomicU64], len: usize) -> Option<Vec<u8>> {
    let (sum, words) = words.split_first()?;
    let mut text: Vec<u8> = words
        .iter()
        .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
        .collect();
    text.truncate(len);
    (checksum(number, &text) == sum.load(Ordering::Relaxed)).then_some(text)
}

/// FNV-1a; never 0, which is what untouched memory says.
fn checksum(number: u32, text: &[u8]) -> u64 {
    let bytes = number.to_le_bytes().into_iter().chain(text.iter().copied());
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    sum | 1
}

#[cfg(test)]
impl<'h> ShapeTable<'h> {
    /// The words that tests scribble over: `next`, `end`, the first entries and the first texts.
    pub(super) fn words(self) -> Vec<&'h AtomicU64> {
        let heads = [self.next, self.end];
        let rest = self.entries[..24].iter().chain(&self.arena[..100]);
        heads.into_iter().chain(rest).collect()
    }
}
