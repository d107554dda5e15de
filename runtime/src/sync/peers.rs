//! The heap's table of processes, as the lock word asks it.

use super::gone;
use super::word::{FAMILY, Family, Life, Peers};
use crate::heap::{self, Heap, LINEAGE, SlotId};
use crate::sys::futex;
use std::time::Instant;

const _: () = assert!(1 + FAMILY == LINEAGE);

impl Peers for Heap {
    #[inline]
    fn me(&self) -> u32 {
        self.me().pack()
    }

    fn life(&self, owner: u32) -> Life<'_> {
        // What names nobody was written by nobody who lives.
        let Some(id) = SlotId::unpack(owner) else {
            return Life::Gone;
        };
        match self.processes().life(id) {
            heap::Life::Alive(word, value) => Life::Alive(word, value),
            heap::Life::Dying(_) => Life::Dying,
            heap::Life::Gone => Life::Gone,
        }
    }

    fn family(&self, owner: u32) -> Family<'_> {
        let mut lives = [None; FAMILY];
        let Some(id) = SlotId::unpack(owner) else {
            return Family::Other(lives);
        };
        let table = self.processes();
        let mut lineage = table.lineage(self.me(), id);
        if lineage.next().is_none() {
            return Family::Own;
        }
        for (at, parent) in lives.iter_mut().zip(lineage) {
            match table.life(parent) {
                heap::Life::Alive(word, value) => *at = Some((word, value)),
                _ => return Family::Orphan(parent.pack()),
            }
        }
        Family::Other(lives)
    }

    fn wait_orphan(&self, owner: u32, deadline: Instant) -> bool {
        SlotId::unpack(owner).is_some_and(|id| gone::wait_orphan(self, id, deadline))
    }

    fn tell(&self, owner: u32) {
        let life = SlotId::unpack(owner).map(|id| self.processes().life(id));
        if let Some(heap::Life::Dying(word) | heap::Life::Alive(word, _)) = life {
            futex::wake_all(word);
        }
    }

    fn wait_gone(&self, owner: u32, deadline: Option<Instant>) -> bool {
        SlotId::unpack(owner).is_none_or(|id| gone::wait_gone(self, id, deadline))
    }

    fn is_gone_unmarked(&self, owner: u32) -> bool {
        SlotId::unpack(owner).is_none_or(|id| gone::is_gone_unmarked(self, id))
    }
}
