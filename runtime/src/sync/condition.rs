#![allow(unsafe_code)]
//! `Condition`: waiting, with a lock given back meanwhile, until somebody says that things have changed.
//!
//! Relies on `lock` (the user's), `latch` (its own), a roll of waiters, and `watch`.
//!
//! Every waiter has a ticket, one higher than the one before; its entry in the roll says ticket and process. `called` is the first
//! ticket that was *not* notified: a waiter whose ticket is below it is. To notify n is to move `called` up behind the
//! n-th waiter that lives: one change by the kernel, which wakes all in the same call. A waiter that gives up takes its
//! entry out, with the latch held; one that was notified does so once it has *given back* the user's lock ([`Owed`]), because only
//! then has it acted on what it was told. Tickets wrap; they are compared by distance.
//!
//! **Passing on.** An entry below `called` whose process is dead is a notification that nobody has acted on: whoever finds it first moves
//! `called` up by one more waiter and then clears the entry. Killed in between, it has the same done again by the next: one
//! notification too many, which a condition allows. Sleepers watch the lives of those who were notified and are not through.
//!
//! **Withdrawing.** A waiter whose time is up, and which cannot have the latch for a moment (its holder is stopped), puts
//! [`WITHDRAWN`] in the place of its process and then looks at `called`; whoever calls moves `called` and then looks for such entries: one of
//! the two sees the other (a fence between, on both sides). A withdrawn entry counts as that of a dead process: the next holder of
//! the latch takes it out, and passes the notification on if it was called.
//!
//! Entries are written, cleared and counted with the latch held, but for a waiter's own, which it may clear at any time; nothing has to
//! be put right after somebody died holding the latch. The orderings are the latch's.

use super::error::poisoned;
use super::latch::{Latch, MOMENT};
use super::lock::{Lock, LockGuard, NAME as LOCK};
use super::watch::{self, Slept};
use crate::error::{Error, Kind, Result};
use crate::heap::{Body, Handle, Heap, ObjectKind, Place, Roll, shared_handle};
use crate::session;
use crate::sys::futex::{Change, change_and_wake};
use crate::sys::memory;
use crate::sys::points::stored;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

/// What the kernel can add at once.
const STRIDE: u32 = 2047;
/// The process in the entry of a waiter whose time was up while the latch was not to be had. No slot has this name.
const WITHDRAWN: u32 = u32::MAX;

#[repr(C)]
struct State {
    latch: Latch,
    /// The ticket of the next waiter.
    next: AtomicU32,
    called: AtomicU32,
    waiters: Roll<12>,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a condition without waiters.
unsafe impl Body for State {}

/// Waiting for a change that others make. Python's `Condition`.
///
/// A handle, like [`Lock`](crate::Lock); it comes with one, or is [made for](Self::with_lock) one that is there. Whoever waits
/// holds that lock, has it given back while waiting, and has it again afterwards:
///
/// ```
/// # mp::init()?;
/// let items = mp::Semaphore::new(0)?; // stands for whatever is shared
/// let changed = mp::Condition::new()?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| -> mp::Result<()> {
///         let _guard = changed.lock()?;
///         items.release()?;
///         changed.notify_one()
///     });
///     let mut guard = changed.lock()?;
///     changed.wait_for(&mut guard, || items.value() > 0)
/// })?;
/// # Ok::<(), mp::Error>(())
/// ```
///
/// Waiters are notified in the order in which they came. A wait may also end for no reason, so look again after it, or use
/// [`wait_for`](Self::wait_for). Unlike Python's, `notify` may be called without the lock, and the lock is a plain
/// [`Lock`](crate::Lock), not an `RLock`: a thread that takes it twice waits for itself.
///
/// **Death.** A waiter that dies is no longer counted. One that was notified and dies before it has given the lock back again
/// passes the notification on to the next, which then also learns of the death if the lock was poisoned by it. A process that dies while it holds the lock poisons it: the wait that gets it next gives an error with
/// [`is_poisoned`](crate::Error::is_poisoned), and its guard holds the lock. A process that is killed in the middle of `notify` has notified, or not, or (of
/// several thousand waiters) some; nobody else is disturbed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Condition {
    pub(super) waiters: Waiters,
    lock: Lock,
}

/// The object itself.
pub(super) struct Waiters {
    pub(super) handle: Handle,
}

shared_handle! { Waiters => ObjectKind::Condition, body State }

impl Condition {
    /// A new condition with a lock of its own.
    ///
    /// # Errors
    /// The shared heap is at its limit, or there can be no session here (see [`init`](crate::init)).
    pub fn new() -> Result<Condition> {
        Condition::with_lock(&Lock::new()?)
    }

    /// A new condition for this lock. Several may have one lock. Python's `Condition(lock)`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_lock(lock: &Lock) -> Result<Condition> {
        let heap = session::current()?.heap;
        let handle = Handle::make_zeroed::<State>(heap, ObjectKind::Condition, 0, |_| ())?;
        Ok(Condition {
            waiters: Waiters { handle },
            lock: lock.clone(),
        })
    }

    /// Takes the condition's lock. The same as [`Lock::lock`] of [`as_lock`](Self::as_lock).
    ///
    /// # Errors
    /// As [`Lock::lock`].
    pub fn lock(&self) -> super::LockResult<LockGuard<'_>> {
        self.lock.lock()
    }

    /// The condition's lock.
    pub fn as_lock(&self) -> &Lock {
        &self.lock
    }

    /// Gives the lock back, waits until notified, and takes the lock again. Python's `wait()`.
    ///
    /// # Errors
    /// Poisoned: the lock was taken over from a process that died; `guard` holds it. Usage: `guard` is of another lock. Otherwise:
    /// there are more waiters than ever and the shared heap is at its limit; or this is a copy of the process made by the
    /// program's own `fork`. Nothing was waited for then, and `guard` holds the lock.
    pub fn wait(&self, guard: &mut LockGuard<'_>) -> Result<()> {
        self.wait_until(guard, None).map(|_| ())
    }

    /// As [`wait`](Self::wait), but no longer than `timeout` before the lock is taken again; whether notified. Python's
    /// `wait(timeout)`. A process that is stopped in the middle of another call does not hold it up (for more than some 20 ms);
    /// one that is stopped with the lock in its hands does, because the lock is taken again without a limit.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, guard: &mut LockGuard<'_>, timeout: Duration) -> Result<bool> {
        self.wait_until(guard, Instant::now().checked_add(timeout))
    }

    /// Waits until `so` is true, which is looked at with the lock held: at once, and after every notification. Python's
    /// `wait_for(predicate)`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for(&self, guard: &mut LockGuard<'_>, mut so: impl FnMut() -> bool) -> Result<()> {
        while !so() {
            self.wait(guard)?;
        }
        Ok(())
    }

    /// As [`wait_for`](Self::wait_for), but no longer than `timeout` in all; whether it is true now. Python's
    /// `wait_for(predicate, timeout)`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for_timeout(
        &self,
        guard: &mut LockGuard<'_>,
        timeout: Duration,
        mut so: impl FnMut() -> bool,
    ) -> Result<bool> {
        let deadline = Instant::now().checked_add(timeout);
        loop {
            if so() {
                return Ok(true);
            }
            if !self.wait_until(guard, deadline)? {
                return Ok(so());
            }
        }
    }

    /// Notifies one waiter, the one that came first. Python's `notify()`.
    ///
    /// # Errors
    /// In a copy of the process made by the program's own `fork`.
    pub fn notify_one(&self) -> Result<()> {
        self.notify(1)
    }

    /// Notifies `n` waiters, or as many as there are, in the order in which they came. Python's `notify(n)`.
    ///
    /// # Errors
    /// As [`notify_one`](Self::notify_one).
    pub fn notify(&self, n: usize) -> Result<()> {
        let inside = Inside::of(&self.waiters)?;
        inside.enter()?;
        inside.call(n);
        inside.leave();
        Ok(())
    }

    /// Notifies all who wait. Python's `notify_all()`.
    ///
    /// # Errors
    /// As [`notify_one`](Self::notify_one).
    pub fn notify_all(&self) -> Result<()> {
        self.notify(usize::MAX)
    }

    fn wait_until(&self, guard: &mut LockGuard<'_>, deadline: Option<Instant>) -> Result<bool> {
        if !guard.lock.to().is_same(&self.lock) {
            let text = "the guard is of another lock: wait with one of the condition's own, from its `lock`";
            return Err(Error::new(Kind::Usage, text));
        }
        let inside = Inside::of(&self.waiters)?;
        let Some((entry, ticket)) = inside.come(deadline)? else {
            return Ok(false);
        };
        let (latch, heap) = self.lock.parts()?;
        // The guard is not dropped meanwhile: no code of the user runs, and nothing in here panics.
        latch.unlock(heap);
        guard.lock.take();
        let notified = inside.sleep(entry, ticket, deadline);
        let dead = latch.lock(heap, None).unwrap_or(None);
        if notified {
            guard.lock.add(Owed {
                waiters: self.waiters.clone(),
                entry,
                ticket,
            });
        }
        match dead {
            Some(dead) => Err(poisoned(LOCK, dead.pid)),
            None => Ok(notified),
        }
    }
}

/// A notification that its waiter has not acted on yet. Dropped when the waiter has given the lock back.
pub(super) struct Owed {
    waiters: Waiters,
    entry: u32,
    ticket: u32,
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Ok(inside) = Inside::of(&self.waiters) {
            inside.go(self.entry, self.ticket);
        }
    }
}

/// A condition, by somebody who may use it.
struct Inside<'a> {
    state: &'a State,
    heap: &'static Heap,
    place: Place,
}

impl<'a> Inside<'a> {
    fn of(waiters: &'a Waiters) -> Result<Self> {
        if memory::forked() {
            return Err(session::forked());
        }
        let handle = &waiters.handle;
        Ok(Inside {
            state: handle.body(),
            heap: handle.heap(),
            place: handle.place(),
        })
    }

    fn enter(&self) -> Result<()> {
        // Without a deadline it is taken; a dead process has left nothing half-way.
        self.state.latch.enter(self.heap, None).map(drop)
    }

    fn leave(&self) {
        self.state.latch.unlock(self.heap);
    }

    fn entry(&self, ticket: u32) -> u64 {
        u64::from(ticket) << 32 | u64::from(self.heap.me().pack())
    }

    /// A waiter comes: its place in the roll, and its ticket; `None` if the latch was not to be had before the deadline.
    fn come(&self, deadline: Option<Instant>) -> Result<Option<(u32, u32)>> {
        // Also with a deadline that has passed: who merely looks is to find a free latch.
        let patience = deadline.map(|deadline| deadline.max(Instant::now() + MOMENT));
        if self.state.latch.enter(self.heap, patience)?.is_none() {
            return Ok(None);
        }
        self.pass_on(|process| process == WITHDRAWN);
        let ticket = self.state.next.load(Ordering::Relaxed);
        if self.entries().next().is_none() {
            // All tickets before are of waiters that are through: so those whose time was up do not pile up before `called`.
            self.state.called.store(ticket, Ordering::Release);
            stored("condition: nobody waits");
        }
        let from = self.heap.me().index % 12;
        let mine = self.entry(ticket);
        let entry = self.state.waiters.claim(self.heap, self.place, mine, from);
        if entry.is_ok() {
            self.state
                .next
                .store(ticket.wrapping_add(1), Ordering::Relaxed);
            stored("condition: the next ticket");
        }
        self.leave();
        Ok(Some((entry?, ticket)))
    }

    /// A waiter goes.
    fn go(&self, entry: u32, ticket: u32) {
        let waiters = &self.state.waiters;
        if let Some(word) = waiters.get(self.heap, self.place, entry) {
            let mine = self.entry(ticket);
            let _ = word.compare_exchange(mine, 0, Ordering::AcqRel, Ordering::Relaxed);
            stored("condition: a waiter is gone");
        }
        waiters.freed(self.heap, self.place, entry);
    }

    fn is_called(&self, ticket: u32) -> bool {
        let called = self.state.called.load(Ordering::Acquire);
        // By distance, as both wrap.
        (ticket.wrapping_sub(called) as i32) < 0
    }

    /// Sleeps until the ticket is called (`true`) or the deadline has passed; then the entry is taken out.
    fn sleep(&self, entry: u32, ticket: u32, deadline: Option<Instant>) -> bool {
        loop {
            let called = self.state.called.load(Ordering::Acquire);
            if self.is_called(ticket) {
                return true;
            }
            // Those on whose lives it depends whether one of us gets a notification more.
            let before: Vec<u32> = self
                .entries()
                .filter(|waiter| self.is_called(waiter.ticket))
                .map(|waiter| waiter.process)
                .collect();
            let words = [(&self.state.called, called)];
            match watch::sleep(self.heap, &words, before, deadline) {
                Slept::Look => {}
                Slept::TimedOut => {
                    return self.give_up(entry, ticket);
                }
                Slept::Dead(dead) => {
                    // An error: it will not be had any more, and the next call says so.
                    if !matches!(self.state.latch.enter(self.heap, deadline), Ok(Some(_))) {
                        return self.give_up(entry, ticket);
                    }
                    self.pass_on(|process| process == dead);
                    self.leave();
                }
            }
        }
    }

    /// The time of this waiter is up; whether it was called all the same.
    fn give_up(&self, entry: u32, ticket: u32) -> bool {
        let patience = Some(Instant::now() + MOMENT);
        if matches!(self.state.latch.enter(self.heap, patience), Ok(Some(_))) {
            let called = self.is_called(ticket);
            if !called {
                self.go(entry, ticket);
            }
            self.leave();
            return called;
        }
        // Whoever holds the latch is stopped, perhaps in the middle of calling this waiter.
        let Some(entry) = self.state.waiters.get(self.heap, self.place, entry) else {
            return self.is_called(ticket);
        };
        let mine = self.entry(ticket);
        let withdrawn = u64::from(ticket) << 32 | u64::from(WITHDRAWN);
        let change = |from, to| {
            let changed = entry.compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed);
            changed.is_ok()
        };
        change(mine, withdrawn);
        stored("condition: withdrawn");
        fence(Ordering::SeqCst);
        // If it was called, the notification is this waiter's, unless it has been passed on by now.
        self.is_called(ticket) && change(withdrawn, mine)
    }

    /// All waiters.
    fn entries(&self) -> impl Iterator<Item = Waiter<'_>> {
        let entries = self.state.waiters.entries(self.heap, self.place);
        entries.filter_map(|(_, entry)| {
            let word = entry.load(Ordering::Acquire);
            (word != 0).then_some(Waiter {
                entry,
                word,
                ticket: (word >> 32) as u32,
                process: word as u32,
            })
        })
    }

    /// With the latch held: calls `n` more of those who wait and live.
    fn call(&self, n: usize) {
        self.pass_on(|process| process == WITHDRAWN || watch::is_dead(self.heap, process));
        self.call_living(n);
        // Those who have withdrawn since they were counted.
        fence(Ordering::SeqCst);
        self.pass_on(|process| process == WITHDRAWN);
    }

    fn call_living(&self, n: usize) {
        let called = self.state.called.load(Ordering::Relaxed);
        let mut ahead: Vec<u32> = self
            .entries()
            .filter(|waiter| waiter.process != WITHDRAWN && !self.is_called(waiter.ticket))
            .map(|waiter| waiter.ticket.wrapping_sub(called))
            .collect();
        ahead.sort_unstable();
        let Some(last) = n.min(ahead.len()).checked_sub(1) else {
            return;
        };
        let mut steps = ahead[last].wrapping_add(1);
        while steps > 0 {
            let step = steps.min(STRIDE);
            change_and_wake(&self.state.called, Change::Add(step));
            stored("condition: called");
            steps -= step;
        }
    }

    /// With the latch held: takes out the entries of dead processes, and calls another for each that was called.
    fn pass_on(&self, is_dead: impl Fn(u32) -> bool) {
        let dead: Vec<Waiter<'_>> = self
            .entries()
            .filter(|waiter| is_dead(waiter.process))
            .collect();
        let clear = |waiter: &Waiter<'_>| {
            let (word, relaxed) = (waiter.word, Ordering::Relaxed);
            let _ = waiter
                .entry
                .compare_exchange(word, 0, Ordering::AcqRel, relaxed);
            stored("condition: a dead waiter's entry");
        };
        // First those who only wait: a notification is not for them.
        let (called, waiting): (Vec<_>, Vec<_>) = dead
            .into_iter()
            .partition(|waiter| self.is_called(waiter.ticket));
        waiting.iter().for_each(clear);
        for waiter in &called {
            self.call_living(1);
            clear(waiter);
        }
    }
}

/// One waiter, as its entry says.
struct Waiter<'a> {
    entry: &'a AtomicU64,
    word: u64,
    ticket: u32,
    process: u32,
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}
