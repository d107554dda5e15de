#![allow(unsafe_code)]
//! Who belongs to the session: one page per process, with its liveness word, its particulars and a mailbox.
//!
//! Relies on `segment` (where the pages are) and `sys::robust` (the word the kernel flags). A page is reached as a struct
//! of atomics, never as plain memory, and its contents are believed by nobody without a check.
//!
//! States of a slot are in its `ticket`, one word: free → taken by a parent (one compare-and-swap, which also records the
//! parent and begins a new generation) → free again when the parent has reaped the process and put everything in order. A
//! `SlotId` carries the generation, so a slot that was used again is never taken for its predecessor. Only the parent (or
//! whoever stands in for it) releases a slot; the process itself fills in the rest.
//!
//! Death: the kernel sets OWNER_DIED in `liveness`; the parent stores GONE there after reaping, in case the kernel could not,
//! and wakes all. The kernel's flag is suspicion, not proof: other threads of the process may still write for a while, so
//! what it owned is taken over only after the whole process is known to be gone, which GONE says, and so does a slot that
//! was released.
//!
//! Orderings: the ticket is taken with AcqRel and read with Acquire; the parent fills a slot before the child can look. The
//! liveness word of the predecessor is cleared with Release after that, so whoever has read a cleared one and then reads
//! the ticket sees the new generation.

use super::segment::{SLOT_BYTES, SLOTS, Segment};
use super::{ROOT, SlotId};
use crate::error::{Error, Kind};
use crate::sys::futex;
use crate::sys::robust::{self, GONE, Liveness, OWNER_DIED};
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The bytes of a slot that are free for whatever its parent and its process tell each other.
pub(crate) const MAILBOX_BYTES: usize = 3072;

const SPARE_WORDS: usize = 16;

/// How far up ancestors are followed.
pub(crate) const LINEAGE: usize = 8;

/// The word of the session that holds how many slots, counted from the first, were ever taken.
const MOST_WORD: usize = super::SESSION_WORDS - 1;

/// One process, as the session sees it.
#[repr(C, align(64))]
pub(crate) struct Slot {
    ticket: AtomicU64,
    /// What the process is doing; free for the upper layers, 0 at first.
    pub(crate) state: AtomicU32,
    /// Its process id, for people and logs.
    pub(crate) pid: AtomicU32,
    /// When it started, in clock ticks since boot, for people and logs.
    pub(crate) start_time: AtomicU64,
    /// Free for the upper layers, 0 at first.
    pub(crate) spare: [AtomicU64; SPARE_WORDS],
    liveness: Liveness,
    mailbox: Mailbox,
}

#[repr(C, align(64))]
struct Mailbox(UnsafeCell<[u8; MAILBOX_BYTES]>);

const _: () = assert!(size_of::<Slot>() as u64 <= SLOT_BYTES);

// SAFETY: everything in a slot is atomic, but for the mailbox, of which only the address is given out.
unsafe impl Sync for Slot {}

/// The ticket: generation, the parent, and whether the slot is taken, so that one store says it all.
#[derive(Clone, Copy)]
struct Ticket(u64);

impl Ticket {
    fn taken(generation: u32, parent: u32) -> Ticket {
        Ticket(1 << 63 | u64::from(generation) << 32 | u64::from(parent))
    }

    fn is_taken(self) -> bool {
        self.0 >> 63 == 1
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32 & (SlotId::GENERATIONS - 1)
    }

    fn released(self) -> Ticket {
        Ticket(u64::from(self.generation()) << 32)
    }
}

impl Slot {
    fn load(&self) -> Ticket {
        Ticket(self.ticket.load(Ordering::Acquire))
    }

    /// Who started this process; nobody started the root.
    pub(crate) fn parent(&self) -> Option<SlotId> {
        SlotId::unpack(self.load().0 as u32)
    }

    /// Room for the process and its parent to talk, aligned to 64 bytes, zeroed when the slot was reserved.
    pub(crate) fn mailbox(&self) -> NonNull<u8> {
        NonNull::from(&self.mailbox.0).cast()
    }

    fn clear(&self) {
        self.liveness.word.store(0, Ordering::Release);
        self.state.store(0, Ordering::Relaxed);
        self.pid.store(0, Ordering::Relaxed);
        self.start_time.store(0, Ordering::Relaxed);
        for word in &self.spare {
            word.store(0, Ordering::Relaxed);
        }
        let bytes = self.mailbox().as_ptr();
        // SAFETY: the mailbox is inside the slot's page. It is written before any process is told of the slot; one that
        // writes there all the same is no concern of this one, which holds no reference into it.
        unsafe { bytes.write_bytes(0, MAILBOX_BYTES) };
    }
}

pub(crate) struct ProcessTable {
    segment: &'static Segment,
    /// No slot below this one was free when this process looked last.
    from: AtomicUsize,
}

impl ProcessTable {
    pub(super) fn new(segment: &'static Segment) -> ProcessTable {
        ProcessTable {
            segment,
            from: AtomicUsize::new(0),
        }
    }

    fn page(&self, index: usize) -> Option<&'static Slot> {
        let page = self.segment.slot_page(index)?;
        // SAFETY: the page is inside the file and never unmapped, aligned, and a `Slot` is fit for any bytes.
        Some(unsafe { page.cast().as_ref() })
    }

    /// Takes a slot for a process that `parent` is about to start (`None` for the root). It reads as zeroes.
    pub(crate) fn reserve(&self, parent: Option<SlotId>) -> Result<SlotId, Error> {
        let from = self.from.load(Ordering::Relaxed).min(SLOTS);
        for index in (from..SLOTS).chain(0..from) {
            let Some(slot) = self.page(index) else { break };
            let old = slot.load();
            if old.is_taken() {
                continue;
            }
            let generation = old.generation() % (SlotId::GENERATIONS - 1) + 1;
            let new = Ticket::taken(generation, parent.map_or(0, SlotId::pack));
            let taken =
                slot.ticket
                    .compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed);
            if taken.is_ok() {
                slot.clear();
                if let Some(most) = self.segment.session_word(MOST_WORD) {
                    most.fetch_max(index as u64 + 1, Ordering::AcqRel);
                }
                self.from.store(index + 1, Ordering::Relaxed);
                return Ok(SlotId {
                    index: index as u32,
                    generation,
                });
            }
        }
        Err(Error::new(
            Kind::System,
            format!("the session has {SLOTS} processes already"),
        ))
    }

    /// Lets a slot go, after its process has been reaped and what it owned adopted. Wakes whoever waits for its end.
    pub(crate) fn release(&self, id: SlotId) -> Result<(), Error> {
        let slot = self.slot(id)?;
        let old = slot.load();
        // The word stays flagged: a late sleeper on it sees a dead process, not one that never was.
        self.flag(slot);
        let new = old.released();
        let done = slot
            .ticket
            .compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed);
        self.from.fetch_min(id.index as usize, Ordering::Relaxed);
        done.map(drop).map_err(|_| gone(id))
    }

    /// The slot of a process that has not been released.
    pub(crate) fn slot(&self, id: SlotId) -> Result<&'static Slot, Error> {
        let slot = self.page(id.index as usize).ok_or_else(|| gone(id))?;
        let ticket = slot.load();
        if ticket.is_taken() && ticket.generation() == id.generation {
            Ok(slot)
        } else {
            Err(gone(id))
        }
    }

    /// All processes that have a slot now.
    pub(crate) fn all(&self) -> impl Iterator<Item = SlotId> + '_ {
        // No further than slots were ever taken: a look at a page that nobody used would give it memory.
        let most = self
            .segment
            .session_word(MOST_WORD)
            .map_or(SLOTS, |most| most.load(Ordering::Acquire) as usize);
        (0..most.min(SLOTS)).filter_map(|index| {
            let ticket = self.page(index)?.load();
            let id = SlotId {
                index: index as u32,
                generation: ticket.generation(),
            };
            ticket.is_taken().then_some(id)
        })
    }

    /// The processes that this one has started and not let go.
    pub(crate) fn children_of(&self, parent: SlotId) -> impl Iterator<Item = SlotId> + '_ {
        self.all().filter(move |id| {
            self.slot(*id)
                .is_ok_and(|slot| slot.parent() == Some(parent))
        })
    }

    /// Whose death is to be watched for by `me`, who waits for something of `of`: `of` itself, its parent, and so on, up to one that `me`
    /// dies with as well; so none at all for an ancestor of `me`. (No more than [`LINEAGE`]: of those further up nothing is said.)
    pub(crate) fn lineage(&self, me: SlotId, of: SlotId) -> impl Iterator<Item = SlotId> + use<> {
        let parent = |id: SlotId| self.slot(id).ok()?.parent();
        let up = |from: SlotId| {
            let mut all = [ROOT; LINEAGE];
            let mut next = Some(from);
            for one in &mut all {
                // Whoever writes wildly may have made a circle of it: it is a short one.
                let Some(id) = next.filter(|id| *id != ROOT) else {
                    break;
                };
                *one = id;
                next = parent(id);
            }
            all
        };
        let mine = up(me);
        up(of)
            .into_iter()
            .take_while(move |id| *id != ROOT && !mine.contains(id))
    }

    /// Has the kernel watch over this process, whose slot this is. To be called by its main thread; `false` where it
    /// cannot be done, and then only the parent can tell of its death.
    pub(crate) fn link_liveness(&self, id: SlotId) -> Result<bool, Error> {
        robust::link(&self.slot(id)?.liveness).map_err(|cause| {
            Error::system("cannot register for the kernel's notice of death", cause)
        })
    }

    /// What is known of the life of a process, and the word to sleep on for its end; a load or two.
    pub(crate) fn life(&self, id: SlotId) -> Life {
        let Ok(slot) = self.slot(id) else {
            return Life::Gone;
        };
        let word = &slot.liveness.word;
        let seen = word.load(Ordering::Acquire);
        // The slot may have been released and taken by another process in between.
        if seen == GONE || self.slot(id).is_err() {
            return Life::Gone;
        }
        if seen & OWNER_DIED != 0 {
            return Life::Dying(word);
        }
        Life::Alive(word, seen)
    }

    /// The word to sleep on for the end of a process, and what it holds while the process lives: 0 before it is linked.
    #[cfg(test)]
    pub(crate) fn liveness_word(&self, id: SlotId) -> Result<&'static AtomicU32, Error> {
        Ok(&self.slot(id)?.liveness.word)
    }

    /// Whether the process is known to have ended. Suspicion, not proof.
    #[cfg(test)]
    pub(crate) fn is_marked_dead(&self, id: SlotId) -> bool {
        !matches!(self.life(id), Life::Alive(..))
    }

    /// Says that the process is wholly gone, and wakes all who wait for it. By the parent, after reaping it.
    pub(crate) fn mark_dead(&self, id: SlotId) -> Result<(), Error> {
        self.flag(self.slot(id)?);
        Ok(())
    }

    fn flag(&self, slot: &Slot) {
        slot.liveness.word.store(GONE, Ordering::Release);
        futex::wake_all(&slot.liveness.word);
    }
}

/// What is known of the life of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    /// It lives, as far as is known; the word changes, and is woken, when it dies.
    Alive(&'static AtomicU32, u32),
    /// It is marked dead: threads of it may still write for a while.
    Dying(&'static AtomicU32),
    /// It is wholly gone.
    Gone,
}

fn gone(id: SlotId) -> Error {
    let SlotId { index, generation } = id;
    Error::new(
        Kind::Protocol,
        format!("no process has slot {index} in generation {generation}"),
    )
}
