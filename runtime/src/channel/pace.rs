//! How long to look before one sleeps, and how often: a poll with adaptive pauses. Relies on nothing.
//!
//! Who has caught up with the other side and polls the very line that is being written slows it down by a factor of 2 to 4;
//! who pauses long is late. So the pauses follow what happens: found at the first look means there was a backlog to be had
//! for the waiting, and the pauses grow; found after several looks means they were in vain, and they shrink.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// About what two wake-ups cost: shorter than this, every message of a slow stream would be a wake-up.
const LIMIT: Duration = Duration::from_micros(50);
const MOST: u32 = 256;
/// Pauses in which a message can hardly be answered.
const SHORT: u32 = 4;

/// So many looks without a pause follow pauses that brought little.
const REST: u32 = 64;

/// The pauses of one waiting end. Threads may share it.
#[derive(Debug)]
pub(super) struct Pace {
    pauses: AtomicU32,
    /// Looks that are to come without a pause.
    rest: AtomicU32,
}

impl Pace {
    pub(super) const fn new() -> Pace {
        Pace {
            pauses: AtomicU32::new(1),
            rest: AtomicU32::new(0),
        }
    }

    #[inline]
    fn pauses(&self) -> u32 {
        self.pauses.load(Ordering::Relaxed).clamp(1, MOST)
    }

    #[inline]
    fn keep(&self, pauses: u32) {
        self.pauses.store(pauses.clamp(1, MOST), Ordering::Relaxed);
    }

    /// Pauses before the first look, where one has taken all that one knew of: what is being written meanwhile comes in one go.
    #[inline]
    pub(super) fn pause(&self) {
        if self.rest.load(Ordering::Relaxed) == 0 && is_worth_it() {
            for _ in 0..self.pauses() {
                std::hint::spin_loop();
            }
        }
    }

    /// The look after [`pause`](Self::pause) found something, and whether that was more than one or two.
    ///
    /// Much is worth a longer pause. So is little after a short one: somebody writes as fast as it is read. But little after a long
    /// one comes from somebody who waits for an answer, or has not more to say: then there are no pauses, for a while.
    #[inline]
    pub(super) fn found(&self, much: bool) {
        let rest = self.rest.load(Ordering::Relaxed);
        if rest > 0 {
            let rest = if much { 0 } else { rest - 1 };
            return self.rest.store(rest, Ordering::Relaxed);
        }
        let pauses = self.pauses();
        if much || pauses <= SHORT {
            return self.keep(pauses * 2);
        }
        self.keep(pauses / 2);
        if pauses / 2 <= SHORT {
            self.rest.store(REST, Ordering::Relaxed);
        }
    }

    /// Looks until `ready` says so or it is time to sleep; whether it was ready.
    #[inline]
    pub(super) fn poll(&self, ready: impl FnMut() -> bool) -> bool {
        self.poll_after(0, ready)
    }

    /// The same after so many looks.
    #[inline]
    pub(super) fn poll_after(&self, after: u32, mut ready: impl FnMut() -> bool) -> bool {
        if !is_worth_it() {
            return ready();
        }
        let pauses = self.pauses();
        let (mut looks, after) = (after, if after == 0 { 3 } else { 1 });
        let mut until = None;
        loop {
            for _ in 0..pauses {
                std::hint::spin_loop();
            }
            looks += 1;
            if ready() {
                if looks == 1 {
                    self.keep(pauses * 2);
                } else if looks > after {
                    self.keep(pauses / 2);
                }
                return true;
            }
            if looks.is_multiple_of(8) {
                // Whom one waits for may be waiting for this very core.
                std::thread::yield_now();
                let now = Instant::now();
                if now >= *until.get_or_insert(now + LIMIT) {
                    self.keep(pauses / 2);
                    return false;
                }
            }
        }
    }
}

/// With one core nothing happens while one looks.
fn is_worth_it() -> bool {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from)) > 1
}
