#![allow(unsafe_code)]
//! A roll: a growable row of words inside a shared object, one for each party to it: its holders, its readers, its waiters.
//!
//! Relies on the allocator and `tail`. The first entries stand in the object itself, the rest in chunks, each linked from
//! the one before by a single store and freed with the object. An entry is 0 while it is free; it is taken by
//! compare-and-swap and belongs to whoever the word in it names. Entries never move, so an index is good for as long as
//! the object.
//!
//! A chunk belongs to the session from before it is linked. Whoever makes one holds the object meanwhile; if it is
//! killed before the link, the chunk is found and freed with the object (`object::free_chunks`).
//!
//! Orderings: a link is stored with Release and followed with Acquire; entries are the business of their users.

use std::sync::atomic::{AtomicU64, Ordering};

use super::object::{self, Place};
use super::tail::{self, Tail};
use super::{Heap, ROOT};
use crate::error::{Error, Kind};
use crate::sys::points::stored;

/// Whatever the links say, no roll is followed further.
const MOST_CHUNKS: usize = 8192;
/// The words at the beginning of a chunk: the object's id and place, the next chunk, a spare one.
const CHUNK_HEAD: usize = 4;
const NEXT: usize = 2;
/// The sizes of chunks in bytes.
const SMALLEST: usize = 512;
const LARGEST: usize = 32_000;

/// A row of words that grows. All zeroes is an empty one.
#[repr(C)]
pub(crate) struct Roll<const N: usize> {
    more: AtomicU64,
    first: [AtomicU64; N],
}

// SAFETY: nothing but atomics, in C layout.
unsafe impl<const N: usize> object::Body for Roll<N> {}

/// One stretch of entries: the index of the first, the entries, and the link to the next stretch.
struct Stretch<'h> {
    index: u32,
    entries: &'h [AtomicU64],
    next: &'h AtomicU64,
}

/// The stretches of a roll, as far as the links make sense.
struct Stretches<'h> {
    heap: &'h Heap,
    of: Place,
    ahead: Option<Stretch<'h>>,
    left: usize,
}

impl<'h> Iterator for Stretches<'h> {
    type Item = Stretch<'h>;

    fn next(&mut self) -> Option<Stretch<'h>> {
        let here = self.ahead.take()?;
        self.left -= 1;
        if self.left > 0
            && let Some(words) = chunk(self.heap, self.of, here.next.load(Ordering::Acquire))
        {
            self.ahead = Some(Stretch {
                index: here.index + here.entries.len() as u32,
                entries: &words[CHUNK_HEAD..words.len() - tail::BYTES / 8],
                next: &words[NEXT],
            });
        }
        Some(here)
    }
}

/// The words of the chunk at `offset`, if it is one of this object's.
pub(super) fn chunk(heap: &Heap, of: Place, offset: u64) -> Option<&[AtomicU64]> {
    if offset == 0 {
        return None;
    }
    let (managed, size) = heap.allocator.management(offset).ok()?;
    let words = Tail::of(heap, offset, size).ok()?;
    let is_ours = managed && words.kind() == tail::CHUNK && belongs(words.words(), of);
    is_ours.then_some(words.words())
}

/// Whether the words of a chunk say that it is this object's.
pub(super) fn belongs(words: &[AtomicU64], of: Place) -> bool {
    words.len() >= CHUNK_HEAD + tail::BYTES / 8
        && words[0].load(Ordering::Relaxed) == of.id
        && words[1].load(Ordering::Relaxed) == of.offset
}

impl<const N: usize> Roll<N> {
    fn stretches<'h>(&'h self, heap: &'h Heap, of: Place) -> Stretches<'h> {
        Stretches {
            heap,
            of,
            ahead: Some(Stretch {
                index: 0,
                entries: &self.first,
                next: &self.more,
            }),
            left: MOST_CHUNKS,
        }
    }

    /// All entries with their indices, those of `of`'s own chunks included.
    pub(crate) fn entries<'h>(
        &'h self,
        heap: &'h Heap,
        of: Place,
    ) -> impl Iterator<Item = (u32, &'h AtomicU64)> {
        self.stretches(heap, of)
            .flat_map(|stretch| (stretch.index..).zip(stretch.entries))
    }

    /// The entries from `index` on, then those before it.
    pub(crate) fn entries_from<'h>(
        &'h self,
        heap: &'h Heap,
        of: Place,
        index: u32,
    ) -> impl Iterator<Item = (u32, &'h AtomicU64)> {
        let behind = self.stretches(heap, of).flat_map(move |stretch| {
            let skip = (index.saturating_sub(stretch.index) as usize).min(stretch.entries.len());
            (stretch.index + skip as u32..).zip(&stretch.entries[skip..])
        });
        let before = self
            .entries(heap, of)
            .take_while(move |(at, _)| *at < index);
        behind.chain(before)
    }

    /// The entry with this index, if there is one.
    pub(crate) fn get<'h>(
        &'h self,
        heap: &'h Heap,
        of: Place,
        index: u32,
    ) -> Option<&'h AtomicU64> {
        if let Some(entry) = self.first.get(index as usize) {
            return Some(entry);
        }
        self.stretches(heap, of).find_map(|stretch| {
            let at = index.checked_sub(stretch.index)?;
            stretch.entries.get(at as usize)
        })
    }

    /// Writes `word`, which is not 0, into a free entry, looking from index `from` on first; gives its index.
    ///
    /// # Errors
    /// The roll must grow and the heap is at its limit.
    pub(crate) fn claim(&self, heap: &Heap, of: Place, word: u64, from: u32) -> Result<u32, Error> {
        loop {
            let taken = self.entries_from(heap, of, from).find(|(_, entry)| {
                entry.load(Ordering::Relaxed) == 0
                    && entry
                        .compare_exchange(0, word, Ordering::AcqRel, Ordering::Relaxed)
                        .is_ok()
            });
            match taken {
                Some((index, _)) => {
                    stored("entry");
                    return Ok(index);
                }
                None => self.grow(heap, of)?,
            }
        }
    }

    /// Adds a chunk of free entries at the end.
    pub(super) fn grow(&self, heap: &Heap, of: Place) -> Result<(), Error> {
        let mut count = 0;
        let mut chunks = 0;
        let mut last = &self.more;
        for stretch in self.stretches(heap, of) {
            count += stretch.entries.len();
            chunks += 1;
            last = stretch.next;
        }
        if last.load(Ordering::Acquire) != 0 || chunks >= MOST_CHUNKS {
            // Somebody was faster; or the link leads nowhere, and then nothing can be added.
            return match chunk(heap, of, last.load(Ordering::Acquire)) {
                Some(_) if chunks < MOST_CHUNKS => Ok(()),
                _ => Err(Error::new(
                    Kind::Protocol,
                    "a shared object's list is broken",
                )),
            };
        }
        object::announce_chunks(heap, of)?;
        let bytes = (count * 16).clamp(SMALLEST, LARGEST);
        let block = heap.allocator.alloc(bytes, 64)?;
        let made = Tail::of(heap, block.offset, block.size).and_then(|tail| {
            let words = tail.words();
            words
                .iter()
                .for_each(|word| word.store(0, Ordering::Relaxed));
            words[0].store(of.id, Ordering::Relaxed);
            words[1].store(of.offset, Ordering::Relaxed);
            tail.write(tail::CHUNK);
            heap.allocator.manage(block.offset, ROOT)
        });
        stored("chunk");
        let linked = made.and_then(|()| {
            last.compare_exchange(0, block.offset, Ordering::AcqRel, Ordering::Relaxed)
                .map_err(|_| Error::new(Kind::Protocol, "linked by another"))
        });
        stored("chunk link");
        if linked.is_err() {
            // Another was faster: its chunk is as good.
            let _ = heap.allocator.free(block.offset);
        }
        Ok(())
    }
}
