#![allow(unsafe_code)]
//! The lock inside every shared object: a lock word, and a note of who holds it, for people.
//!
//! Some latches are the user's to hold (`Lock`, `Value`, the gate of a writer), for as long as the user likes. Others stand inside an
//! object and are held for moments ([`enter`](Latch::enter)): those are not waited for without end where memory was written over.
//!
//! The note names slot and pid in one word. It is written after the lock was taken and believed only if its slot is that of
//! the dead owner, so it is right or absent.

use super::watch::pid_of;
use super::word::{TimedOut, Word};
use crate::error::{Error, Kind};
use crate::heap::{Body, Heap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A lock word with a note. All-zero is free.
#[repr(C)]
pub(crate) struct Latch {
    word: Word,
    holder: AtomicU64,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a free one.
unsafe impl Body for Latch {}

/// A process that is gone, and held something when it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dead {
    /// Its process id, if it is known.
    pub(crate) pid: Option<u32>,
}

/// A latch inside an object was taken.
#[derive(Clone, Copy, Debug)]
#[must_use = "what a dead process has left is to be put right"]
pub(crate) struct Entered {
    /// It was taken over from a dead process.
    pub(crate) dead: Option<Dead>,
}

#[cold]
fn spoilt() -> Error {
    let text = "the memory of a shared object is spoilt: it says that this process is inside, and no thread of it is; some process of this session writes where it must not";
    Error::new(Kind::Protocol, text)
}

/// How long calls that do not wait may wait for those that are inside an object just now.
pub(crate) const MOMENT: Duration = Duration::from_millis(10);

impl Latch {
    /// Takes it; `Some` if it was taken over from a dead process.
    #[inline]
    pub(crate) fn lock(
        &self,
        heap: &Heap,
        deadline: Option<Instant>,
    ) -> Result<Option<Dead>, TimedOut> {
        let acquired = self.word.lock(heap, deadline)?;
        Ok(self.note(heap, acquired.from_dead))
    }

    /// The same of a latch inside an object, which is held for moments only. `Ok(None)` when the deadline passed.
    ///
    /// # Errors
    /// Protocol: it says that this process has it, and no thread of it gives it back. Some process has written over it. (Only without a
    /// deadline; after ten seconds.)
    #[inline]
    pub(crate) fn enter(
        &self,
        heap: &Heap,
        deadline: Option<Instant>,
    ) -> Result<Option<Entered>, Error> {
        match self.word.lock_within(heap, deadline) {
            Ok(acquired) => Ok(Some(Entered {
                dead: self.note(heap, acquired.from_dead),
            })),
            Err(TimedOut) if deadline.is_some() => Ok(None),
            Err(TimedOut) => Err(spoilt()),
        }
    }

    /// Takes it if nobody who lives holds it.
    pub(crate) fn try_lock(&self, heap: &Heap) -> Result<Option<Dead>, TimedOut> {
        let acquired = self.word.try_lock(heap).ok_or(TimedOut)?;
        Ok(self.note(heap, acquired.from_dead))
    }

    #[inline]
    fn note(&self, heap: &Heap, from_dead: Option<u32>) -> Option<Dead> {
        let dead = from_dead.map(|owner| self.name(heap, owner));
        let note = u64::from(heap.me().pack()) << 32 | u64::from(heap.pid());
        self.holder.store(note, Ordering::Relaxed);
        dead
    }

    #[cold]
    fn name(&self, heap: &Heap, owner: u32) -> Dead {
        let note = self.holder.load(Ordering::Relaxed);
        let noted = (note >> 32 == u64::from(owner)).then_some(note as u32);
        Dead {
            pid: noted.or_else(|| pid_of(heap, owner)),
        }
    }

    /// Gives it back, if this process holds it.
    #[inline]
    pub(crate) fn unlock(&self, heap: &Heap) {
        self.word.unlock(heap);
    }

    /// Whether some process holds it, dead or alive.
    pub(crate) fn is_locked(&self) -> bool {
        self.word.owner().is_some()
    }
}
