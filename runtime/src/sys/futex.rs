#![allow(unsafe_code)]
//! Futexes on words of memory that several processes map: wait, wait for one of many, wake.
//!
//! Relies on nothing but the kernel. All calls are without the PRIVATE flag, so that a word is the same word in every
//! process that maps it. Rules for callers: a wake-up is a hint, so the condition is checked again after every return;
//! whoever wakes a shared object wakes all (a killed waiter swallows the wake-up it was given).
//!
//! A process may be killed between its store and its wake-up, and would leave sleepers asleep. [`change_and_wake`] has no
//! such gap: the kernel does both in one call. [`wait_any`] is the other cure: sleep on the word of whoever will wake you,
//! too. Where the kernel has no `futex_waitv` (before 5.16, or forbidden by a filter), it sleeps on the first word alone and
//! comes back every [`LOOK_AGAIN`], as a wake-up for no reason.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

/// How many words [`wait_any`] can sleep on at once.
pub(crate) const WORDS: usize = 128;

/// How long a sleep on several words lasts at most where the kernel cannot sleep on more than one.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

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

/// The system calls of this process that have put somebody to sleep, woken somebody, or made others' barriers run.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// How many they were: of all that waiting and waking cost, the part that does not depend on the machine.
pub fn calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}

/// One more of them; beside the call it costs nothing.
pub(crate) fn count() {
    CALLS.fetch_add(1, Ordering::Relaxed);
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
    count();
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

/// One of the words to sleep on, as the kernel wants it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Waiter {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<Waiter>() == size_of::<libc::futex_waitv>());

/// Whether there is `futex_waitv`: not known yet, yes, no.
static SEVERAL: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

/// Sleeps while every word holds what is expected of it, until one of them is woken or until the deadline.
///
/// At most [`WORDS`] words; what is beyond is not slept on. The first one is the one that will most likely be woken.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], deadline: Option<Instant>) -> Wait {
    let words = &words[..words.len().min(WORDS)];
    match words {
        [] => {
            let Some(deadline) = deadline else {
                // Nothing could ever end this.
                return Wait::Changed;
            };
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            return Wait::TimedOut;
        }
        [(word, expected)] => return wait(word, *expected, deadline),
        _ if SEVERAL.load(Ordering::Relaxed) == NO => return wait_first(words, deadline),
        _ => {}
    }
    let until = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
        Some(Duration::ZERO) => return Wait::TimedOut,
        left => left.and_then(from_now),
    };
    let until = until.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let mut waiters = [Waiter {
        value: 0,
        address: 0,
        flags: libc::FUTEX2_SIZE_U32 as u32,
        reserved: 0,
    }; WORDS];
    for (waiter, (word, expected)) in waiters.iter_mut().zip(words) {
        waiter.value = u64::from(*expected);
        waiter.address = word.as_ptr() as u64;
    }
    count();
    // SAFETY: as many entries as are told are filled in, with live, aligned words; `until` is null or points into this frame.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            words.len() as libc::c_uint,
            0,
            until,
            libc::CLOCK_MONOTONIC,
        )
    };
    if result >= 0 {
        return Wait::Woken;
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EPERM) => {
            SEVERAL.store(NO, Ordering::Relaxed);
            wait_first(words, deadline)
        }
        _ => {
            SEVERAL.store(YES, Ordering::Relaxed);
            outcome(&error)
        }
    }
}

/// For tests: as on a kernel that cannot, in this process from now on.
#[cfg(test)]
pub(crate) fn forbid_several() {
    SEVERAL.store(NO, Ordering::Relaxed);
}

/// What [`wait_any`] does where the kernel cannot: the other words are looked at now and then.
fn wait_first(words: &[(&AtomicU32, u32)], deadline: Option<Instant>) -> Wait {
    let same = |(word, expected): &(&AtomicU32, u32)| word.load(Ordering::Acquire) == *expected;
    if !words.iter().all(same) {
        return Wait::Changed;
    }
    let soon = Instant::now() + LOOK_AGAIN;
    let (word, expected) = words[0];
    match deadline.filter(|at| *at <= soon) {
        Some(deadline) => wait(word, expected, Some(deadline)),
        None => match wait(word, expected, Some(soon)) {
            Wait::TimedOut => Wait::Interrupted,
            other => other,
        },
    }
}

/// The same moment by the kernel's clock; `None` for one so far away that it never comes.
fn from_now(left: Duration) -> Option<libc::timespec> {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    let now = Duration::new(now.tv_sec.max(0) as u64, now.tv_nsec as u32);
    // The kernel refuses what it cannot count in nanoseconds.
    let until = now.checked_add(left)?;
    (until.as_secs() < i64::MAX as u64 / 1_000_000_000).then(|| timespec(until))
}

/// What [`change_and_wake`] does to the word. The kernel takes numbers of 12 bits with a sign, and single bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // what the kernel can do is all here
pub(crate) enum Change {
    Set(u32),
    /// Wraps around.
    Add(u32),
    Or(u32),
    /// Takes these bits away.
    AndNot(u32),
    Xor(u32),
}

impl Change {
    fn apply(self, old: u32) -> u32 {
        match self {
            Change::Set(value) => value,
            Change::Add(value) => old.wrapping_add(value),
            Change::Or(bits) => old | bits,
            Change::AndNot(bits) => old & !bits,
            Change::Xor(bits) => old ^ bits,
        }
    }

    /// As the kernel wants it.
    fn encode(self) -> Option<u32> {
        let (operation, value) = match self {
            Change::Set(value) => (libc::FUTEX_OP_SET, value),
            Change::Add(value) => (libc::FUTEX_OP_ADD, value),
            Change::Or(bits) => (libc::FUTEX_OP_OR, bits),
            Change::AndNot(bits) => (libc::FUTEX_OP_ANDN, bits),
            Change::Xor(bits) => (libc::FUTEX_OP_XOR, bits),
        };
        let (operation, argument) = if (-2048..2048).contains(&(value as i32)) {
            (operation as u32, value & 0xfff)
        } else if value.is_power_of_two() {
            (
                (operation | libc::FUTEX_OP_OPARG_SHIFT) as u32,
                value.trailing_zeros(),
            )
        } else {
            return None;
        };
        Some(operation << 28 | argument << 12)
    }
}

/// Changes the word and wakes everybody who sleeps on it, in one step as far as a kill is concerned. Ordered as a release,
/// and not before what was loaded before.
///
/// A change that the kernel cannot be told (see [`Change`]) is made here, with a gap between store and wake-up.
pub(crate) fn change_and_wake(word: &AtomicU32, change: Change) {
    fence(Ordering::SeqCst);
    if let Some(operation) = change.encode() {
        count();
        // SAFETY: both addresses are the one live, aligned word, which the kernel changes atomically, as another process could.
        let woken = unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAKE_OP,
                i32::MAX,
                std::ptr::null::<libc::timespec>(),
                word.as_ptr(),
                operation,
            )
        };
        if woken >= 0 {
            return;
        }
    }
    let _ = word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, |old| {
        Some(change.apply(old))
    });
    wake_all(word);
}

/// Wakes at most `n` waiters; gives how many.
pub(crate) fn wake(word: &AtomicU32, n: u32) -> usize {
    let n = n.min(i32::MAX as u32);
    count();
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

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn sleeps_on_several_words_end_for_every_reason() {
        for several in [UNKNOWN, NO] {
            let wait_any = |words: &[(&AtomicU32, u32)], deadline: Option<Instant>| match several {
                NO => wait_first(words, deadline),
                _ => wait_any(words, deadline),
            };
            let words: Vec<AtomicU32> = (0..WORDS as u32 + 3).map(AtomicU32::new).collect();
            let all = || -> Vec<(&AtomicU32, u32)> { words.iter().zip(0..).collect() };
            let soon = || Some(Instant::now() + Duration::from_millis(5));
            let begun = Instant::now();
            assert_eq!(wait_any(&all(), soon()), Wait::TimedOut);
            assert!(begun.elapsed() >= Duration::from_millis(5));
            assert_eq!(wait_any(&all(), Some(Instant::now())), Wait::TimedOut);
            assert_eq!(
                wait_any(&[(&words[0], 0), (&words[1], 7)], None),
                Wait::Changed
            );
            for at in [0, 1, WORDS - 1] {
                std::thread::scope(|scope| {
                    let waiter = scope.spawn(|| {
                        while words[at].load(Ordering::Acquire) == at as u32 {
                            wait_any(&all(), Some(Instant::now() + LONG));
                        }
                    });
                    std::thread::sleep(Duration::from_millis(3));
                    change_and_wake(&words[at], Change::Add(1));
                    waiter.join().unwrap();
                });
                words[at].store(at as u32, Ordering::Relaxed);
            }
        }
        assert_eq!(wait_any(&[], Some(Instant::now())), Wait::TimedOut);
        let word = AtomicU32::new(1);
        let never = Instant::now().checked_add(Duration::from_secs(1 << 60));
        assert_eq!(wait_any(&[(&word, 0), (&word, 1)], never), Wait::Changed);
    }

    #[test]
    fn the_kernel_changes_words_as_we_would() {
        let values = [
            0,
            1,
            5,
            2047,
            2048,
            2049,
            4095,
            4096,
            1 << 30,
            1 << 31,
            0x8000_0001,
            u32::MAX,
            u32::MAX - 2047,
            u32::MAX - 2048,
        ];
        let mut told = 0;
        for old in values {
            for value in values {
                for change in [
                    Change::Set,
                    Change::Add,
                    Change::Or,
                    Change::AndNot,
                    Change::Xor,
                ] {
                    let change = change(value);
                    told += usize::from(change.encode().is_some());
                    let word = AtomicU32::new(old);
                    change_and_wake(&word, change);
                    assert_eq!(
                        word.load(Ordering::Relaxed),
                        change.apply(old),
                        "{old:#x} {change:x?}"
                    );
                }
            }
        }
        assert_eq!(told, values.len() * 5 * 10);
    }
}
