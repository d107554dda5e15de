#![allow(unsafe_code)]
//! `Event`: a flag that any number of threads and processes wait for.
//!
//! Relies on `latch` and `sys::futex`. The word: bit 0 SET; bit 1 WAITERS, somebody may sleep; the rest counts how often it
//! was set, so that who slept then is let go even if it was cleared at once.
//!
//! | from | to | by |
//! |---|---|---|
//! | n, clear | n, clear, WAITERS | who is about to sleep; compare-and-swap |
//! | n, clear | n + 1, SET | who sets it, holding the latch; compare-and-swap |
//! | n, clear, WAITERS | n + 1, SET | who sets it, holding the latch; by the kernel, which wakes all in the same call |
//! | n, SET | n, clear | who clears it, holding the latch |
//!
//! While WAITERS is set only the holder of the latch changes the word, so what the kernel adds is right. A process that is killed
//! in here has done one of these or none. Setting is Release, seeing it is Acquire.

use super::latch::Latch;
use crate::error::Result;
use crate::heap::{Body, Handle, Heap, ObjectKind, shared_handle};
use crate::session;
use crate::sys::futex::{Change, change_and_wake, wait};
use crate::sys::memory;
use crate::sys::points::stored;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const SET: u32 = 1;
const WAITERS: u32 = 2;
const ONCE: u32 = 4;

#[repr(C)]
struct State {
    latch: Latch,
    word: AtomicU32,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a clear event.
unsafe impl Body for State {}

/// A flag that threads of any process set, clear and wait for. Python's `Event`.
///
/// A handle, like [`Lock`](crate::Lock). Nobody holds it, so no death disturbs it: a process that is killed while it sets the event has set
/// it and woken everybody, or has done nothing. `set` wakes all who wait at that moment, also if it is cleared at once.
///
/// ```
/// #[mp::task]
/// fn runner(start: &mp::Event) -> Result<(), mp::Failure> {
///     Ok(start.wait()?)
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main!(run);
///
/// fn run() -> mp::Result<()> {
///     let start = mp::Event::new()?;
///     let runners = [runner.start(&start)?, runner.start(&start)?];
///     start.set()?;
///     for child in runners {
///         child.join()?;
///     }
///     Ok(())
/// }
/// ```
pub struct Event {
    pub(super) handle: Handle,
}

shared_handle! { Event => ObjectKind::Event, body State }

impl Event {
    /// A new event that is not set.
    ///
    /// # Errors
    /// The shared heap is at its limit, or there can be no session here (see [`init`](crate::init)).
    pub fn new() -> Result<Event> {
        let heap = session::current()?.heap;
        let handle = Handle::make_zeroed::<State>(heap, ObjectKind::Event, 0, |_| ())?;
        Ok(Event { handle })
    }

    /// Sets it and wakes all who wait for it. Nothing changes if it is set already.
    ///
    /// # Errors
    /// In a copy of the process made by the program's own `fork`.
    pub fn set(&self) -> Result<()> {
        self.change(|state| {
            loop {
                let seen = state.word.load(Ordering::Relaxed);
                if seen & SET != 0 {
                    return;
                }
                if seen & WAITERS != 0 {
                    change_and_wake(&state.word, Change::Add(ONCE + SET - WAITERS));
                    stored("event: set, all woken");
                    return;
                }
                let to = seen.wrapping_add(ONCE) | SET;
                let set =
                    state
                        .word
                        .compare_exchange(seen, to, Ordering::Release, Ordering::Relaxed);
                if set.is_ok() {
                    stored("event: set");
                    return;
                }
            }
        })
    }

    /// Clears it; who waits from now on waits for the next [`set`](Self::set).
    ///
    /// # Errors
    /// In a copy of the process made by the program's own `fork`.
    pub fn clear(&self) -> Result<()> {
        self.change(|state| {
            if state.word.load(Ordering::Relaxed) & SET != 0 {
                state.word.fetch_and(!(SET | WAITERS), Ordering::AcqRel);
                stored("event: clear");
            }
        })
    }

    /// Whether it is set, at the moment of the call. Python's `is_set()`.
    pub fn is_set(&self) -> bool {
        self.handle.body::<State>().word.load(Ordering::Acquire) & SET != 0
    }

    /// Waits until it is set. Returns at once if it is. Python's `wait()`.
    ///
    /// # Errors
    /// In a copy of the process made by the program's own `fork`.
    pub fn wait(&self) -> Result<()> {
        self.wait_until(None).map(|_| ())
    }

    /// Waits until it is set, or `timeout` has passed; whether it was set. Python's `wait(timeout)`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<bool> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Result<bool> {
        let (state, _) = self.parts()?;
        let word = &state.word;
        let begin = word.load(Ordering::Acquire);
        loop {
            let seen = word.load(Ordering::Acquire);
            if seen & SET != 0 || (seen ^ begin) & !(ONCE - 1) != 0 {
                return Ok(true);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
            let marked = seen | WAITERS;
            if seen != marked {
                let mark =
                    word.compare_exchange(seen, marked, Ordering::Relaxed, Ordering::Relaxed);
                if mark.is_err() {
                    continue;
                }
                stored("event: a waiter");
            }
            wait(word, marked, deadline);
        }
    }

    /// Prepares to sleep until it is set: the word to sleep on, and what it holds until then; `None` if it is set.
    pub(crate) fn wait_word(&self) -> Option<(&AtomicU32, u32)> {
        let word = &self.handle.body::<State>().word;
        let mut seen = word.load(Ordering::Acquire);
        loop {
            if seen & SET != 0 {
                return None;
            }
            let marked = seen | WAITERS;
            match word.compare_exchange(seen, marked, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => {
                    stored("event: a waiter");
                    return Some((word, marked));
                }
                Err(other) => seen = other,
            }
        }
    }

    fn change(&self, change: impl FnOnce(&State)) -> Result<()> {
        let (state, heap) = self.parts()?;
        // Without a deadline it is taken; what a dead process left half-way is nothing.
        let _entered = state.latch.enter(heap, None)?;
        change(state);
        state.latch.unlock(heap);
        Ok(())
    }

    fn parts(&self) -> Result<(&State, &'static Heap)> {
        if memory::forked() {
            return Err(session::forked());
        }
        Ok((self.handle.body(), self.handle.heap()))
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .finish()
    }
}
