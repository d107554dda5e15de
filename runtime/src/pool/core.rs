//! The heart of a pool, under its one lock: the scheduler, the engine, and the tables between them.
//! What the owners of calls ask of it is in `owner`, where their deliveries wait in `inbox`.
//!
//! Events of the engine go into the scheduler, its actions go back to the engine, and what resolves goes into the inbox of
//! its call. No user code runs here: values stay encoded until their caller takes them out of the lock, arguments come in
//! encoded, and wakers are called after the lock is gone ([`Core::take_wakes`]).

use std::collections::VecDeque;
use std::thread::Thread;
use std::time::Instant;

use super::engine::{BACKSTOP, Engine, Event, Sleep, local};
use super::mail::Job;
use super::scheduler::{
    Action, CallId, Failed, JobId, Pace, Policy, Scheduler, Verdict, Why, WorkerId,
};
use crate::error::{Error, Kind, Result};
use crate::heap::Heap;
use crate::sys::clock;
use crate::task::{self, Report};

mod inbox;
mod owner;

pub(crate) use inbox::{
    Delivery, Demand, Gone, Inbox, Leave, Ready, Ticket, Wake, What, no_value, unknown_call,
};
use inbox::{ready_callback, wake};

struct Sent {
    call: CallId,
    first: u64,
    message: Job,
    block: Option<u64>,
}

impl Sent {
    #[inline]
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
    /// While work is held back: how many short parts had been sent or done, and since when it is as many.
    held_back: Option<(u64, Instant)>,
    /// Why the last worker was lost, until the item it ran is told.
    lost: Option<Error>,
    /// Why no worker could be started.
    unstartable: Option<String>,
    /// Why the last worker could not be initialised, and which of those that are about to end have said so themselves.
    unfit: Option<Error>,
    unfit_told: Vec<WorkerId>,
    /// Bytes of all messages that are not released, how many were, and who waits for the next one.
    held: u64,
    releases: u64,
    hungry: Vec<Thread>,
    wakes: Vec<Wake>,
    /// How long a worker may take to start, in nanoseconds.
    start_within: Option<u64>,
    /// The workers are about to be ended by a signal.
    by_force: bool,
    /// Callbacks whose time has come.
    callbacks: VecDeque<Box<dyn FnOnce() + Send>>,
    /// How many open calls no thread is bound to come back for.
    unattended: u32,
    /// A waker or a callback was set since there was no such call.
    awaited: bool,
    /// The paces of tasks called before.
    paces: Vec<(u32, Pace)>,
}

struct Open {
    inbox: u32,
    task: u32,
    /// Its items have a deadline.
    timed: bool,
    /// It has one item.
    lone: bool,
    submitted: u64,
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
            held_back: None,
            lost: None,
            unstartable: None,
            unfit: None,
            unfit_told: Vec::new(),
            held: 0,
            releases: 0,
            hungry: Vec::new(),
            wakes: Vec::new(),
            start_within: None,
            by_force: false,
            callbacks: VecDeque::new(),
            unattended: 0,
            awaited: false,
            paces: Vec::new(),
        }
    }

    /// Workers that take longer than so many nanoseconds to start are killed and count as unfit. Only for engines whose workers
    /// say when they are up.
    pub(crate) fn bound_starts(&mut self, ns: u64) {
        self.start_within = Some(ns);
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

    /// As the engine does; it is to wake whoever sleeps soon while work is held back. `None`, too, when that has been so for too
    /// long: then there is more to do.
    pub(crate) fn prepare_sleep(&mut self) -> Option<Sleep> {
        if self.share_out() {
            return None;
        }
        self.engine.prepare_sleep(self.scheduler.holds_back())
    }

    /// Has more workers get what was held back for too long, if anything; `act` does it.
    pub(crate) fn share_out(&mut self) -> bool {
        if !self.holds_back() {
            self.held_back = None;
            return false;
        }
        let stalled = self.is_stalled();
        if stalled {
            self.scheduler.stalled();
        }
        stalled
    }

    /// Whether somebody must look after what is held back, again and again.
    pub(crate) fn holds_back(&self) -> bool {
        self.scheduler.holds_back()
    }

    /// Whether what is held back has waited for nothing for a while. What other calls do meanwhile does not matter: it may wait
    /// for what is held back.
    fn is_stalled(&mut self) -> bool {
        let (moves, now) = (self.scheduler.short_moves(), Instant::now());
        let since = match self.held_back {
            Some((then, since)) if then == moves => since,
            _ => now,
        };
        let stalled = now.duration_since(since) >= BACKSTOP && !self.engine.has_news();
        self.held_back = Some((moves, if stalled { now } else { since }));
        stalled
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

    #[inline]
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
                    self.learn(job, ns);
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
                self.unfit_told.push(worker);
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
                    let told = self.unfit_told.iter().position(|told| *told == worker);
                    if let Some(told) = told {
                        self.unfit_told.swap_remove(told);
                    } else if self.scheduler.is_overdue(worker) {
                        self.unfit = Some(self.not_up_in_time().with_source(error));
                    } else {
                        let text = "a worker died before it took any work, or in its initializer";
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

    /// Keeps the time of a call's one item for later calls of its task. The call itself has no use
    /// for it.
    #[inline]
    fn learn(&mut self, job: JobId, ns: u64) {
        let sent = self.jobs.get(job.slot()).and_then(Option::as_ref);
        let open = sent.and_then(|sent| self.calls.get(sent.call.slot())?.as_ref());
        if let Some(&Open {
            lone: true, task, ..
        }) = open
        {
            match self.paces.iter_mut().find(|(known, _)| *known == task) {
                Some((_, pace)) => pace.sample(1, ns),
                None => {
                    let mut pace = Pace::default();
                    pace.sample(1, ns);
                    self.paces.push((task, pace));
                }
            }
        }
    }

    /// The error of a worker that has taken too long to start.
    pub(crate) fn not_up_in_time(&self) -> Error {
        let text = "a worker had not started in time (see `start_timeout`)";
        self.engine.unfit(Error::new(Kind::Timeout, text))
    }

    #[inline]
    fn deliver(&mut self, job: JobId, from: u32, count: u32, what: What) {
        let Some(sent) = self.jobs.get(job.slot()).and_then(Option::as_ref) else {
            return;
        };
        let (call, first) = (sent.call, sent.first + u64::from(from));
        self.deliver_to(call, Delivery { first, count, what });
    }

    #[inline]
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
        self.carry_out();
        self.engine.flush();
    }

    /// As `act`, but a worker that is busy with tiny parts may see what is sent a moment later.
    /// `act` must follow.
    pub(crate) fn act_soon(&mut self) {
        self.carry_out();
        if self.scheduler.sends_tiny() {
            self.engine.flush_short();
        } else {
            self.engine.flush();
        }
    }

    fn carry_out(&mut self) {
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
                // One that is about to be ended by force is not asked to end by itself.
                Action::Retire { .. } if self.by_force => {}
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
            Ok(false) => {
                if let Some(ns) = self.start_within {
                    let by = clock::now().saturating_add(ns);
                    self.scheduler.must_be_up_by(worker, by);
                }
            }
            Err(error) => {
                self.unfit = None;
                self.unstartable = Some(error.to_string());
                self.scheduler.worker_cannot_start(worker);
            }
        }
    }

    #[inline]
    fn release(&mut self, job: JobId) {
        let Some(sent) = self.jobs.get_mut(job.slot()).and_then(Option::take) else {
            return;
        };
        if !sent.block.is_some_and(|block| self.engine.keep(block)) {
            free(self.heap, sent.block);
        }
        let bytes = sent.bytes();
        self.releases += 1;
        self.held = self.held.saturating_sub(bytes);
        self.wakes.extend(self.hungry.drain(..).map(Wake::Thread));
        if let Some(open) = self.calls.get(sent.call.slot()).and_then(Option::as_ref)
            && let Some(inbox) = self
                .inboxes
                .get_mut(open.inbox as usize)
                .and_then(Option::as_mut)
        {
            inbox.bytes = inbox.bytes.saturating_sub(bytes);
            inbox.jobs = inbox.jobs.saturating_sub(1);
            // Where it goes well for a while more may be in flight again.
            if let Some(budget) = &mut inbox.budget {
                *budget = budget.saturating_add(bytes / 8);
            }
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
        self.awaited &= self.unattended > 0;
        inbox.attended = true;
        if inbox.abandoned {
            self.callbacks.extend(ready_callback(inbox));
            self.drop_inbox(open.inbox);
        } else {
            wake(inbox, &mut self.wakes);
        }
    }
}

fn free(heap: &'static Heap, block: Option<u64>) {
    if let Some(block) = block {
        let _ = heap.free(block);
    }
}

#[inline]
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
