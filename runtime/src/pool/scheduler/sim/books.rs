//! The simulation's own books, and their comparison with the scheduler's.

use super::super::workers::{Mode, State};
use super::*;

impl Sim {
    pub(super) fn unview(&mut self, part: &Part, from: u32, to: u32) {
        self.unview_items(part.job, from, to, true);
    }

    pub(super) fn unview_items(&mut self, job: JobId, from: u32, to: u32, whole: bool) {
        let Some(booked) = self.jobs.get_mut(&job) else {
            panic!("a released job is out");
        };
        booked.views -= u32::from(whole);
        self.in_flight -= u64::from(to - from);
        for item in from..to {
            let item =
                &mut self.calls[booked.call].items[(booked.first + u64::from(item)) as usize];
            item.held_by = None;
            self.runnable += u64::from(!item.resolved);
        }
    }

    pub(super) fn resolve(&mut self, call: usize, first: u64, count: u32) {
        let booked = &mut self.calls[call];
        for item in first..first + u64::from(count) {
            let item = &mut booked.items[item as usize];
            assert!(!item.resolved, "an item is resolved twice");
            item.resolved = true;
            self.runnable -= u64::from(item.held_by.is_none());
            booked.unresolved -= 1;
        }
        let table = &self.calls[call].jobs;
        let at = table.partition_point(|&(start, _)| start <= first) - 1;
        let Some(job) = self.jobs.get_mut(&table[at].1) else {
            panic!("an item of a released job is resolved");
        };
        assert!(first + u64::from(count) - job.first <= u64::from(u32::MAX));
        job.unresolved -= count;
    }

    /// Compares the scheduler's counters and lists with what they count and list, and its promises with the books.
    pub(super) fn audit(&self) {
        let s = &self.scheduler;
        let mut waiting = 0;
        let mut recalling = 0;
        let mut present = 0;
        // How often each worker is listed, counted once and not looked for.
        let listed = |list: &mut dyn Iterator<Item = &u32>| {
            let mut counts = vec![0usize; s.workers.len()];
            list.for_each(|&worker| counts[worker as usize] += 1);
            counts
        };
        let idle_list = listed(&mut s.idle.iter());
        let crowded = listed(&mut s.crowded.iter());
        let roomy = [SINGLES, CHUNKS].map(|kind| listed(&mut s.roomy[kind].iter()));
        for (index, worker) in s.workers.iter().enumerate() {
            present += u32::from(matches!(worker.state, State::Starting | State::Up));
            let mut load = [0; 2];
            let mut count = [0; 2];
            let mut own = 0;
            let mut short = 0;
            for (at, sent) in worker.sent.iter().enumerate() {
                load[usize::from(sent.kind)] += sent.weight;
                count[usize::from(sent.kind)] += 1;
                own += u32::from(sent.mode == Mode::Waiting);
                short += u32::from(sent.short);
                recalling += u32::from(sent.mode == Mode::Recalling);
                assert!(at > 0 || sent.mode != Mode::Waiting);
            }
            assert_eq!(load, worker.load);
            assert_eq!(own, worker.waiting);
            assert_eq!(short, worker.short);
            assert!(count[CHUNKS] <= self.plan.policy.chunk_depth);
            waiting += own;
            if own > 0 {
                assert!(worker.in_crowded && crowded[index] > 0);
            }
            let idle = worker.usable() && worker.sent.is_empty();
            assert_eq!(usize::from(idle), idle_list[index]);
            for kind in [SINGLES, CHUNKS] {
                assert_eq!(roomy[kind][index], usize::from(worker.in_roomy[kind]));
                let most = self.plan.policy.max_window as usize;
                let room = worker.load[kind] < s.windows[kind].target && worker.sent.len() < most;
                assert!(!(worker.usable() && room) || idle || worker.in_roomy[kind]);
            }
            let (view, sent) = (&self.workers[index].view, &worker.sent);
            assert!(view.iter().zip(sent).all(|(view, sent)| {
                (view.job, view.from, view.to) == (sent.job, sent.from, sent.to)
            }));
            assert_eq!(view.len(), sent.len());
        }
        assert_eq!((waiting, recalling), (s.waiting, s.recalling));
        assert_eq!(u64::from(recalling), self.recalls_open);
        assert_eq!(present, s.present);
        for slot in s.calls.live() {
            let call = s.calls.at(slot);
            let queued = s.rounds[call.kind].iter().filter(|&&c| c == slot).count();
            assert_eq!(queued, usize::from(!call.queue.is_empty()));
        }
        self.audit_promises();
    }

    /// Nobody is idle while a part is queued; nobody is idle while parts wait at another worker, unless some are asked
    /// back already. Where short parts are kept to some of the workers, others may be.
    pub(super) fn audit_promises(&self) {
        let credible = |w: &&Virtual| w.up && !w.killed && !w.retired && w.cut.is_none();
        let idle = self
            .workers
            .iter()
            .filter(credible)
            .any(|w| w.view.is_empty());
        let idle = idle && !self.scheduler.is_crowded();
        if idle {
            assert_eq!(self.runnable, 0, "a worker is idle while parts are queued");
        }
        let waits = |w: &Virtual, part: &Part| !w.refused.contains(&(part.job, part.from));
        let waiting = |w: &Virtual| w.view.iter().skip(1).any(|part| waits(w, part));
        if idle && self.recalls_open == 0 {
            let crowd = self.workers.iter().filter(credible).find(|w| waiting(w));
            assert!(
                crowd.is_none(),
                "a worker is idle while parts wait at another"
            );
        }
        for call in &self.calls {
            assert!(!call.cancelled || call.unresolved == 0);
        }
    }
}

/// What tests ask besides.
impl Scheduler {
    /// How many parts the worker holds.
    pub(in super::super) fn outstanding(&self, worker: WorkerId) -> usize {
        self.workers
            .get(worker.0 as usize)
            .map_or(0, |worker| worker.sent.len())
    }

    /// What the worker is on.
    pub(in super::super) fn first_of(&self, worker: WorkerId) -> Option<Part> {
        let sent = self.workers.get(worker.0 as usize)?.sent.front()?;
        Some(Part {
            job: sent.job,
            from: sent.from,
            to: sent.to,
        })
    }

    /// Whether parts are queued that no worker has room for.
    pub(in super::super) fn has_backlog(&self) -> bool {
        self.rounds.iter().any(|round| !round.is_empty())
    }
}
