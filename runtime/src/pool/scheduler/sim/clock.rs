//! The simulated pool's deadlines: when they are looked at, what a worker that is warned or cut does.

use super::*;

impl Sim {
    /// When something happens next.
    pub(super) fn next_time(&self) -> Option<u64> {
        let event = self.agenda.peek().map(|Reverse((time, _, _))| *time);
        let deadline = self.scheduler.next_deadline();
        // A timer that is left when nothing else can happen still has to be heard.
        [event, deadline].into_iter().flatten().min()
    }

    /// Looks at the deadlines, if that is what happens at `time`.
    pub(super) fn check_deadlines(&mut self, time: u64) -> bool {
        if self
            .scheduler
            .next_deadline()
            .is_none_or(|deadline| deadline > time)
        {
            return false;
        }
        self.now = self.now.max(time);
        self.scheduler.tick(self.now);
        while let Some(worker) = self.scheduler.due() {
            let index = worker.0 as usize;
            self.poll(index);
            let w = &self.workers[index];
            let front = w.queue.front().map(|part| part.job);
            let at = match (w.life, front.zip(w.running)) {
                _ if !w.up || w.unborn => At::NotUp,
                (Life::Dead(Some((job, item))), _) | (_, Some((job, item))) => At::Item {
                    job,
                    item,
                    since: w.since,
                },
                _ => At::Nothing,
            };
            self.scheduler.checked(worker, at);
            self.drain();
            assert_ne!(self.scheduler.due(), Some(worker), "asked twice at a time");
        }
        true
    }

    pub(super) fn warn(&mut self, worker: usize, job: JobId, item: Option<u32>) {
        self.tally.warned += 1;
        self.is_just(worker, job, item);
        let w = &self.workers[worker];
        let (number, running) = (w.number, w.begun_items);
        let on = w.queue.front().map(|part| part.job).zip(w.running);
        let about = on.is_some_and(|on| on.0 == job && item.is_none_or(|item| item == on.1));
        // Every other task listens.
        if about && w.life == Life::Up && self.below(2) == 0 {
            self.soon(50_000, Event::ItemEnd(worker, number, running));
        }
    }

    pub(super) fn cut(&mut self, worker: usize, job: JobId, item: Option<u32>) {
        self.tally.cut += 1;
        self.is_just(worker, job, item);
        let w = &mut self.workers[worker];
        assert!(w.up && !w.killed && !w.retired && w.cut.is_none());
        w.cut = Some((job, item));
        self.recalls_open -= w.asked_back.len() as u64;
        w.asked_back.clear();
        self.die(worker);
    }

    /// Nobody is warned or cut but for an item whose time is up, or whose call is ended by force.
    fn is_just(&self, worker: usize, job: JobId, item: Option<u32>) {
        let call = &self.calls[self.jobs[&job].call];
        let Some(item) = item else {
            return assert!(call.ended_by_force);
        };
        let w = &self.workers[worker];
        let timeout = self.plan.calls[call.plan].spec.timeout_ns;
        let Some(timeout) = timeout else {
            panic!("an item without a deadline is cut");
        };
        let head = w.view.front().copied();
        assert!(head.is_some_and(|part| part.job == job && (part.from..part.to).contains(&item)));
        if w.running == Some(item) && w.life == Life::Up {
            assert!(
                self.now - w.since >= timeout,
                "an item is cut before its time"
            );
        }
    }
}
