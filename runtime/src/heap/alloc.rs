//! The allocator: blocks by offset, owned by a process, freed by anybody, adopted when their owner is dead.
//!
//! Relies on `small` (up to 32,704 bytes) and `extent` (whole granules). Everything it reads from the heap it takes as a
//! claim to be checked: an offset that is not the start of a live block gives an error, a word that makes no sense is left
//! alone, and every loop is bounded by what this process knows by itself.

use super::extent::Extents;
use super::segment::{GRANULE, Segment, block_word};
use super::small::{self, Small};
use super::word::{Kind, MANAGED, Resident, Word};
use super::{Block, SlotId, Stats};
use crate::error::{self, Error};
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Allocator {
    segment: &'static Segment,
    me: SlotId,
    small: Small,
    extents: Extents,
}

/// A live block, as its word had it a moment ago.
enum Found {
    Small {
        granule: usize,
        index: usize,
        granule_word: Word,
        word: &'static AtomicU64,
        value: u64,
        size: u64,
    },
    Extent {
        granule: usize,
        word: Word,
    },
}

impl Found {
    fn is_managed(&self) -> bool {
        match self {
            Found::Small { value, .. } => *value as u32 & MANAGED != 0,
            Found::Extent { word, .. } => word.is_managed(),
        }
    }

    fn size(&self) -> usize {
        match self {
            Found::Small { size, .. } => *size as usize,
            Found::Extent { word, .. } => word.len() * GRANULE as usize,
        }
    }
}

impl Allocator {
    pub(super) fn new(segment: &'static Segment, me: SlotId) -> Allocator {
        Allocator {
            segment,
            me,
            small: Small::new(segment, me),
            extents: Extents::new(segment, me),
        }
    }

    /// A block of at least `bytes` bytes, aligned to 64, or more if `align` says so (at most 64 KiB).
    pub(super) fn alloc(&self, bytes: usize, align: usize) -> Result<Block, Error> {
        if !align.is_power_of_two() || align as u64 > GRANULE {
            let text = format!("no block of the shared heap can be aligned to {align} bytes");
            return Err(Error::new(error::Kind::Usage, text));
        }
        match small::class_of(bytes).filter(|_| align <= 64) {
            Some(class) => {
                let offset = self.or_trim(|| self.small.alloc(class, &self.extents))?;
                let size = small::class(class).map_or(0, |class| class.size as usize);
                Ok(Block { offset, size })
            }
            None => {
                let len = (bytes as u64).div_ceil(GRANULE).max(1) as usize;
                let granule = self.or_trim(|| self.extents.alloc(len))?;
                let size = len * GRANULE as usize;
                Ok(Block {
                    offset: self.segment.offset_of(granule),
                    size,
                })
            }
        }
    }

    /// Tries once more without the empty granules of ours when the heap is full.
    fn or_trim<T>(&self, attempt: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        match attempt() {
            Err(error) if error.is_heap_full() => {
                self.trim();
                attempt()
            }
            other => other,
        }
    }

    pub(super) fn trim(&self) {
        self.small.trim(&self.extents);
    }

    fn find(&self, offset: u64) -> Result<Found, Error> {
        self.look_up(offset).ok_or_else(|| {
            let text = format!("no live block of the shared heap begins at offset {offset:#x}");
            Error::new(error::Kind::Protocol, text)
        })
    }

    fn look_up(&self, offset: u64) -> Option<Found> {
        let (granule, at) = self.segment.granule_of(offset)?;
        let granule_word = Word(self.segment.table().get(granule)?.load(Ordering::Acquire));
        match granule_word.kind() {
            Kind::Extent if at == 0 => {
                let len = granule_word.len() as u64 * GRANULE;
                self.segment.at(offset, len)?;
                Some(Found::Extent {
                    granule,
                    word: granule_word,
                })
            }
            Kind::Small => {
                let class = small::class(granule_word.len())?;
                let index = class.index(at)?;
                let word = self.small.words(granule, class)?.get(index)?;
                let value = word.load(Ordering::Acquire);
                let owned = value ^ self.segment.tag(granule, index);
                SlotId::unpack(u32::try_from(owned).ok()? & !MANAGED)?;
                let size = u64::from(class.size);
                Some(Found::Small {
                    granule,
                    index,
                    granule_word,
                    word,
                    value,
                    size,
                })
            }
            _ => None,
        }
    }

    pub(super) fn size_of(&self, offset: u64) -> Result<usize, Error> {
        self.find(offset).map(|found| found.size())
    }

    pub(super) fn owner(&self, offset: u64) -> Result<SlotId, Error> {
        let packed = match self.find(offset)? {
            Found::Small { value, .. } => value as u32 & !MANAGED,
            Found::Extent { word, .. } => word.owner(),
        };
        SlotId::unpack(packed).ok_or_else(|| {
            Error::new(
                error::Kind::Protocol,
                format!("the block at offset {offset:#x} has no owner"),
            )
        })
    }

    pub(super) fn free(&self, offset: u64) -> Result<(), Error> {
        let found = self.find(offset)?;
        self.free_found(offset, found)
    }

    /// Frees the block unless it has a tail; gives its size then.
    pub(super) fn free_plain(&self, offset: u64) -> Result<Option<usize>, Error> {
        let found = self.find(offset)?;
        if found.is_managed() {
            return Ok(Some(found.size()));
        }
        self.free_found(offset, found).map(|()| None)
    }

    fn free_found(&self, offset: u64, found: Found) -> Result<(), Error> {
        let freed = match found {
            Found::Small {
                granule,
                index,
                granule_word,
                word,
                value,
                ..
            } => {
                let freed = word
                    .compare_exchange(value, 0, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok();
                if freed {
                    self.small
                        .freed(granule, granule_word, index, &self.extents);
                }
                freed
            }
            Found::Extent { granule, word } => self.extents.free(granule, word),
        };
        self.done(freed, offset)
    }

    pub(super) fn give(&self, offset: u64, to: SlotId) -> Result<(), Error> {
        let found = self.find(offset)?;
        let managed = found.is_managed();
        self.rewrite(offset, found, to, managed)
    }

    /// Says that the block has a tail from now on, and whose it is; one store.
    pub(super) fn manage(&self, offset: u64, owner: SlotId) -> Result<(), Error> {
        let found = self.find(offset)?;
        self.rewrite(offset, found, owner, true)
    }

    fn rewrite(
        &self,
        offset: u64,
        found: Found,
        owner: SlotId,
        managed: bool,
    ) -> Result<(), Error> {
        let done = match found {
            Found::Small {
                granule,
                index,
                word,
                value,
                ..
            } => {
                let flag = if managed { u64::from(MANAGED) } else { 0 };
                let new = block_word(self.segment.tag(granule, index), owner) | flag;
                word.compare_exchange(value, new, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            }
            Found::Extent { granule, word } => {
                let new = word.with_owner(owner);
                let new = if managed { new.with_management() } else { new };
                self.extents.swap(granule, word, new)
            }
        };
        self.done(done, offset)
    }

    /// Whether the live block that begins here has a tail, and how many bytes it holds.
    pub(super) fn management(&self, offset: u64) -> Result<(bool, usize), Error> {
        let found = self.find(offset)?;
        Ok((found.is_managed(), found.size()))
    }

    /// All live blocks that have a tail: offset, size, owner.
    pub(super) fn managed(&self) -> Vec<(u64, usize, u32)> {
        let grown = self.segment.look();
        let mut all = Vec::new();
        for (granule, shared) in self.segment.table().iter().enumerate().take(grown) {
            let word = Word(shared.load(Ordering::Acquire));
            let at = self.segment.offset_of(granule);
            match word.kind() {
                Kind::Extent if word.is_managed() => {
                    all.push((at, word.len() * GRANULE as usize, word.owner()));
                }
                Kind::Small => {
                    let Some(class) = small::class(word.len()) else {
                        continue;
                    };
                    let words = self.small.words(granule, class).unwrap_or_default();
                    for (index, word) in words.iter().enumerate() {
                        let value = word.load(Ordering::Acquire);
                        let owned = value ^ self.segment.tag(granule, index);
                        if let Ok(owned) = u32::try_from(owned)
                            && owned & MANAGED != 0
                        {
                            let offset = at + class.offset(index);
                            all.push((offset, class.size as usize, owned & !MANAGED));
                        }
                    }
                }
                _ => {}
            }
        }
        all
    }

    /// Somebody else changed the block between our look and our store: two at once are one too many.
    fn done(&self, done: bool, offset: u64) -> Result<(), Error> {
        if done {
            return Ok(());
        }
        let text = format!("the block at offset {offset:#x} is used by two processes at once");
        Err(Error::new(error::Kind::Protocol, text))
    }

    /// Frees all that a dead process owned, and finishes what it had begun.
    ///
    /// Once for every process that ended, after the whole of it is known to be gone.
    pub(super) fn adopt(&self, dead: SlotId) {
        if dead == self.me {
            return;
        }
        let grown = self.segment.look();
        let mut idle = 0;
        for (granule, shared) in self.segment.table().iter().enumerate().take(grown) {
            let word = Word(shared.load(Ordering::Acquire));
            match word.kind() {
                Kind::Extent | Kind::Busy if word.owner() == dead.pack() => {
                    self.extents.free(granule, word);
                }
                Kind::Small => self.small.adopt(granule, word, dead, &self.extents),
                _ => {}
            }
            let word = Word(shared.load(Ordering::Relaxed));
            idle += usize::from(word.is_free() && word.resident() != Resident::No);
        }
        // The dead may have changed words without counting them, and nothing else sets the count right.
        self.segment.set_idle(idle);
    }

    /// Counts everything, by walking the whole heap.
    pub(super) fn stats(&self) -> Stats {
        let grown = self.segment.look();
        let mut stats = Stats {
            high_water: grown as u64 * GRANULE,
            ..Stats::default()
        };
        for (granule, shared) in self.segment.table().iter().enumerate().take(grown) {
            let word = Word(shared.load(Ordering::Acquire));
            match word.kind() {
                Kind::Free => {
                    stats.free_granules += 1;
                    stats.idle_bytes += if word.resident() == Resident::No {
                        0
                    } else {
                        GRANULE
                    };
                }
                Kind::Extent => {
                    stats.extents += 1;
                    stats.used_bytes += word.len() as u64 * GRANULE;
                }
                Kind::Busy => stats.unfinished += 1,
                Kind::Small => {
                    stats.small_granules += 1;
                    let Some(class) = small::class(word.len()) else {
                        continue;
                    };
                    let words = self.small.words(granule, class).unwrap_or_default();
                    let used = words
                        .iter()
                        .filter(|word| word.load(Ordering::Relaxed) != 0)
                        .count();
                    stats.blocks += used;
                    stats.used_bytes += used as u64 * u64::from(class.size);
                }
                Kind::Tail | Kind::Broken => {}
            }
        }
        stats
    }
}
