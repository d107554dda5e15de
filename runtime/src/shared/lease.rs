#![allow(unsafe_code)]
//! Leases: who works on which piece of an array just now. Relies on `heap` (rolls) and `sync` (who lives, sleeping).
//!
//! An array's lock is held by the *lender* all the while. Each piece has an entry in the array's roll:
//!
//! | entry | means |
//! |---|---|
//! | 0 | free |
//! | number, LENT | the message with this number may be taken, once |
//! | number, a packed slot | a process works on the piece; it, and nobody else, has references to the elements |
//! | number, BACK | it was worked on and given back |
//! | number, BROKEN | it was given back by a panic: it may be half-written |
//!
//! | from | to | by |
//! |---|---|---|
//! | 0 | a new number, LENT | the lender |
//! | number, LENT or BACK | a new number, LENT | whoever sends it (again) |
//! | number, LENT | number, me | whoever decodes the message of that number |
//! | number, LENT or BACK | number, me | whoever has the piece in its hands, before it touches the elements |
//! | number, me | number, BACK or BROKEN | the same process, when it does not touch them any more |
//! | number, anything but a living process | 0 | the holder of the lock |
//!
//! Every step is one compare-and-swap, so there is one process at most with references, and after the last step nobody
//! gets any: a message that comes late, or a second time, finds another number. Numbers are never used twice; an entry
//! has the lower half, and whoever takes it compares the whole with the newest, so that not even 2^32 leases later one is
//! taken for another. A process that is killed leaves its name in the entry: the piece is half-written, and the entry
//! says so until the lock's holder has seen to it that the process is wholly gone.
//!
//! The holder of the lock waits for pieces that are out: says so in `waiting`, then looks at the entry, then sleeps on
//! `returned` and on the life of the process in the entry. Whoever gives back changes the entry, then looks at `waiting`
//! (a fence between, on both sides). Whoever is killed in between is noticed by its life.
//!
//! Orderings: an entry is taken with Acquire and left with Release: what was written to the elements goes with it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::Error;
use crate::heap::{Body, Heap, Place, Roll, SlotId};
use crate::sync::{Slept, TimedOut, pid_of, sleep, wait_gone};
use crate::sys::futex::{self, Change};
use crate::sys::points::stored;

const LENT: u32 = 1 << 31;
const BACK: u32 = LENT | 1;
const BROKEN: u32 = LENT | 2;

/// The leases of one array. All zeroes is none.
#[repr(C)]
pub(super) struct Leases {
    /// The newest number.
    newest: AtomicU64,
    /// Changes when a piece comes back while somebody waits.
    returned: AtomicU32,
    /// Somebody waits for pieces.
    waiting: AtomicU32,
    roll: Roll<7>,
}

// SAFETY: nothing but atomics, in C layout; zeroes are no leases.
unsafe impl Body for Leases {}

/// Which lease: its entry, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) entry: u32,
    pub(super) number: u64,
}

/// What had become of a piece when its lease was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Untouched, or worked on and given back.
    Whole,
    /// The task that had it panicked.
    Broken,
    /// The process that had it died; its process id, if it is known.
    Died(Option<u32>),
}

/// Why a piece could not be taken or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The lease has ended, or the piece was sent again, or taken before.
    Ended,
    /// A process works on it.
    Out { owner: u32 },
    /// It was given back half-written.
    Broken,
}

fn word(number: u64, state: u32) -> u64 {
    number << 32 | u64::from(state)
}

fn state(word: u64) -> u32 {
    word as u32
}

fn is_out(word: u64) -> bool {
    word != 0 && state(word) & LENT == 0
}

/// From one of these states under this number to another word.
fn change(entry: &AtomicU64, number: u64, from: &[u32], to: u64) -> Result<(), Refused> {
    let mut seen = entry.load(Ordering::Relaxed);
    loop {
        if seen >> 32 != number & u64::from(u32::MAX) || seen == 0 {
            return Err(Refused::Ended);
        }
        if !from.contains(&state(seen)) {
            return Err(match state(seen) {
                BROKEN => Refused::Broken,
                owner if is_out(seen) => Refused::Out { owner },
                _ => Refused::Ended,
            });
        }
        match entry.compare_exchange(seen, to, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(now) => seen = now,
        }
    }
}

/// The pieces that this process works on: where their entries are, and the lower halves of their numbers. Nobody else can
/// say so in its name.
static HERE: Mutex<BTreeSet<(usize, u64)>> = Mutex::new(BTreeSet::new());

fn here() -> MutexGuard<'static, BTreeSet<(usize, u64)>> {
    HERE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(entry: &AtomicU64, number: u64) -> (usize, u64) {
    let address = std::ptr::from_ref(entry).addr();
    (address, number & u64::from(u32::MAX))
}

impl Leases {
    fn entry<'h>(&'h self, heap: &'h Heap, of: Place, entry: u32) -> Option<&'h AtomicU64> {
        self.roll.get(heap, of, entry)
    }

    fn next(&self) -> u64 {
        self.newest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The newest number.
    #[cfg(test)]
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }

    /// Whether somebody waits for a piece.
    #[cfg(test)]
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) != 0
    }

    /// Whether the piece can be taken still.
    #[cfg(test)]
    pub(super) fn is_lent(&self, heap: &Heap, of: Place, lease: Lease) -> bool {
        let entry = self.entry(heap, of, lease.entry).unwrap();
        entry.load(Ordering::Acquire) == word(lease.number, LENT)
    }

    /// Lends one more piece. By the holder of the lock.
    pub(super) fn lend(&self, heap: &Heap, of: Place, from: u32) -> Result<Lease, Error> {
        let number = self.next();
        let entry = self.roll.claim(heap, of, word(number, LENT), from)?;
        stored("lease: lent");
        Ok(Lease { entry, number })
    }

    /// Makes a new number for a piece that nobody works on: messages with the old one are worth nothing from now on.
    pub(super) fn renew(&self, heap: &Heap, of: Place, lease: Lease) -> Result<Lease, Refused> {
        let number = self.next();
        let entry = self.entry(heap, of, lease.entry).ok_or(Refused::Ended)?;
        change(entry, lease.number, &[LENT, BACK], word(number, LENT))?;
        stored("lease: sent");
        Ok(Lease { number, ..lease })
    }

    /// Takes the piece that a message names, once.
    pub(super) fn take(&self, heap: &Heap, of: Place, lease: Lease) -> Result<(), Refused> {
        self.begin(heap, of, lease, &[LENT])
    }

    /// Takes the piece that this process has in its hands.
    pub(super) fn take_again(&self, heap: &Heap, of: Place, lease: Lease) -> Result<(), Refused> {
        self.begin(heap, of, lease, &[LENT, BACK])
    }

    fn begin(&self, heap: &Heap, of: Place, lease: Lease, from: &[u32]) -> Result<(), Refused> {
        let newest = self.newest.load(Ordering::Relaxed);
        if newest.wrapping_sub(lease.number) >= 1 << 31 {
            return Err(Refused::Ended);
        }
        let to = word(lease.number, heap.me().pack());
        let entry = self.entry(heap, of, lease.entry).ok_or(Refused::Ended)?;
        // Before: who waits for this process looks there.
        let fresh = here().insert(key(entry, lease.number));
        let taken = change(entry, lease.number, from, to);
        match taken {
            Ok(()) => stored("lease: taken"),
            Err(_) if fresh => {
                here().remove(&key(entry, lease.number));
            }
            Err(_) => {}
        }
        taken
    }

    /// Gives back the piece that this process works on; it has no references to the elements any more.
    pub(super) fn give_back(&self, heap: &Heap, of: Place, lease: Lease, broken: bool) {
        let to = word(lease.number, if broken { BROKEN } else { BACK });
        let me = heap.me().pack();
        let Some(entry) = self.entry(heap, of, lease.entry) else {
            return;
        };
        let given = change(entry, lease.number, &[me], to);
        here().remove(&key(entry, lease.number));
        if given.is_err() {
            // Only who writes wildly brings us here.
            return;
        }
        stored("lease: given back");
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) != 0 {
            futex::change_and_wake(&self.returned, Change::Add(1));
            stored("lease: told");
        }
    }

    /// Ends a lease if the piece is not out; `None` if it is. By the holder of the lock.
    pub(super) fn end_idle(&self, heap: &Heap, of: Place, entry: u32) -> Option<End> {
        match self.entry(heap, of, entry) {
            Some(entry) => Leases::end_entry_idle(entry, entry.load(Ordering::Acquire)),
            None => Some(End::Whole),
        }
    }

    /// Ends a lease, once the piece is not out any more or whoever has it is gone. By the holder of the lock.
    pub(super) fn end(
        &self,
        heap: &Heap,
        of: Place,
        entry: u32,
        deadline: Option<Instant>,
    ) -> Result<End, TimedOut> {
        match self.entry(heap, of, entry) {
            Some(entry) => self.end_entry(heap, entry, deadline),
            None => Ok(End::Whole),
        }
    }

    /// Ends all leases there are, also those of a lender that has died. By the holder of the lock.
    pub(super) fn end_all(
        &self,
        heap: &Heap,
        of: Place,
        deadline: Option<Instant>,
    ) -> Result<(), TimedOut> {
        // First those that nobody has, so that no more of them go out.
        for (_, entry) in self.roll.entries(heap, of) {
            let _ = Leases::end_entry_idle(entry, entry.load(Ordering::Acquire));
        }
        for (_, entry) in self.roll.entries(heap, of) {
            self.end_entry(heap, entry, deadline)?;
        }
        Ok(())
    }

    fn end_entry_idle(entry: &AtomicU64, mut seen: u64) -> Option<End> {
        loop {
            let end = match state(seen) {
                _ if seen == 0 => return Some(End::Whole),
                LENT | BACK => End::Whole,
                _ if is_out(seen) => return None,
                // BROKEN; or nobody of good will wrote this.
                _ => End::Broken,
            };
            match entry.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    stored("lease: ended");
                    return Some(end);
                }
                Err(now) => seen = now,
            }
        }
    }

    fn end_entry(
        &self,
        heap: &Heap,
        entry: &AtomicU64,
        deadline: Option<Instant>,
    ) -> Result<End, TimedOut> {
        loop {
            let seen = entry.load(Ordering::Acquire);
            if let Some(end) = Leases::end_entry_idle(entry, seen) {
                return Ok(end);
            }
            let owner = state(seen);
            if self.wait(heap, entry, seen, owner, deadline)?
                // It may have given it back before it died.
                && entry
                    .compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            {
                stored("lease: ended");
                return Ok(End::Died(pid_of(heap, owner)));
            }
        }
    }

    /// Waits until the entry changes; `true` if its process is wholly gone.
    fn wait(
        &self,
        heap: &Heap,
        entry: &AtomicU64,
        seen: u64,
        owner: u32,
        deadline: Option<Instant>,
    ) -> Result<bool, TimedOut> {
        // A name that nobody has was written by nobody who lives; this process knows what it has.
        let Some(id) = SlotId::unpack(owner) else {
            return Ok(true);
        };
        if id == heap.me() && !here().contains(&key(entry, seen >> 32)) {
            return Ok(true);
        }
        self.waiting.store(1, Ordering::Relaxed);
        let returned = self.returned.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        let slept = if entry.load(Ordering::Acquire) == seen {
            sleep(heap, &[(&self.returned, returned)], [owner], deadline)
        } else {
            Slept::Look
        };
        self.waiting.store(0, Ordering::Relaxed);
        match slept {
            Slept::Look => Ok(false),
            Slept::Dead(_) if wait_gone(heap, id, deadline) => Ok(true),
            Slept::Dead(_) | Slept::TimedOut => Err(TimedOut),
        }
    }
}
