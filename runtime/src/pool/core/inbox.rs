//! Where the deliveries of a call wait for its owner, and what owner and pool say to each other.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::thread::Thread;

use super::super::chain::Callback;
use super::super::handle::Arrived;
use super::super::payload::Payload;
use super::super::scheduler::CallId;
use crate::error::{Error, Kind};

/// What became of some items of a call.
pub(crate) struct Delivery {
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) what: What,
}

pub(crate) enum What {
    /// Their values, encoded one after the other.
    Values(Payload),
    /// One value for all of them.
    Folded(Payload),
    /// The error of one item.
    Failed(Error),
    /// They will have no value.
    Dropped(Gone),
}

impl What {
    /// How many bytes of the heap it holds.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            What::Values(payload) | What::Folded(payload) => payload.weight(),
            What::Failed(_) | What::Dropped(_) => 0,
        }
    }

    /// See [`Payload::budget`].
    pub(crate) fn budget(&self) -> u64 {
        match self {
            What::Values(payload) | What::Folded(payload) => payload.budget(),
            What::Failed(_) | What::Dropped(_) => u64::MAX,
        }
    }
}

/// Why items will have no value; an error for each of them can be made of it.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    pub(super) kind: Kind,
    pub(super) text: String,
}

impl Gone {
    pub(crate) fn error(&self) -> Error {
        Error::new(self.kind, self.text.as_str())
    }
}

/// Where a call's deliveries wait for their owner.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) deliveries: VecDeque<Delivery>,
    pub(crate) done: bool,
    /// When its owner has something to look at.
    pub(super) ready: Ready,
    pub(super) failed: bool,
    /// What runs then, in place of an owner.
    pub(super) callback: Option<Callback>,
    /// Nobody will look: the inbox goes when the call is done.
    pub(super) abandoned: bool,
    /// Its owner drives the pool, so nobody else has to.
    pub(super) attended: bool,
    /// Bytes of the messages that are not released, how many messages those are, and how many bytes they should be at the
    /// most, where the heap was full.
    pub(super) bytes: u64,
    pub(super) jobs: u64,
    pub(super) budget: Option<u64>,
    /// Threads that sleep until something comes.
    pub(super) sleepers: Vec<Thread>,
    /// One for each that waits in its own way; the same one twice counts once.
    pub(super) wakers: Vec<Waker>,
}

/// When a call is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ready {
    /// When anything was delivered.
    #[default]
    First,
    /// When all was delivered, or an error.
    Whole,
    /// When all was delivered.
    Each,
}

impl Inbox {
    /// Whether its owner has something to look at.
    pub(crate) fn is_ready(&self) -> bool {
        self.done
            || match self.ready {
                Ready::First => !self.deliveries.is_empty(),
                Ready::Whole => self.failed,
                Ready::Each => false,
            }
    }

    fn arrived(&mut self) -> Arrived {
        if self.ready == Ready::First
            && let Some(delivery) = self.deliveries.pop_front()
        {
            return Arrived::One(Ok(delivery));
        }
        match self.ready {
            Ready::First => Arrived::One(Err(no_value())),
            Ready::Whole | Ready::Each => Arrived::All(std::mem::take(&mut self.deliveries)),
        }
    }
}

/// The error of a call that ended without a value, which no call does.
pub(crate) fn no_value() -> Error {
    Error::new(Kind::Protocol, "the call ended without a value")
}

/// The error of a call that its pool knows nothing of, which is none of those it was asked about.
pub(crate) fn unknown_call() -> Error {
    Error::new(Kind::Protocol, "the call is not known to its pool")
}

/// What the pool wants of a call's input now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demand {
    pub(crate) items: u32,
    pub(crate) chunk: u32,
    pub(crate) bytes: u64,
    /// How many messages were released by now.
    pub(crate) releases: u64,
    /// Nothing of the call is in flight, and no message of other calls holds memory.
    pub(crate) alone: bool,
}

/// What becomes of a call whose owner goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It goes on; nobody will look.
    GoOn,
    /// What no worker has is called off.
    CallOff,
    /// What runs is ended, too.
    End,
}

/// A call as its owner knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) call: CallId,
    pub(super) inbox: u32,
}

/// Somebody to wake, without the lock.
pub(crate) enum Wake {
    Thread(Thread),
    Waker(Waker),
    /// Nobody is woken by this one any more; it is dropped where no lock is held.
    Forget(Waker),
}

impl Wake {
    pub(crate) fn fire(self) {
        match self {
            Wake::Thread(thread) => thread.unpark(),
            // A waker is the user's code: what it does to itself is no business of the pool.
            Wake::Waker(waker) => drop(catch_unwind(AssertUnwindSafe(|| waker.wake()))),
            Wake::Forget(waker) => drop(catch_unwind(AssertUnwindSafe(|| drop(waker)))),
        }
    }
}

/// The callback of a call that is ready, with what it is to run on.
pub(super) fn ready_callback(inbox: &mut Inbox) -> Option<Box<dyn FnOnce() + Send>> {
    if !inbox.is_ready() {
        return None;
    }
    let callback = inbox.callback.take()?;
    let arrived = inbox.arrived();
    Some(Box::new(move || callback(arrived)))
}

pub(super) fn wake(inbox: &mut Inbox, wakes: &mut Vec<Wake>) {
    // Nearly always there is nobody: the owner is the thread that drives.
    if !inbox.sleepers.is_empty() {
        wakes.extend(inbox.sleepers.drain(..).map(Wake::Thread));
    }
    if !inbox.wakers.is_empty() && inbox.is_ready() {
        wakes.extend(inbox.wakers.drain(..).map(Wake::Waker));
    }
}
