//! The heart of a pool, under its one lock: the scheduler, the engine, and the tables between them.
//!
//! Events of the engine go into the scheduler, its actions go back to the engine, and what resolves goes into the inbox of
//! its call. No user code runs here: values stay encoded until their caller takes them out of the lock, arguments come in
//! encoded, and wakers are called after the lock is gone ([`Core::take_wakes`]).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::thread::Thread;

use super::chain::Callback;
use super::engine::{End, Engine, Event, local};
use super::handle::Arrived;
use super::mail::{Job, TIMED};
use super::payload::Payload;
use super::scheduler::{
    Action, CallId, CallSpec, Failed, JobId, Pace, Policy, Scheduler, Verdict, Why, WorkerId,
};
use crate::error::{Error, Kind, Result};
use crate::heap::Heap;
use crate::sys::clock;
use crate::task::{self, Report};

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
}

/// Why items will have no value; an error for each of them can be made of it.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    kind: Kind,
    text: String,
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
    ready: Ready,
    failed: bool,
    /// What runs then, in place of an owner.
    callback: Option<Callback>,
    /// Nobody will look: the inbox goes when the call is done.
    abandoned: bool,
    /// Its owner drives the pool, so nobody else has to.
    attended: bool,
    /// Bytes of the messages that are not released.
    bytes: u64,
    /// Threads that sleep until something comes.
    sleepers: Vec<Thread>,
    waker: Option<Waker>,
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

/// What a call may put into its pool at a time, beyond which its input is not pulled.
const MAX_BYTES_IN_FLIGHT: u64 = 128 << 20;

/// What the pool wants of a call's input now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demand {
    pub(crate) items: u32,
    pub(crate) chunk: u32,
    pub(crate) bytes: u64,
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
    inbox: u32,
}

struct Sent {
    call: CallId,
    first: u64,
    message: Job,
    block: Option<u64>,
}

impl Sent {
    fn bytes(&self) -> u64 {
        match self.block {
            Some(_) => self.message.body[1],
            None => 0,
        }
    }
}

/// What the pool takes, and what goes on in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    /// No more calls; what is there goes on.
    Closed,
    /// The workers are gone.
    Stopped,
}

pub(crate) struct Core {
    heap: &'static Heap,
    scheduler: Scheduler,
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) state: State,
    inboxes: Vec<Option<Inbox>>,
    /// Queues of inboxes that are gone, to be used again.
    spare: Vec<VecDeque<Delivery>>,
    free: Vec<u32>,
    /// By the slot of the scheduler's call: its inbox, its task, how far its input has come.
    calls: Vec<Option<Open>>,
    /// By the slot of the scheduler's job.
    jobs: Vec<Option<Sent>>,
    events: Vec<Event>,
    /// Why the last worker was lost, until the item it ran is told.
    lost: Option<Error>,
    /// Why no worker could be started.
    unstartable: Option<String>,
    /// Why the last worker could not be initialised, and whether it said so itself.
    unfit: Option<Error>,
    unfit_told: bool,
    wakes: Vec<Wake>,
    /// Callbacks whose time has come.
    callbacks: VecDeque<Box<dyn FnOnce() + Send>>,
    /// How many open calls no thread is bound to come back for.
    unattended: u32,
    /// The paces of tasks called before.
    paces: Vec<(u32, Pace)>,
}

struct Open {
    inbox: u32,
    task: u32,
    /// Its items have a deadline.
    timed: bool,
    submitted: u64,
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

impl Core {
    pub(crate) fn new(
        heap: &'static Heap,
        engine: Box<dyn Engine>,
        policy: Policy,
        workers: u32,
    ) -> Self {
        let mut scheduler = Scheduler::new(policy);
        scheduler.resize(workers);
        Core {
            heap,
            scheduler,
            engine,
            state: State::Open,
            inboxes: Vec::new(),
            spare: Vec::new(),
            free: Vec::new(),
            calls: Vec::new(),
            jobs: Vec::new(),
            events: Vec::new(),
            lost: None,
            unstartable: None,
            unfit: None,
            unfit_told: false,
            wakes: Vec::new(),
            callbacks: VecDeque::new(),
            unattended: 0,
            paces: Vec::new(),
        }
    }

    /// Whether a worker takes jobs; the error where none ever will.
    pub(crate) fn first_worker(&mut self) -> Option<Result<()>> {
        if self.scheduler.has_workers() {
            return Some(Ok(()));
        }
        if !self.scheduler.is_hopeless() {
            return None;
        }
        let error = match (self.unfit.take(), &self.unstartable) {
            (Some(error), _) => error,
            (None, cause) => Error::new(
                Kind::System,
                format!(
                    "a pool cannot start a single worker: {}",
                    cause.as_deref().unwrap_or("they die at once")
                ),
            ),
        };
        Some(Err(error))
    }

    /// How many workers are wanted.
    pub(crate) fn size(&self) -> u32 {
        self.scheduler.target()
    }

    /// Wants so many workers from now on.
    pub(crate) fn resize(&mut self, workers: u32) {
        self.unstartable = None;
        self.unfit = None;
        self.scheduler.resize(workers);
    }

    // ---- calls ----

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
        spec.pace = self
            .paces
            .iter()
            .find(|(known, _)| *known == task)
            .map_or_else(Pace::default, |(_, pace)| *pace);
        if !self.engine.can_kill() {
            (spec.timeout_ns, spec.grace_ns) = (None, 0);
        }
        let timed = spec.timeout_ns.is_some();
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
                submitted: 0,
            },
        );
        Ok(Ticket { call, inbox })
    }

    /// How many items the owner should encode now, how many a job, and how many bytes at the most.
    pub(crate) fn demand(&mut self, ticket: Ticket) -> Demand {
        let held = self.inbox(ticket).map_or(0, |inbox| inbox.bytes);
        let bytes = MAX_BYTES_IN_FLIGHT.saturating_sub(held);
        Demand {
            items: if bytes == 0 {
                0
            } else {
                self.scheduler.room(ticket.call)
            },
            chunk: self.scheduler.chunk(ticket.call).max(1),
            bytes,
        }
    }

    /// The same for a call whose values are taken one by one: `ahead` items were pulled and their values not taken yet, of
    /// which `held` bytes wait with the owner.
    pub(crate) fn stream_demand(&mut self, ticket: Ticket, ahead: u64, held: u64) -> Demand {
        let mut demand = self.demand(ticket);
        demand.bytes = demand.bytes.saturating_sub(held);
        let most = 2 * self.scheduler.wanted(ticket.call);
        let room = most.saturating_sub(ahead).min(u64::from(u32::MAX)) as u32;
        demand.items = if demand.bytes == 0 { 0 } else { room };
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
        if let Some(inbox) = self.inbox(ticket) {
            inbox.bytes += sent.bytes();
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

    fn drop_inbox(&mut self, inbox: u32) {
        if let Some(gone) = self.inboxes[inbox as usize].take() {
            let Inbox {
                mut deliveries,
                waker,
                ..
            } = gone;
            self.wakes.extend(waker.map(Wake::Forget));
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
        let Some(inbox) = self.inbox(ticket) else {
            return;
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
        if let Some(inbox) = self.inbox(ticket) {
            let before = inbox.waker.replace(waker);
            self.wakes.extend(before.map(Wake::Forget));
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

    /// Calls everything off that no worker has.
    pub(crate) fn cancel_queued(&mut self) {
        self.scheduler.cancel_queued();
        self.act();
    }

    /// Ends the workers; whatever is not resolved by now is called off.
    pub(crate) fn end(&mut self, how: End) {
        self.state = State::Stopped;
        self.pump();
        self.scheduler.cancel_all();
        self.act();
        self.engine.stop(how);
        for worker in 0..self.scheduler.workers() {
            self.scheduler.worker_lost(WorkerId(worker), None);
        }
        self.act();
    }

    // ---- events and actions ----

    /// Takes in what happened, and does what follows from it.
    pub(crate) fn pump(&mut self) {
        let timed = self.scheduler.is_timed();
        if timed {
            self.scheduler.tick(clock::now());
        }
        let mut events = std::mem::take(&mut self.events);
        self.engine.poll(&mut events);
        for event in events.drain(..) {
            self.take_in(event);
        }
        self.events = events;
        self.act();
        if timed {
            self.check_deadlines();
        }
    }

    /// Looks at the workers whose time may be up.
    fn check_deadlines(&mut self) {
        while let Some(worker) = self.scheduler.due() {
            let at = self.engine.at(worker);
            self.scheduler.checked(worker, at);
            self.act();
        }
    }

    /// When to look again although nothing has happened.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.scheduler.next_deadline()
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Values {
                worker,
                job,
                from,
                to,
                ns,
                values,
                folded,
            } => {
                if self.scheduler.finished(worker, job, from, to, ns) == Verdict::Accept {
                    let what = if folded {
                        What::Folded(values)
                    } else {
                        What::Values(values)
                    };
                    self.deliver(job, from, to - from, what);
                }
            }
            Event::Failed {
                worker,
                job,
                item,
                report,
            } => {
                if let Failed::Resolve { attempt, late } = self.scheduler.failed(worker, job, item)
                {
                    let report = report.to_vec().map(|bytes| Report::from_bytes(&bytes));
                    let mut error = report.map_or_else(|error| error, Error::from);
                    if let Some(who) = self.engine.who(worker) {
                        error = error.with_worker(who.name).with_pid(who.pid);
                    }
                    error = error.with_attempt(attempt);
                    if late {
                        error = error.too_late();
                    }
                    self.deliver(job, item, 1, What::Failed(error));
                }
            }
            Event::Returned {
                worker,
                job,
                from,
                to,
            } => {
                self.scheduler.returned(worker, job, from, to);
            }
            Event::Ready { worker } => self.scheduler.worker_up(worker),
            Event::Unfit { worker, report } => {
                let report = report.to_vec().map(|bytes| Report::from_bytes(&bytes));
                let mut error = report.map_or_else(|error| error, Error::from);
                if let Some(who) = self.engine.who(worker) {
                    error = error.with_worker(who.name).with_pid(who.pid);
                }
                self.unfit = Some(self.engine.unfit(error));
                self.unfit_told = true;
            }
            Event::Nonsense { worker } => self.scheduler.nonsense(worker),
            Event::Lost {
                worker,
                running,
                unready,
                error,
            } => {
                if unready {
                    // It has told why, or its death tells.
                    if !std::mem::take(&mut self.unfit_told) {
                        let text = "a worker died in its initializer";
                        let error = self.engine.unfit(error);
                        self.unfit = Some(Error::new(error.kind(), text).with_source(error));
                    }
                    self.scheduler.worker_unfit(worker);
                    self.scheduler.worker_lost(worker, None);
                    return self.act();
                }
                self.lost = Some(error);
                self.scheduler.worker_lost(worker, running);
                // The item to blame is told now, while the reason is at hand.
                self.act();
                self.lost = None;
            }
        }
    }

    fn deliver(&mut self, job: JobId, from: u32, count: u32, what: What) {
        let Some(sent) = self.jobs.get(job.slot()).and_then(Option::as_ref) else {
            return;
        };
        let (call, first) = (sent.call, sent.first + u64::from(from));
        self.deliver_to(call, Delivery { first, count, what });
    }

    fn deliver_to(&mut self, call: CallId, mut delivery: Delivery) {
        let Some(open) = self.calls.get(call.slot()).and_then(Option::as_ref) else {
            return;
        };
        if let What::Failed(error) = delivery.what {
            let error = error.with_item(delivery.first);
            delivery.what = What::Failed(match task::name_at(open.task) {
                Some(name) => error.with_task(name),
                None => error,
            });
        }
        let Some(inbox) = self
            .inboxes
            .get_mut(open.inbox as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        inbox.failed |= !matches!(delivery.what, What::Values(_) | What::Folded(_));
        if !inbox.abandoned {
            inbox.deliveries.push_back(delivery);
            wake(inbox, &mut self.wakes);
        } else if inbox.callback.is_some() {
            inbox.deliveries.push_back(delivery);
            self.callbacks.extend(ready_callback(inbox));
        }
    }

    /// Carries out what the scheduler has decided.
    pub(crate) fn act(&mut self) {
        while let Some(action) = self.scheduler.next_action() {
            match action {
                Action::Send { worker, part } => {
                    if let Some(sent) = self.jobs.get(part.job.slot()).and_then(Option::as_ref) {
                        self.engine.send(worker, part, &sent.message);
                    }
                }
                Action::Recall { worker, part } => {
                    // What was published must be seen first, or the recall would meet a job that no worker can pass.
                    self.engine.flush();
                    if self.engine.recall(worker, part) {
                        self.scheduler
                            .recalled(worker, part.job, part.from, part.to);
                    } else {
                        self.scheduler.claimed(worker, part.job, part.from);
                    }
                }
                Action::Kill { worker } | Action::Cut { worker, .. } => self.engine.kill(worker),
                Action::Warn { worker, job, item } => self.engine.warn(worker, job, item),
                Action::Retire { worker } => self.engine.retire(worker),
                Action::Start { worker } => self.start(worker),
                Action::Release { job } => self.release(job),
                Action::ItemLost {
                    call,
                    item,
                    attempt,
                    late,
                } => {
                    let error = self.lost.take().unwrap_or_else(local::no_workers);
                    let mut error = error.with_attempt(attempt);
                    if late {
                        error = error.too_late();
                    }
                    self.deliver_to(
                        call,
                        Delivery {
                            first: item,
                            count: 1,
                            what: What::Failed(error),
                        },
                    );
                }
                Action::ItemsDropped {
                    call,
                    first,
                    count,
                    why,
                } => {
                    let gone = self.dropped(why);
                    self.deliver_to(
                        call,
                        Delivery {
                            first,
                            count,
                            what: What::Dropped(gone),
                        },
                    );
                }
                Action::CallDone { call } => self.call_done(call),
            }
        }
        self.engine.flush();
    }

    fn dropped(&self, why: Why) -> Gone {
        let (kind, text) = match (why, &self.unstartable) {
            (Why::Cancelled, _) => (
                Kind::Cancelled,
                "the work was called off before it began or ended".to_owned(),
            ),
            (Why::NoWorkers, _) if self.unfit.is_some() => {
                let kind = self.unfit.as_ref().map_or(Kind::Died, Error::kind);
                let cause = self
                    .unfit
                    .as_ref()
                    .map(Error::to_string)
                    .unwrap_or_default();
                (kind, format!("no worker could be initialised: {cause}"))
            }
            (Why::NoWorkers, Some(cause)) => (
                Kind::Died,
                format!("no worker is left, and none can be started: {cause}"),
            ),
            (Why::NoWorkers, None) => (
                Kind::Died,
                "no worker is left: they died again and again without finishing anything"
                    .to_owned(),
            ),
        };
        Gone { kind, text }
    }

    fn start(&mut self, worker: WorkerId) {
        if self.state == State::Stopped {
            return self.scheduler.worker_cannot_start(worker);
        }
        match self.engine.start(worker) {
            Ok(true) => self.scheduler.worker_up(worker),
            Ok(false) => {}
            Err(error) => {
                self.unfit = None;
                self.unstartable = Some(error.to_string());
                self.scheduler.worker_cannot_start(worker);
            }
        }
    }

    fn release(&mut self, job: JobId) {
        let Some(sent) = self.jobs.get_mut(job.slot()).and_then(Option::take) else {
            return;
        };
        if !sent.block.is_some_and(|block| self.engine.keep(block)) {
            free(self.heap, sent.block);
        }
        let bytes = sent.bytes();
        if bytes == 0 {
            return;
        }
        if let Some(open) = self.calls.get(sent.call.slot()).and_then(Option::as_ref)
            && let Some(inbox) = self
                .inboxes
                .get_mut(open.inbox as usize)
                .and_then(Option::as_mut)
        {
            inbox.bytes = inbox.bytes.saturating_sub(bytes);
        }
    }

    fn call_done(&mut self, call: CallId) {
        let Some(open) = self.calls.get_mut(call.slot()).and_then(Option::take) else {
            return;
        };
        let Some(inbox) = self
            .inboxes
            .get_mut(open.inbox as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        inbox.done = true;
        self.unattended -= u32::from(!inbox.attended);
        inbox.attended = true;
        if inbox.abandoned {
            self.callbacks.extend(ready_callback(inbox));
            self.drop_inbox(open.inbox);
        } else {
            wake(inbox, &mut self.wakes);
        }
    }
}

/// The callback of a call that is ready, with what it is to run on.
fn ready_callback(inbox: &mut Inbox) -> Option<Box<dyn FnOnce() + Send>> {
    if !inbox.is_ready() {
        return None;
    }
    let callback = inbox.callback.take()?;
    let arrived = inbox.arrived();
    Some(Box::new(move || callback(arrived)))
}

fn wake(inbox: &mut Inbox, wakes: &mut Vec<Wake>) {
    // Nearly always there is nobody: the owner is the thread that drives.
    if !inbox.sleepers.is_empty() {
        wakes.extend(inbox.sleepers.drain(..).map(Wake::Thread));
    }
    if inbox.waker.is_some()
        && inbox.is_ready()
        && let Some(waker) = inbox.waker.take()
    {
        wakes.push(Wake::Waker(waker));
    }
}

fn free(heap: &'static Heap, block: Option<u64>) {
    if let Some(block) = block {
        let _ = heap.free(block);
    }
}

fn put<T>(table: &mut Vec<Option<T>>, index: usize, value: T) {
    if table.len() <= index {
        table.resize_with(index + 1, || None);
    }
    table[index] = Some(value);
}

impl Drop for Core {
    fn drop(&mut self) {
        for sent in self.jobs.drain(..).flatten() {
            free(self.heap, sent.block);
        }
    }
}
