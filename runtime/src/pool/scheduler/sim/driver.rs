//! The driver of the simulated pool: carries out actions, feeds calls, passes on what workers report (or lies).

use super::*;

impl Sim {
    /// Carries out what there is to do and encodes more of the input, until neither leads to anything.
    pub(super) fn drain(&mut self) {
        loop {
            while let Some(action) = self.scheduler.next_action() {
                self.carry_out(action);
            }
            if self.feed() {
                continue;
            }
            // Now and then nothing has come for so long that more hands are wanted.
            if !self.scheduler.holds_back() || !self.chance(5_000) {
                break;
            }
            self.scheduler.stalled();
        }
        assert!(self.expected_losses.is_empty(), "an item is not resolved");
        assert!(self.expected_kills.is_empty(), "a liar is not killed");
        assert_eq!(self.scheduler.items_in_flight(), self.in_flight);
        assert_eq!(self.scheduler.has_backlog(), self.runnable > 0);
    }

    fn feed(&mut self) -> bool {
        let mut fed = false;
        let mut at = 0;
        while at < self.feeding.len() {
            let index = self.feeding[at];
            let call = &self.calls[index];
            let left = self.plan.calls[call.plan].items - call.items.len() as u64;
            if call.fed || left == 0 {
                if !call.fed {
                    self.scheduler.input_done(call.id);
                    self.calls[index].fed = true;
                    fed = true;
                }
                self.feeding.swap_remove(at);
                continue;
            }
            let room = u64::from(self.scheduler.room(call.id));
            let chunk = u64::from(self.scheduler.chunk(call.id));
            if room > 0 {
                fed = true;
                assert!(chunk > 0 && chunk <= room);
                self.submit(index, chunk.min(left) as u32);
            }
            at += 1;
        }
        fed
    }

    fn submit(&mut self, call: usize, count: u32) {
        let booked = &mut self.calls[call];
        let Ok(job) = self.scheduler.submit(booked.id, count) else {
            panic!("the call is open");
        };
        let first = booked.items.len() as u64;
        booked
            .items
            .resize(first as usize + count as usize, Item::default());
        booked.unresolved += u64::from(count);
        booked.unreleased += 1;
        booked.jobs.push((first, job));
        self.runnable += u64::from(count);
        let fresh = BookedJob {
            call,
            first,
            unresolved: count,
            views: 0,
        };
        assert!(self.jobs.insert(job, fresh).is_none());
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Send { worker, part } => self.send(worker.0 as usize, part),
            Action::Recall { worker, part } => self.ask_back(worker.0 as usize, part),
            Action::Kill { worker } => {
                let late = self.scheduler.is_overdue(worker);
                let worker = worker.0 as usize;
                assert!(
                    self.expected_kills.remove(&worker) || late && !self.workers[worker].up,
                    "an honest worker is killed"
                );
                self.tally.overdue += u64::from(late);
                let w = &mut self.workers[worker];
                w.killed = true;
                // Its answers would not be believed.
                self.recalls_open -= w.asked_back.len() as u64;
                w.asked_back.clear();
                self.die(worker);
            }
            Action::Warn { worker, job, item } => self.warn(worker.0 as usize, job, item),
            Action::Cut { worker, job, item } => self.cut(worker.0 as usize, job, item),
            Action::Start { worker } => self.start(worker.0 as usize),
            Action::Retire { worker } => {
                let worker = worker.0 as usize;
                let w = &mut self.workers[worker];
                assert!(w.up && !w.killed && !w.retired && w.view.is_empty());
                w.retired = true;
                self.die(worker);
            }
            Action::Release { job } => {
                let Some(booked) = self.jobs.remove(&job) else {
                    panic!("released twice");
                };
                assert_eq!((booked.unresolved, booked.views), (0, 0));
                self.calls[booked.call].unreleased -= 1;
                assert!(!self.calls[booked.call].done);
            }
            Action::ItemLost {
                call, item, late, ..
            } => {
                let call = self.call_index[&call];
                assert!(
                    !late
                        || self.plan.calls[self.calls[call].plan]
                            .spec
                            .timeout_ns
                            .is_some()
                );
                self.tally.late += u64::from(late);
                assert!(
                    self.expected_losses.remove(&(call, item)),
                    "lost for nothing"
                );
                self.tally.lost += 1;
                self.resolve(call, item, 1);
            }
            Action::ItemsDropped {
                call,
                first,
                count,
                why,
            } => {
                let call = self.call_index[&call];
                match why {
                    Why::Cancelled => {
                        assert!(self.calls[call].cancelled || self.calls[call].cut_short);
                    }
                    Why::NoWorkers => {
                        let gone = |w: &Virtual| w.life == Life::None || w.retired;
                        assert!(self.workers.iter().all(gone));
                        assert!(!self.scheduler.workers.iter().any(|w| w.recycling));
                    }
                }
                self.tally.dropped += u64::from(count);
                self.resolve(call, first, count);
            }
            Action::CallDone { call } => {
                let Some(index) = self.call_index.remove(&call) else {
                    panic!("done twice");
                };
                let call = &mut self.calls[index];
                assert!(call.fed && !call.done && call.unresolved == 0 && call.unreleased == 0);
                call.done = true;
                call.items = Vec::new();
                call.jobs = Vec::new();
            }
        }
    }

    fn start(&mut self, worker: usize) {
        if worker == self.workers.len() {
            self.workers.push(Virtual::default());
        }
        assert_eq!(self.workers[worker].life, Life::None);
        let number = self.workers[worker].number;
        self.workers[worker].life = Life::Starting;
        if self.chance(self.plan.odds.no_start) {
            self.soon(50_000, Event::NoStart(worker, number));
        } else if self.chance(self.plan.odds.die_starting) {
            self.die(worker);
        } else if self.plan.start_ns.is_none() || !self.chance(self.plan.odds.hang_starting) {
            self.soon(1_000_000, Event::Ready(worker, number));
        }
        if let Some(start) = self.plan.start_ns {
            let id = WorkerId(worker as u32);
            self.scheduler.must_be_up_by(id, self.now + start);
        }
    }

    fn send(&mut self, worker: usize, part: Part) {
        self.tally.sends += 1;
        let Some(job) = self.jobs.get_mut(&part.job) else {
            panic!("a released job is sent");
        };
        job.views += 1;
        let call = &mut self.calls[job.call];
        assert!(!call.cancelled && part.from < part.to);
        for item in part.from..part.to {
            let item = &mut call.items[(job.first + u64::from(item)) as usize];
            assert!(!item.resolved, "a resolved item is sent");
            assert!(item.held_by.is_none(), "an item is at two workers");
            item.held_by = Some(worker as u32);
        }
        self.in_flight += u64::from(part.to - part.from);
        self.runnable -= u64::from(part.to - part.from);
        let w = &mut self.workers[worker];
        assert!(w.up && !w.killed && !w.retired && w.cut.is_none());
        w.view.push_back(part);
        w.queue.push_back(part);
        assert!(w.view.len() <= self.plan.policy.max_window as usize);
        assert_eq!(
            self.scheduler.outstanding(WorkerId(worker as u32)),
            w.view.len()
        );
        if !w.begun {
            let number = w.number;
            self.soon(20_000, Event::Claim(worker, number));
        }
    }

    fn ask_back(&mut self, worker: usize, part: Part) {
        let w = &mut self.workers[worker];
        assert!(w.up && !w.killed);
        let call = self.jobs[&part.job].call;
        let first = usize::from(!self.calls[call].ended_by_force);
        assert!(
            w.view.iter().skip(first).any(|held| *held == part),
            "not a part that waits"
        );
        assert!(w.asked_back.insert((part.job, part.from)));
        self.recalls_open += 1;
        let number = w.number;
        if self.plan.prompt_recalls {
            self.answer_recall(worker, part.job, part.from, part.to);
        } else {
            let event = Event::AnswerRecall(worker, number, part.job, part.from, part.to);
            self.soon(20_000, event);
        }
    }

    pub(super) fn notice(&mut self, worker: usize) {
        let Life::Dead(running) = self.workers[worker].life else {
            return;
        };
        if !self.workers[worker].killed {
            self.poll(worker);
        }
        let perish = self.chance(self.plan.odds.perish);
        let w = &mut self.workers[worker];
        if let Some((job, item)) = running
            && !perish
            && !w.killed
            && w.done_from < item
        {
            let from = w.done_from;
            self.report(worker, Report::Finished(job, from, item, 1));
        }
        let w = &mut self.workers[worker];
        let (condemned, cut) = (w.killed, w.cut);
        let view = std::mem::take(&mut w.view);
        self.recalls_open -= w.asked_back.len() as u64;
        let number = w.number + 1;
        *w = Virtual {
            number,
            ..Virtual::default()
        };
        let mut blamed = running.filter(|(job, item)| {
            view.iter()
                .any(|part| part.job == *job && (part.from..part.to).contains(item))
        });
        if let Some((job, item)) = cut.filter(|_| !condemned) {
            // The item it was killed for, or nobody.
            blamed = blamed.filter(|on| on.0 == job && item.is_none_or(|item| item == on.1));
        } else if condemned && blamed.is_none() {
            blamed = view.front().map(|part| (part.job, part.from));
        }
        for part in &view {
            self.unview(part, part.from, part.to);
        }
        if let Some((job, item)) = blamed {
            let job = &self.jobs[&job];
            let call = &mut self.calls[job.call];
            let item = job.first + u64::from(item);
            let retries = self.plan.calls[call.plan].spec.retries;
            let booked = &mut call.items[item as usize];
            booked.tries += 1;
            if !call.cancelled && booked.tries > retries {
                self.expected_losses.insert((job.call, item));
            }
        }
        self.scheduler.worker_lost(WorkerId(worker as u32), running);
    }

    pub(super) fn poll(&mut self, worker: usize) {
        self.workers[worker].polled = false;
        while let Some(report) = self.workers[worker].outbox.pop_front() {
            if self.workers[worker].killed {
                continue;
            }
            if self.chance(self.plan.odds.lie) {
                self.lie(worker, report);
            } else {
                self.report(worker, report);
            }
            self.drain();
        }
    }

    fn report(&mut self, worker: usize, report: Report) {
        let id = WorkerId(worker as u32);
        let (job, from, to) = match report {
            Report::Finished(job, from, to, _) | Report::Returned(job, from, to) => (job, from, to),
            Report::Failed(job, item) => (job, item, item + 1),
        };
        let booked = &self.jobs[&job];
        let (call, first) = (booked.call, booked.first);
        let cancelled = self.calls[call].cancelled;
        let expected = if cancelled {
            Verdict::Discard
        } else {
            Verdict::Accept
        };
        // The books first: the part leaves the worker's view from its head or, when handed back, from its end.
        let w = &mut self.workers[worker];
        let Some(at) = w
            .view
            .iter()
            .position(|part| part.job == job && part.from <= from && to <= part.to)
        else {
            panic!("the books are wrong");
        };
        let part = w.view[at];
        if part.from == from && part.to == to {
            w.view.remove(at);
        } else if part.from == from {
            w.view[at].from = to;
        } else {
            w.view[at].to = from;
        }
        if w.asked_back.remove(&(job, part.from)) {
            self.recalls_open -= 1;
        }
        let whole = part.from == from && part.to == to;
        self.unview_items(job, from, to, whole);
        match report {
            Report::Finished(_, _, _, ns) => {
                let verdict = self.scheduler.finished(id, job, from, to, ns);
                assert_eq!(verdict, expected);
                if !cancelled {
                    self.tally.finished += u64::from(to - from);
                    self.resolve(call, first + u64::from(from), to - from);
                }
            }
            Report::Returned(..) => {
                self.tally.returned += 1;
                let verdict = self.scheduler.returned(id, job, from, to);
                assert_eq!(verdict, expected);
            }
            Report::Failed(..) => {
                let item = first + u64::from(from);
                let retries = self.plan.calls[self.calls[call].plan].spec.retries;
                let tries = &mut self.calls[call].items[item as usize].tries;
                *tries += 1;
                let tries = *tries;
                match self.scheduler.failed(id, job, from) {
                    Failed::Discard => assert!(cancelled),
                    Failed::Retry { attempt } => {
                        assert!(!cancelled && tries <= retries && attempt == tries + 1);
                        self.tally.retried += 1;
                    }
                    Failed::Resolve { attempt, late } => {
                        let plan = &self.plan.calls[self.calls[call].plan];
                        assert!(!late || plan.spec.timeout_ns.is_some());
                        assert!(!cancelled && tries == retries + 1 && attempt == tries);
                        self.tally.failed += 1;
                        self.resolve(call, item, 1);
                    }
                    Failed::Violation => panic!("an honest report was refused"),
                }
            }
        }
    }

    /// Turns a report into one that cannot be true.
    fn lie(&mut self, worker: usize, report: Report) {
        let id = WorkerId(worker as u32);
        let (Report::Finished(job, from, to, _)
        | Report::Returned(job, from, to)
        | Report::Failed(job, from @ to)) = report;
        let garbage = JobId {
            slot: self.roll() as u32,
            generation: u32::MAX,
        };
        let verdict = match self.below(9) {
            0 => self.scheduler.finished(id, garbage, from, to, 5),
            1 => self.scheduler.finished(id, job, from, u32::MAX, 5),
            2 => self.scheduler.finished(id, job, to, from, u64::MAX),
            3 => self.scheduler.finished(id, job, from + 1, to + 1, 0),
            4 => self.scheduler.returned(id, garbage, 0, u32::MAX),
            5 => self.scheduler.recalled(id, job, u32::MAX, 0),
            7 => self.scheduler.recalled(id, job, from, u32::MAX),
            6 => match self.scheduler.failed(id, job, u32::MAX) {
                Failed::Violation => Verdict::Violation,
                _ => Verdict::Accept,
            },
            _ => self.scheduler.finished(id, NOBODY, 0, 1, 5),
        };
        assert_eq!(verdict, Verdict::Violation);
        self.scheduler.claimed(id, garbage, u32::MAX);
        self.tally.violations += 1;
        self.expected_kills.insert(worker);
        self.drain();
        assert!(self.workers[worker].killed);
        assert!(self.expected_kills.is_empty());
        // Nothing it says counts from now on, true or not.
        let verdict = self.scheduler.finished(id, job, from, to, 1);
        assert_eq!(verdict, Verdict::Violation);
    }

    pub(super) fn answer_recall(&mut self, worker: usize, job: JobId, from: u32, to: u32) {
        let w = &mut self.workers[worker];
        if w.killed || !w.asked_back.contains(&(job, from)) {
            return;
        }
        let begun = |at: usize| at == 0 && w.begun;
        let place = w
            .queue
            .iter()
            .position(|part| part.job == job && part.from == from)
            .filter(|&at| !begun(at));
        if let Some(at) = place {
            w.queue.remove(at);
            self.tally.recalled += 1;
            self.recall_report(worker, job, from, to);
        } else {
            w.asked_back.remove(&(job, from));
            w.refused.insert((job, from));
            self.recalls_open -= 1;
            self.tally.refused += 1;
            self.scheduler.claimed(WorkerId(worker as u32), job, from);
        }
    }

    fn recall_report(&mut self, worker: usize, job: JobId, from: u32, to: u32) {
        let w = &mut self.workers[worker];
        let Some(at) = w
            .view
            .iter()
            .position(|part| part.job == job && part.from == from && part.to == to)
        else {
            panic!("the books are wrong");
        };
        w.view.remove(at);
        w.asked_back.remove(&(job, from));
        self.recalls_open -= 1;
        self.unview_items(job, from, to, true);
        let verdict = self
            .scheduler
            .recalled(WorkerId(worker as u32), job, from, to);
        let cancelled = self.calls[self.jobs[&job].call].cancelled;
        assert_eq!(verdict == Verdict::Discard, cancelled);
        assert_ne!(verdict, Verdict::Violation);
    }
}
