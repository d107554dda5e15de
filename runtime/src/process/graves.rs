//! What is left of processes that have ended: their slots, and the blocks they owned.
//!
//! A process that dies leaves children behind that this process cannot wait for. The lifeline kills them within moments, but
//! until then they still write where their parent gave them room: so nothing that a dead process owned is given back before
//! all of its descendants are gone. Each grave waits for that; it is looked at when the next child is started or buried.
//!
//! Words of the process table that are used here: `spare[0]` of a process is 1 before it takes a slot for its first child;
//! the `pid` of a slot is 0 until its process enters it, by a compare-and-swap and before anything else, or its parent does. Whoever buries the
//! parent of one that has not done so puts [`NOBODY`] there in the same way: the process, if there is one, then finds its
//! place taken, and ends.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::heap::{Heap, SlotId};
use crate::sys::child;

/// In the `pid` of a slot: it is too late to come to life.
const NOBODY: u32 = u32::MAX;

struct Grave {
    slot: SlotId,
    end: End,
}

/// What is known of the end of the process.
enum End {
    /// It is gone.
    Certain,
    /// Gone when this is readable.
    At(OwnedFd),
    /// There was no descriptor to be had for it.
    Unknown,
}

static GRAVES: Mutex<Vec<Grave>> = Mutex::new(Vec::new());

/// Says that this process has children from now on, for whoever buries it.
pub(super) fn announce_children(heap: &Heap) -> Result<(), Error> {
    let me = heap.processes().slot(heap.me())?;
    me.spare[0].store(1, Ordering::Release);
    Ok(())
}

/// Gives back the slot and the blocks of a process that is gone, as soon as its descendants are gone too.
pub(super) fn bury(heap: &'static Heap, slot: SlotId) {
    let mut graves = GRAVES.lock().unwrap_or_else(PoisonError::into_inner);
    graves.push(Grave {
        slot,
        end: End::Certain,
    });
    look_after(&mut graves, heap);
}

/// Gives back what can be given back by now.
pub(super) fn sweep(heap: &'static Heap) {
    let mut graves = GRAVES.lock().unwrap_or_else(PoisonError::into_inner);
    look_after(&mut graves, heap);
}

/// Waits until nothing is left to be given back, or the deadline has passed; whether nothing is left.
pub(crate) fn settle(heap: &'static Heap, deadline: Instant) -> bool {
    loop {
        sweep(heap);
        if GRAVES
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
        {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// In a copy of this process that becomes another: what is known here is the original's business.
pub(super) fn forget() {
    GRAVES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clear();
}

fn look_after(graves: &mut Vec<Grave>, heap: &'static Heap) {
    let table = heap.processes();
    loop {
        let mut found: Vec<Grave> = Vec::new();
        let before = graves.len();
        graves.retain_mut(|grave| {
            if !grave.is_gone(heap) {
                return true;
            }
            let mut childless = true;
            if has_had_children(heap, grave.slot) {
                for slot in table.children_of(grave.slot) {
                    childless = false;
                    found.push(Grave::of_orphan(heap, slot));
                }
            }
            if childless {
                if let Ok(slot) = table.slot(grave.slot) {
                    slot.pid.store(0, Ordering::Relaxed);
                }
                let _ = table.mark_dead(grave.slot);
                heap.adopt(grave.slot);
                let _ = table.release(grave.slot);
            }
            !childless
        });
        let mut changed = graves.len() != before;
        for grave in found {
            if graves.iter().all(|known| known.slot != grave.slot) {
                changed = true;
                graves.push(grave);
            }
        }
        // An orphan may be gone already, and its own children are then found in the next round.
        if !changed || graves.is_empty() {
            return;
        }
    }
}

fn has_had_children(heap: &Heap, slot: SlotId) -> bool {
    heap.processes()
        .slot(slot)
        .is_ok_and(|slot| slot.spare[0].load(Ordering::Acquire) != 0)
}

impl Grave {
    fn of_orphan(heap: &Heap, slot: SlotId) -> Self {
        let mut grave = Grave {
            slot,
            end: End::Unknown,
        };
        grave.look(heap);
        grave
    }

    fn is_gone(&mut self, heap: &Heap) -> bool {
        if matches!(self.end, End::Unknown) {
            self.look(heap);
        }
        let gone = match &self.end {
            End::Certain => true,
            // An error would stay an error: nothing can be learned from this descriptor any more.
            End::At(pidfd) => child::poll_readable(pidfd, Some(Instant::now())).unwrap_or(true),
            End::Unknown => false,
        };
        if gone {
            self.end = End::Certain;
        }
        gone
    }

    /// Finds out which process the slot has.
    fn look(&mut self, heap: &Heap) {
        let Ok(slot) = heap.processes().slot(self.slot) else {
            self.end = End::Certain;
            return;
        };
        let entered = slot
            .pid
            .compare_exchange(0, NOBODY, Ordering::AcqRel, Ordering::Acquire);
        self.end = match entered.unwrap_or_else(|pid| pid) {
            0 | NOBODY => End::Certain,
            pid => match child::open(pid) {
                Ok(Some(pidfd)) => End::At(pidfd),
                Ok(None) => End::Certain,
                Err(_) => End::Unknown,
            },
        };
    }
}
