//! What workers report: results, failures, what they give back. Nothing here trusts a worker: what it says is compared
//! with what it holds, and a worker that does not hold what it speaks of is condemned.
//! Relies on the queues of `Scheduler`.

use super::calls::Queued;
use super::workers::{Mode, Sent};
use super::{Failed, JobId, Scheduler, Verdict, WorkerId};

impl Scheduler {
    /// The results of the items `from..to` have arrived; they took the worker `ns` nanoseconds. A worker reports in the
    /// order in which it was sent the parts, a part in one piece or in several.
    #[inline]
    pub(crate) fn finished(
        &mut self,
        worker: WorkerId,
        job: JobId,
        from: u32,
        to: u32,
        ns: u64,
    ) -> Verdict {
        let index = worker.0 as usize;
        let Some(head) = self.head(index) else {
            return self.violated(index);
        };
        if head.job != job || head.from != from || from >= to || to > head.to {
            return self.violated(index);
        }
        self.workers[index].barren = 0;
        let call = self.calls.at_mut(head.call);
        call.pace.sample(to - from, ns);
        let cancelled = call.cancelled;
        self.advance(index, head, to);
        if cancelled {
            self.settle_job(job);
            Verdict::Discard
        } else {
            self.resolve(job, to - from);
            Verdict::Accept
        }
    }

    /// The item failed (an error, a panic); the worker lives and goes on behind it.
    pub(crate) fn failed(&mut self, worker: WorkerId, job: JobId, item: u32) -> Failed {
        let index = worker.0 as usize;
        let head = match self.head(index) {
            Some(head) if head.job == job && head.from == item => head,
            _ => {
                self.violated(index);
                return Failed::Violation;
            }
        };
        self.workers[index].barren = 0;
        let call = self.calls.at(head.call);
        let (cancelled, retries) = (call.cancelled, call.retries);
        let doom = self.workers[index].doom;
        let late = doom.is_some_and(|doom| doom.late && doom.is_about(job, item));
        self.advance(index, head, item + 1);
        if cancelled {
            self.settle_job(job);
            return Failed::Discard;
        }
        if head.attempt <= retries {
            let attempt = head.attempt + 1;
            self.requeue(Queued {
                job,
                from: item,
                to: item + 1,
                attempt,
            });
            return Failed::Retry { attempt };
        }
        self.resolve(job, 1);
        Failed::Resolve {
            attempt: head.attempt,
            late,
        }
    }

    /// The worker hands back the end of a part, which it has not begun and will not run.
    pub(crate) fn returned(&mut self, worker: WorkerId, job: JobId, from: u32, to: u32) -> Verdict {
        let index = worker.0 as usize;
        let found = self
            .find(index, job, from, to)
            .filter(|&at| self.workers[index].sent[at].to == to);
        let Some(at) = found else {
            return self.violated(index);
        };
        let sent = self.workers[index].sent[at];
        if from == sent.from {
            self.remove(index, at);
        } else {
            self.workers[index].sent[at].to = from;
            self.in_flight -= u64::from(to - from);
        }
        if self.calls.at(sent.call).cancelled {
            self.settle_job(job);
            return Verdict::Discard;
        }
        self.requeue(Queued {
            job,
            from,
            to,
            attempt: sent.attempt,
        });
        Verdict::Accept
    }

    /// A recall met the part before the worker had begun it.
    pub(crate) fn recalled(&mut self, worker: WorkerId, job: JobId, from: u32, to: u32) -> Verdict {
        self.returned(worker, job, from, to)
    }

    /// The worker has begun the part that holds this item, so it is not recalled any more. Also the answer to a recall
    /// that came too late. A part that is not there (any more) is no offence.
    pub(crate) fn claimed(&mut self, worker: WorkerId, job: JobId, item: u32) {
        let index = worker.0 as usize;
        if let Some(at) = self.find(index, job, item, item.saturating_add(1)) {
            self.hold(index, at);
            if at == 0 {
                self.evict_if_wanted(index, job);
            }
        }
    }

    /// What the worker wrote makes no sense at all: it is condemned, a `Kill` follows.
    pub(crate) fn nonsense(&mut self, worker: WorkerId) {
        self.violated(worker.0 as usize);
    }

    /// What a worker that is believed is on.
    #[inline]
    fn head(&self, index: usize) -> Option<Sent> {
        let worker = self.workers.get(index)?;
        worker.credible().then(|| worker.sent.front().copied())?
    }

    /// The place of the part.
    fn find(&self, index: usize, job: JobId, from: u32, to: u32) -> Option<usize> {
        let worker = self.workers.get(index).filter(|worker| worker.credible())?;
        worker
            .sent
            .iter()
            .position(|sent| sent.job == job && sent.from <= from && from < to && to <= sent.to)
    }

    /// The worker said what cannot be.
    fn violated(&mut self, index: usize) -> Verdict {
        if self
            .workers
            .get(index)
            .is_some_and(|worker| worker.credible())
        {
            self.condemn(index);
        }
        Verdict::Violation
    }

    /// The worker is done with its first part up to `to`.
    #[inline]
    fn advance(&mut self, index: usize, head: Sent, to: u32) {
        if to == head.to {
            self.remove(index, 0);
        } else {
            self.hold(index, 0);
            self.workers[index].sent[0].from = to;
            self.in_flight -= u64::from(to - head.from);
            self.rearm(index);
            // That is an answer, too.
            self.evict_if_wanted(index, head.job);
        }
    }

    /// Takes a part out of a worker's queue, with all that is left of it.
    #[inline]
    fn remove(&mut self, index: usize, at: usize) {
        self.hold(index, at);
        let worker = &mut self.workers[index];
        let sent = if at == 0 {
            worker.sent.pop_front()
        } else {
            worker.sent.remove(at)
        };
        let Some(sent) = sent else {
            return;
        };
        worker.load[usize::from(sent.kind)] -= sent.weight;
        self.crowd.gives(worker, u32::from(sent.short));
        self.in_flight -= u64::from(sent.to - sent.from);
        self.calls.at_mut(sent.call).sent -= 1;
        self.jobs.at_mut(sent.job.slot).out -= 1;
        if at == 0 {
            self.workers[index].evicting = None;
            self.rearm(index);
        }
        if self.workers[index].sent.is_empty() {
            self.note_drained(index);
        } else {
            // The next in line counts as begun; if it was asked back, the answer is still to come.
            if self.workers[index].sent[0].mode == Mode::Waiting {
                self.hold(index, 0);
            }
            self.note_room(index);
        }
    }
}
