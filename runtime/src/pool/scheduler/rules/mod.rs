//! The scheduler's rules one by one, on small pools driven by hand.

use super::sim::NOBODY;
use super::*;

mod crowd;
mod deadlines;
mod ends;
mod sending;

/// A scheduler with its actions sorted into heaps.
struct Pool {
    s: Scheduler,
    sent: Vec<(u32, Part)>,
    other: Vec<Action>,
}

impl Pool {
    /// A pool whose workers are up.
    fn new(workers: u32) -> Self {
        Pool::with(Policy::default(), workers)
    }

    fn with(policy: Policy, workers: u32) -> Self {
        let mut pool = Pool {
            s: Scheduler::new(policy),
            sent: Vec::new(),
            other: Vec::new(),
        };
        pool.s.resize(workers);
        pool.drain();
        assert_eq!(pool.starts(), (0..workers).collect::<Vec<u32>>());
        for worker in 0..workers {
            pool.s.worker_up(WorkerId(worker));
        }
        pool.other.clear();
        pool
    }

    fn drain(&mut self) {
        while let Some(action) = self.s.next_action() {
            match action {
                Action::Send { worker, part } => self.sent.push((worker.0, part)),
                other => self.other.push(other),
            }
        }
    }

    fn starts(&self) -> Vec<u32> {
        let start = |action: &Action| match action {
            Action::Start { worker } => Some(worker.0),
            _ => None,
        };
        self.other.iter().filter_map(start).collect()
    }

    fn retired(&self) -> Vec<u32> {
        let retired = |action: &Action| match action {
            Action::Retire { worker } => Some(worker.0),
            _ => None,
        };
        self.other.iter().filter_map(retired).collect()
    }

    fn recalls(&self) -> Vec<(u32, Part)> {
        let recall = |action: &Action| match action {
            Action::Recall { worker, part } => Some((worker.0, *part)),
            _ => None,
        };
        self.other.iter().filter_map(recall).collect()
    }

    /// Opens a call, of single items where `spec` says nothing else.
    fn open(&mut self, spec: CallSpec) -> CallId {
        match self.s.open_call(spec) {
            Ok(call) => call,
            Err(error) => panic!("{error}"),
        }
    }

    fn submit(&mut self, call: CallId, count: u32) -> JobId {
        match self.s.submit(call, count) {
            Ok(job) => job,
            Err(error) => panic!("{error}"),
        }
    }

    /// A call of `jobs` jobs of one item, submitted whole.
    fn call_of(&mut self, spec: CallSpec, jobs: u32) -> (CallId, Vec<JobId>) {
        let call = self.open(spec);
        let jobs = (0..jobs).map(|_| self.submit(call, 1)).collect();
        self.s.input_done(call);
        (call, jobs)
    }

    fn finish(&mut self, worker: u32, part: Part, ns: u64) -> Verdict {
        self.s
            .finished(WorkerId(worker), part.job, part.from, part.to, ns)
    }
}

/// The pace of items that take `ns` each.
fn pace(ns: u64) -> Pace {
    let mut pace = Pace::default();
    pace.sample(1, ns);
    pace
}

fn paced(ns: u64) -> CallSpec {
    CallSpec {
        pace: pace(ns),
        ..CallSpec::default()
    }
}

fn part(job: JobId, from: u32, to: u32) -> Part {
    Part { job, from, to }
}
