//! `Lock`: one thread of one process at a time.
//!
//! Relies on `latch`, which is all there is in its body.

use super::condition::Owed;
use super::error::{LockResult, TryLockResult, outcome, without_deadline};
use super::latch::{Dead, Latch};
use super::slim::Slim;
use super::word::TimedOut;
use crate::error::{Error, Result};
use crate::heap::{Handle, Heap, ObjectKind, shared_handle};
use crate::session;
use crate::sys::memory;
use std::fmt;
use std::time::{Duration, Instant};

pub(super) const NAME: &str = "lock";

/// A lock that threads of any process of the session take in turns. Python's `Lock`.
///
/// A handle: clones are of the same lock, and so is what arrives when it is given to a task, by value or by reference, in
/// a struct, a result or a message. It lives as long as some process or message has a handle. It protects nothing by
/// itself: what it protects is up to you (a value with its own lock is a `Value`).
///
/// **If a holder dies** (killed, crashed, exited), whoever is next gets the lock with
/// [`LockError::Poisoned`](crate::LockError), which names the dead process, as soon as that process can write no more. It is
/// reported once per death. A holder that merely *panics* gives the lock back when its guard is dropped; Python does the
/// same at the end of its `with`.
///
/// **Order.** Who finds it free takes it, whoever waits already (it *barges*): that is several times faster than a queue, and
/// nobody who waits is forgotten, because all of them are woken, but a thread that takes and gives back in a tight loop can
/// keep others waiting. Take two locks in the same order everywhere, or with a time-out. A thread that takes a lock it
/// holds waits for ever, as with `std::sync::Mutex` ([`RLock`](crate::RLock) is for that).
///
/// **A guard that is leaked** (`mem::forget`) keeps the lock until its process ends; then it is poisoned like any other. A lock that
/// one process takes and another gives back, as in Python, is a [`Semaphore`](crate::Semaphore) of 1.
///
/// ```
/// #[mp::task]
/// fn shout(lock: &mp::Lock, word: &str) -> Result<(), mp::Failure> {
///     let _guard = lock.lock()?;
///     println!("{word}");
///     Ok(())
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main!(run);
///
/// fn run() -> mp::Result<()> {
///     let lock = mp::Lock::new()?;
///     let guard = lock.lock()?;
///     let child = mp::Process::new(shout, (&lock, "me too")).start()?;
///     println!("me first");
///     drop(guard);
///     child.join()?;
///     Ok(())
/// }
/// ```
pub struct Lock {
    pub(super) handle: Handle,
}

shared_handle! { Lock => ObjectKind::Lock, body Latch }

/// The right to what a [`Lock`] protects; given back when this is dropped.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct LockGuard<'a> {
    /// The lock; behind it a notification that this is the answer to.
    pub(super) lock: Slim<'a, Lock, Owed>,
}

impl Lock {
    /// A new lock that nobody holds.
    ///
    /// # Errors
    /// The shared heap is at its limit, or there can be no session here (see [`init`](crate::init)).
    pub fn new() -> Result<Lock> {
        let heap = session::current()?.heap;
        let handle = Handle::make_zeroed::<Latch>(heap, ObjectKind::Lock, 0, |_| ())?;
        Ok(Lock { handle })
    }

    /// Waits until the lock is free, and takes it. Python's `acquire()`.
    ///
    /// # Errors
    /// [`LockError::Poisoned`](crate::LockError), with the guard, if a holder died. [`LockError::Failed`](crate::LockError) in a
    /// copy of the process made by the program's own `fork`.
    #[inline]
    pub fn lock(&self) -> LockResult<LockGuard<'_>> {
        without_deadline(self.take(None))
    }

    /// Takes the lock if nobody holds it; `None` if somebody does. Python's `acquire(block=False)`.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> TryLockResult<LockGuard<'_>> {
        let (latch, heap) = self.parts()?;
        self.guard(latch.try_lock(heap))
    }

    /// As [`lock`](Self::lock); `None` if that takes longer than `timeout`. Python's `acquire(timeout=…)`.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> TryLockResult<LockGuard<'_>> {
        self.take(Instant::now().checked_add(timeout))
    }

    /// Whether some process holds it (or died holding it), at the moment of the call. Python's `locked()`.
    pub fn is_locked(&self) -> bool {
        self.handle.body::<Latch>().is_locked()
    }

    #[inline]
    fn take(&self, deadline: Option<Instant>) -> TryLockResult<LockGuard<'_>> {
        let (latch, heap) = self.parts()?;
        self.guard(latch.lock(heap, deadline))
    }

    #[inline]
    fn guard(&self, taken: Result<Option<Dead>, TimedOut>) -> TryLockResult<LockGuard<'_>> {
        outcome(taken, NAME, || LockGuard {
            lock: Slim::new(self),
        })
    }

    /// The latch and the heap it is in, if this process may use them.
    #[inline]
    pub(super) fn parts(&self) -> Result<(&Latch, &'static Heap), Error> {
        if memory::forked() {
            return Err(session::forked());
        }
        Ok((self.handle.body(), self.handle.heap()))
    }

    pub(super) fn is_same(&self, other: &Lock) -> bool {
        self.handle == other.handle
    }
}

impl Drop for LockGuard<'_> {
    // As little as there can be: a guard that is dropped where it was taken lives in registers.
    #[inline(always)]
    fn drop(&mut self) {
        if !memory::forked() {
            let handle = &self.lock.to().handle;
            handle.body::<Latch>().unlock(handle.heap());
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("locked", &self.is_locked())
            .finish()
    }
}

impl fmt::Debug for LockGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockGuard")
    }
}
