#![allow(unsafe_code)]
//! `RwLock`: many readers or one writer.
//!
//! Relies on `latch` (here: the gate), on a roll of readers, and on `watch`.
//!
//! - A **reader** writes its process's packed name into a free entry of the roll and then looks at the gate: open, and it
//!   reads. Closed: it takes the entry back and enters through the gate, which it holds just long enough to claim an entry.
//!   Leaving is one store, 0 into the entry.
//! - A **writer** takes the gate and keeps it, so that no reader comes in, then waits until all entries are 0. Then it stores its
//!   pid in `writing`, and before it gives the gate back 0. So writers come before the readers that come after them.
//! - **Death.** A dead reader's entry is cleared by the writer that waits for it, once the reader is wholly gone. A pid in
//!   `writing` while the gate is one's own, or open, is that of a writer that died; readers are told each time, and the
//!   next writer is told and writes over it.
//!
//! `left`: bit 0, a writer waits; the rest counts readers that left while one did. A reader stores 0 in its entry, then, after a full
//! barrier, looks at bit 0, and if it is set counts and wakes in one call; the writer sets bit 0, then, after a full
//! barrier, looks at the entries, and sleeps on `left` and on the lives of those it saw: so a reader that is killed between
//! its two steps is noticed too.
//!
//! Orderings: claiming an entry and reading the gate, taking the gate and reading the entries: both sequentially consistent, so
//! that one of the two sees the other. Leaving is Release, and the writer reads entries with Acquire.

use super::error::{LockResult, TryLockResult, outcome, without_deadline};
use super::latch::{Dead, Latch, MOMENT};
use super::watch::{self, Gone, Slept};
use crate::error::Result;
use crate::heap::{Body, Handle, Heap, ObjectKind, Place, Roll, shared_handle};
use crate::session;
use crate::sys::futex::{Change, change_and_wake};
use crate::sys::memory;
use crate::sys::points::stored;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

const NAME: &str = "lock";
/// In `left`: a writer waits.
const WAITS: u32 = 1;

#[repr(C)]
struct State {
    gate: Latch,
    /// The pid of the writer that is through the gate, when all readers are out.
    writing: AtomicU32,
    left: AtomicU32,
    readers: Roll<12>,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a free lock.
unsafe impl Body for State {}

/// A lock that many may hold to read, or one to write.
///
/// As [`Lock`](crate::Lock), which see about handles, order and leaks. Python has none. A **reader that dies** blocks nobody:
/// it changed nothing, so nobody is told. A **writer that dies** is reported to
/// every reader, until the next writer has been told too: it can put things right.
///
/// A writer that waits keeps new readers out, so that it is not put off for ever. Hence a thread that reads must not ask to read
/// again, nor to write: it may wait for a writer that waits for it.
///
/// ```
/// # mp::init()?;
/// let lock = mp::RwLock::new()?;
/// let (one, two) = (lock.read()?, lock.read()?);
/// assert!(lock.try_write()?.is_none());
/// drop((one, two));
/// let write = lock.write()?;
/// assert!(lock.try_read()?.is_none());
/// # Ok::<(), mp::Error>(())
/// ```
pub struct RwLock {
    pub(super) handle: Handle,
}

shared_handle! { RwLock => ObjectKind::RwLock, body State }

/// The right to read what an [`RwLock`] protects.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RwLockReadGuard<'a> {
    lock: &'a RwLock,
    entry: u32,
}

/// The right to change what an [`RwLock`] protects.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RwLockWriteGuard<'a> {
    lock: &'a RwLock,
}

impl RwLock {
    /// A new lock that nobody holds.
    ///
    /// # Errors
    /// The shared heap is at its limit, or there can be no session here (see [`init`](crate::init)).
    pub fn new() -> Result<RwLock> {
        let heap = session::current()?.heap;
        let handle = Handle::make_zeroed::<State>(heap, ObjectKind::RwLock, 0, |_| ())?;
        Ok(RwLock { handle })
    }

    /// Waits until nobody writes or waits to write, and reads.
    ///
    /// # Errors
    /// [`LockError::Poisoned`](crate::LockError), with the guard, if a writer died. [`LockError::Failed`](crate::LockError)
    /// in a copy of the process made by the program's own `fork`, or if there are more readers than ever and the shared heap is at its
    /// limit.
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_>> {
        without_deadline(self.read_until(|_| None))
    }

    /// Reads if nobody writes or waits to write; else `None`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_>> {
        self.read_until(|state| {
            let now = Instant::now();
            // Another reader in the gate is soon through.
            let is_reader = state.left.load(Ordering::Relaxed) & WAITS == 0
                && state.writing.load(Ordering::Relaxed) == 0;
            Some(if is_reader { now + MOMENT } else { now })
        })
    }

    /// As [`read`](Self::read); `None` if that takes longer than `timeout`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_timeout(&self, timeout: Duration) -> TryLockResult<RwLockReadGuard<'_>> {
        let deadline = Instant::now().checked_add(timeout);
        self.read_until(|_| deadline)
    }

    /// Waits until nobody else writes or reads, and writes.
    ///
    /// # Errors
    /// [`LockError::Poisoned`](crate::LockError), with the guard, if a writer died. [`LockError::Failed`](crate::LockError)
    /// in a copy of the process made by the program's own `fork`.
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_>> {
        without_deadline(self.write_until(None))
    }

    /// Writes if nobody else writes or reads; else `None`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_>> {
        self.write_until(Some(Instant::now()))
    }

    /// As [`write`](Self::write); `None` if that takes longer than `timeout`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_timeout(&self, timeout: Duration) -> TryLockResult<RwLockWriteGuard<'_>> {
        self.write_until(Instant::now().checked_add(timeout))
    }

    fn read_until(
        &self,
        deadline: impl FnOnce(&State) -> Option<Instant>,
    ) -> TryLockResult<RwLockReadGuard<'_>> {
        let (state, heap, place) = self.parts()?;
        let me = heap.me();
        let claim = || {
            state
                .readers
                .claim(heap, place, u64::from(me.pack()), me.index % 12)
        };
        let entry = claim()?;
        fence(Ordering::SeqCst);
        if !state.gate.is_locked() && state.writing.load(Ordering::Acquire) == 0 {
            return Ok(Some(RwLockReadGuard { lock: self, entry }));
        }
        self.leave(entry);
        if state.gate.lock(heap, deadline(state)).is_err() {
            return Ok(None);
        }
        let entry = claim();
        let dead = entry.as_ref().ok().and_then(|_| state.half_written());
        // The news stays for whoever writes next.
        state.gate.unlock(heap);
        let entry = entry?;
        outcome(Ok(dead), NAME, || RwLockReadGuard { lock: self, entry })
    }

    fn write_until(&self, deadline: Option<Instant>) -> TryLockResult<RwLockWriteGuard<'_>> {
        let (state, heap, place) = self.parts()?;
        if state.gate.lock(heap, deadline).is_err() {
            return Ok(None);
        }
        if !state.wait_for_readers(heap, place, deadline) {
            state.gate.unlock(heap);
            return Ok(None);
        }
        let dead = state.half_written();
        state.writing.store(heap.pid(), Ordering::Relaxed);
        stored("rwlock: writing");
        outcome(Ok(dead), NAME, || RwLockWriteGuard { lock: self })
    }

    /// A reader leaves.
    fn leave(&self, entry: u32) {
        let Ok((state, heap, place)) = self.parts() else {
            return;
        };
        if let Some(entry) = state.readers.get(heap, place, entry) {
            let me = u64::from(heap.me().pack());
            let _ = entry.compare_exchange(me, 0, Ordering::Release, Ordering::Relaxed);
            stored("rwlock: a reader left");
        }
        state.readers.freed(heap, place, entry);
        fence(Ordering::SeqCst);
        if state.left.load(Ordering::Relaxed) & WAITS != 0 {
            change_and_wake(&state.left, Change::Add(2));
            stored("rwlock: the writer woken");
        }
    }

    fn parts(&self) -> Result<(&State, &'static Heap, Place)> {
        if memory::forked() {
            return Err(session::forked());
        }
        let handle = &self.handle;
        Ok((handle.body(), handle.heap(), handle.place()))
    }
}

impl State {
    /// With the gate taken: the writer that died writing, if one has. Readers are told each; only a writer writes over it.
    fn half_written(&self) -> Option<Dead> {
        match self.writing.load(Ordering::Relaxed) {
            0 => None,
            pid => Some(Dead { pid: Some(pid) }),
        }
    }

    /// With the gate taken: waits until all readers are out.
    fn wait_for_readers(&self, heap: &Heap, place: Place, deadline: Option<Instant>) -> bool {
        fence(Ordering::SeqCst);
        if self.readers_inside(heap, place).next().is_none() {
            return true;
        }
        self.left.fetch_or(WAITS, Ordering::SeqCst);
        stored("rwlock: a writer waits");
        let mut out = false;
        loop {
            let seen = self.left.load(Ordering::SeqCst);
            let inside: Vec<(&AtomicU64, u64)> = self.readers_inside(heap, place).collect();
            if inside.is_empty() {
                out = true;
                break;
            }
            let names = inside.iter().map(|(_, name)| *name as u32);
            match watch::sleep(heap, &[(&self.left, seen)], names, deadline) {
                Slept::Look => {}
                Slept::TimedOut => break,
                Slept::Dead(dead) => {
                    match watch::see_off(heap, dead, deadline) {
                        Gone::Yes => {}
                        Gone::NotYet => continue,
                        Gone::TimedOut => break,
                    }
                    for (entry, name) in inside.iter().filter(|(_, name)| *name as u32 == dead) {
                        let _ =
                            entry.compare_exchange(*name, 0, Ordering::AcqRel, Ordering::Relaxed);
                        stored("rwlock: a dead reader's entry");
                    }
                }
            }
        }
        self.left.fetch_and(!WAITS, Ordering::SeqCst);
        stored("rwlock: the writer waits no more");
        out
    }

    fn readers_inside<'h>(
        &'h self,
        heap: &'h Heap,
        place: Place,
    ) -> impl Iterator<Item = (&'h AtomicU64, u64)> {
        self.readers.entries(heap, place).filter_map(|(_, entry)| {
            let name = entry.load(Ordering::Acquire);
            (name != 0).then_some((entry, name))
        })
    }
}

impl Drop for RwLockReadGuard<'_> {
    fn drop(&mut self) {
        self.lock.leave(self.entry);
    }
}

impl Drop for RwLockWriteGuard<'_> {
    fn drop(&mut self) {
        if let Ok((state, heap, _)) = self.lock.parts() {
            state.writing.store(0, Ordering::Relaxed);
            stored("rwlock: written");
            state.gate.unlock(heap);
        }
    }
}

impl fmt::Debug for RwLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").finish_non_exhaustive()
    }
}

impl fmt::Debug for RwLockReadGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLockReadGuard")
    }
}

impl fmt::Debug for RwLockWriteGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLockWriteGuard")
    }
}
