//! Calls and their jobs: opening, submitting, cancelling, and how much more of the input to encode.
//! Relies on the slab, the pace and the queues of `Scheduler`.

use std::collections::VecDeque;

use super::pace::{Pace, Window, chunk_items};
use super::{Action, CHUNKS, CallId, CallSpec, JobId, SINGLES, Scheduler, Why};
use crate::error::{Error, Kind, Result};

/// A call that is open.
pub(super) struct Call {
    pub(super) kind: usize,
    pub(super) retries: u32,
    pub(super) pace: Pace,
    /// The weight of every part, where the caller fixed the window.
    pub(super) fixed_weight: Option<u32>,
    pub(super) queue: VecDeque<Queued>,
    /// Parts at workers.
    pub(super) sent: u32,
    pub(super) cancelled: bool,
    pub(super) timeout_ns: Option<u64>,
    pub(super) grace_ns: u64,
    /// Being cancelled: what workers hold of it is about to be dropped.
    dropping: bool,
    expected: Option<u64>,
    stretch: u32,
    max_chunk: u32,
    submitted: u64,
    /// Jobs that are not released.
    jobs: u32,
    ended: bool,
    done: bool,
}

impl Call {
    /// The weight of a part of `count` items.
    pub(super) fn weight(&self, window: &Window, count: u32, long_ns: u64) -> u32 {
        match self.fixed_weight {
            Some(weight) => weight,
            None => window.weight(&self.pace, count, long_ns),
        }
    }
}

/// A part that waits in its call's queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queued {
    pub(super) job: JobId,
    pub(super) from: u32,
    pub(super) to: u32,
    /// Which run of its items the next one is, from 1. Above 1 the part holds one item.
    pub(super) attempt: u32,
}

/// A job that is not released.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub(super) call: u32,
    pub(super) first: u64,
    /// Items without a resolution.
    pub(super) unresolved: u32,
    /// Parts at workers.
    pub(super) out: u32,
    released: bool,
}

impl Scheduler {
    /// Opens a call. It is done after `input_done` (or `cancel_call`) when all its items are resolved.
    pub(crate) fn open_call(&mut self, spec: CallSpec) -> Result<CallId> {
        if self.closed {
            return Err(Error::new(Kind::Closed, "the pool is closed"));
        }
        let kind = if spec.chunked { CHUNKS } else { SINGLES };
        let fixed_weight = spec
            .window
            .map(|parts| self.windows[kind].fixed_weight(parts));
        let (slot, generation, call) = self.calls.claim(|| Call {
            kind,
            retries: 0,
            pace: Pace::default(),
            fixed_weight,
            queue: VecDeque::new(),
            sent: 0,
            cancelled: false,
            timeout_ns: None,
            grace_ns: 0,
            dropping: false,
            expected: None,
            stretch: 1,
            max_chunk: 1,
            submitted: 0,
            jobs: 0,
            ended: false,
            done: false,
        });
        debug_assert!(call.queue.is_empty() && call.sent == 0 && call.jobs == 0);
        call.kind = kind;
        call.retries = spec.retries;
        call.pace = spec.pace;
        call.fixed_weight = fixed_weight;
        call.cancelled = false;
        call.timeout_ns = spec.timeout_ns;
        call.grace_ns = spec.grace_ns;
        self.timed += u32::from(spec.timeout_ns.is_some() || spec.grace_ns > 0);
        call.expected = spec.items;
        call.stretch = spec.stretch.max(1);
        call.max_chunk = spec.max_chunk.max(1);
        call.submitted = 0;
        call.ended = false;
        call.done = false;
        self.open_calls += 1;
        Ok(CallId { slot, generation })
    }

    /// No more items will be submitted.
    pub(crate) fn input_done(&mut self, call: CallId) {
        if let Some(open) = self.calls.get_mut(call.slot, call.generation) {
            open.ended = true;
            self.settle_call(call.slot);
        }
    }

    /// The next `count` items of the call, encoded as one job.
    #[inline]
    pub(crate) fn submit(&mut self, call: CallId, count: u32) -> Result<JobId> {
        let Some(open) = self.calls.get_mut(call.slot, call.generation) else {
            return Err(Error::new(Kind::Usage, "the call is over"));
        };
        if open.cancelled {
            return Err(Error::new(Kind::Cancelled, "the call was cancelled"));
        }
        if open.ended || count == 0 {
            return Err(Error::new(
                Kind::Usage,
                "the call's input has ended, or the job is empty",
            ));
        }
        let first = open.submitted;
        open.submitted += u64::from(count);
        open.jobs += 1;
        let fresh = Job {
            call: call.slot,
            first,
            unresolved: count,
            out: 0,
            released: false,
        };
        let (slot, generation, job) = self.jobs.claim(|| fresh);
        *job = fresh;
        let id = JobId { slot, generation };
        if open.queue.is_empty() {
            self.rounds[open.kind].push_back(call.slot);
        }
        open.queue.push_back(Queued {
            job: id,
            from: 0,
            to: count,
            attempt: 1,
        });
        if self.is_hopeless() {
            self.drop_queues();
        }
        Ok(id)
    }

    /// The next item of the call was resolved by its caller: it has an index and needs no job. Says whether the call is open.
    pub(crate) fn skip(&mut self, call: CallId) -> bool {
        match self.calls.get_mut(call.slot, call.generation) {
            Some(open) if !open.cancelled && !open.ended => {
                open.submitted += 1;
                true
            }
            _ => false,
        }
    }

    /// How many items of the call keep the workers busy.
    pub(crate) fn wanted(&self, call: CallId) -> u64 {
        match self.calls.get(call.slot, call.generation) {
            Some(open) if !open.cancelled && !open.ended => {
                let chunk = self.chunk_of(open);
                self.wanted_parts(open, chunk)
                    .saturating_mul(u64::from(chunk))
            }
            _ => 0,
        }
    }

    /// What fills every worker's window, and a quarter more to refill them from.
    fn wanted_parts(&self, open: &Call, chunk: u32) -> u64 {
        let window = &self.windows[open.kind];
        let weight = open.weight(window, chunk, self.policy.long_ns);
        let parts = window.parts(weight);
        u64::from(self.crew()) * u64::from(parts + (parts / 4).max(1))
    }

    /// How many more items to encode now; 0 means that enough is queued.
    #[inline]
    pub(crate) fn room(&self, call: CallId) -> u32 {
        let Some(open) = self.calls.get(call.slot, call.generation) else {
            return 0;
        };
        if open.cancelled || open.ended {
            return 0;
        }
        let chunk = self.chunk_of(open);
        let wanted = self.wanted_parts(open, chunk);
        let have = open.queue.len() as u64 + u64::from(open.sent);
        let items = wanted.saturating_sub(have).saturating_mul(u64::from(chunk));
        items.min(u64::from(u32::MAX)) as u32
    }

    /// How many items the next job of the call should hold.
    pub(crate) fn chunk(&self, call: CallId) -> u32 {
        self.calls
            .get(call.slot, call.generation)
            .map_or(1, |open| self.chunk_of(open))
    }

    /// What was learnt of the time the call's items take; for the next call's spec.
    pub(crate) fn pace(&self, call: CallId) -> Pace {
        self.calls
            .get(call.slot, call.generation)
            .map_or_else(Pace::default, |open| open.pace)
    }

    /// Drops what is not resolved of the call. Parts that workers have not begun are recalled.
    pub(crate) fn cancel_call(&mut self, call: CallId) {
        let Some(open) = self.calls.get_mut(call.slot, call.generation) else {
            return;
        };
        if open.cancelled || open.done {
            return;
        }
        open.cancelled = true;
        open.dropping = true;
        let (kind, sent) = (open.kind, open.sent);
        if !open.queue.is_empty() {
            self.rounds[kind].retain(|&slot| slot != call.slot);
            self.drop_queue(call.slot, Why::Cancelled);
        }
        self.drop_sent(sent);
        self.calls.at_mut(call.slot).dropping = false;
        self.settle_call(call.slot);
    }

    /// Drops what no worker has, of every call, and takes no more input; what workers have goes on and counts.
    pub(crate) fn cancel_queued(&mut self) {
        let mut open: Vec<u32> = self.calls.live().collect();
        open.retain(|&slot| !self.calls.at(slot).done);
        self.rounds.iter_mut().for_each(VecDeque::clear);
        for slot in open {
            self.calls.at_mut(slot).ended = true;
            self.drop_queue(slot, Why::Cancelled);
            self.settle_call(slot);
        }
    }

    /// `cancel_call` for every call there is, in one pass over the workers.
    pub(crate) fn cancel_all(&mut self) {
        let mut open: Vec<u32> = self.calls.live().collect();
        open.retain(|&slot| !self.calls.at(slot).cancelled && !self.calls.at(slot).done);
        self.rounds.iter_mut().for_each(VecDeque::clear);
        let mut sent = 0;
        for &slot in &open {
            let call = self.calls.at_mut(slot);
            call.cancelled = true;
            call.dropping = true;
            sent += call.sent;
            self.drop_queue(slot, Why::Cancelled);
        }
        self.drop_sent(sent);
        for slot in open {
            self.calls.at_mut(slot).dropping = false;
            self.settle_call(slot);
        }
    }

    fn chunk_of(&self, open: &Call) -> u32 {
        if open.kind == SINGLES {
            return 1;
        }
        // An expectation that has proved too small says nothing any more.
        let left = open
            .expected
            .and_then(|expected| expected.checked_sub(open.submitted))
            .filter(|&left| left > 0);
        chunk_items(&self.policy, &open.pace, left, self.crew(), open.stretch).min(open.max_chunk)
    }

    /// How many workers to reckon with.
    fn crew(&self) -> u32 {
        self.present.min(self.target).max(1)
    }

    /// Puts a part back at the head of its call's queue.
    pub(super) fn requeue(&mut self, part: Queued) {
        let slot = self.jobs.at(part.job.slot).call;
        let call = self.calls.at_mut(slot);
        if call.queue.is_empty() {
            self.rounds[call.kind].push_back(slot);
        }
        call.queue.push_front(part);
    }

    /// `count` items of the job have their resolution.
    #[inline]
    pub(super) fn resolve(&mut self, job: JobId, count: u32) {
        self.jobs.at_mut(job.slot).unresolved -= count;
        self.settle_job(job);
    }

    /// Releases the job if nothing is left of it.
    #[inline]
    pub(super) fn settle_job(&mut self, id: JobId) {
        let job = self.jobs.at_mut(id.slot);
        if job.unresolved == 0 && job.out == 0 && !job.released {
            job.released = true;
            let slot = job.call;
            if self.actions.is_empty() {
                self.releases.push_back(id);
            } else {
                self.actions.push_back(Action::Release { job: id });
            }
            self.calls.at_mut(slot).jobs -= 1;
            self.settle_call(slot);
        }
    }

    /// Says that the call is done if nothing is left of it.
    fn settle_call(&mut self, slot: u32) {
        let generation = self.calls.generation(slot);
        let call = self.calls.at_mut(slot);
        if call.jobs == 0 && (call.ended || call.cancelled) && !call.done {
            call.done = true;
            self.timed -= u32::from(call.timeout_ns.is_some() || call.grace_ns > 0);
            self.actions.push_back(Action::CallDone {
                call: CallId { slot, generation },
            });
            self.open_calls -= 1;
            self.dismiss_if_over();
        }
    }

    /// Drops everything that is queued, of all calls.
    pub(super) fn drop_queues(&mut self) {
        for kind in [SINGLES, CHUNKS] {
            while let Some(slot) = self.rounds[kind].pop_front() {
                self.drop_queue(slot, Why::NoWorkers);
            }
        }
    }

    /// Drops what one call has queued; the caller takes it out of its round.
    fn drop_queue(&mut self, slot: u32, why: Why) {
        while let Some(part) = self.calls.at_mut(slot).queue.pop_front() {
            self.drop_items(slot, part.job, part.from, part.to, why);
        }
    }

    /// Resolves the `left` parts that workers hold of calls that are being cancelled, and asks them for what they have
    /// not begun.
    fn drop_sent(&mut self, mut left: u32) {
        for index in 0..self.workers.len() {
            for at in 0..self.workers[index].sent.len() {
                if left == 0 {
                    return;
                }
                let sent = self.workers[index].sent[at];
                if self.calls.at(sent.call).dropping {
                    left -= 1;
                    self.drop_items(sent.call, sent.job, sent.from, sent.to, Why::Cancelled);
                    self.recall_if_waiting(index, at);
                }
            }
        }
    }

    fn drop_items(&mut self, slot: u32, id: JobId, from: u32, to: u32, why: Why) {
        let first = self.jobs.at(id.slot).first + u64::from(from);
        let generation = self.calls.generation(slot);
        self.actions.push_back(Action::ItemsDropped {
            call: CallId { slot, generation },
            first,
            count: to - from,
            why,
        });
        self.resolve(id, to - from);
    }
}
