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
//! Chunks grow with the roll: from some thousand entries on, one has as many as stand before it (fewer where the heap has
//! no room for those). So chunks are few, and getting entry n takes about log n steps. The entries of a roll fill no more
//! than the heap has, and that ends links that go round, too.
//!
//! The first chunk has a hint: the index where a free entry was last seen. Whoever claims looks into the object, then from the
//! hint on, then everywhere; so a hint that is wrong, or written wildly, costs time and nothing else.
//!
//! Orderings: a link is stored with Release and followed with Acquire; the hint carries nothing; entries are the business of
//! their users.

use std::sync::atomic::{AtomicU64, Ordering};

use super::object::{self, Place};
use super::segment::GRANULE;
use super::tail::{self, Tail};
use super::{Heap, ROOT};
use crate::error::{Error, Kind};
use crate::sys::points::stored;

/// Whatever the links say, no roll is followed further.
const MOST_CHUNKS: usize = 8192;
/// The words at the beginning of a chunk: the object's id and place, the next chunk, the hint (in the first chunk).
const CHUNK_HEAD: usize = 4;
const NEXT: usize = 2;
const HINT: usize = 3;
/// The sizes in bytes of chunks that are small blocks.
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

impl<'h> Stretch<'h> {
    /// The index behind the last entry.
    fn end(&self) -> Option<u32> {
        self.index
            .checked_add(u32::try_from(self.entries.len()).ok()?)
    }

    /// The next one, as far as the link makes sense.
    fn following(&self, heap: &'h Heap, of: Place) -> Option<Stretch<'h>> {
        let words = chunk(heap, of, self.next.load(Ordering::Acquire))?;
        let following = Stretch {
            index: self.end()?,
            entries: &words[CHUNK_HEAD..words.len() - tail::BYTES / 8],
            next: &words[NEXT],
        };
        // All stretches lie apart in what the file is known to have by now.
        let room = heap.segment.grown() as u64 * GRANULE / 8;
        let fits = u64::from(following.end()?) <= room;
        // A link to itself is the end.
        (fits && !std::ptr::eq(following.next, self.next)).then_some(following)
    }
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
        if self.left > 0 {
            self.ahead = here.following(self.heap, self.of);
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

/// Writes `word` into an entry if that is free.
fn take((_, entry): &(u32, &AtomicU64), word: u64) -> bool {
    entry.load(Ordering::Relaxed) == 0
        && entry
            .compare_exchange(0, word, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
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

    /// The entry with this index, which the roll grows to have.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub(crate) fn ensure<'h>(
        &'h self,
        heap: &'h Heap,
        of: Place,
        index: u32,
    ) -> Result<&'h AtomicU64, Error> {
        loop {
            match self.get(heap, of, index) {
                Some(entry) => return Ok(entry),
                None => self.grow(heap, of)?,
            }
        }
    }

    /// Writes `word`, which is not 0, into a free entry, looking from index `from` on first; gives its index.
    ///
    /// # Errors
    /// The roll must grow and the heap is at its limit.
    #[inline]
    pub(crate) fn claim(&self, heap: &Heap, of: Place, word: u64, from: u32) -> Result<u32, Error> {
        let (before, behind) = self.first.split_at((from as usize).min(N));
        let behind = (from..).zip(behind);
        match behind
            .chain((0..).zip(before))
            .find(|entry| take(entry, word))
        {
            Some((index, _)) => {
                stored("entry");
                Ok(index)
            }
            None => self.claim_behind(heap, of, word, from),
        }
    }

    /// As `claim`, when all entries in the object itself are taken.
    #[cold]
    fn claim_behind(&self, heap: &Heap, of: Place, word: u64, from: u32) -> Result<u32, Error> {
        loop {
            let hint = self.hint(heap, of);
            let hinted = hint.map_or(0, |hint| hint.load(Ordering::Relaxed));
            // Who asks for a place behind the first knows better.
            let from = if from as usize >= N {
                from
            } else {
                u32::try_from(hinted).unwrap_or(0)
            };
            let taken = self
                .entries_from(heap, of, from)
                .find(|entry| take(entry, word));
            let Some((index, _)) = taken else {
                self.grow(heap, of)?;
                continue;
            };
            stored("entry");
            if let Some(hint) = hint {
                hint.store(u64::from(index) + 1, Ordering::Relaxed);
            }
            return Ok(index);
        }
    }

    /// Tells that the entry with this index is free again, so that it is soon found.
    #[inline]
    pub(crate) fn freed(&self, heap: &Heap, of: Place, index: u32) {
        if index as usize >= N
            && let Some(hint) = self.hint(heap, of)
        {
            hint.store(u64::from(index), Ordering::Relaxed);
        }
    }

    pub(super) fn hint<'h>(&self, heap: &'h Heap, of: Place) -> Option<&'h AtomicU64> {
        chunk(heap, of, self.more.load(Ordering::Acquire)).map(|words| &words[HINT])
    }

    /// The links, each in the stretch before the one it leads to.
    #[cfg(test)]
    pub(super) fn links<'h>(&'h self, heap: &'h Heap, of: Place) -> Vec<&'h AtomicU64> {
        let links = self.stretches(heap, of).map(|stretch| stretch.next);
        links.collect()
    }

    /// Adds a chunk of free entries at the end.
    pub(super) fn grow(&self, heap: &Heap, of: Place) -> Result<(), Error> {
        let broken = || Error::new(Kind::Protocol, "a shared object's list is broken");
        let stretches = self.stretches(heap, of).enumerate();
        let (before, end) = stretches.last().ok_or_else(broken)?;
        if end.next.load(Ordering::Acquire) != 0 || before + 1 >= MOST_CHUNKS {
            // Somebody was faster; or the link leads nowhere, and then nothing can be added.
            let faster = before + 1 < MOST_CHUNKS && end.following(heap, of).is_some();
            return if faster { Ok(()) } else { Err(broken()) };
        }
        let count = end.end().ok_or_else(broken)? as usize;
        object::announce_chunks(heap, of)?;
        let bytes = (count * 16).clamp(SMALLEST, LARGEST);
        let alloc = |bytes| heap.allocator.alloc(bytes, 64);
        let block = match count * 8 {
            // As many as there are, so that long rolls have few chunks; in a heap that is nearly full, less will do.
            more if more > bytes => alloc(more).or_else(|_| alloc(bytes))?,
            _ => alloc(bytes)?,
        };
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
            end.next
                .compare_exchange(0, block.offset, Ordering::AcqRel, Ordering::Relaxed)
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
