#![allow(unsafe_code)]
//! A ring of bytes in shared memory: records one behind another, each a head of 8 bytes and a body padded to 8.
//!
//! Relies on `room` (where a record fits) and on its memory.
//!
//! | who | may do what |
//! |---|---|
//! | the one who puts | write between `tail` and `head`; then move `tail`, by **one** store of the owner's, behind record and pad |
//! | the one who gets | read between `head` and `tail`; then move `head`, by **one** store, behind record and pad |
//!
//! Where `head` and `tail` live, and who may move them when, is said by `lane` and `queue`; here is the only code that
//! touches the bytes. The head of a record is one word: the body's length in the lower half, the sort of record in
//! the upper. Nobody's head is believed: whoever gets checks sort and length against what lies between `head` and
//! `tail` (numbers of its own or checked before), so a hostile writer can make errors and never an overread. Bodies are
//! copied out raw and looked at afterwards.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::room::{Place, UNIT, units_for};
#[cfg(test)]
use super::room::{place, used};
use crate::codec::Reader;
use crate::error::{Error, Kind};
use crate::sys::advice;

/// So many bytes before they are written lines are asked for.
const AHEAD: usize = 512;

#[cfg(test)]
mod tests;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// The message itself.
    Inline = 1,
    /// Words that name a block of the heap, in which the message stands.
    Block = 2,
    /// Nothing, up to the end of the ring.
    Pad = 3,
    /// A word that names the ring in which it goes on.
    Link = 4,
}

impl Sort {
    fn of(number: u32) -> Option<Sort> {
        [Sort::Inline, Sort::Block, Sort::Pad, Sort::Link]
            .into_iter()
            .find(|sort| *sort as u32 == number)
    }
}

/// A record that was found, in place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) sort: Sort,
    body: NonNull<u8>,
    len: usize,
    /// Where `head` goes when it has been taken.
    pub(super) next: u32,
}

/// The memory of one ring, as this process maps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    base: NonNull<u8>,
    units: u32,
}

// SAFETY: shared memory that is never unmapped; who may touch which part of it is ruled by the table above.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// A ring over this memory.
    ///
    /// # Safety
    ///
    /// `units * 8` bytes at `base`, aligned to 8, stay mapped for the life of the process, and are reached as a ring only.
    pub(super) unsafe fn over(base: NonNull<u8>, units: u32) -> Ring {
        Ring { base, units }
    }

    #[inline]
    pub(super) fn units(&self) -> u32 {
        self.units
    }

    #[inline]
    fn word(&self, at: u32) -> &std::sync::atomic::AtomicU64 {
        debug_assert!(at < self.units);
        // SAFETY: callers keep `at` below `units`; the memory is mapped for ever and aligned, and heads are reached as
        // atomics by everybody.
        unsafe { self.base.cast().add(at as usize).as_ref() }
    }

    /// Writes the head of a record at its place (and a pad before it), and gives where its body goes: `len` bytes, padded
    /// to 8. It stands once the caller has moved `tail` to `place.next`.
    #[inline]
    pub(super) fn open(&self, place: Place, sort: Sort, len: usize) -> NonNull<u8> {
        if let Some(pad) = place.pad {
            self.pad(pad);
        }
        self.open_at(place.at, sort, len)
    }

    /// The end of the ring is left out from here on.
    #[inline]
    pub(super) fn pad(&self, at: u32) {
        self.head(at, Sort::Pad, 0);
    }

    /// As [`open`](Self::open), without a pad.
    #[inline(always)]
    pub(super) fn open_at(&self, at: u32, sort: Sort, len: usize) -> NonNull<u8> {
        self.head(at, sort, len as u32);
        // The other end has read the lines further on when they were written last, and still has them.
        let later = at as usize * UNIT + AHEAD;
        advice::soon_written(self.base.as_ptr().wrapping_add(later));
        // SAFETY: there is room for the head and the body behind it.
        unsafe { self.base.add((at as usize + 1) * UNIT) }
    }

    /// The record that was opened at `at` is not longer than this after all; gives where `tail` goes now.
    #[inline]
    pub(super) fn shorten(&self, at: u32, len: usize) -> u32 {
        self.head(at, Sort::Inline, len as u32);
        let next = at + units_for(len);
        if next == self.units { 0 } else { next }
    }

    #[inline]
    fn head(&self, at: u32, sort: Sort, len: u32) {
        self.word(at)
            .store((sort as u64) << 32 | u64::from(len), Ordering::Relaxed);
    }

    /// Writes a record of words.
    pub(super) fn put_words<const N: usize>(&self, place: Place, sort: Sort, words: [u64; N]) {
        self.open(place, sort, N * UNIT);
        for (at, word) in (place.at + 1..).zip(words) {
            self.word(at).store(word, Ordering::Relaxed);
        }
    }

    /// The same where one is known to be, wherever it ends.
    #[inline(always)]
    pub(super) fn inline_record_at(&self, at: u32) -> Option<Record> {
        if at >= self.units {
            return None;
        }
        self.inline_record(at, 0)
    }

    /// The record at `at`, where one is known to be, wherever the last one ends.
    #[inline]
    pub(super) fn record_at(&self, at: u32) -> Result<Record, Error> {
        if at >= self.units {
            return Err(broken("a place outside the ring"));
        }
        let word = self.word(at).load(Ordering::Relaxed);
        if (word >> 32) as u32 != Sort::Pad as u32 {
            // To the end of the ring.
            return self.record(at, 0);
        }
        self.record(0, self.units)
    }

    /// The same for the most frequent case, to be tried first: a message in one piece; `None` for whatever else it is.
    #[inline(always)]
    pub(super) fn inline_record(&self, head: u32, tail: u32) -> Option<Record> {
        let end = if tail > head { tail } else { self.units };
        let word = self.word(head).load(Ordering::Relaxed);
        let len = word as u32 as usize;
        let fits = len <= (end - head - 1) as usize * UNIT;
        if (word >> 32) as u32 != Sort::Inline as u32 || !fits {
            return None;
        }
        let next = head + units_for(len);
        Some(Record {
            sort: Sort::Inline,
            // SAFETY: `head` is inside the ring, and the body's bytes lie before `end` (just checked).
            body: unsafe { self.base.add((head as usize + 1) * UNIT) },
            len,
            next: if next == self.units { 0 } else { next },
        })
    }

    /// The record at `head`, which is not where `tail` is. Both are numbers below `units` that the caller keeps or has checked.
    #[inline]
    pub(super) fn record(&self, head: u32, tail: u32) -> Result<Record, Error> {
        let mut at = head;
        loop {
            let end = if tail > at { tail } else { self.units };
            let word = self.word(at).load(Ordering::Relaxed);
            let (len, sort) = (word as u32 as usize, Sort::of((word >> 32) as u32));
            let Some(sort) = sort else {
                return Err(broken("a record of no known sort"));
            };
            if sort == Sort::Pad {
                // Only what wraps around has a pad, and behind it something stands.
                if tail > at || tail == 0 || len != 0 {
                    return Err(broken("a gap where none can be"));
                }
                at = 0;
                continue;
            }
            if len > (end - at - 1) as usize * UNIT {
                return Err(broken("a record that is longer than what was sent"));
            }
            let next = at + units_for(len);
            return Ok(Record {
                sort,
                // SAFETY: `at` is inside the ring, and the body's bytes lie before `end` (just checked).
                body: unsafe { self.base.add((at as usize + 1) * UNIT) },
                len,
                next: if next == self.units { 0 } else { next },
            });
        }
    }
}

impl Record {
    /// The bytes of the body, to be copied out while `head` stands before it.
    #[inline]
    pub(super) fn reader(&self) -> Reader<'static> {
        // SAFETY: inside the ring, which is never unmapped; the reader copies before it looks.
        unsafe { Reader::untrusted(self.body, self.len) }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The body as words.
    pub(super) fn words<const N: usize>(&self) -> Result<[u64; N], Error> {
        if self.len != N * UNIT {
            return Err(broken("a record of the wrong length"));
        }
        let mut reader = self.reader();
        let mut words = [0; N];
        for word in &mut words {
            *word = reader.get_u64()?;
        }
        Ok(words)
    }
}

/// What somebody else wrote makes no sense.
#[cold]
pub(super) fn broken(what: &str) -> Error {
    Error::new(
        Kind::Protocol,
        format!(
            "the channel's memory is spoilt: {what}; some process of this session writes where it must not"
        ),
    )
}
