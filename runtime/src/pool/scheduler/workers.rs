//! Workers: what each holds, how they come and go. Relies on the queues of `Scheduler`.

use std::collections::VecDeque;

use super::calls::Queued;
use super::deadlines::Doom;
use super::{Action, CHUNKS, CallId, JobId, SINGLES, Scheduler, WorkerId};

/// One slot for a worker.
pub(super) struct Worker {
    pub(super) state: State,
    /// Gets no new parts and retires once it has none.
    pub(super) leaving: bool,
    /// Broke the protocol; nothing it says is believed.
    pub(super) condemned: bool,
    /// The parts it holds, in the order in which it works through them.
    pub(super) sent: VecDeque<Sent>,
    /// The weights of those parts, by kind.
    pub(super) load: [u32; 2],
    /// How many of them could be recalled.
    pub(super) waiting: u32,
    /// How many of them are short.
    pub(super) short: u32,
    /// Whether it is listed in `Scheduler::roomy`.
    pub(super) in_roomy: [bool; 2],
    /// Whether it is listed in `Scheduler::crowded`.
    pub(super) in_crowded: bool,
    /// Where it is in `Scheduler::idle`.
    idle_at: Option<u32>,
    /// Deaths in a row without anything done.
    pub(super) barren: u32,
    /// It is to be ended for the sake of one item.
    pub(super) doom: Option<Doom>,
    /// It is to be ended if it has begun this job, which was asked back.
    pub(super) evicting: Option<JobId>,
    /// When to look whether its time is up.
    pub(super) timer: Option<u64>,
    /// It had an item and was seen not to be up yet: the moment that item was given to it, at the latest.
    pub(super) unborn: Option<u64>,
    /// It has taken too long to start: it is being killed.
    pub(super) overdue: bool,
    /// Between which items it was seen last, and since when.
    pub(super) between: Option<(JobId, u32, u64)>,
    /// How many items it was sent.
    pub(super) served: u32,
    /// It is leaving because it has served its time; another takes its place.
    pub(super) recycling: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No process, none wanted.
    Empty,
    Starting,
    Up,
    /// It has nothing and was told to end.
    Retired,
    /// No process can be had here.
    GivenUp,
}

/// A part at a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) job: JobId,
    pub(super) call: u32,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) attempt: u32,
    pub(super) weight: u32,
    pub(super) kind: u8,
    pub(super) short: bool,
    pub(super) mode: Mode,
}

/// What is known of a part at a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Behind others: could be recalled.
    Waiting,
    /// Asked back.
    Recalling,
    /// Begun, or next in line: stays.
    Held,
}

impl Worker {
    pub(super) fn new() -> Self {
        Worker {
            state: State::Empty,
            leaving: false,
            condemned: false,
            sent: VecDeque::new(),
            load: [0; 2],
            waiting: 0,
            short: 0,
            in_roomy: [false; 2],
            in_crowded: false,
            idle_at: None,
            barren: 0,
            doom: None,
            evicting: None,
            timer: None,
            unborn: None,
            overdue: false,
            between: None,
            served: 0,
            recycling: false,
        }
    }

    /// Whether it gets new parts.
    #[inline]
    pub(super) fn usable(&self) -> bool {
        self.state == State::Up
            && !self.leaving
            && !self.condemned
            && !self.doom.is_some_and(|doom| doom.cut)
    }

    /// Whether what it says is believed.
    #[inline]
    pub(super) fn credible(&self) -> bool {
        self.state == State::Up && !self.condemned
    }

    /// Whether there is a worker in this slot, or one will follow.
    pub(super) fn stays(&self) -> bool {
        self.recycling || (self.present() && !self.leaving)
    }

    /// Whether it has a process that is meant to do something.
    pub(super) fn present(&self) -> bool {
        matches!(self.state, State::Starting | State::Up)
    }
}

impl Scheduler {
    /// The worker takes parts from now on.
    pub(crate) fn worker_up(&mut self, worker: WorkerId) {
        let index = worker.0 as usize;
        if self
            .workers
            .get(index)
            .is_some_and(|worker| worker.state == State::Starting && !worker.overdue)
        {
            self.workers[index].state = State::Up;
            self.disarm(index);
            self.note_drained(index);
        }
    }

    /// No process can be started in this slot. Once that is true of every slot, queued items are dropped.
    pub(crate) fn worker_cannot_start(&mut self, worker: WorkerId) {
        let index = worker.0 as usize;
        if self
            .workers
            .get(index)
            .is_some_and(|worker| worker.state == State::Starting)
        {
            let wanted = !self.workers[index].leaving;
            self.vacate(index, if wanted { State::GivenUp } else { State::Empty });
            self.fill_up();
            self.drop_if_hopeless();
        }
    }

    /// The worker's process is about to be reported lost, and has never been able to work: three of these in a row are enough.
    pub(crate) fn worker_unfit(&mut self, worker: WorkerId) {
        if let Some(slot) = self.workers.get_mut(worker.0 as usize) {
            let share = self.policy.max_barren_deaths.div_ceil(3).max(1);
            slot.barren = slot.barren.saturating_add(share.saturating_sub(1));
        }
    }

    /// The worker's process has ended; everything it delivered was reported before. `running` is the item it was on,
    /// by its job: that one is lost or retried, the rest is queued again. A worker that was on nothing blames nobody.
    pub(crate) fn worker_lost(&mut self, worker: WorkerId, running: Option<(JobId, u32)>) {
        let index = worker.0 as usize;
        let Some(slot) = self.workers.get_mut(index) else {
            return;
        };
        if matches!(slot.state, State::Empty | State::GivenUp) {
            return;
        }
        // What was decided about it and not carried out yet must not meet its successor.
        self.actions.retain(|action| {
            !matches!(action, Action::Cut { worker: about, .. } | Action::Warn { worker: about, .. } if *about == worker)
        });
        let cut = slot.doom.filter(|doom| doom.cut && !slot.condemned);
        let running = running.filter(|&(job, item)| cut.is_none_or(|cut| cut.is_about(job, item)));
        let late = cut.is_some_and(|cut| cut.late);
        let blamed = blame(slot, running);
        let wanted = slot.recycling || (!slot.leaving && slot.state != State::Retired);
        // One that was cut has done nothing wrong, unless it never came up.
        let barren = cut.is_none() || slot.unborn.is_some();
        if blamed.is_none() && barren && slot.state != State::Retired {
            slot.barren = slot.barren.saturating_add(1);
        }
        let given_up = slot.barren >= self.policy.max_barren_deaths.max(1);
        let mut sent = std::mem::take(&mut slot.sent);
        slot.waiting = 0;
        slot.load = [0; 2];
        let short = slot.short;
        self.crowd.gives(slot, short);
        self.unlist_idle(index);
        self.disarm(index);
        // Before its parts are seen to, so that nothing asks the dead worker for anything.
        self.vacate(index, State::Empty);
        // From the last to the first, each to the head of its queue: they end up in order.
        for at in (0..sent.len()).rev() {
            let item = blamed.and_then(|(blamed, item)| (blamed == at).then_some(item));
            self.take_from_dead(sent[at], item, late);
        }
        sent.clear();
        self.workers[index].sent = sent;

        if wanted && !given_up && !self.is_over() {
            self.start(index);
        } else {
            if wanted && given_up {
                self.workers[index].state = State::GivenUp;
            }
            self.fill_up();
        }
        self.drop_if_hopeless();
    }

    /// A worker that is up holds nothing (any more): it is idle, or it retires.
    pub(super) fn note_drained(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        if !worker.sent.is_empty() || worker.condemned || worker.doom.is_some_and(|doom| doom.cut) {
            return;
        }
        if worker.leaving {
            worker.state = State::Retired;
            self.present -= 1;
            self.retired += 1;
            self.returning += u32::from(worker.recycling);
            self.actions.push_back(Action::Retire {
                worker: WorkerId(index as u32),
            });
        } else {
            self.note_room(index);
        }
    }

    /// Lists a worker where parts are looked for takers.
    #[inline]
    pub(super) fn note_room(&mut self, index: usize) {
        let most = self.policy.max_window.max(1) as usize;
        let worker = &mut self.workers[index];
        if !worker.usable() || worker.sent.len() >= most {
            return;
        }
        if worker.sent.is_empty() {
            if worker.idle_at.is_none() {
                worker.idle_at = Some(self.idle.len() as u32);
                self.idle.push(index as u32);
            }
            return;
        }
        for kind in [SINGLES, CHUNKS] {
            if worker.load[kind] < self.windows[kind].target && !worker.in_roomy[kind] {
                worker.in_roomy[kind] = true;
                self.roomy[kind].push_back(index as u32);
            }
        }
    }

    /// The worker is not idle any more, if it was.
    #[inline]
    pub(super) fn unlist_idle(&mut self, index: usize) {
        if let Some(at) = self.workers[index].idle_at.take() {
            self.idle.swap_remove(at as usize);
            if let Some(&moved) = self.idle.get(at as usize) {
                self.workers[moved as usize].idle_at = Some(at);
            }
        }
    }

    /// Believes nothing the worker says any more; it is to be killed.
    pub(super) fn condemn(&mut self, index: usize) {
        self.workers[index].condemned = true;
        self.disarm(index);
        self.unlist_idle(index);
        for at in 0..self.workers[index].sent.len() {
            self.hold(index, at);
        }
        self.actions.push_back(Action::Kill {
            worker: WorkerId(index as u32),
        });
    }

    /// Takes back what a dead worker held of one part; `item` is the one it died on.
    fn take_from_dead(&mut self, sent: Sent, item: Option<u32>, late: bool) {
        match sent.mode {
            Mode::Waiting => self.waiting -= 1,
            Mode::Recalling => self.recalling -= 1,
            Mode::Held => {}
        }
        self.in_flight -= u64::from(sent.to - sent.from);
        let call = self.calls.at_mut(sent.call);
        call.sent -= 1;
        let (cancelled, retries) = (call.cancelled, call.retries);
        let job = self.jobs.at_mut(sent.job.slot);
        job.out -= 1;
        let first = job.first;
        if cancelled {
            self.settle_job(sent.job);
            return;
        }
        let part = |from, to, attempt| Queued {
            job: sent.job,
            from,
            to,
            attempt,
        };
        let Some(item) = item else {
            self.requeue(part(sent.from, sent.to, sent.attempt));
            return;
        };
        if item + 1 < sent.to {
            self.requeue(part(item + 1, sent.to, sent.attempt));
        }
        let retried = sent.attempt <= retries;
        if retried {
            self.requeue(part(item, item + 1, sent.attempt + 1));
        }
        if sent.from < item {
            self.requeue(part(sent.from, item, sent.attempt));
        }
        if !retried {
            self.actions.push_back(Action::ItemLost {
                call: CallId {
                    slot: sent.call,
                    generation: self.calls.generation(sent.call),
                },
                item: first + u64::from(item),
                attempt: sent.attempt,
                late,
            });
            self.resolve(sent.job, 1);
        }
    }
}

/// Which item a dead worker is to blame on: the place of its part and the item. A worker that was condemned was on the
/// first item of its first part, because it works in order. An item it does not hold (any more) says nothing.
fn blame(worker: &Worker, running: Option<(JobId, u32)>) -> Option<(usize, u32)> {
    let named = running.and_then(|(job, item)| {
        let holds = |sent: &Sent| sent.job == job && (sent.from..sent.to).contains(&item);
        worker.sent.iter().position(holds).map(|at| (at, item))
    });
    named.or_else(|| {
        let first = worker.sent.front().filter(|_| worker.condemned)?;
        Some((0, first.from))
    })
}
