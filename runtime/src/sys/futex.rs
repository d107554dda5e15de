#![allow(unsafe_code)]
//! Futexes on words of memory that several processes map: wait, wait for one of many, wake.
//!
//! Relies on nothing but the kernel. All calls are without the PRIVATE flag, so that a word is the same word in every
//! process that maps it. Rules for callers: a wake-up is a hint, so the condition is checked again after every return;
//! whoever wakes a shared object wakes all (a killed waiter swallows the wake-up it was given).

use std::io;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Somebody woke this waiter (or it woke for no reason).
    Woken,
    /// The deadline passed.
    TimedOut,
    /// The word no longer held the expected value.
    Changed,
    /// A signal arrived.
    Interrupted,
}

/// Sleeps while `word` holds `expected`, until woken or until the deadline.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> Wait {
    let timeout = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
        Some(Duration::ZERO) => return Wait::TimedOut,
        left => left.map(timespec),
    };
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `word` is a live, aligned 32-bit word, and `timeout` is null or points to a timespec of this frame.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            timeout,
        )
    };
    if result >= 0 {
        return Wait::Woken;
    }
    outcome(&io::Error::last_os_error())
}

/// Wakes at most `n` waiters; gives how many.
pub(crate) fn wake(word: &AtomicU32, n: u32) -> usize {
    let n = n.min(i32::MAX as u32);
    // SAFETY: `word` is a live, aligned 32-bit word; FUTEX_WAKE only compares its address.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, n) };
    usize::try_from(woken).unwrap_or(0)
}

/// Wakes every waiter; gives how many.
pub(crate) fn wake_all(word: &AtomicU32) -> usize {
    wake(word, u32::MAX)
}

fn outcome(error: &io::Error) -> Wait {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Wait::Changed,
        Some(libc::ETIMEDOUT) => Wait::TimedOut,
        Some(libc::EINTR) => Wait::Interrupted,
        _ => {
            // Nothing a word of a mapping that never shrinks should meet (no memory for the kernel's own needs). The
            // caller looks again and comes back, so do not let it turn into a busy loop.
            std::thread::sleep(Duration::from_millis(1));
            Wait::Interrupted
        }
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos() as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn waits_end_for_every_reason() {
        let word = AtomicU32::new(1);
        let soon = || Some(Instant::now() + Duration::from_millis(5));
        assert_eq!(wait(&word, 0, None), Wait::Changed);
        assert_eq!(wait(&word, 1, soon()), Wait::TimedOut);
        assert_eq!(wait(&word, 1, Some(Instant::now())), Wait::TimedOut);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                while word.load(Ordering::Acquire) == 1 {
                    wait(&word, 1, Some(Instant::now() + Duration::from_secs(10)));
                }
            });
            word.store(2, Ordering::Release);
            wake_all(&word);
            waiter.join().unwrap();
        });
        assert_eq!(wake(&word, 1), 0);
    }
}
