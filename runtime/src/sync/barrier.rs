#![allow(unsafe_code)]
//! `Barrier`: so many parties wait for each other.
//!
//! Relies on `latch`, on a roll of those who have arrived, and on `watch`.
//!
//! `phase`: the two low bits are FILLING, ACTING (all are there, one runs the action) or BROKEN; the rest counts rounds. An
//! entry of the roll says round and process. A round ends well by *one* change of `phase`, to FILLING of the next round, made by the kernel, which
//! wakes all in the same call; it ends badly by one to BROKEN, made likewise. `epoch` counts resets: it is raised before
//! the phase is, so a party that finds its round over and the epoch unchanged knows that it ended well.
//!
//! | from | to | by |
//! |---|---|---|
//! | FILLING n | FILLING n + 1 | the last to arrive, or whoever has run the action (then from ACTING) |
//! | FILLING n | ACTING n | the last to arrive, with an action; nobody need wake for it |
//! | FILLING n, ACTING n | BROKEN n | a time-out, `abort`, an action that panics, whoever finds a party of the round dead |
//! | any n | FILLING n + 1 | `reset` |
//!
//! All with the latch held, and so are arrivals. **Death:** every sleeper watches the lives of all who have arrived. So that those who
//! sleep already watch a newcomer too, it first raises `arrivals`, which wakes them, and then writes its entry; they look at
//! the roll with the latch held, hence after it has gone to sleep itself, or died. `culprit` says whose death broke it.
//!
//! A process that dies holding the latch leaves nothing to be put right. The orderings are the latch's; `phase` and `epoch` are
//! written with Release and read with Acquire, because those who leave look at them without it.

mod round;

use super::latch::Latch;
use crate::error::{Error, Kind, Result};
use crate::heap::{Body, Handle, ObjectKind, Roll, shared_handle};
use crate::session;
use crate::sys::futex::{Change, change_and_wake};
use crate::sys::points::stored;
use round::Inside;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const FILLING: u32 = 0;
const ACTING: u32 = 1;
const BROKEN: u32 = 2;
const STATES: u32 = 3;
const ROUND: u32 = 4;
const NOTES: usize = 16;

#[repr(C)]
struct State {
    latch: Latch,
    phase: AtomicU32,
    epoch: AtomicU32,
    arrivals: AtomicU32,
    /// Changed by nobody.
    parties: AtomicU32,
    /// The pid of the process whose death broke it; 0 if it was something else.
    culprit: AtomicU32,
    /// The process that came last, of those with a slot of this number (counted modulo), and its pid: for people.
    notes: [AtomicU64; NOTES],
    arrived: Roll<10>,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a barrier for nobody.
unsafe impl Body for State {}

/// A number of threads, of any processes, that wait for each other. Python's `Barrier`.
///
/// A handle, like [`Lock`](crate::Lock). Each party calls [`wait`](Self::wait), and all return when the last has come; then it is ready for the
/// next round. It **breaks** when a party that has arrived dies, when the time of one is up, or by [`abort`](Self::abort): then all
/// who wait, and all who come, get an error with [`is_broken`](crate::Error::is_broken), which names the dead process in
/// [`pid`](crate::Error::pid), until somebody [resets](Self::reset) it. A party that dies before it arrives is not
/// missed, as nobody knows it: use time-outs where that can be.
///
/// ```
/// #[mp::task]
/// fn runner(start: &mp::Barrier) -> Result<usize, mp::Failure> {
///     Ok(start.wait()?)
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main!(run);
///
/// fn run() -> mp::Result<()> {
///     let start = mp::Barrier::new(3)?;
///     let runners = [runner.start(&start)?, runner.start(&start)?];
///     let mut places = vec![start.wait_with(|| println!("all are here"))?];
///     for child in runners {
///         places.push(child.join()?);
///     }
///     places.sort();
///     assert_eq!(places, [0, 1, 2]);
///     Ok(())
/// }
/// ```
pub struct Barrier {
    pub(super) handle: Handle,
}

shared_handle! { Barrier => ObjectKind::Barrier, body State }

impl Barrier {
    /// A new barrier for so many parties.
    ///
    /// # Errors
    /// `parties` is 0; the shared heap is at its limit; or there can be no session here (see [`init`](crate::init)).
    pub fn new(parties: usize) -> Result<Barrier> {
        let count = u32::try_from(parties).ok().filter(|count| *count > 0);
        let count = count.ok_or_else(|| {
            let text = format!(
                "a barrier has at least one party and at most 4,294,967,295, not {parties}"
            );
            Error::new(Kind::Usage, text)
        })?;
        let heap = session::current()?.heap;
        let handle = Handle::make_zeroed::<State>(heap, ObjectKind::Barrier, 0, |state| {
            state.parties.store(count, Ordering::Relaxed);
        })?;
        Ok(Barrier { handle })
    }

    /// Arrives, and waits until all have. Gives the place in which this party came, from 0: a different one to each.
    /// Python's `wait()`.
    ///
    /// # Errors
    /// The barrier is broken, or breaks. Otherwise: more parties have arrived than ever and the shared heap is at its limit; or this is
    /// a copy of the process made by the program's own `fork`.
    pub fn wait(&self) -> Result<usize> {
        self.arrive(None, None::<fn()>)?
            .ok_or_else(|| Error::new(Kind::Timeout, "no deadline was set"))
    }

    /// As [`wait`](Self::wait); the last to arrive runs its `action` before anybody is let go. All parties should pass the same. Python's
    /// `Barrier(parties, action)`.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// If the action does; the barrier breaks then.
    pub fn wait_with(&self, action: impl FnOnce()) -> Result<usize> {
        self.arrive(None, Some(action))?
            .ok_or_else(|| Error::new(Kind::Timeout, "no deadline was set"))
    }

    /// As [`wait`](Self::wait); `None` if the others have not come within `timeout`: then the barrier is broken. Python's
    /// `wait(timeout)`.
    ///
    /// A party that has not even arrived when its time is up leaves the barrier as it is: because the action of the round before still
    /// runs, or because a process is stopped in the middle of a call. If one is when a party that *has* arrived gives up, the
    /// barrier breaks as soon as that process goes on, or dies.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<usize>> {
        self.arrive(Instant::now().checked_add(timeout), None::<fn()>)
    }

    /// As [`wait_timeout`](Self::wait_timeout), with an action.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    /// If the action does; the barrier breaks then.
    pub fn wait_timeout_with(
        &self,
        timeout: Duration,
        action: impl FnOnce(),
    ) -> Result<Option<usize>> {
        self.arrive(Instant::now().checked_add(timeout), Some(action))
    }

    /// Breaks it: all who wait, and all who come, get an error. Python's `abort()`.
    ///
    /// # Errors
    /// In a copy of the process made by the program's own `fork`.
    pub fn abort(&self) -> Result<()> {
        let inside = Inside::of(self)?;
        inside.enter(None)?;
        inside.break_by(0);
        inside.leave();
        Ok(())
    }

    /// Makes it as new: empty, and whole. Who waits gets an error, as if it broke. Python's `reset()`.
    ///
    /// To be called when no round is just ending well: a party that has not yet noticed the end of its round takes it for broken.
    ///
    /// # Errors
    /// In a copy of the process made by the program's own `fork`.
    pub fn reset(&self) -> Result<()> {
        let inside = Inside::of(self)?;
        inside.enter(None)?;
        let state = inside.state;
        state.culprit.store(0, Ordering::Relaxed);
        let here = inside.round(state.phase.load(Ordering::Relaxed));
        if here.state != FILLING || inside.parties_of(here.round).next().is_some() {
            state.epoch.fetch_add(1, Ordering::AcqRel);
            stored("barrier: another epoch");
            change_and_wake(&state.phase, Change::Add(ROUND.wrapping_sub(here.state)));
            stored("barrier: reset");
        }
        inside.leave();
        Ok(())
    }

    /// How many must come. Python's `parties`.
    pub fn parties(&self) -> usize {
        self.handle.body::<State>().parties.load(Ordering::Relaxed) as usize
    }

    /// How many have come and wait, at the moment of the call. Python's `n_waiting`.
    pub fn n_waiting(&self) -> usize {
        let inside = Inside::new(self);
        let here = inside.round(inside.state.phase.load(Ordering::Acquire));
        match here.state {
            BROKEN => 0,
            _ => inside.parties_of(here.round).count(),
        }
    }

    /// Whether it is broken, at the moment of the call. Python's `broken`.
    pub fn is_broken(&self) -> bool {
        let phase = &self.handle.body::<State>().phase;
        phase.load(Ordering::Acquire) & STATES == BROKEN
    }

    fn arrive(
        &self,
        deadline: Option<Instant>,
        action: Option<impl FnOnce()>,
    ) -> Result<Option<usize>> {
        let inside = Inside::of(self)?;
        let Some(party) = inside.come(deadline)? else {
            return Ok(None);
        };
        let is_last = party.place + 1 == self.parties();
        let outcome = match action {
            // The latch is held until the round is over.
            None if is_last => {
                inside.end_round(&party);
                inside.leave();
                Ok(Some(party.place))
            }
            Some(action) if is_last => inside.act(&party, action).map(Some),
            _ => {
                inside.leave();
                inside.sleep(&party, deadline)
            }
        };
        inside.go(&party);
        outcome
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties())
            .field("waiting", &self.n_waiting())
            .field("broken", &self.is_broken())
            .finish()
    }
}
