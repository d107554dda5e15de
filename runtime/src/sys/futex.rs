#![allow(unsafe_code)]
//! Futexes on words of memory that several processes map: wait, wait for one of many, wake.
//!
//! Relies on nothing but the kernel. All calls are without the PRIVATE flag, so that a word is the same word in every
//! process that maps it. Rules for callers: a wake-up is a hint, so the condition is checked again after every return;
//! whoever wakes a shared object wakes all (a killed waiter swallows the wake-up it was given).

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
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

/// The most words one `waitv` takes (a limit of the kernel).
pub(crate) const WAITV_MAX: usize = 128;

// The same number on every architecture this crate runs on.
const SYS_FUTEX_WAITV: libc::c_long = 449;
const FUTEX2_SIZE_U32: u32 = 2;

static WAITV_REFUSED: AtomicBool = AtomicBool::new(false);

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

/// Sleeps while every word holds its expected value; gives the index of the word that woke it.
///
/// `Err(Unsupported)` where the kernel (before 5.16) or a seccomp profile refuses the call, remembered from the first
/// time on: callers then wait on one word with short time-outs.
pub(crate) fn waitv(
    words: &[(&AtomicU32, u32)],
    deadline: Option<Instant>,
) -> io::Result<(Wait, usize)> {
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Waiter {
        value: u64,
        address: u64,
        flags: u32,
        reserved: u32,
    }
    if WAITV_REFUSED.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if words.is_empty() || words.len() > WAITV_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("between 1 and {WAITV_MAX} words can be waited for at once"),
        ));
    }
    let mut waiters = [Waiter {
        value: 0,
        address: 0,
        flags: FUTEX2_SIZE_U32,
        reserved: 0,
    }; WAITV_MAX];
    for (waiter, (word, expected)) in waiters.iter_mut().zip(words) {
        waiter.value = u64::from(*expected);
        waiter.address = word.as_ptr() as u64;
    }
    let until = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
        Some(Duration::ZERO) => return Ok((Wait::TimedOut, 0)),
        left => left.map(|left| timespec(now().saturating_add(left))),
    };
    let until = until.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the first `words.len()` waiters are filled with addresses of live, aligned words; `until` is null or
    // points to a timespec of this frame.
    let result = unsafe {
        libc::syscall(
            SYS_FUTEX_WAITV,
            waiters.as_ptr(),
            words.len(),
            0,
            until,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result >= 0 {
        return Ok((Wait::Woken, (result as usize).min(words.len() - 1)));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM) => {
            WAITV_REFUSED.store(true, Ordering::Relaxed);
            Err(io::ErrorKind::Unsupported.into())
        }
        _ => Ok((outcome(&error), 0)),
    }
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

fn now() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on every Linux, and `now` is writable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn waitv_wakes_on_any_word() {
        let words: Vec<AtomicU32> = (0..4).map(AtomicU32::new).collect();
        let list: Vec<_> = words.iter().zip(0..).collect();
        let soon = Some(Instant::now() + Duration::from_millis(5));
        match waitv(&list, soon) {
            Err(error) => return assert_eq!(error.kind(), io::ErrorKind::Unsupported),
            Ok((how, _)) => assert_eq!(how, Wait::TimedOut),
        }
        assert_eq!(waitv(&[(&words[2], 9)], None).unwrap().0, Wait::Changed);
        assert!(waitv(&[], None).is_err());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let deadline = Some(Instant::now() + Duration::from_secs(10));
                waitv(&list, deadline).unwrap()
            });
            let mut woken = 0;
            for _ in 0..2_000 {
                woken = wake_all(&words[3]);
                if woken > 0 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(woken, 1);
            assert_eq!(waiter.join().unwrap(), (Wait::Woken, 3));
        });
    }
}
