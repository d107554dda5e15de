//! What the lock word stands on, in one place: loom's test (`runtime/tests/loom.rs`) puts its own in its stead.

pub(super) use crate::sys::futex::{Change, Wait, change_and_wake, wait_any, wake_all};
pub(super) use crate::sys::points::stored;
use std::sync::OnceLock;
pub(super) use std::sync::atomic::{AtomicU32, Ordering};

/// How long somebody who finds the lock taken looks at it before sleeping: a few thousand cycles, which is less than a
/// wake-up costs.
pub(super) struct Spin {
    left: u32,
    pauses: u32,
}

/// Looks, the pauses between which double.
const LOOKS: u32 = 12;
/// The longest pause, in spin hints.
const LONGEST: u32 = 256;

impl Spin {
    pub(super) fn new() -> Self {
        static ALONE: OnceLock<bool> = OnceLock::new();
        // With one core, nobody gives the lock back while we look.
        let alone = *ALONE.get_or_init(|| {
            std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1)
        });
        Spin {
            left: if alone { 0 } else { LOOKS },
            pauses: 1,
        }
    }

    /// For who does not wait.
    pub(super) fn none() -> Self {
        Spin { left: 0, pauses: 1 }
    }

    /// Pauses; `false` when it is time to sleep.
    pub(super) fn again(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        for _ in 0..self.pauses {
            std::hint::spin_loop();
        }
        self.pauses = (self.pauses * 2).min(LONGEST);
        true
    }
}
