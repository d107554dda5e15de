#![allow(unsafe_code)]
//! `RLock`: a lock that the thread which holds it may take again.
//!
//! Relies on `latch`. The body says beside it which thread holds it (`thread`) and how often (`depth`); both are written by
//! that thread only, between taking and giving back, and `thread` is 0 again before the latch is free. A number in `thread`
//! belongs to one thread of one process of the session for ever: the process's slot and a count of its threads. So what a
//! dead holder left there is nobody's, and a thread that reads its own number there holds the lock.

use super::error::{LockError, LockResult, TryLockResult, outcome, without_deadline};
use super::latch::{Dead, Latch};
use super::word::TimedOut;
use crate::error::{Error, Kind, Result};
use crate::heap::{Body, Handle, Heap, ObjectKind, shared_handle};
use crate::session;
use crate::sys::memory;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const NAME: &str = "lock";

#[repr(C)]
struct State {
    latch: Latch,
    thread: AtomicU64,
    depth: AtomicU32,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a free lock.
unsafe impl Body for State {}

/// A lock that one thread at a time holds, as often as it likes. Python's `RLock`.
///
/// As [`Lock`](crate::Lock) in all else, which see about death, order and leaks: but the owner is a thread, so a guard cannot be
/// sent to another. The lock is free when the last guard of the owner is dropped. A guard that is leaked keeps it, even
/// beyond the end of its thread, until the process ends.
///
/// ```
/// # mp::init()?;
/// let lock = mp::RLock::new()?;
/// let outer = lock.lock()?;
/// let inner = lock.lock()?; // a `Lock` would wait for ever here
/// drop(outer);
/// assert!(lock.is_locked());
/// drop(inner);
/// assert!(!lock.is_locked());
/// # Ok::<(), mp::Error>(())
/// ```
pub struct RLock {
    pub(super) handle: Handle,
}

shared_handle! { RLock => ObjectKind::RLock, body State }

/// The right to what an [`RLock`] protects; one of those that this thread holds.
#[must_use = "the lock is given back when the last guard is dropped"]
pub struct RLockGuard<'a> {
    lock: &'a RLock,
    /// The owner is a thread.
    stays: PhantomData<*const ()>,
}

/// The number of this thread, which no other thread of the session ever has.
fn this_thread(heap: &Heap) -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(0) };
    }
    let number = NUMBER.get();
    let number = if number == 0 {
        let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(fresh);
        fresh
    } else {
        number
    };
    u64::from(heap.me().pack()) << 32 | u64::from(number)
}

impl RLock {
    /// A new lock that nobody holds.
    ///
    /// # Errors
    /// The shared heap is at its limit, or there can be no session here (see [`init`](crate::init)).
    pub fn new() -> Result<RLock> {
        let heap = session::current()?.heap;
        let handle = Handle::make_zeroed::<State>(heap, ObjectKind::RLock, 0, |_| ())?;
        Ok(RLock { handle })
    }

    /// Waits until no other thread holds the lock, and takes it (once more). Python's `acquire()`.
    ///
    /// # Errors
    /// [`LockError::Poisoned`](crate::LockError), with the guard, if a holder died. [`LockError::Failed`](crate::LockError) in a
    /// copy of the process made by the program's own `fork`, or if this thread has it 4,294,967,295 times already.
    pub fn lock(&self) -> LockResult<RLockGuard<'_>> {
        without_deadline(self.take(|latch, heap| latch.lock(heap, None)))
    }

    /// Takes the lock if no other thread holds it; `None` if one does. Python's `acquire(block=False)`.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> TryLockResult<RLockGuard<'_>> {
        self.take(Latch::try_lock)
    }

    /// As [`lock`](Self::lock); `None` if that takes longer than `timeout`. Python's `acquire(timeout=…)`.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> TryLockResult<RLockGuard<'_>> {
        let deadline = Instant::now().checked_add(timeout);
        self.take(|latch, heap| latch.lock(heap, deadline))
    }

    /// Whether some thread of some process holds it (or its process died holding it), at the moment of the call.
    pub fn is_locked(&self) -> bool {
        self.handle.body::<State>().latch.is_locked()
    }

    fn take(
        &self,
        take: impl FnOnce(&Latch, &Heap) -> Result<Option<Dead>, TimedOut>,
    ) -> TryLockResult<RLockGuard<'_>> {
        if memory::forked() {
            return Err(session::forked().into());
        }
        let (state, heap) = (self.handle.body::<State>(), self.handle.heap());
        let thread = this_thread(heap);
        let guard = || RLockGuard {
            lock: self,
            stays: PhantomData,
        };
        if state.thread.load(Ordering::Relaxed) == thread {
            let depth = state.depth.load(Ordering::Relaxed);
            let Some(deeper) = depth.checked_add(1) else {
                let text = "this thread has taken the lock as often as can be counted";
                return Err(LockError::Failed(Error::new(Kind::Usage, text)));
            };
            state.depth.store(deeper, Ordering::Relaxed);
            return Ok(Some(guard()));
        }
        let taken = take(&state.latch, heap);
        if taken.is_ok() {
            state.depth.store(1, Ordering::Relaxed);
            state.thread.store(thread, Ordering::Relaxed);
        }
        outcome(taken, NAME, guard)
    }
}

impl Drop for RLockGuard<'_> {
    fn drop(&mut self) {
        if memory::forked() {
            return;
        }
        let (state, heap) = (self.lock.handle.body::<State>(), self.lock.handle.heap());
        let depth = state.depth.load(Ordering::Relaxed);
        if depth > 1 {
            state.depth.store(depth - 1, Ordering::Relaxed);
        } else {
            state.thread.store(0, Ordering::Relaxed);
            state.latch.unlock(heap);
        }
    }
}

impl fmt::Debug for RLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RLock")
            .field("locked", &self.is_locked())
            .finish()
    }
}

impl fmt::Debug for RLockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RLockGuard")
    }
}
