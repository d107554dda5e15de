//! `Handle`: a value that a worker is still working on. Python's `AsyncResult`, and a `Future`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::call;
use super::core::{Delivery, Ticket};
use super::drive::Shared;
use crate::error::{Error, Kind, Result};
use crate::session;
use crate::sys::memory::forked;

/// The value of a call that was given to a pool and not waited for. Python's `AsyncResult`.
///
/// It is a `Future` too, of any runtime. Dropping it lets the item run and throws its value away.
pub struct Handle<O> {
    shared: Arc<Shared>,
    ticket: Ticket,
    value: fn(Delivery) -> Result<O>,
    /// The value was taken out of the pool, and its inbox is gone.
    taken: bool,
}

impl<O> Handle<O> {
    pub(super) fn new(
        shared: Arc<Shared>,
        ticket: Ticket,
        value: fn(Delivery) -> Result<O>,
    ) -> Self {
        Handle {
            shared,
            ticket,
            value,
            taken: false,
        }
    }

    /// Waits for the value.
    ///
    /// # Errors
    /// The task failed (`is_task`) or panicked (`is_panic`), its worker died (`is_death`), the pool ended first
    /// (`is_cancelled`).
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
            return Err(Error::new(
                Kind::Usage,
                "the value of this handle was taken already",
            ));
        }
        let ticket = self.ticket;
        let deadline = timeout.and_then(call::deadline);
        let Some(delivery) = self
            .shared
            .drive(Some(ticket), deadline, |core| call::only(core, ticket))
        else {
            return Ok(None);
        };
        self.leave();
        Ok(Some(delivery.and_then(self.value)))
    }

    /// Waits up to `timeout`; whether the value, or the error, is there.
    pub fn wait(&self, timeout: Duration) -> bool {
        if forked() {
            return false;
        }
        let ticket = self.ticket;
        self.shared
            .drive(Some(ticket), call::deadline(timeout), |core| {
                self.there(core.inbox(ticket)).then_some(())
            })
            .is_some()
    }

    fn there(&self, inbox: Option<&mut super::core::Inbox>) -> bool {
        self.taken || inbox.is_none_or(|inbox| inbox.done || !inbox.deliveries.is_empty())
    }

    /// Whether the value, or the error, is there. Python's `ready`.
    pub fn is_ready(&self) -> bool {
        if forked() {
            return false;
        }
        let mut lead = self.shared.lock();
        lead.core.pump();
        let ready = self.there(lead.core.inbox(self.ticket));
        self.shared.unlock(lead);
        ready
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.taken, true) {
            let mut lead = self.shared.lock();
            lead.core.leave(self.ticket, false);
            self.shared.unlock(lead);
        }
    }
}

impl<O> Future for Handle<O> {
    type Output = Result<O>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<O>> {
        if forked() {
            return Poll::Ready(Err(session::forked()));
        }
        if self.taken {
            return Poll::Ready(Err(Error::new(
                Kind::Usage,
                "the value of this handle was taken already",
            )));
        }
        let ticket = self.ticket;
        let mut lead = self.shared.lock();
        lead.core.pump();
        let delivery = call::only(&mut lead.core, ticket);
        if delivery.is_none() {
            lead.core.set_waker(ticket, context.waker().clone());
            self.shared.leave_to_keeper(lead);
            return Poll::Pending;
        }
        self.shared.unlock(lead);
        self.leave();
        match delivery {
            Some(delivery) => Poll::Ready(delivery.and_then(self.value)),
            None => Poll::Pending,
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
