//! How long to look before one sleeps, and how often: a poll with adaptive pauses. Relies on nothing.
//!
//! Who has caught up with the other side and polls the very line that is being written slows it down by a factor of 2 to 4;
//! who pauses long is late. So the pauses follow what happens: found at the first look means there was a backlog to be had
//! for the waiting, and the pauses grow; found after several looks means they were in vain, and they shrink.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// About what two wake-ups cost: shorter than this, every message of a slow stream would be a wake-up.
const LIMIT: Duration = Duration::from_micros(50);
const MOST: u32 = 256;

/// The pauses of one waiting end.
#[derive(Debug)]
pub(super) struct Pace {
    pauses: u32,
}

impl Pace {
    pub(super) const fn new() -> Pace {
        Pace { pauses: 1 }
    }

    /// Looks until `ready` says so or it is time to sleep; whether it was ready.
    #[inline]
    pub(super) fn poll(&mut self, mut ready: impl FnMut() -> bool) -> bool {
        if !is_worth_it() {
            return ready();
        }
        let mut looks = 0_u32;
        let mut until = None;
        loop {
            for _ in 0..self.pauses {
                std::hint::spin_loop();
            }
            looks += 1;
            if ready() {
                if looks == 1 {
                    self.pauses = (self.pauses * 2).min(MOST);
                } else if looks > 3 {
                    self.pauses = (self.pauses / 2).max(1);
                }
                return true;
            }
            if looks.is_multiple_of(8) {
                let now = Instant::now();
                if now >= *until.get_or_insert(now + LIMIT) {
                    self.pauses = (self.pauses / 2).max(1);
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
