//! The word of a granule: one number that says what it is, so that every change of state is one store.
//!
//! | kind   | means                                                        | owner | len            |
//! |--------|--------------------------------------------------------------|-------|----------------|
//! | Free   | nobody's                                                     | –     | –              |
//! | Busy   | first granule of a run that its owner is taking or returning | yes   | granules       |
//! | Extent | first granule of one large block                             | yes   | granules       |
//! | Tail   | a later granule of a run                                     | –     | back to the first |
//! | Small  | cut into small blocks; only its owner allocates from it      | yes   | size class     |
//!
//! A run is taken first granule first and returned first granule last, so a Busy or Extent word stands at its head as
//! long as any of its tails stand: whoever finds the owner dead takes over that one word and has the whole run.
//! Anything else that stands in a word (scribbled) is never free and never freed: a leak, no harm.

use super::SlotId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Free,
    Busy,
    Extent,
    Tail,
    Small,
    Broken,
}

/// Whether a granule has memory behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resident {
    /// None: it reads as zeroes and costs nothing.
    No = 0,
    /// Perhaps some.
    Part = 1,
    /// All of it: touching it cannot fail and is fast.
    Full = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

const RESIDENT_AT: u32 = 3;
const LEN_AT: u32 = 5;
const LEN_MASK: u64 = (1 << 25) - 1;
const OWNER_AT: u32 = 32;

/// Beside a packed owner: the block has a tail that says what it is or carries (see `tail`).
pub(super) const MANAGED: u32 = 1 << 31;

impl Word {
    fn new(kind: Kind, resident: Resident, len: usize, owner: u32) -> Word {
        Word(
            kind as u64
                | (resident as u64) << RESIDENT_AT
                | (len as u64 & LEN_MASK) << LEN_AT
                | u64::from(owner) << OWNER_AT,
        )
    }

    pub(super) fn free(resident: Resident) -> Word {
        Word::new(Kind::Free, resident, 0, 0)
    }

    pub(super) fn busy(owner: SlotId, len: usize, resident: Resident) -> Word {
        Word::new(Kind::Busy, resident, len, owner.pack())
    }

    pub(super) fn extent(owner: SlotId, len: usize, resident: Resident) -> Word {
        Word::new(Kind::Extent, resident, len, owner.pack())
    }

    pub(super) fn tail(back: usize, resident: Resident) -> Word {
        Word::new(Kind::Tail, resident, back, 0)
    }

    pub(super) fn small(owner: SlotId, class: usize) -> Word {
        Word::new(Kind::Small, Resident::Part, class, owner.pack())
    }

    pub(super) fn kind(self) -> Kind {
        match self.0 & 7 {
            0 => Kind::Free,
            1 => Kind::Busy,
            2 => Kind::Extent,
            3 => Kind::Tail,
            4 => Kind::Small,
            _ => Kind::Broken,
        }
    }

    pub(super) fn is_free(self) -> bool {
        self.kind() == Kind::Free
    }

    pub(super) fn resident(self) -> Resident {
        match self.0 >> RESIDENT_AT & 3 {
            0 => Resident::No,
            2 => Resident::Full,
            _ => Resident::Part,
        }
    }

    #[cfg(test)]
    pub(super) fn with_resident(self, resident: Resident) -> Word {
        Word(self.0 & !(3 << RESIDENT_AT) | (resident as u64) << RESIDENT_AT)
    }

    /// The granules of a run, the way back of a tail, the class of a small granule.
    pub(super) fn len(self) -> usize {
        (self.0 >> LEN_AT & LEN_MASK) as usize
    }

    pub(super) fn owner(self) -> u32 {
        (self.0 >> OWNER_AT) as u32 & !MANAGED
    }

    /// Another owner; what else the word says stays.
    pub(super) fn with_owner(self, owner: SlotId) -> Word {
        let managed = (self.0 >> OWNER_AT) as u32 & MANAGED;
        let rest = self.0 & u64::from(u32::MAX);
        Word(rest | u64::from(owner.pack() | managed) << OWNER_AT)
    }

    pub(super) fn is_managed(self) -> bool {
        (self.0 >> OWNER_AT) as u32 & MANAGED != 0
    }

    pub(super) fn with_management(self) -> Word {
        Word(self.0 | u64::from(MANAGED) << OWNER_AT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_what_it_was_given() {
        let owner = SlotId {
            index: 4095,
            generation: SlotId::GENERATIONS - 1,
        };
        let word = Word::extent(owner, 1 << 24, Resident::Full);
        assert_eq!(word.kind(), Kind::Extent);
        assert_eq!(word.len(), 1 << 24);
        assert_eq!(word.owner(), owner.pack());
        assert_eq!(word.resident(), Resident::Full);
        let other = SlotId {
            index: 0,
            generation: 1,
        };
        let word = word.with_owner(other).with_resident(Resident::No);
        assert_eq!(word, Word::extent(other, 1 << 24, Resident::No));
        assert_eq!(Word(0), Word::free(Resident::No));
        assert_eq!(Word(7).kind(), Kind::Broken);
    }
}
