//! Small blocks: granules cut into blocks of one size, with a word per block in front.
//!
//! Relies on `segment` and `extent`. A block's word is 0 (free) or names its owner, so it is allocated, given and freed by
//! one store each. It also carries a mark made of its place and a number of the session: a process that looks at the words
//! while their granule is put to another use meets other people's data there, and must not take them for words.
//!
//! Who may touch what: only the owner of the granule changes a word from 0, under the private lock of its class; anybody
//! may free or give. So the owner alone can know that a granule is empty, and hands it back under the same lock. A granule
//! whose owner is dead passes to whoever adopts it, by one store into its word in the table.
//!
//! When a granule is handed back: when its owner frees the last block, at once, unless blocks are being taken from it; when
//! somebody else does, with the owner's next look at all of its granules, which it takes whenever a process has died and
//! whenever they have become twice as many as after the last one.

use super::SlotId;
use super::extent::Extents;
use super::segment::{GRANULE, Segment, block_word};
use super::word::{Kind, MANAGED, Word};
use crate::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The block sizes. Towards the top they are the largest of which a whole number fits beside the words.
const SIZES: [u32; 27] = [
    64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3264,
    4352, 5440, 6528, 8128, 9344, 10880, 13056, 16320, 21824,
];
/// Two to a granule.
const LARGEST: u32 = 32704;
const CLASSES: usize = SIZES.len() + 1;
/// How many of its own granules an allocation looks through before it takes a new one.
const LOOKS: usize = 8;

/// What a size class looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) size: u32,
    pub(super) count: u32,
    /// Where the first block begins.
    first: u32,
}

const CLASS: [Class; CLASSES] = {
    let mut classes = [Class {
        size: 0,
        count: 0,
        first: 0,
    }; CLASSES];
    let mut at = 0;
    while at < CLASSES {
        let size = if at < SIZES.len() { SIZES[at] } else { LARGEST };
        let mut count = GRANULE as u32 / size;
        let mut first = (count * 8).next_multiple_of(64);
        while first + count * size > GRANULE as u32 {
            count -= 1;
            first = (count * 8).next_multiple_of(64);
        }
        classes[at] = Class { size, count, first };
        at += 1;
    }
    classes
};

/// The class for every size in steps of 64.
const CLASS_OF: [u8; (LARGEST / 64) as usize + 1] = {
    let mut table = [0; (LARGEST / 64) as usize + 1];
    let (mut step, mut class) = (0, 0);
    while step < table.len() {
        if step as u32 * 64 > CLASS[class].size {
            class += 1;
        }
        table[step] = class as u8;
        step += 1;
    }
    table
};

/// The class that serves this many bytes, if any does.
pub(super) fn class_of(bytes: usize) -> Option<usize> {
    CLASS_OF
        .get(bytes.div_ceil(64))
        .map(|class| usize::from(*class))
}

/// The class with this number, as found in shared memory.
pub(super) fn class(number: usize) -> Option<&'static Class> {
    CLASS.get(number)
}

impl Class {
    /// The block that begins this far into a granule.
    pub(super) fn index(&self, at: u64) -> Option<usize> {
        let at = (at as u32).checked_sub(self.first)?;
        let index = at / self.size;
        (at % self.size == 0 && index < self.count).then_some(index as usize)
    }

    pub(super) fn offset(&self, index: usize) -> u64 {
        u64::from(self.first) + index as u64 * u64::from(self.size)
    }
}

pub(super) struct Small {
    segment: &'static Segment,
    me: SlotId,
    classes: [Mutex<Mine>; CLASSES],
}

/// What this process has of one class.
#[derive(Default)]
struct Mine {
    /// Its granules, the one in use first.
    granules: Vec<usize>,
    /// The block to try first.
    hint: usize,
    /// Which granule is looked at next when that one is full.
    next: usize,
    /// So many granules were left after the last look at all of them.
    left: usize,
}

/// So many granules more than twice those that were left are not worth a look.
const FEW: usize = 16;

impl Small {
    pub(super) fn new(segment: &'static Segment, me: SlotId) -> Small {
        Small {
            segment,
            me,
            classes: Default::default(),
        }
    }

    fn mine(&self, class: usize) -> MutexGuard<'_, Mine> {
        self.classes[class]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_mine(&self, granule: usize, class: usize) -> bool {
        let word = self.segment.table().get(granule);
        word.is_some_and(|word| word.load(Ordering::Relaxed) == Word::small(self.me, class).0)
    }

    /// The words of a granule's blocks.
    pub(super) fn words(&self, granule: usize, class: &Class) -> Option<&'static [AtomicU64]> {
        self.segment
            .words(self.segment.offset_of(granule), class.count as usize)
    }

    /// A block of this class; gives its offset.
    pub(super) fn alloc(&self, class: usize, extents: &Extents) -> Result<u64, Error> {
        let mut mine = self.mine(class);
        let mine = &mut *mine;
        if let Some(&granule) = mine.granules.first()
            && let Some(index) = self.take(granule, class, mine.hint)
        {
            mine.hint = index + 1;
            return Ok(self.segment.offset_of(granule) + CLASS[class].offset(index));
        }
        self.alloc_slowly(mine, class, extents)
    }

    #[cold]
    fn alloc_slowly(&self, mine: &mut Mine, class: usize, extents: &Extents) -> Result<u64, Error> {
        let mut looks = 0;
        while looks < LOOKS.min(mine.granules.len()) {
            looks += 1;
            let at = mine.next % mine.granules.len();
            mine.next = mine.next.wrapping_add(1);
            if let Some(found) = self.use_granule(mine, at, class) {
                return Ok(found);
            }
        }
        let full = match self.new_granule(mine, class, extents) {
            Ok(()) => {
                let at = mine.granules.len() - 1;
                match self.use_granule(mine, at, class) {
                    Some(found) => return Ok(found),
                    None => return Err(scribbled()),
                }
            }
            Err(error) => error,
        };
        // Nothing new to be had: leave no stone unturned.
        for at in (0..mine.granules.len()).rev() {
            if let Some(found) = self.use_granule(mine, at, class) {
                return Ok(found);
            }
        }
        Err(full)
    }

    /// Takes a block from the granule at this place of the list and puts it first. Forgets a granule that is not ours.
    fn use_granule(&self, mine: &mut Mine, at: usize, class: usize) -> Option<u64> {
        let granule = mine.granules[at];
        if !self.is_mine(granule, class) {
            mine.granules.swap_remove(at);
            return None;
        }
        let index = self.take(granule, class, 0)?;
        mine.granules.swap(0, at);
        mine.hint = index + 1;
        Some(self.segment.offset_of(granule) + CLASS[class].offset(index))
    }

    /// Takes a free block of the granule, from `hint` on and then from the start.
    fn take(&self, granule: usize, class: usize, hint: usize) -> Option<usize> {
        if !self.is_mine(granule, class) {
            return None;
        }
        let words = self.words(granule, &CLASS[class])?;
        let hint = hint.min(words.len());
        let found = (hint..words.len()).chain(0..hint).find(|&index| {
            let word = &words[index];
            let taken = block_word(self.segment.tag(granule, index), self.me);
            word.load(Ordering::Relaxed) == 0
                && word
                    .compare_exchange(0, taken, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
        })?;
        Some(found)
    }

    fn new_granule(&self, mine: &mut Mine, class: usize, extents: &Extents) -> Result<(), Error> {
        // Before it is ours, and empty: it may stand in the list from an earlier time.
        self.sweep_often(mine, class, extents);
        let (granule, used) = extents.alloc_granule()?;
        if used {
            for word in self.words(granule, &CLASS[class]).unwrap_or_default() {
                word.store(0, Ordering::Relaxed);
            }
        }
        if let Some(word) = self.segment.table().get(granule) {
            word.store(Word::small(self.me, class).0, Ordering::Release);
        }
        mine.granules.push(granule);
        Ok(())
    }

    /// Hands back what is empty if the list has grown much since that was done last.
    fn sweep_often(&self, mine: &mut Mine, class: usize, extents: &Extents) {
        if mine.granules.len() >= 2 * mine.left + FEW {
            self.sweep(mine, 1, class, extents);
        }
    }

    /// Hands back what is empty, from this place of the list on, and forgets what is not ours any more.
    fn sweep(&self, mine: &mut Mine, from: usize, class: usize, extents: &Extents) {
        let mut behind = mine.granules.split_off(from.min(mine.granules.len()));
        // One that was handed back and has come again stands there twice.
        behind.sort_unstable();
        behind.dedup();
        behind.retain(|granule| {
            !mine.granules.contains(granule)
                && self.is_mine(*granule, class)
                && !self.retire(*granule, class, extents)
        });
        mine.granules.append(&mut behind);
        mine.left = mine.granules.len();
    }

    /// Told that a block was freed. If its granule is ours: that block is the next to be used (it is warm), or the granule
    /// is handed back if it was the last.
    pub(super) fn freed(&self, granule: usize, word: Word, index: usize, extents: &Extents) {
        if word.owner() != self.me.pack() {
            return;
        }
        let number = word.len();
        let Some(mine) = self.classes.get(number) else {
            return;
        };
        if let Ok(mut mine) = mine.try_lock()
            && mine.granules.first() == Some(&granule)
        {
            mine.hint = index;
            return;
        }
        if self.seems_empty(granule, number, index) {
            self.hand_back(granule, number, extents);
        }
    }

    /// Whether no block is used, as it seems; of one that has just been freed the neighbours are looked at first.
    fn seems_empty(&self, granule: usize, number: usize, index: usize) -> bool {
        let words = class(number).and_then(|class| self.words(granule, class));
        let words = words.unwrap_or_default();
        let is_free = |word: &AtomicU64| word.load(Ordering::Relaxed) == 0;
        let (before, behind) = words.split_at(index.min(words.len()));
        before.last().is_none_or(is_free) && behind.iter().chain(before).all(is_free)
    }

    /// Hands back a granule of ours that seems to be empty, unless blocks are being taken from it. It stays in the list, as one
    /// that is not ours.
    fn hand_back(&self, granule: usize, class: usize, extents: &Extents) {
        let mine = self.mine(class);
        if mine.granules.first() != Some(&granule) {
            self.retire(granule, class, extents);
        }
    }

    /// Hands back the granules of ours in which no block is used.
    pub(super) fn trim(&self, extents: &Extents) {
        for class in 0..CLASSES {
            self.sweep(&mut self.mine(class), 0, class, extents);
        }
    }

    /// Frees the granule if it is ours and empty. Called under the lock of its class.
    fn retire(&self, granule: usize, class: usize, extents: &Extents) -> bool {
        let Some(words) = self.words(granule, &CLASS[class]) else {
            return false;
        };
        words.iter().all(|word| word.load(Ordering::Acquire) == 0)
            && extents.free(granule, Word::small(self.me, class))
    }

    /// Frees the blocks a dead process owned in this granule; takes the granule over if it was the dead one's, too. One of ours is
    /// handed back if it is empty.
    pub(super) fn adopt(&self, granule: usize, word: Word, dead: SlotId, extents: &Extents) {
        let number = word.len();
        let Some(class) = class(number).filter(|_| word.kind() == Kind::Small) else {
            return;
        };
        let Some(words) = self.words(granule, class) else {
            return;
        };
        for (index, word) in words.iter().enumerate() {
            let owned = block_word(self.segment.tag(granule, index), dead);
            let value = word.load(Ordering::Relaxed);
            if value & !u64::from(MANAGED) == owned {
                // Lost to somebody who freed or was given it: not ours to free any more.
                let _ = word.compare_exchange(value, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
        if word.owner() == dead.pack() {
            let mut mine = self.mine(number);
            if extents.swap(granule, word, Word::small(self.me, number))
                && !self.retire(granule, number, extents)
            {
                self.sweep_often(&mut mine, number, extents);
                mine.granules.push(granule);
            }
        } else if word.owner() == self.me.pack() && self.seems_empty(granule, number, 0) {
            self.hand_back(granule, number, extents);
        }
    }
}

fn scribbled() -> Error {
    Error::new(
        crate::error::Kind::Protocol,
        "the shared heap was overwritten by one of the session's processes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_fit_and_cover() {
        for (number, class) in CLASS.iter().enumerate() {
            assert_eq!(class.size % 64, 0);
            assert!(class.first >= class.count * 8);
            assert!(
                u64::from(class.first + class.count * class.size) <= GRANULE,
                "{class:?}"
            );
            let waste = GRANULE as u32 - class.first - class.count * class.size;
            assert!(waste < 5000, "{class:?} wastes {waste}");
            let last = class.count as usize - 1;
            assert_eq!(class.index(class.offset(last)), Some(last));
            assert_eq!(class.index(class.offset(last) + 1), None);
            assert_eq!(class.index(0), None);
            assert_eq!(class_of(class.size as usize), Some(number));
        }
        for bytes in 0..=LARGEST as usize {
            let class = CLASS[class_of(bytes).unwrap()];
            assert!(class.size as usize >= bytes);
            assert!(
                class.size as usize <= bytes.max(49) * 3 / 2 + 64,
                "{bytes} in {class:?}"
            );
        }
        assert_eq!(class_of(LARGEST as usize + 1), None);
    }
}
