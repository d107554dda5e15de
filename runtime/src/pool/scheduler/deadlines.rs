//! Deadlines and running items that are called off: which worker is ended for the sake of one item, and when.
//! Relies on the queues of `Scheduler`; time comes in with `tick` and is never asked for.
//!
//! An item's time runs from the moment its worker began it, which only the driver can see. So a timer is set for the
//! earliest moment it could be over (the item became the first of its worker's queue now at the earliest); when that
//! has come, the driver says what the worker is on and since when, and the timer is set anew or the item's time is up.
//!
//! A worker that was given an item before it is up gets the item's time for it, or longer where that is short (a process does
//! not start in no time); then it is replaced, nobody is to blame, and the item goes to another. One that is `Starting`
//! (it runs its initializer, say) has no item; where the driver says by when it must be up, it is killed then.
//!
//! States of a worker on the way: nothing → warned (the call has a grace: it was told, and goes on) → cut (it is being
//! killed). What it delivers counts all the same; if it gets past the item while it is warned, nothing happens to it.
//! If it has got past the item when the kill meets it, nobody is to blame, and what it was on runs again.

use super::workers::{Mode, State};
use super::{Action, CallId, JobId, Scheduler, WorkerId};

/// What a worker is on, as the driver sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// It takes no work yet.
    NotUp,
    /// It has not begun the first part of its queue.
    Nothing,
    /// It is on this item since then.
    Item { job: JobId, item: u32, since: u64 },
    /// It is just getting from one item of its first part to this one: a moment, unless it is stopped there.
    Between { job: JobId, item: u32 },
}

/// Why a worker is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Doom {
    pub(super) job: JobId,
    /// The item; any of the job, where the call was called off.
    pub(super) item: Option<u32>,
    /// Its time is up; otherwise its call was called off.
    pub(super) late: bool,
    /// It is being killed; otherwise it was warned.
    pub(super) cut: bool,
}

impl Doom {
    pub(super) fn is_about(&self, job: JobId, item: u32) -> bool {
        self.job == job && self.item.is_none_or(|doomed| doomed == item)
    }
}

/// How soon to look again at a worker that has got past what we know.
const SOON_NS: u64 = 100_000;
/// How long a worker gets to come up at the least; twice as long after each that did not, so many times.
const START_NS: u64 = 1_000_000_000;
const START_DOUBLINGS: u32 = 3;

impl Scheduler {
    /// It is so late now.
    pub(crate) fn tick(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    /// Whether the time matters: without deadlines nobody need read a clock.
    #[inline]
    pub(crate) fn is_timed(&self) -> bool {
        self.timed > 0 || !self.timers.is_empty()
    }

    /// The worker that is being started must be up by then, or it is killed.
    pub(crate) fn must_be_up_by(&mut self, worker: WorkerId, at: u64) {
        let index = worker.0 as usize;
        let slot = self.workers.get(index);
        if slot.is_some_and(|slot| slot.state == State::Starting) {
            self.disarm(index);
            self.set_timer(index, at);
        }
    }

    /// Whether the worker, not reported lost yet, is killed because it has taken too long to start.
    pub(crate) fn is_overdue(&self, worker: WorkerId) -> bool {
        let slot = self.workers.get(worker.0 as usize);
        slot.is_some_and(|slot| slot.overdue)
    }

    /// When to `tick` at the latest, and ask for what is `due`.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// A worker whose time may be up; answer `checked`.
    pub(crate) fn due(&self) -> Option<WorkerId> {
        let &(at, index) = self.timers.first()?;
        (at <= self.now).then_some(WorkerId(index))
    }

    /// What a worker that is `due` is on.
    pub(crate) fn checked(&mut self, worker: WorkerId, at: At) {
        let index = worker.0 as usize;
        self.disarm(index);
        let Some(slot) = self.workers.get_mut(index) else {
            return;
        };
        if slot.state == State::Starting {
            slot.overdue = true;
            self.actions.push_back(Action::Kill { worker });
            return;
        }
        if !slot.credible() {
            return;
        }
        let Some(&head) = slot.sent.front() else {
            return;
        };
        if at != At::NotUp {
            slot.unborn = None;
        }
        let call = self.calls.at(head.call);
        let (timeout, grace) = (call.timeout_ns, call.grace_ns);
        let slot = &mut self.workers[index];
        if let Some(doom) = slot.doom {
            // Its grace is over.
            if !doom.cut && doom.job == head.job {
                self.cut(index, doom);
            }
            return;
        }
        let Some(timeout) = timeout else {
            return;
        };
        match at {
            At::NotUp => {
                let now = self.now;
                let since = *slot.unborn.get_or_insert(now.saturating_sub(timeout));
                let patience = START_NS << slot.barren.min(START_DOUBLINGS);
                let end = since.saturating_add(patience.max(timeout));
                if end > now {
                    return self.set_timer(index, end);
                }
                self.cut_unbegun(index, head.job, head.from);
            }
            At::Nothing => self.cut_unbegun(index, head.job, head.from),
            At::Item { job, item, since }
                if job == head.job && (head.from..head.to).contains(&item) =>
            {
                let end = since.saturating_add(timeout);
                if end > self.now {
                    return self.set_timer(index, end);
                }
                self.doom(index, job, Some(item), true, grace);
            }
            // Behind an item we know the end of, or between two.
            At::Item { job, item, .. } | At::Between { job, item } => {
                // As long as it gets on it is well; where it does not, the time runs from the first look.
                let since = match self.workers[index].between {
                    Some((known, at, since)) if (known, at) == (job, item) => since,
                    _ => self.now,
                };
                self.workers[index].between = Some((job, item, since));
                if self.now.saturating_sub(since) < timeout {
                    return self.set_timer(index, self.now + SOON_NS);
                }
                let item = item.clamp(head.from, head.to - 1);
                self.doom(index, head.job, Some(item), true, grace);
            }
        }
    }

    /// Cancels the call, and ends workers that are running items of it: at once, or after the call's grace.
    pub(crate) fn end_call(&mut self, call: CallId) {
        let Some(open) = self.calls.get(call.slot, call.generation) else {
            return;
        };
        let mut left = open.sent;
        self.cancel_call(call);
        for index in 0..self.workers.len() {
            if left == 0 {
                return;
            }
            let worker = &mut self.workers[index];
            left -= worker
                .sent
                .iter()
                .filter(|sent| sent.call == call.slot)
                .count() as u32;
            let Some(head) = worker.sent.front_mut() else {
                continue;
            };
            // Whether it has begun is not known: the answer to the recall tells.
            if head.call != call.slot || !worker.state.eq(&State::Up) || worker.doom.is_some() {
                continue;
            }
            if worker.condemned {
                continue;
            }
            worker.evicting = Some(head.job);
            if head.mode == Mode::Held {
                head.mode = Mode::Recalling;
                let (job, from, to) = (head.job, head.from, head.to);
                self.recalling += 1;
                self.actions.push_back(Action::Recall {
                    worker: WorkerId(index as u32),
                    part: super::Part { job, from, to },
                });
            }
        }
    }

    /// The worker has begun a part that was asked back; if that was to end it, it is ended.
    #[inline]
    pub(super) fn evict_if_wanted(&mut self, index: usize, job: JobId) {
        let worker = &mut self.workers[index];
        if worker.evicting != Some(job) {
            return;
        }
        worker.evicting = None;
        if worker.doom.is_some() || worker.sent.front().is_none_or(|head| head.job != job) {
            return;
        }
        let call = self.jobs.at(job.slot).call;
        let grace = self.calls.at(call).grace_ns;
        self.doom(index, job, None, false, grace);
    }

    fn doom(&mut self, index: usize, job: JobId, item: Option<u32>, late: bool, grace: u64) {
        let doom = Doom {
            job,
            item,
            late,
            cut: false,
        };
        if grace == 0 {
            return self.cut(index, doom);
        }
        self.workers[index].doom = Some(doom);
        self.disarm(index);
        self.set_timer(index, self.now.saturating_add(grace));
        self.actions.push_back(Action::Warn {
            worker: WorkerId(index as u32),
            job,
            item,
        });
    }

    /// Ends a worker that has not begun what it was given: nobody will be to blame.
    fn cut_unbegun(&mut self, index: usize, job: JobId, item: u32) {
        let doom = Doom {
            job,
            item: Some(item),
            late: true,
            cut: true,
        };
        self.cut(index, doom);
    }

    fn cut(&mut self, index: usize, doom: Doom) {
        self.disarm(index);
        self.workers[index].doom = Some(Doom { cut: true, ..doom });
        self.unlist_idle(index);
        for at in 0..self.workers[index].sent.len() {
            self.hold(index, at);
        }
        self.actions.push_back(Action::Cut {
            worker: WorkerId(index as u32),
            job: doom.job,
            item: doom.item,
        });
    }

    /// Another item is the first of the worker's queue now, or none.
    #[inline]
    pub(super) fn rearm(&mut self, index: usize) {
        if !self.is_timed() {
            return;
        }
        let worker = &mut self.workers[index];
        let head = worker.sent.front().copied();
        if let Some(doom) = worker.doom {
            let still = head.is_some_and(|head| {
                head.job == doom.job && doom.item.is_none_or(|item| head.from <= item)
            });
            if doom.cut || still {
                return;
            }
            worker.doom = None;
        }
        self.disarm(index);
        if let Some(timeout) = head.and_then(|head| self.calls.at(head.call).timeout_ns) {
            self.set_timer(index, self.now.saturating_add(timeout));
        }
    }

    fn set_timer(&mut self, index: usize, at: u64) {
        self.workers[index].timer = Some(at);
        self.timers.insert((at, index as u32));
    }

    pub(super) fn disarm(&mut self, index: usize) {
        if let Some(at) = self
            .workers
            .get_mut(index)
            .and_then(|worker| worker.timer.take())
        {
            self.timers.remove(&(at, index as u32));
        }
    }
}
