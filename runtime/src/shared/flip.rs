//! Which of two slots is the value: a word that one store flips. Relies on `words` alone, so that loom can try it with the lock.
//!
//! All of it is done by the holder of a lock around both. A slot is read while `current` names it, and written while `current`
//! names the other. The flip is Release, and `current` is read with Acquire: whoever takes the lock over from a dead holder has
//! seen nothing of the lock's being given back, and sees by this pair alone that the slot was whole before it was named.

use super::words::{AtomicU32, Ordering};

/// 0 or 1: the slot that is the value. All-zero is slot 0.
#[repr(transparent)]
pub(super) struct Flip(AtomicU32);

impl Flip {
    #[cfg(test)]
    #[allow(dead_code)] // by the model checker's test, which includes this file
    pub(super) fn new() -> Flip {
        Flip(AtomicU32::new(0))
    }

    /// The slot that is the value.
    #[inline]
    pub(super) fn current(&self) -> u32 {
        self.0.load(Ordering::Acquire) & 1
    }

    /// The slot that may be written, and is named by [`commit`](Self::commit) when it has been.
    #[inline]
    pub(super) fn other(&self) -> u32 {
        (self.0.load(Ordering::Relaxed) & 1) ^ 1
    }

    /// The slot is written: it is the value from this store on.
    #[inline]
    pub(super) fn commit(&self, written: u32) {
        self.0.store(written, Ordering::Release);
    }
}
