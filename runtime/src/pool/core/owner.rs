//! What the owners of calls ask of the core: opening, submitting, looking into the inbox, leaving, ending.

use std::task::Waker;
use std::thread::{self, Thread};

use super::super::chain::Callback;
use super::super::engine::{End, Ending};
use super::super::handle::Arrived;
use super::super::mail::{Job, TIMED};
use super::super::scheduler::{CallSpec, Pace, WorkerId};
use super::inbox::ready_callback;
use super::{
    Core, Delivery, Demand, Inbox, Leave, Open, Ready, Sent, State, Ticket, Wake, What, free, put,
    unknown_call,
};
use crate::error::{Error, Kind, Result};
use crate::sys::clock;

/// What a call may put into its pool at a time, beyond which its input is not pulled.
const MAX_BYTES_IN_FLIGHT: u64 = 128 << 20;

impl Core {
    pub(crate) fn open(&mut self, task: u32, mut spec: CallSpec, attended: bool) -> Result<Ticket> {
        if self.state != State::Open {
            return Err(Error::new(
                Kind::Closed,
                "the pool is closed: it takes no more work",
            ));
        }
        if self.unstartable.is_some() || self.scheduler.is_short() {
            // What could not be started then, or died again and again, may live now.
            self.unstartable = None;
            self.scheduler.resize(self.scheduler.target());
            self.act();
        }
        spec.pace = self.pace_of(task);
        if !self.engine.can_kill() {
            (spec.timeout_ns, spec.grace_ns) = (None, 0);
        }
        let timed = spec.timeout_ns.is_some();
        let lone = spec.items == Some(1);
        if timed {
            self.scheduler.tick(clock::now());
        }
        let call = self.scheduler.open_call(spec)?;
        let fresh = Some(Inbox {
            attended,
            deliveries: self.spare.pop().unwrap_or_default(),
            ..Inbox::default()
        });
        let inbox = match self.free.pop() {
            Some(inbox) => {
                self.inboxes[inbox as usize] = fresh;
                inbox
            }
            None => {
                self.inboxes.push(fresh);
                self.inboxes.len() as u32 - 1
            }
        };
        self.unattended += u32::from(!attended);
        put(
            &mut self.calls,
            call.slot(),
            Open {
                inbox,
                task,
                timed,
                lone,
                submitted: 0,
            },
        );
        Ok(Ticket { call, inbox })
    }

    /// What is known of the time that items of a task take.
    pub(crate) fn pace_of(&self, task: u32) -> Pace {
        let known = self.paces.iter().find(|(known, _)| *known == task);
        known.map_or_else(Pace::default, |(_, pace)| *pace)
    }

    /// How many items the owner should encode now, how many a job, and how many bytes at the most. `hungry`: the heap had no
    /// room for the next item when so much had been released; none is wanted before that changes, or nothing is left that
    /// could be released.
    pub(crate) fn demand(&mut self, ticket: Ticket, hungry: Option<u64>) -> Demand {
        let all = self.held;
        let usual = MAX_BYTES_IN_FLIGHT.min(self.heap.limit() / 4);
        let (bytes, alone) = self.inbox(ticket).map_or((0, true), |inbox| {
            let budget = inbox.budget.unwrap_or(u64::MAX).min(usual);
            let alone = inbox.jobs == 0 && all == 0;
            (budget.max(1).saturating_sub(inbox.bytes), alone)
        });
        let starving = hungry.is_some_and(|seen| seen == self.releases) && !alone;
        if starving {
            let me = thread::current();
            if self.hungry.iter().all(|waits| waits.id() != me.id()) {
                self.hungry.push(me);
            }
        }
        Demand {
            items: if bytes == 0 || starving {
                0
            } else {
                self.scheduler.room(ticket.call)
            },
            chunk: self.scheduler.chunk(ticket.call).max(1),
            bytes,
            releases: self.releases,
            alone,
        }
    }

    /// There was no room for what was demanded: less is kept in flight from now on. Gives how much had been released then.
    pub(crate) fn shrink(&mut self, ticket: Ticket, demand: Demand) -> u64 {
        if let Some(inbox) = self.inbox(ticket) {
            inbox.budget = Some(inbox.bytes / 2);
        }
        demand.releases
    }

    /// The same for a call whose values are taken one by one: `ahead` items were pulled and their values not taken yet, of
    /// which `held` bytes wait with the owner.
    pub(crate) fn stream_demand(
        &mut self,
        ticket: Ticket,
        hungry: Option<u64>,
        ahead: u64,
        held: u64,
    ) -> Demand {
        let mut demand = self.demand(ticket, hungry);
        let none = demand.items == 0;
        demand.bytes = demand.bytes.saturating_sub(held);
        let most = 2 * self.scheduler.wanted(ticket.call);
        let room = most.saturating_sub(ahead).min(u64::from(u32::MAX)) as u32;
        // What the scheduler has room for does not matter here, but a hungry call gets nothing.
        let starving = hungry.is_some() && none;
        demand.items = if demand.bytes == 0 || starving {
            0
        } else {
            room
        };
        demand.chunk = demand.chunk.min(room.max(1));
        demand
    }

    /// The next item cannot be encoded: it is resolved with this error.
    pub(crate) fn refuse(&mut self, ticket: Ticket, error: Error) {
        if !self.scheduler.skip(ticket.call) {
            return;
        }
        let slot = ticket.call.slot();
        if let Some(open) = self.calls.get_mut(slot).and_then(Option::as_mut) {
            let first = open.submitted;
            open.submitted += 1;
            let what = What::Failed(error);
            self.deliver_to(
                ticket.call,
                Delivery {
                    first,
                    count: 1,
                    what,
                },
            );
        }
    }

    /// Takes a job of `count` items; its block is the pool's from here on, also on an error.
    #[inline]
    pub(crate) fn submit(
        &mut self,
        ticket: Ticket,
        count: u32,
        mut message: Job,
        block: Option<u64>,
    ) -> Result<()> {
        let submitted = self.scheduler.submit(ticket.call, count);
        let job = match submitted {
            Ok(job) => job,
            Err(error) => {
                free(self.heap, block);
                if self.state == State::Stopped {
                    return Err(Error::new(
                        Kind::Cancelled,
                        "the pool was ended before all of the input was taken",
                    ));
                }
                return Err(error);
            }
        };
        let first = match self
            .calls
            .get_mut(ticket.call.slot())
            .and_then(Option::as_mut)
        {
            Some(open) => {
                if open.timed {
                    message.flags |= TIMED;
                }
                open.submitted += u64::from(count);
                open.submitted - u64::from(count)
            }
            None => 0,
        };
        let sent = Sent {
            call: ticket.call,
            first,
            message,
            block,
        };
        self.held += sent.bytes();
        if let Some(inbox) = self.inbox(ticket) {
            inbox.bytes += sent.bytes();
            inbox.jobs += 1;
        }
        put(&mut self.jobs, job.slot(), sent);
        Ok(())
    }

    pub(crate) fn input_done(&mut self, ticket: Ticket) {
        if let Some(open) = self.calls.get(ticket.call.slot()).and_then(Option::as_ref) {
            let (task, pace) = (open.task, self.scheduler.pace(ticket.call));
            self.remember(task, pace);
        }
        self.scheduler.input_done(ticket.call);
    }

    fn remember(&mut self, task: u32, pace: Pace) {
        if pace.each().is_none() {
            return;
        }
        match self.paces.iter_mut().find(|(known, _)| *known == task) {
            Some((_, known)) => *known = pace,
            None => self.paces.push((task, pace)),
        }
    }

    #[inline]
    pub(crate) fn inbox(&mut self, ticket: Ticket) -> Option<&mut Inbox> {
        self.inboxes.get_mut(ticket.inbox as usize)?.as_mut()
    }

    /// The owner is gone. A call that is not done goes on, or is called off, or ended with all that runs of it.
    pub(crate) fn leave(&mut self, ticket: Ticket, what: Leave) {
        let Some(inbox) = self.inbox(ticket) else {
            return;
        };
        inbox.deliveries.clear();
        if inbox.done {
            self.drop_inbox(ticket.inbox);
            return;
        }
        inbox.abandoned = true;
        let was_attended = std::mem::replace(&mut inbox.attended, false);
        self.unattended += u32::from(was_attended);
        match what {
            Leave::GoOn => {}
            Leave::CallOff => self.scheduler.cancel_call(ticket.call),
            Leave::End => self.end_call(ticket),
        }
    }

    /// Calls off what is queued of a call, and ends the workers that run items of it.
    pub(crate) fn end_call(&mut self, ticket: Ticket) {
        if self.engine.can_kill() {
            // Graces count from now.
            self.scheduler.tick(clock::now());
            self.scheduler.end_call(ticket.call);
        } else {
            self.scheduler.cancel_call(ticket.call);
        }
    }

    pub(super) fn drop_inbox(&mut self, inbox: u32) {
        if let Some(gone) = self.inboxes[inbox as usize].take() {
            let Inbox {
                mut deliveries,
                wakers,
                ..
            } = gone;
            self.wakes.extend(wakers.into_iter().map(Wake::Forget));
            if self.spare.len() < 16 && deliveries.capacity() <= 1024 {
                deliveries.clear();
                self.spare.push(deliveries);
            }
        }
        self.free.push(inbox);
    }

    /// This thread sleeps until something comes for the call.
    pub(crate) fn sleep_on(&mut self, ticket: Option<Ticket>, thread: Thread) {
        if let Some(inbox) = ticket.and_then(|ticket| self.inbox(ticket)) {
            inbox.sleepers.push(thread);
        }
    }

    /// When the call is ready, `callback` runs in place of an owner.
    pub(crate) fn call_back(&mut self, ticket: Ticket, callback: Callback) {
        self.awaited = self.unattended > 0;
        let Some(inbox) = self.inbox(ticket) else {
            // It is the user's, and neither run nor dropped here.
            let run = move || callback(Arrived::One(Err(unknown_call())));
            return self.callbacks.push_back(Box::new(run));
        };
        inbox.callback = Some(callback);
        inbox.abandoned = true;
        let done = inbox.done;
        let ready = ready_callback(inbox);
        self.callbacks.extend(ready);
        if done {
            self.drop_inbox(ticket.inbox);
        }
    }

    /// Something for the keeper to run.
    pub(crate) fn queue_callback(&mut self, run: Box<dyn FnOnce() + Send>) {
        self.callbacks.push_back(run);
    }

    /// A callback whose time has come.
    pub(crate) fn next_callback(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        self.callbacks.pop_front()
    }

    pub(crate) fn has_callbacks(&self) -> bool {
        !self.callbacks.is_empty()
    }

    /// When the owner has something to look at.
    pub(crate) fn set_ready(&mut self, ticket: Ticket, ready: Ready) {
        if let Some(inbox) = self.inbox(ticket) {
            inbox.ready = ready;
        }
    }

    /// Sets who is called when something comes for the call.
    pub(crate) fn set_waker(&mut self, ticket: Ticket, waker: Waker) {
        self.awaited = self.unattended > 0;
        if let Some(inbox) = self.inbox(ticket) {
            if inbox.wakers.iter().any(|known| known.will_wake(&waker)) {
                self.wakes.push(Wake::Forget(waker));
            } else {
                inbox.wakers.push(waker);
            }
        }
    }

    pub(crate) fn take_wakes(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.wakes)
    }

    pub(crate) fn has_wakes(&self) -> bool {
        !self.wakes.is_empty()
    }

    /// Whether there is work that no thread is bound to come back for.
    pub(crate) fn is_unattended(&self) -> bool {
        self.unattended > 0 || !self.callbacks.is_empty() || self.scheduler.is_unsettled()
    }

    /// Whether a waker or a callback may wait for what comes next.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited || !self.callbacks.is_empty()
    }

    /// Whether there is work.
    pub(crate) fn has_open_calls(&self) -> bool {
        !self.scheduler.is_idle()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.scheduler.items_in_flight() > 0
    }

    pub(crate) fn close(&mut self) {
        if self.state == State::Open {
            self.state = State::Closed;
            self.scheduler.close();
        }
    }

    /// As `close`, where the workers are to be ended in this way next.
    pub(crate) fn close_for(&mut self, how: End) {
        self.by_force = how != End::Ask;
        self.close();
    }

    /// Calls everything off that no worker has.
    pub(crate) fn cancel_queued(&mut self) {
        self.scheduler.cancel_queued();
        self.act();
    }

    /// Calls off whatever is not resolved by now, and begins to end the workers; `ended` comes when they have.
    pub(crate) fn end(&mut self, how: End) -> Ending {
        self.state = State::Stopped;
        self.pump();
        self.scheduler.cancel_all();
        self.act();
        self.engine.stop(how)
    }

    /// The workers have ended.
    pub(crate) fn ended(&mut self) {
        for worker in 0..self.scheduler.workers() {
            self.scheduler.worker_lost(WorkerId(worker), None);
        }
        self.act();
    }
}
