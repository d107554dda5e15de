//! Deadlines, graces, ending what runs, replacing workers.

use super::*;

const MS: u64 = 1_000_000;

fn timed(timeout_ms: u64, grace_ms: u64) -> CallSpec {
    CallSpec {
        timeout_ns: Some(timeout_ms * MS),
        grace_ns: grace_ms * MS,
        ..CallSpec::default()
    }
}

impl Pool {
    /// The clock is at `ms`; a worker that is due is on this.
    fn at(&mut self, ms: u64, at: At) {
        self.s.tick(ms * MS);
        while let Some(worker) = self.s.due() {
            self.s.checked(worker, at);
        }
        self.drain();
    }

    fn cuts(&self) -> Vec<u32> {
        let cut = |action: &Action| match action {
            Action::Cut { worker, .. } => Some(worker.0),
            _ => None,
        };
        self.other.iter().filter_map(cut).collect()
    }
}

fn on(job: JobId, item: u32, since_ms: u64) -> At {
    let since = since_ms * MS;
    At::Item { job, item, since }
}

#[test]
fn the_time_runs_from_the_claim() {
    let mut pool = Pool::new(1);
    let (call, jobs) = pool.call_of(timed(10, 0), 1);
    pool.drain();
    assert_eq!(pool.s.next_deadline(), Some(10 * MS));
    // It began late.
    pool.at(10, on(jobs[0], 0, 4));
    assert_eq!(
        (pool.cuts().len(), pool.s.next_deadline()),
        (0, Some(14 * MS))
    );
    pool.at(14, on(jobs[0], 0, 4));
    assert_eq!((pool.cuts(), pool.s.next_deadline()), (vec![0], None));
    pool.s.worker_lost(WorkerId(0), Some((jobs[0], 0)));
    pool.drain();
    let (item, attempt, late) = (0, 1, true);
    assert!(pool.other.contains(&Action::ItemLost {
        call,
        item,
        attempt,
        late
    }));
    assert!(pool.other.contains(&Action::CallDone { call }));
    assert!(pool.s.is_idle() && !pool.s.is_timed());
}

#[test]
fn who_has_got_past_the_item_is_not_to_blame() {
    let mut pool = Pool::new(1);
    let call = pool.open(CallSpec {
        chunked: true,
        ..timed(10, 0)
    });
    let job = pool.submit(call, 3);
    pool.s.input_done(call);
    pool.drain();
    pool.at(10, on(job, 1, 0));
    assert_eq!(pool.cuts(), [0]);
    // What it delivers meanwhile counts; the kill has met it on the next item.
    assert_eq!(pool.finish(0, part(job, 0, 2), 5), Verdict::Accept);
    pool.sent.clear();
    pool.s.worker_lost(WorkerId(0), Some((job, 2)));
    pool.s.worker_up(WorkerId(0));
    pool.drain();
    assert_eq!(pool.sent, [(0, part(job, 2, 3))]);
    assert!(
        !pool
            .other
            .iter()
            .any(|action| matches!(action, Action::ItemLost { .. }))
    );
}

#[test]
fn a_worker_that_begins_nothing_is_replaced() {
    let mut pool = Pool::new(1);
    let (_, jobs) = pool.call_of(timed(10, 5), 1);
    pool.drain();
    // One that is not up yet is given time.
    pool.at(10, At::NotUp);
    assert_eq!(pool.s.next_deadline(), Some(1000 * MS));
    pool.at(1000, At::Nothing);
    assert_eq!(pool.cuts(), [0]);
    pool.sent.clear();
    pool.s.worker_lost(WorkerId(0), None);
    pool.s.worker_up(WorkerId(0));
    pool.drain();
    assert_eq!(pool.sent, [(0, part(jobs[0], 0, 1))]);
}

#[test]
fn a_worker_that_never_comes_up_holds_no_item() {
    let mut pool = Pool::new(1);
    let (_, jobs) = pool.call_of(timed(10, 5), 1);
    pool.drain();
    let mut now = 0;
    // The longer the more often it happens, up to eight seconds; then the slot is given up.
    for (death, patience) in [1000, 2000, 4000, 8000, 8000].into_iter().enumerate() {
        pool.at(now + 10, At::NotUp);
        assert_eq!(pool.cuts().len(), death);
        pool.at(now + patience, At::NotUp);
        assert_eq!(pool.cuts().len(), death + 1);
        pool.sent.clear();
        pool.s.worker_lost(WorkerId(0), None);
        pool.s.worker_up(WorkerId(0));
        pool.drain();
        assert_eq!(pool.sent, [(0, part(jobs[0], 0, 1))]);
        now += patience;
    }
    for _ in 5..10 {
        assert!(pool.s.has_workers());
        now += 8000;
        pool.at(now, At::NotUp);
        pool.s.worker_lost(WorkerId(0), None);
        pool.s.worker_up(WorkerId(0));
        pool.drain();
    }
    assert!(pool.s.is_hopeless() && pool.s.is_idle());
    // An item that may take longer than that gives its worker as long.
    let mut pool = Pool::new(1);
    pool.call_of(timed(5_000, 0), 1);
    pool.drain();
    pool.at(4_999, At::NotUp);
    assert!(pool.cuts().is_empty());
    pool.at(5_000, At::NotUp);
    assert_eq!(pool.cuts(), [0]);
    // One that comes up at last has its chance.
    let mut pool = Pool::new(1);
    let (_, jobs) = pool.call_of(timed(10, 0), 1);
    pool.drain();
    pool.at(10, At::NotUp);
    pool.at(1_000, on(jobs[0], 0, 995));
    assert_eq!(pool.s.next_deadline(), Some(1_005 * MS));
    assert!(pool.cuts().is_empty());
}

#[test]
fn a_worker_that_takes_too_long_to_start_is_killed() {
    let mut pool = Pool::new(2);
    pool.s.worker_lost(WorkerId(0), None);
    pool.drain();
    pool.s.must_be_up_by(WorkerId(0), 50 * MS);
    // One that is up has no such time.
    pool.s.must_be_up_by(WorkerId(1), 20 * MS);
    assert_eq!(pool.s.next_deadline(), Some(50 * MS));
    pool.other.clear();
    pool.at(50, At::NotUp);
    let kill = Action::Kill {
        worker: WorkerId(0),
    };
    assert_eq!(pool.other, [kill]);
    // What it says now comes too late.
    pool.s.worker_up(WorkerId(0));
    assert!(pool.s.is_overdue(WorkerId(0)) && !pool.s.is_overdue(WorkerId(1)));
    pool.s.worker_unfit(WorkerId(0));
    pool.s.worker_lost(WorkerId(0), None);
    pool.drain();
    assert!(!pool.s.is_overdue(WorkerId(0)));
    assert_eq!(pool.starts(), [0]);
    pool.s.must_be_up_by(WorkerId(0), 90 * MS);
    pool.s.worker_up(WorkerId(0));
    assert_eq!(pool.s.next_deadline(), None);
}

#[test]
fn a_worker_that_stands_still_between_two_items_is_replaced() {
    let mut pool = Pool::new(1);
    let call = pool.open(CallSpec {
        chunked: true,
        ..timed(10, 0)
    });
    let job = pool.submit(call, 5);
    pool.s.input_done(call);
    pool.drain();
    // As long as it gets on it is left alone, however often it is seen on its way.
    for step in 0..40 {
        let item = step / 10;
        pool.at(10 + u64::from(step), At::Between { job, item });
    }
    assert_eq!(pool.cuts().len(), 0);
    // Seen there first at 40; the time is up at 50.
    pool.at(49, At::Between { job, item: 3 });
    assert_eq!(pool.cuts().len(), 0);
    pool.at(51, At::Between { job, item: 3 });
    assert_eq!((pool.cuts(), pool.s.next_deadline()), (vec![0], None));
}

#[test]
fn a_grace_comes_before_the_kill() {
    let mut pool = Pool::new(1);
    let (_, jobs) = pool.call_of(timed(10, 5), 2);
    pool.drain();
    pool.at(10, on(jobs[0], 0, 0));
    let (worker, item) = (WorkerId(0), Some(0));
    assert!(pool.other.contains(&Action::Warn {
        worker,
        job: jobs[0],
        item
    }));
    assert_eq!(
        (pool.cuts().len(), pool.s.next_deadline()),
        (0, Some(15 * MS))
    );
    // It ends in time; that it failed is because it was late.
    let failed = pool.s.failed(worker, jobs[0], 0);
    assert_eq!(
        failed,
        Failed::Resolve {
            attempt: 1,
            late: true
        }
    );
    // The next is due; it does not listen.
    pool.at(22, on(jobs[1], 0, 12));
    assert_eq!(pool.s.next_deadline(), Some(27 * MS));
    pool.at(27, on(jobs[1], 0, 12));
    assert_eq!(pool.cuts(), [0]);
}

#[test]
fn ending_a_call_ends_those_who_have_begun_it() {
    let mut pool = Pool::new(2);
    let (call, jobs) = pool.call_of(paced(20 * MS), 2);
    pool.drain();
    let [(first, begun), (second, waiting)] = pool.sent[..] else {
        panic!("one each");
    };
    pool.s.end_call(call);
    pool.drain();
    let mut asked = pool.recalls();
    asked.sort_by_key(|recall| recall.1.job);
    assert_eq!(asked, [(first, begun), (second, waiting)]);
    pool.s.claimed(WorkerId(first), jobs[0], 0);
    pool.s.recalled(WorkerId(second), jobs[1], 0, 1);
    pool.drain();
    assert_eq!(pool.cuts(), [first]);
    pool.s.worker_lost(WorkerId(first), Some((jobs[0], 0)));
    pool.drain();
    assert!(pool.other.contains(&Action::CallDone { call }));
    assert_eq!(pool.starts(), [first]);
    assert!(pool.s.is_idle());
}

#[test]
fn a_worker_that_has_served_its_time_is_replaced() {
    let policy = Policy {
        max_items: Some(2),
        ..Policy::default()
    };
    let mut pool = Pool::with(policy, 1);
    let (call, jobs) = pool.call_of(paced(1_000), 3);
    pool.drain();
    assert_eq!(
        pool.sent,
        [(0, part(jobs[0], 0, 1)), (0, part(jobs[1], 0, 1))]
    );
    pool.finish(0, part(jobs[0], 0, 1), 5);
    pool.drain();
    assert_eq!(pool.retired(), []);
    pool.finish(0, part(jobs[1], 0, 1), 5);
    pool.drain();
    assert_eq!(pool.retired(), [0]);
    // Between the two nobody is there, and nothing is given up.
    assert!(!pool.s.is_hopeless() && pool.s.is_unsettled());
    pool.s.worker_lost(WorkerId(0), None);
    pool.drain();
    assert_eq!(pool.starts(), [0]);
    pool.s.worker_up(WorkerId(0));
    pool.drain();
    pool.finish(0, part(jobs[2], 0, 1), 5);
    pool.drain();
    assert!(pool.other.contains(&Action::CallDone { call }));
}
