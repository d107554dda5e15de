//! The tail of a managed block: its last words, which say what the block is to those who free it or bury its owner.
//!
//! Relies on `segment` and `alloc`. A block is *managed* from the store that sets the mark in its word; its tail stands before.
//!
//! | tail | the block is | freed by |
//! |---|---|---|
//! | OBJECT | a shared object: its head, then its body (`object`); it belongs to the session | the last to let go of it |
//! | CHUNK | more entries of an object's roll (`roll`); it belongs to the session | together with its object |
//! | CARRIES | a message that holds objects; it belongs to whoever is to read or free it | anybody, like any block |
//! | LENT | a message whose maker, who frees it, holds its objects meanwhile (arguments) | its maker, or who buries it |
//!
//! What a message holds stands before its tail, growing downwards: two words for each, the object and (CARRIES) the entry in its
//! roll of holders or (LENT) the object's id. An entry names the block back, so a forged tail gives up nothing that the block does not hold.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Heap;
use crate::error::{Error, Kind};

pub(super) const OBJECT: u64 = u64::from_le_bytes(*b"mp obj\0\0");
pub(super) const CHUNK: u64 = u64::from_le_bytes(*b"mp roll\0");
pub(super) const CARRIES: u64 = u64::from_le_bytes(*b"mp msg\0\0");

pub(super) const LENT: u64 = u64::from_le_bytes(*b"mp lent\0");

/// The bytes of a tail: what it is, and a count.
pub(super) const BYTES: usize = 16;
/// The bytes for each object that a message carries.
const SLOT: usize = 16;

/// The bytes at the end of a block that a message with `count` objects needs.
pub(super) fn bytes_for(count: usize) -> usize {
    BYTES.saturating_add(count.saturating_mul(SLOT))
}

/// The tail of a live block, seen as its words.
#[derive(Clone, Copy)]
pub(super) struct Tail<'h> {
    words: &'h [AtomicU64],
}

impl<'h> Tail<'h> {
    /// The words of a block of `size` bytes.
    pub(super) fn of(heap: &'h Heap, offset: u64, size: usize) -> Result<Tail<'h>, Error> {
        heap.segment
            .words(offset, size / 8)
            .filter(|words| words.len() * 8 >= BYTES)
            .map(|words| Tail { words })
            .ok_or_else(|| {
                let text = format!("the block at offset {offset:#x} has no room for a tail");
                Error::new(Kind::Protocol, text)
            })
    }

    /// All words of the block, its tail included.
    pub(super) fn words(self) -> &'h [AtomicU64] {
        self.words
    }

    fn kind_word(self) -> &'h AtomicU64 {
        &self.words[self.words.len() - 2]
    }

    fn count_word(self) -> &'h AtomicU64 {
        &self.words[self.words.len() - 1]
    }

    pub(super) fn kind(self) -> u64 {
        self.kind_word().load(Ordering::Acquire)
    }

    /// Writes a tail of this kind, without contents.
    pub(super) fn write(self, kind: u64) {
        self.count_word().store(0, Ordering::Relaxed);
        self.kind_word().store(kind, Ordering::Release);
    }

    /// How many objects it says it carries, as far as there is room for them.
    pub(super) fn count(self) -> usize {
        let most = (self.words.len() * 8 - BYTES) / SLOT;
        let count = self.count_word().load(Ordering::Acquire);
        usize::try_from(count).unwrap_or(usize::MAX).min(most)
    }

    pub(super) fn set_count(self, count: usize) {
        self.count_word().store(count as u64, Ordering::Release);
    }

    /// The two words of slot `index`, if there is room for it: the object's offset, and the entry in its roll.
    pub(super) fn slot(self, index: usize) -> Option<[&'h AtomicU64; 2]> {
        // Whatever number a message names; more than there are words there cannot be.
        let index = (index < self.words.len()).then_some(index)?;
        let back = (bytes_for(index + 1)) / 8;
        let first = self.words.len().checked_sub(back)?;
        Some([self.words.get(first)?, self.words.get(first + 1)?])
    }
}
