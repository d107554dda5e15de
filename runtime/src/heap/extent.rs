//! Runs of whole granules: large blocks, and the granules that small blocks are cut from.
//!
//! Relies on `segment` (memory) and `word` (states). There are no lists in shared memory: free is what its word calls
//! free, so neighbouring runs need no merging, and any stretch of free granules can be taken whoever left it.
//!
//! Who may touch what: a Free word may be taken by anybody, by compare-and-swap; the words of a run belong to the process
//! that made its head Busy until it stores Extent, Small or Free there. Taking acquires, returning releases, so what the
//! last owner did to the data lies before what the next one does.
//!
//! Private to the process are hints only: runs it used of late (their memory is in its page tables and its caches).
//! Memory that is free but resident is ten times faster than fresh memory; it is kept up to a cap, above which some other
//! idle run, or else the one just returned, gives its memory back.

use super::SlotId;
use super::segment::Segment;
use super::word::{Kind, Resident, Word};
use crate::error::{self, Error};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How often an allocation starts over because others took what it had found.
const ATTEMPTS: usize = 1000;
/// How many runs a process remembers.
const REMEMBERED: usize = 64;

pub(super) struct Extents {
    segment: &'static Segment,
    me: SlotId,
    /// First granule and length of runs used of late, the latest last.
    recent: Mutex<Vec<(usize, usize)>>,
    /// Where the search for idle memory to give back goes on.
    sweep: AtomicUsize,
}

/// What was found out about the granules of a run while taking them.
struct Taken {
    /// All of them had memory.
    full: bool,
    /// None of them had any.
    fresh: bool,
}

impl Extents {
    pub(super) fn new(segment: &'static Segment, me: SlotId) -> Extents {
        Extents {
            segment,
            me,
            recent: Mutex::new(Vec::with_capacity(REMEMBERED)),
            sweep: AtomicUsize::new(0),
        }
    }

    fn word(&self, granule: usize) -> Word {
        self.segment
            .table()
            .get(granule)
            .map_or(Word(u64::MAX), |word| Word(word.load(Ordering::Acquire)))
    }

    fn set(&self, granule: usize, word: Word) {
        if let Some(shared) = self.segment.table().get(granule) {
            shared.store(word.0, Ordering::Release);
        }
    }

    /// Replaces the word if it is still what it was.
    pub(super) fn swap(&self, granule: usize, old: Word, new: Word) -> bool {
        self.segment.table().get(granule).is_some_and(|word| {
            word.compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        })
    }

    /// One block of `len` granules, memory behind it; gives its first granule.
    pub(super) fn alloc(&self, len: usize) -> Result<usize, Error> {
        let (start, taken) = match self.take_recent(len) {
            Some(found) => found,
            None => self.take_anywhere(len, false)?,
        };
        if !taken.full {
            self.commit(start, len)?;
        }
        self.remember(start, len);
        self.set(start, Word::extent(self.me, len, Resident::Full));
        Ok(start)
    }

    /// One granule to cut into small blocks; its word is Busy until the caller commits. Says whether it was used before.
    pub(super) fn alloc_granule(&self) -> Result<(usize, bool), Error> {
        let (granule, taken) = self.take_anywhere(1, true)?;
        Ok((granule, !taken.fresh))
    }

    fn take_recent(&self, len: usize) -> Option<(usize, Taken)> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        for at in (0..recent.len()).rev() {
            let (start, known) = recent[at];
            if known != len || !self.word(start).is_free() {
                continue;
            }
            recent.remove(at);
            if let Some(taken) = self.take(start, len) {
                return Some((start, taken));
            }
        }
        None
    }

    fn remember(&self, start: usize, len: usize) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.last() == Some(&(start, len)) {
            return;
        }
        if let Some(at) = recent.iter().position(|run| *run == (start, len)) {
            recent.remove(at);
        } else if recent.len() == REMEMBERED {
            recent.remove(0);
        }
        recent.push((start, len));
    }

    fn take_anywhere(&self, len: usize, any: bool) -> Result<(usize, Taken), Error> {
        for _ in 0..ATTEMPTS {
            match self.find(len, any) {
                Ok(start) => {
                    if let Some(taken) = self.take(start, len) {
                        return Ok((start, taken));
                    }
                }
                Err(free_at_end) => {
                    let grown = self.segment.grown();
                    // Perhaps another process has made room by now.
                    if self.segment.look() == grown {
                        self.segment
                            .grow(grown.saturating_sub(free_at_end).saturating_add(len))?;
                    }
                }
            }
        }
        Err(Error::new(
            error::Kind::HeapFull,
            "the shared heap is too contended to find room",
        ))
    }

    /// The first stretch of `len` free granules, a fully resident one if there is any (or `any` that comes first); else how
    /// many free ones there are at the end.
    fn find(&self, len: usize, any: bool) -> Result<usize, usize> {
        let grown = self.segment.grown();
        let (mut free, mut full, mut first) = (0, 0, None);
        let mut granule = 0;
        while granule < grown {
            let word = self.word(granule);
            if !word.is_free() {
                (free, full) = (0, 0);
                granule += match word.kind() {
                    Kind::Extent => word.len().max(1),
                    _ => 1,
                };
                continue;
            }
            granule += 1;
            free += 1;
            full = if word.resident() == Resident::Full {
                full + 1
            } else {
                0
            };
            if full >= len || any && free >= len {
                return Ok(granule - len);
            }
            if free >= len && first.is_none() {
                first = Some(granule - len);
            }
        }
        first.ok_or(free)
    }

    /// Takes exactly this run; the head is Busy afterwards. Nothing is taken if any of it is not free.
    fn take(&self, start: usize, len: usize) -> Option<Taken> {
        let (mut full, mut idle) = (true, 0);
        for back in 0..len {
            let word = self.word(start + back);
            let resident = word.resident();
            // From here on there may be memory behind it.
            let after = resident.max(Resident::Part);
            let mine = match back {
                0 => Word::busy(self.me, len, after),
                _ => Word::tail(back, after),
            };
            if !word.is_free() || !self.swap(start + back, word, mine) {
                if back > 0 {
                    self.put_back(start, back, None);
                }
                return None;
            }
            full &= resident == Resident::Full;
            idle += i64::from(resident != Resident::No);
        }
        self.segment.count_idle(-idle);
        Some(Taken {
            full,
            fresh: idle == 0,
        })
    }

    /// Memory for the granules of a taken run that have none yet; returns the run if there is none to be had.
    fn commit(&self, start: usize, len: usize) -> Result<(), Error> {
        let lacks = |at: usize| at < len && self.word(start + at).resident() != Resident::Full;
        let mut at = 0;
        while at < len {
            let from = at;
            while lacks(at) {
                at += 1;
            }
            if at == from {
                at += 1;
                continue;
            }
            if let Err(error) = self.segment.commit(start + from, at - from) {
                self.segment.count_idle(len as i64);
                self.put_back(start, len, None);
                return Err(error);
            }
            for back in from.max(1)..at {
                self.set(start + back, Word::tail(back, Resident::Full));
            }
        }
        Ok(())
    }

    /// Frees the granules of a run whose head is Busy and ours, head last; with what memory, if it is not as their words say.
    fn put_back(&self, start: usize, len: usize, resident: Option<Resident>) {
        for back in (0..len).rev() {
            let word = self.word(start + back);
            if back > 0 && (word.kind() != Kind::Tail || word.len() != back) {
                continue;
            }
            let resident = resident.unwrap_or_else(|| word.resident());
            self.set(start + back, Word::free(resident));
        }
    }

    /// How many granules really belong to the run at `start`: its head and the tails that point back to it.
    fn extent_of(&self, start: usize, len: usize) -> usize {
        let mut grown = self.segment.grown();
        if start.saturating_add(len) > grown {
            // Another process may have grown the file under a run that begins where this one knew its end.
            grown = self.segment.look();
        }
        let len = len.min(grown.saturating_sub(start));
        (1..len)
            .find(|&back| {
                let word = self.word(start + back);
                word.kind() != Kind::Tail || word.len() != back
            })
            .unwrap_or(len)
    }

    /// Frees the run whose head still is `word` (Extent, Busy of a dead process, or an empty Small); `false` if somebody
    /// was faster. Gives back memory where too much lies idle.
    pub(super) fn free(&self, start: usize, word: Word) -> bool {
        let len = if word.kind() == Kind::Small {
            1
        } else {
            word.len()
        };
        let busy = Word::busy(self.me, len, word.resident());
        if !self.swap(start, word, busy) {
            return false;
        }
        let len = self.extent_of(start, len);
        let excess = self.segment.count_idle(len as i64);
        if excess > 0 && self.give_back(excess) < excess && self.segment.punch(start, len) {
            self.segment.count_idle(-(len as i64));
            self.put_back(start, len, Some(Resident::No));
        } else {
            self.put_back(start, len, None);
            if word.kind() == Kind::Extent {
                self.remember(start, len);
            }
        }
        true
    }

    /// Takes the memory of about this many idle granules away; gives how many it were.
    fn give_back(&self, excess: usize) -> usize {
        let grown = self.segment.grown();
        let idle = |granule: usize| {
            let word = self.word(granule);
            granule < grown && word.is_free() && word.resident() != Resident::No
        };
        let mut given = 0;
        let mut at = self.sweep.load(Ordering::Relaxed);
        let mut seen = 0;
        while seen < grown && given < excess {
            if at >= grown {
                at = 0;
            }
            let start = at;
            while given + (at - start) < excess && idle(at) {
                at += 1;
            }
            let len = at - start;
            if len == 0 {
                at += 1;
                seen += 1;
                continue;
            }
            seen += len;
            if self.take(start, len).is_none() {
                continue;
            }
            if self.segment.punch(start, len) {
                self.put_back(start, len, Some(Resident::No));
                given += len;
            } else {
                self.segment.count_idle(len as i64);
                self.put_back(start, len, None);
                break;
            }
        }
        self.sweep.store(at, Ordering::Relaxed);
        given
    }
}
