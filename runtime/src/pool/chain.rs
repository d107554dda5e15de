//! Callbacks on handles: what runs on the pool's keeper thread when a value is there, and where what comes of it waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::drive::{before_waiting, wait_on};
use super::handle::{Arrived, Decode, Handle, Place};
use crate::error::{Error, Kind, Result};
use crate::session;
use crate::sys::memory::forked;

/// What runs when a call is ready.
pub(crate) type Callback = Box<dyn FnOnce(Arrived) + Send>;
type Next<O> = Box<dyn FnOnce(Result<O>) + Send>;

/// The value behind a callback.
pub(super) struct Slot<O> {
    state: Mutex<State<O>>,
    filled: Condvar,
}

struct State<O> {
    value: Option<Result<O>>,
    wakers: Vec<Waker>,
    /// What takes the value when it comes.
    next: Option<Next<O>>,
}

impl<O> Slot<O> {
    fn new() -> Arc<Self> {
        Arc::new(Slot {
            state: Mutex::new(State {
                value: None,
                wakers: Vec::new(),
                next: None,
            }),
            filled: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, value: Result<O>) {
        let mut state = self.lock();
        if let Some(next) = state.next.take() {
            drop(state);
            return next(value);
        }
        state.value = Some(value);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.filled.notify_all();
        for waker in wakers {
            // A waker is the user's code: what it does to itself is no business of the keeper.
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
    }

    fn when_filled(&self, deadline: Option<Instant>) -> Option<MutexGuard<'_, State<O>>> {
        let mut state = self.lock();
        while state.value.is_none() {
            // In a callback somebody else must run the one that is waited for.
            drop(state);
            let again = before_waiting();
            state = self.lock();
            if state.value.is_none() {
                state = wait_on(&self.filled, state, deadline, again)?;
            }
        }
        Some(state)
    }

    pub(super) fn take(&self, deadline: Option<Instant>) -> Option<Result<O>> {
        self.when_filled(deadline)?.value.take()
    }

    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        self.when_filled(deadline).is_some()
    }

    pub(super) fn is_successful(&self) -> Option<bool> {
        self.lock().value.as_ref().map(Result::is_ok)
    }

    pub(super) fn poll(&self, waker: &Waker) -> bool {
        // Cloned and dropped without the lock: both are the user's code.
        let waker = waker.clone();
        let mut state = self.lock();
        let there = state.value.is_some();
        if !there && !state.wakers.iter().any(|known| known.will_wake(&waker)) {
            state.wakers.push(waker);
            return false;
        }
        drop(state);
        there
    }
}

/// Runs what the user gave; a panic in it becomes the error, and is told on stderr by the panic's own hook.
fn contained<R>(f: impl FnOnce() -> R) -> Result<R> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        let text = match payload.downcast_ref::<&str>() {
            Some(text) => (*text).to_owned(),
            None => payload
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_default(),
        };
        Error::new(Kind::Panic, format!("a callback panicked: {text}"))
    })
}

impl<O: Send + 'static> Handle<O> {
    /// Runs `f` with the value as soon as it is there, whether or not anybody waits; gives a handle of what `f` gives. An
    /// error goes past `f`. Python's `callback`.
    ///
    /// `f` runs on the pool's keeper thread, `mp-keeper`, where other callbacks and the results of other handles wait for it:
    /// keep it short. It may call the pool, end it, and wait for anything of `mp`'s (other handles and their callbacks, of this
    /// pool or another): another thread takes the keeper's place then. What it waits for in ways of its own (a channel, a lock)
    /// must not need another callback of this pool. After the pool has ended `f` runs on the thread that calls `then`. A panic
    /// in it is reported on stderr and becomes the error of the new handle (`is_panic`). The new handle may be dropped; `f`
    /// runs all the same.
    pub fn then<R: Send + 'static>(self, f: impl FnOnce(O) -> R + Send + 'static) -> Handle<R> {
        self.chain(move |value| value.and_then(|value| contained(|| f(value))))
    }

    /// Runs `f` with the error as soon as there is one; the new handle gives the same. Python's `error_callback`. Where it
    /// runs, and what a panic does, is said at [`then`](Self::then).
    pub fn on_error(self, f: impl FnOnce(&Error) + Send + 'static) -> Handle<O> {
        self.chain(move |value| {
            if let Err(error) = &value {
                contained(|| f(error))?;
            }
            value
        })
    }

    fn chain<R: Send + 'static>(
        mut self,
        f: impl FnOnce(Result<O>) -> Result<R> + Send + 'static,
    ) -> Handle<R> {
        let slot = Slot::new();
        let chained = Handle {
            shared: Arc::clone(&self.shared),
            ticket: self.ticket,
            place: Place::Slot(Arc::clone(&slot)),
            taken: false,
        };
        if forked() {
            slot.fill(Err(session::forked()));
            return chained;
        }
        if std::mem::replace(&mut self.taken, true) {
            let error = Error::new(Kind::Usage, "the value of this handle was taken already");
            slot.fill(Err(error));
            return chained;
        }
        match &self.place {
            Place::Pool(decode) => {
                let decode: Decode<O> = *decode;
                let callback = move |arrived| {
                    // Decoding runs code of the user's, and so does dropping what is not called.
                    let value = move || contained(|| decode.run(arrived))?;
                    slot.fill(contained(|| f(value())).and_then(|value| value));
                };
                let mut lead = self.shared.lock();
                lead.core.call_back(self.ticket, Box::new(callback));
                self.shared.leave_to_keeper(lead);
            }
            Place::Slot(before) => {
                let next = move |value| slot.fill(contained(|| f(value)).and_then(|value| value));
                let mut state = before.lock();
                match state.value.take() {
                    None => state.next = Some(Box::new(next)),
                    Some(value) => {
                        drop(state);
                        let run = move || next(value);
                        self.shared.run_on_keeper(run);
                    }
                }
            }
        }
        chained
    }
}
