#![allow(unsafe_code)]
//! The bell of a pool: the word its parent sleeps on. Its protocol is that of the mailbox (see `mail`).

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use crate::error::Error;
use crate::heap::Heap;
use crate::sys::futex;
use crate::sys::points::stored;

/// The bell of a pool.
#[derive(Clone, Copy)]
pub(crate) struct Bell {
    words: NonNull<[AtomicU32; 2]>,
}

// SAFETY: two atomics in memory that is never unmapped.
unsafe impl Send for Bell {}
// SAFETY: as above.
unsafe impl Sync for Bell {}

impl Bell {
    pub(crate) const SIZE: usize = 64;

    /// The bell in a block of the heap; zeroed first by the parent.
    pub(crate) fn at(heap: &Heap, offset: u64) -> Result<Self, Error> {
        Ok(Bell {
            words: heap.at(offset, Self::SIZE)?.cast(),
        })
    }

    fn words(&self) -> &[AtomicU32; 2] {
        // SAFETY: the block is 64-byte aligned and 64 bytes long, and all of it is atomics.
        unsafe { self.words.as_ref() }
    }

    pub(crate) fn reset(&self) {
        self.words()
            .iter()
            .for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// The parent: announces that it is about to sleep, and gives what to sleep on. Look again after this.
    pub(crate) fn listen(&self) -> u32 {
        let [bell, listening] = self.words();
        let seen = bell.load(Ordering::Acquire);
        listening.store(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        seen
    }

    pub(crate) fn stop_listening(&self) {
        self.words()[1].store(0, Ordering::Relaxed);
    }

    /// The parent: sleeps until the bell is rung, or the deadline.
    pub(crate) fn sleep(&self, seen: u32, deadline: Option<std::time::Instant>) {
        // Whatever ends the wait, the caller looks again.
        let _ = futex::wait(&self.words()[0], seen, deadline);
    }

    /// Anybody: wakes the parent if it sleeps.
    pub(crate) fn ring(&self) {
        let [bell, listening] = self.words();
        if listening.load(Ordering::SeqCst) != 0 && listening.swap(0, Ordering::SeqCst) != 0 {
            stored("listening");
            self.strike(bell);
        }
    }

    /// Wakes whoever sleeps, whatever the flag says: for news that come from no ring.
    pub(crate) fn ring_anyway(&self) {
        self.strike(&self.words()[0]);
    }

    fn strike(&self, bell: &AtomicU32) {
        bell.fetch_add(1, Ordering::SeqCst);
        stored("bell");
        let _ = futex::wake_all(bell);
    }
}
