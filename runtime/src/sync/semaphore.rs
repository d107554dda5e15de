#![allow(unsafe_code)]
//! `Semaphore` and `BoundedSemaphore`: permits, as many as there are.
//!
//! Relies on `latch`, on a roll of the permits that are out, and on `watch`.
//!
//! The truth: `total`, how many permits there are, and the roll, with one entry for each that is out, which names the process that has
//! it. What is left is `total` less the entries; `free` has that number so that nobody need count.
//!
//! | what | one store | then |
//! |---|---|---|
//! | acquire | the entry, 0 → process | `free` - 1 |
//! | release of a permit | the entry, process → 0 | `free` + 1, wake |
//! | release without a permit | `total` + 1, and wake, in one call | `free` + 1 |
//! | forget a permit | `total` - 1 | the entry → 0 |
//! | a holder is dead and gone | the entry, process → 0 | `free` + 1, wake |
//!
//! All of it with the latch held. Who takes the latch over from a dead process counts `free` again. A process that is
//! killed between the two stores of `forget` has forgotten the permit and left its entry; that goes with its other entries, and the sum is
//! right again.
//!
//! Sleeping: `signal` is odd while somebody may sleep; to wake is to make it even, in one call, with the latch held. A
//! sleeper has made it odd with the latch held; it sleeps on `signal`, on `total`, and on the lives of all who have permits,
//! so that a process that is killed between an entry's store and its wake-up is noticed, too.
//!
//! Orderings: everything but the sleep happens under the latch, whose orderings they are.

use super::latch::{Latch, MOMENT};
use super::watch::{self, Gone, Slept};
use crate::error::{Error, Kind, Result};
use crate::heap::{Body, Handle, Heap, ObjectKind, Place, Roll, shared_handle};
use crate::session;
use crate::sys::futex::{Change, change_and_wake};
use crate::sys::memory;
use crate::sys::points::stored;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The most permits a semaphore can have, as Python's `SEM_VALUE_MAX`.
const MOST: u32 = i32::MAX as u32;

#[repr(C)]
struct State {
    latch: Latch,
    total: AtomicU32,
    free: AtomicU32,
    signal: AtomicU32,
    /// What `total` may not exceed; changed by nobody.
    bound: AtomicU32,
    out: Roll<10>,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a semaphore without permits.
unsafe impl Body for State {}

/// A number of permits that threads of any process take and give back. Python's `Semaphore`.
///
/// A handle, like [`Lock`](crate::Lock). A [`Permit`] goes back when it is dropped, **and when the process that has it dies**, as soon
/// as that process can write no more: nobody is told, and nobody waits for ever. Python's `acquire` and `release` in different places
/// are [`Permit::forget`] and [`release`](Self::release): a permit that was forgotten is lost with nobody, and is made
/// good by who releases.
///
/// Who finds a permit free takes it, whoever waits already; all who wait are woken, so nobody is forgotten. Who waits for a permit that
/// it holds itself waits for ever.
///
/// ```
/// # mp::init()?;
/// let seats = mp::Semaphore::new(2)?;
/// let (one, two) = (seats.acquire()?, seats.acquire()?);
/// assert!(seats.try_acquire()?.is_none());
/// drop(one);
/// assert_eq!(seats.value(), 1);
/// # drop(two);
/// # Ok::<(), mp::Error>(())
/// ```
pub struct Semaphore {
    pub(super) handle: Handle,
}

shared_handle! { Semaphore => ObjectKind::Semaphore, body State }

/// A [`Semaphore`] that never has more permits than at its start. Python's `BoundedSemaphore`.
///
/// Permits that are out as [`Permit`]s come back by themselves; so [`release`](Self::release) is for those that were
/// [forgotten](Permit::forget), and an error when there is none.
///
/// ```
/// # mp::init()?;
/// let seats = mp::BoundedSemaphore::new(1)?;
/// assert!(seats.release().unwrap_err().is_usage());
/// seats.acquire()?.forget();
/// seats.release()?;
/// assert_eq!(seats.value(), 1);
/// # Ok::<(), mp::Error>(())
/// ```
pub struct BoundedSemaphore {
    pub(super) handle: Handle,
}

shared_handle! { BoundedSemaphore => ObjectKind::BoundedSemaphore, body State }

/// One permit of a [`Semaphore`] or [`BoundedSemaphore`]; given back when this is dropped, or when the process dies.
#[must_use = "the permit is given back when this is dropped"]
pub struct Permit<'a> {
    of: &'a Handle,
    entry: u32,
}

macro_rules! semaphore {
    ($name:ident, $kind:expr, $bound:expr) => {
        impl $name {
            /// A new semaphore with this many permits, all of them free. (2,147,483,647 at most.)
            ///
            /// # Errors
            /// There are too many permits, the shared heap is at its limit, or there can be no session here (see
            /// [`init`](crate::init)).
            pub fn new(permits: u32) -> Result<Self> {
                let bound: fn(u32) -> u32 = $bound;
                let handle = make($kind, permits, bound(permits))?;
                Ok($name { handle })
            }

            /// Waits until a permit is free, and takes it. Python's `acquire()`.
            ///
            /// # Errors
            /// More permits are out than ever and the shared heap is at its limit; or this is a copy of the process made by the
            /// program's own `fork`.
            pub fn acquire(&self) -> Result<Permit<'_>> {
                acquire(&self.handle, None)?
                    .ok_or_else(|| Error::new(Kind::Timeout, "no deadline was set"))
            }

            /// Takes a permit if one is free; else `None`. Python's `acquire(block=False)`.
            ///
            /// # Errors
            /// As [`acquire`](Self::acquire).
            pub fn try_acquire(&self) -> Result<Option<Permit<'_>>> {
                try_acquire(&self.handle)
            }

            /// As [`acquire`](Self::acquire); `None` if that takes longer than `timeout`. Python's `acquire(timeout=…)`.
            ///
            /// # Errors
            /// As [`acquire`](Self::acquire).
            pub fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Permit<'_>>> {
                acquire(&self.handle, Instant::now().checked_add(timeout))
            }

            /// Adds a permit that nobody gave back: one that was [forgotten](Permit::forget), here or in another process. Python's
            /// `release()`.
            ///
            /// # Errors
            /// There would be more permits than there may be (2,147,483,647, or those of a
            /// [`BoundedSemaphore`](crate::BoundedSemaphore) at its start); or this is a copy of the process made by the program's own
            /// `fork`.
            pub fn release(&self) -> Result<()> {
                release(&self.handle)
            }

            /// How many permits are free, at the moment of the call. Python's `get_value()`. Permits of a process that has died and
            /// is gone are among them.
            pub fn value(&self) -> u32 {
                value(&self.handle)
            }
        }

        impl $name {
            /// Prepares to sleep until a permit is free; `None` if one is.
            pub(crate) fn wait_words(&self) -> Option<PermitWords<'_>> {
                permit_words(&self.handle)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("value", &self.value())
                    .finish()
            }
        }
    };
}

semaphore!(Semaphore, ObjectKind::Semaphore, |_| MOST);
semaphore!(BoundedSemaphore, ObjectKind::BoundedSemaphore, |permits| {
    permits
});

fn make(kind: ObjectKind, permits: u32, bound: u32) -> Result<Handle> {
    if permits > MOST {
        let text = format!("a semaphore has {MOST} permits at the most, not {permits}");
        return Err(Error::new(Kind::Usage, text));
    }
    let heap = session::current()?.heap;
    Handle::make_zeroed::<State>(heap, kind, 0, |state| {
        state.total.store(permits, Ordering::Relaxed);
        state.free.store(permits, Ordering::Relaxed);
        state.bound.store(bound, Ordering::Relaxed);
    })
}

fn value(of: &Handle) -> u32 {
    if let Ok(inside) = Inside::of(of)
        && matches!(inside.enter(Some(Instant::now() + MOMENT)), Ok(true))
    {
        inside.look_after_the_dead();
        inside.leave();
    }
    of.body::<State>().free.load(Ordering::Relaxed)
}

fn try_acquire(of: &Handle) -> Result<Option<Permit<'_>>> {
    let inside = Inside::of(of)?;
    if !inside.enter(Some(Instant::now() + MOMENT))? {
        return Ok(None);
    }
    let mut taken = inside.take()?;
    if taken.is_none() {
        // Nobody tells who does not wait that a holder has died.
        inside.look_after_the_dead();
        taken = inside.take()?;
    }
    inside.leave();
    Ok(taken.map(|entry| Permit { of, entry }))
}

fn acquire(of: &Handle, deadline: Option<Instant>) -> Result<Option<Permit<'_>>> {
    let inside = Inside::of(of)?;
    loop {
        if !inside.enter(deadline)? {
            return Ok(None);
        }
        if let Some(entry) = inside.take()? {
            inside.leave();
            return Ok(Some(Permit { of, entry }));
        }
        let state = inside.state;
        let mut signal = state.signal.load(Ordering::Relaxed);
        if signal & 1 == 0 {
            signal = signal.wrapping_add(1);
            state.signal.store(signal, Ordering::Relaxed);
            stored("semaphore: a waiter");
        }
        let total = state.total.load(Ordering::Relaxed);
        let holders: Vec<u32> = inside.holders().map(|(_, name)| name as u32).collect();
        inside.leave();
        let words = [(&state.signal, signal), (&state.total, total)];
        match watch::sleep(inside.heap, &words, holders, deadline) {
            Slept::Look => {}
            Slept::TimedOut => return Ok(None),
            Slept::Dead(dead) => match watch::see_off(inside.heap, dead, deadline) {
                Gone::NotYet => {}
                Gone::Yes if inside.enter(deadline)? => {
                    inside.take_back(|name| name == dead);
                    inside.leave();
                }
                Gone::Yes | Gone::TimedOut => return Ok(None),
            },
        }
    }
}

/// What one sleeps on until a permit is free: words, with what they hold until then, and the packed names of those who have
/// permits.
pub(crate) type PermitWords<'a> = ([(&'a AtomicU32, u32); 2], Vec<u32>);

/// Prepares to sleep until a permit is free; `None` if one is, or it cannot be told in a moment.
fn permit_words(of: &Handle) -> Option<PermitWords<'_>> {
    let inside = Inside::of(of).ok()?;
    if !matches!(inside.enter(Some(Instant::now() + MOMENT)), Ok(true)) {
        return None;
    }
    inside.look_after_the_dead();
    let state = inside.state;
    if state.free.load(Ordering::Relaxed) > 0 {
        inside.leave();
        return None;
    }
    let mut signal = state.signal.load(Ordering::Relaxed);
    if signal & 1 == 0 {
        signal = signal.wrapping_add(1);
        state.signal.store(signal, Ordering::Relaxed);
        stored("semaphore: a waiter");
    }
    let total = state.total.load(Ordering::Relaxed);
    let holders = inside.holders().map(|(_, name)| name as u32).collect();
    inside.leave();
    Some(([(&state.signal, signal), (&state.total, total)], holders))
}

fn release(of: &Handle) -> Result<()> {
    let inside = Inside::of(of)?;
    let state = inside.state;
    inside.enter(None)?;
    let total = state.total.load(Ordering::Relaxed);
    let bound = state.bound.load(Ordering::Relaxed).min(MOST);
    if total >= bound {
        inside.leave();
        let text = format!(
            "released more often than acquired: the semaphore has all of its {bound} permits"
        );
        return Err(Error::new(Kind::Usage, text));
    }
    if state.signal.load(Ordering::Relaxed) & 1 == 0 {
        state.total.store(total + 1, Ordering::Relaxed);
    } else {
        change_and_wake(&state.total, Change::Add(1));
        // All are awake.
        state.signal.fetch_add(1, Ordering::Relaxed);
    }
    stored("semaphore: released");
    state.free.fetch_add(1, Ordering::Relaxed);
    stored("semaphore: one more free");
    inside.leave();
    Ok(())
}

/// A semaphore, by somebody who may use it.
struct Inside<'a> {
    state: &'a State,
    heap: &'static Heap,
    place: Place,
}

impl<'a> Inside<'a> {
    fn of(handle: &'a Handle) -> Result<Self> {
        if memory::forked() {
            return Err(session::forked());
        }
        Ok(Inside {
            state: handle.body(),
            heap: handle.heap(),
            place: handle.place(),
        })
    }

    fn me(&self) -> u64 {
        u64::from(self.heap.me().pack())
    }

    /// Takes the latch; `false` when the deadline passed.
    fn enter(&self, deadline: Option<Instant>) -> Result<bool> {
        let entered = self.state.latch.enter(self.heap, deadline)?;
        if entered.is_some_and(|entered| entered.dead.is_some()) {
            self.count();
        }
        Ok(entered.is_some())
    }

    fn leave(&self) {
        self.state.latch.unlock(self.heap);
    }

    /// Entries of permits that are out.
    fn holders(&self) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let entries = self.state.out.entries(self.heap, self.place);
        entries.filter_map(|(_, entry)| {
            let name = entry.load(Ordering::Relaxed);
            (name != 0).then_some((entry, name))
        })
    }

    /// What a process that died in here may not have finished.
    fn count(&self) {
        let out = u32::try_from(self.holders().count()).unwrap_or(u32::MAX);
        let total = self.state.total.load(Ordering::Relaxed);
        let free = total.saturating_sub(out);
        self.state.free.store(free, Ordering::Relaxed);
        stored("semaphore: counted");
        if free > 0 {
            self.wake();
        }
    }

    /// One permit, if one is free: its entry.
    fn take(&self) -> Result<Option<u32>> {
        let free = self.state.free.load(Ordering::Relaxed);
        if free == 0 {
            return Ok(None);
        }
        let from = self.heap.me().index % 10;
        let claimed = self
            .state
            .out
            .claim(self.heap, self.place, self.me(), from)
            .inspect_err(|_| self.leave())?;
        self.state.free.store(free - 1, Ordering::Relaxed);
        stored("semaphore: one less free");
        Ok(Some(claimed))
    }

    /// One more is free.
    fn put(&self) {
        let free = self.state.free.load(Ordering::Relaxed);
        self.state
            .free
            .store(free.saturating_add(1), Ordering::Relaxed);
        stored("semaphore: one more free");
        self.wake();
    }

    fn wake(&self) {
        if self.state.signal.load(Ordering::Relaxed) & 1 != 0 {
            change_and_wake(&self.state.signal, Change::Add(1));
            stored("semaphore: all woken");
        }
    }

    /// The permits of processes that are wholly gone.
    fn take_back(&self, is_gone: impl Fn(u32) -> bool) {
        let gone: Vec<_> = self
            .holders()
            .filter(|(_, name)| is_gone(*name as u32))
            .collect();
        for (entry, name) in gone {
            let back = entry.compare_exchange(name, 0, Ordering::Relaxed, Ordering::Relaxed);
            stored("semaphore: a dead holder's permit");
            if back.is_ok() {
                self.put();
            }
        }
    }

    /// As `take_back`, of all who are gone already.
    fn look_after_the_dead(&self) {
        let now = Some(Instant::now());
        self.take_back(|name| {
            watch::is_dead(self.heap, name) && watch::see_off(self.heap, name, now) == Gone::Yes
        });
    }
}

impl Permit<'_> {
    /// Does not give the permit back when this is dropped or the process dies: the semaphore has one permit less, until somebody
    /// [releases](Semaphore::release) it.
    pub fn forget(self) {
        // Where the memory is spoilt, the next call says so.
        if let Ok(inside) = Inside::of(self.of)
            && inside.enter(None).is_ok()
        {
            inside.state.total.fetch_sub(1, Ordering::Relaxed);
            stored("semaphore: forgotten");
            self.clear(&inside);
            inside.leave();
        }
        std::mem::forget(self);
    }

    fn clear(&self, inside: &Inside<'_>) -> bool {
        let entry = inside.state.out.get(inside.heap, inside.place, self.entry);
        let cleared = entry.is_some_and(|entry| {
            let mine = inside.me();
            entry
                .compare_exchange(mine, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        });
        stored("semaphore: a permit is back");
        inside
            .state
            .out
            .freed(inside.heap, inside.place, self.entry);
        cleared
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        // As in `forget`.
        if let Ok(inside) = Inside::of(self.of)
            && inside.enter(None).is_ok()
        {
            if self.clear(&inside) {
                inside.put();
            }
            inside.leave();
        }
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
