//! `Handle`: a value that a worker is still working on. Python's `AsyncResult`, and a `Future`.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::call;
use super::chain::Slot;
use super::core::{Core, Delivery, Leave, Ticket, What};
use super::drive::{Shared, before_waiting};
use crate::error::{Error, Kind, Result};
use crate::session;
use crate::sys::memory::forked;

/// The value of a call that was given to a pool and not waited for. Python's `AsyncResult`.
///
/// It is a `Future` too, of any runtime. Dropping it lets the work go on and throws the value away; [`cancel`](Self::cancel)
/// ends the work.
///
/// ```
/// #[mp::task]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// mp::main! {
///     let pool = mp::Pool::builder().workers(2).build()?;
///     let handle = pool.apply_async(square, 7)?;
///     let other = pool.apply_async(square, 8)?.then(|value| value + 1);
///     assert_eq!(handle.get()?, 49);
///     assert_eq!(other.get()?, 65);
/// }
/// ```
pub struct Handle<O> {
    pub(super) shared: Arc<Shared>,
    pub(super) ticket: Ticket,
    pub(super) place: Place<O>,
    /// The value was taken, and nothing is left of it.
    pub(super) taken: bool,
}

/// Where the value will be.
pub(super) enum Place<O> {
    /// In the pool, encoded.
    Pool(Decode<O>),
    /// Behind a callback.
    Slot(Arc<Slot<O>>),
}

/// What has arrived of a call.
pub(crate) enum Arrived {
    One(Result<Delivery>),
    All(VecDeque<Delivery>),
}

/// How the value is made of it.
pub(crate) enum Decode<O> {
    One(fn(Delivery) -> Result<O>),
    All(fn(VecDeque<Delivery>) -> Result<O>),
}

impl<O> Clone for Decode<O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Decode<O> {}

impl<O> Decode<O> {
    pub(super) fn run(self, arrived: Arrived) -> Result<O> {
        match (self, arrived) {
            (Decode::One(decode), Arrived::One(delivery)) => delivery.and_then(decode),
            (Decode::All(decode), Arrived::All(deliveries)) => decode(deliveries),
            (_, Arrived::One(Err(error))) => Err(error),
            (Decode::One(_), Arrived::All(_)) | (Decode::All(_), Arrived::One(_)) => Err(
                Error::new(Kind::Protocol, "a call has other values than it asked for"),
            ),
        }
    }
}

fn taken() -> Error {
    Error::new(Kind::Usage, "the value of this handle was taken already")
}

impl<O> Handle<O> {
    pub(super) fn new(shared: Arc<Shared>, ticket: Ticket, decode: Decode<O>) -> Self {
        Handle {
            shared,
            ticket,
            place: Place::Pool(decode),
            taken: false,
        }
    }

    /// Waits for the value.
    ///
    /// # Errors
    /// The task failed (`is_task`) or panicked (`is_panic`), its worker died (`is_death`), its time was up (`is_timeout`), it
    /// was cancelled or the pool ended first (`is_cancelled`).
    pub fn get(mut self) -> Result<O> {
        self.take(None)?.unwrap_or_else(|| {
            Err(Error::new(
                Kind::Protocol,
                "a wait without a time-out has timed out",
            ))
        })
    }

    /// Waits up to `timeout` for the value; `None` when it is not there by then, and may be asked for again.
    ///
    /// # Errors
    /// As [`get`](Self::get); `is_usage` when the value was taken already.
    pub fn get_timeout(&mut self, timeout: Duration) -> Result<Option<O>> {
        self.take(Some(timeout))?.transpose()
    }

    fn take(&mut self, timeout: Option<Duration>) -> Result<Option<Result<O>>> {
        if forked() {
            return Err(session::forked());
        }
        if self.taken {
            return Err(taken());
        }
        let (ticket, deadline) = (self.ticket, timeout.and_then(call::deadline));
        let value = match &self.place {
            Place::Slot(slot) => slot.take(deadline),
            Place::Pool(decode) => {
                let decode = *decode;
                // What has arrived, taken out of the pool, which forgets the call.
                let take = |core: &mut Core| {
                    let arrived = match decode {
                        Decode::One(_) => call::only(core, ticket).map(Arrived::One),
                        Decode::All(_) => call::all_there(core, ticket).map(Arrived::All),
                    };
                    if arrived.is_some() {
                        core.leave(ticket, Leave::GoOn);
                    }
                    arrived
                };
                // What is there already is nothing to drive the pool for.
                let mut lead = self.shared.lock();
                let there = take(&mut lead.core);
                self.shared.unlock(lead);
                let arrived = there.or_else(|| self.shared.drive(Some(ticket), deadline, take));
                self.taken |= arrived.is_some();
                arrived.map(|arrived| decode.run(arrived))
            }
        };
        self.taken |= value.is_some();
        Ok(value)
    }

    /// Waits up to `timeout`; whether the value, or the error, is there.
    pub fn wait(&self, timeout: Duration) -> bool {
        if forked() {
            return false;
        }
        let (ticket, deadline) = (self.ticket, call::deadline(timeout));
        match &self.place {
            Place::Slot(slot) => slot.wait(deadline),
            Place::Pool(_) => self
                .shared
                .drive(Some(ticket), deadline, |core| {
                    let there =
                        self.taken || core.inbox(ticket).is_none_or(|inbox| inbox.is_ready());
                    there.then_some(())
                })
                .is_some(),
        }
    }

    /// Whether the value, or the error, is there. Python's `ready`.
    pub fn is_ready(&self) -> bool {
        self.is_successful().is_some()
    }

    /// Whether it is a value and no error; `None` while neither is there. A value that was taken is not looked at again: it
    /// counts as one. Python's `successful`.
    pub fn is_successful(&self) -> Option<bool> {
        if forked() {
            return None;
        }
        if self.taken {
            return Some(true);
        }
        if let Place::Slot(slot) = &self.place {
            return slot.is_successful();
        }
        let mut lead = self.shared.lock();
        lead.core.pump();
        let success = lead.core.inbox(self.ticket).and_then(|inbox| {
            let values = |delivery: &Delivery| matches!(delivery.what, What::Values(_));
            let good = |inbox: &super::core::Inbox| inbox.deliveries.iter().all(values);
            inbox.is_ready().then(|| good(inbox))
        });
        self.shared.unlock(lead);
        success
    }

    /// Ends the work, if it is not done: what no worker has begun is taken back; a worker that is running it is ended and
    /// replaced, at once or after the call's [`grace`](crate::On::grace). The handle then gives an error with
    /// `is_cancelled`. Whether there was something to end.
    ///
    /// In a pool that is [`inline`](crate::PoolBuilder::inline), what runs goes on.
    pub fn cancel(&self) -> bool {
        if forked() || self.is_ready() {
            return false;
        }
        let mut lead = self.shared.lock();
        lead.core.end_call(self.ticket);
        lead.core.act();
        self.shared.leave_to_keeper(lead);
        true
    }

    /// Whether it is ready; if it is not, `waker` is woken when it may be.
    pub(super) fn poll_ready(&self, waker: &Waker) -> bool {
        // A copy of the process is told so when it takes the value.
        if self.taken || forked() {
            return true;
        }
        if let Place::Slot(slot) = &self.place {
            return slot.poll(waker);
        }
        // Cloning a waker is the user's code: not under the lock.
        let waker = waker.clone();
        let mut lead = self.shared.lock();
        lead.core.pump();
        if lead
            .core
            .inbox(self.ticket)
            .is_none_or(|inbox| inbox.is_ready())
        {
            self.shared.unlock(lead);
            return true;
        }
        lead.core.set_waker(self.ticket, waker);
        self.shared.leave_to_keeper(lead);
        false
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.taken, true) && matches!(self.place, Place::Pool(_)) {
            let mut lead = self.shared.lock();
            lead.core.leave(self.ticket, Leave::GoOn);
            self.shared.unlock(lead);
        }
    }
}

impl<O> Future for Handle<O> {
    type Output = Result<O>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<O>> {
        if !self.poll_ready(context.waker()) {
            // Whoever polls may sleep now, in a callback, too.
            before_waiting();
            return Poll::Pending;
        }
        match self.take(Some(Duration::ZERO)) {
            Ok(Some(value)) => Poll::Ready(value),
            Ok(None) => {
                // Another look in a moment: it was there just now.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

// The value is not inside: there is nothing to pin.
impl<O> Unpin for Handle<O> {}

impl<O> Drop for Handle<O> {
    fn drop(&mut self) {
        if forked() {
            std::mem::forget(Arc::clone(&self.shared));
        } else {
            self.leave();
        }
    }
}

impl<O> std::fmt::Debug for Handle<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
