//! Deaths, retries, cancelling, closing: how items, calls and workers end.

use super::*;

#[test]
fn a_death_fails_the_running_item_and_nothing_else() {
    let mut pool = Pool::new(1);
    let chunked = true;
    let call = pool.open(CallSpec {
        chunked,
        ..paced(10)
    });
    let (a, b) = (pool.submit(call, 10), pool.submit(call, 5));
    pool.s.input_done(call);
    pool.drain();
    assert_eq!(pool.s.finished(WorkerId(0), a, 0, 3, 30), Verdict::Accept);
    // It is on item 6: 3 to 5 ran, but their results perished with it.
    pool.s.worker_lost(WorkerId(0), Some((a, 6)));
    pool.sent.clear();
    pool.drain();
    assert_eq!(pool.starts(), [0]);
    let attempt = 1;
    let item = 6;
    assert!(pool.other.contains(&Action::ItemLost {
        call,
        item,
        attempt,
        late: false
    }));
    pool.s.worker_up(WorkerId(0));
    pool.drain();
    let parts: Vec<Part> = pool.sent.iter().map(|sent| sent.1).collect();
    assert_eq!(parts, [part(a, 3, 6), part(a, 7, 10), part(b, 0, 5)]);
    pool.other.clear();
    for part in parts {
        assert_eq!(pool.finish(0, part, 10), Verdict::Accept);
    }
    pool.drain();
    assert_eq!(
        pool.other,
        [
            Action::Release { job: a },
            Action::Release { job: b },
            Action::CallDone { call }
        ]
    );
    assert!(pool.s.is_idle());
}

#[test]
fn a_worker_lost_on_nothing_blames_nobody() {
    let mut pool = Pool::new(1);
    let (_, jobs) = pool.call_of(paced(1_000), 3);
    pool.drain();
    let held: Vec<Part> = pool.sent.drain(..).map(|sent| sent.1).collect();
    pool.finish(0, held[0], 10);
    // What it claimed last is finished: between that and the next claim it was on nothing.
    pool.s.worker_lost(WorkerId(0), Some((jobs[0], 0)));
    pool.drain();
    pool.s.worker_up(WorkerId(0));
    pool.drain();
    let again: Vec<Part> = pool.sent.iter().map(|sent| sent.1).collect();
    assert_eq!(again, held[1..]);
    assert!(
        !pool
            .other
            .iter()
            .any(|action| matches!(action, Action::ItemLost { .. }))
    );
}

#[test]
fn retries_are_counted_over_failures_and_deaths() {
    let mut pool = Pool::new(1);
    let (call, jobs) = pool.call_of(
        CallSpec {
            retries: 2,
            ..CallSpec::default()
        },
        1,
    );
    pool.drain();
    let failed = pool.s.failed(WorkerId(0), jobs[0], 0);
    assert_eq!(failed, Failed::Retry { attempt: 2 });
    pool.drain();
    pool.s.worker_lost(WorkerId(0), Some((jobs[0], 0)));
    pool.s.worker_up(WorkerId(0));
    pool.drain();
    assert_eq!(pool.sent.len(), 3);
    let failed = pool.s.failed(WorkerId(0), jobs[0], 0);
    assert_eq!(
        failed,
        Failed::Resolve {
            attempt: 3,
            late: false
        }
    );
    pool.drain();
    assert!(pool.other.contains(&Action::CallDone { call }));
}

#[test]
fn cancelling_drops_at_once_and_keeps_payloads_that_are_in_use() {
    let mut pool = Pool::new(1);
    let (call, jobs) = pool.call_of(CallSpec::default(), 4);
    pool.drain();
    assert_eq!(pool.sent.len(), 2);
    pool.s.cancel_call(call);
    pool.s.cancel_call(call);
    pool.drain();
    let dropped = |action: &&Action| matches!(action, Action::ItemsDropped { .. });
    assert_eq!(pool.other.iter().filter(dropped).count(), 4);
    assert!(pool.other.contains(&Action::Release { job: jobs[3] }));
    assert!(!pool.other.contains(&Action::Release { job: jobs[0] }));
    assert_eq!(pool.recalls(), [(0, part(jobs[1], 0, 1))]);
    let verdict = pool.s.recalled(WorkerId(0), jobs[1], 0, 1);
    assert_eq!(verdict, Verdict::Discard);
    let Err(error) = pool.s.submit(call, 1) else {
        panic!("the call is cancelled");
    };
    assert!(error.is_cancelled());
    assert_eq!(pool.finish(0, part(jobs[0], 0, 1), 5), Verdict::Discard);
    pool.drain();
    assert_eq!(pool.other.last(), Some(&Action::CallDone { call }));
    assert!(pool.s.is_idle());
}

#[test]
fn nothing_waits_for_workers_that_cannot_start() {
    let mut pool = Pool::new(2);
    let (call, jobs) = pool.call_of(CallSpec::default(), 5);
    pool.drain();
    for worker in 0..2 {
        pool.s.worker_lost(WorkerId(worker), None);
        pool.s.worker_cannot_start(WorkerId(worker));
    }
    pool.drain();
    let why = Why::NoWorkers;
    let count = 1;
    for first in 0..5 {
        assert!(pool.other.contains(&Action::ItemsDropped {
            call,
            first,
            count,
            why
        }));
    }
    assert_eq!(jobs.len(), 5);
    assert_eq!(pool.other.last(), Some(&Action::CallDone { call }));
    assert!(pool.s.is_hopeless());
    // What comes later does not wait either, until someone asks for workers again.
    pool.other.clear();
    let (late, _) = pool.call_of(CallSpec::default(), 1);
    pool.drain();
    assert_eq!(pool.other.last(), Some(&Action::CallDone { call: late }));
    pool.s.resize(2);
    pool.drain();
    assert_eq!(pool.starts(), [0, 1]);
    assert!(!pool.s.is_hopeless());
}

#[test]
fn a_slot_that_only_dies_is_given_up() {
    let mut pool = Pool::new(1);
    let (_, jobs) = pool.call_of(CallSpec::default(), 3);
    pool.drain();
    for death in 0..25 {
        // Something is done in the tenth life: the count begins again.
        if death == 9 {
            pool.finish(0, part(jobs[0], 0, 1), 5);
        }
        pool.s.worker_lost(WorkerId(0), None);
        pool.drain();
        pool.s.worker_up(WorkerId(0));
        pool.drain();
    }
    assert_eq!(pool.starts().len(), 18);
    assert!(pool.s.is_hopeless() && pool.s.is_idle());
}

#[test]
fn a_task_that_always_kills_its_worker_is_tried_on_every_item() {
    let mut pool = Pool::new(1);
    let (call, _) = pool.call_of(CallSpec::default(), 50);
    for _ in 0..50 {
        pool.drain();
        let head = pool.sent[0].1;
        pool.sent.clear();
        pool.s.worker_lost(WorkerId(0), Some((head.job, 0)));
        pool.s.worker_up(WorkerId(0));
    }
    pool.drain();
    let lost = |action: &&Action| matches!(action, Action::ItemLost { .. });
    assert_eq!(pool.other.iter().filter(lost).count(), 50);
    assert!(pool.other.contains(&Action::CallDone { call }));
}

#[test]
fn shrinking_lets_idle_workers_go_first() {
    let mut pool = Pool::new(4);
    pool.call_of(paced(20_000_000), 1);
    pool.drain();
    let (busy, running) = pool.sent[0];
    pool.s.resize(1);
    pool.drain();
    let mut retired = pool.retired();
    retired.sort_unstable();
    assert!(retired.len() == 3 && !retired.contains(&busy));
    // Growing again waits for those slots to be empty.
    pool.s.resize(2);
    pool.drain();
    assert_eq!(pool.starts(), []);
    pool.s.worker_lost(WorkerId(retired[0]), None);
    pool.drain();
    assert_eq!(pool.starts(), [retired[0]]);
    assert_eq!(pool.finish(busy, running, 5), Verdict::Accept);
}

#[test]
fn closing_ends_what_is_open_and_lets_everybody_go() {
    let mut pool = Pool::new(2);
    let (call, jobs) = pool.call_of(CallSpec::default(), 1);
    pool.drain();
    let (worker, running) = pool.sent[0];
    pool.s.close();
    let Err(error) = pool.s.open_call(CallSpec::default()) else {
        panic!("the pool is closed");
    };
    assert!(error.is_closed());
    // A death meanwhile is made good, because there is work left.
    pool.s.worker_lost(WorkerId(worker), None);
    pool.drain();
    assert_eq!(pool.starts(), [worker]);
    let (other, moved) = pool.sent[1];
    assert_eq!((moved, other), (running, 1 - worker));
    pool.other.clear();
    pool.finish(other, moved, 5);
    pool.drain();
    assert_eq!(
        pool.other,
        [
            Action::Release { job: jobs[0] },
            Action::CallDone { call },
            Action::Retire {
                worker: WorkerId(other)
            }
        ]
    );
    pool.s.worker_up(WorkerId(worker));
    pool.drain();
    assert_eq!(pool.retired(), [other, worker]);
    for worker in 0..2 {
        pool.s.worker_lost(WorkerId(worker), None);
    }
    pool.drain();
    assert_eq!(pool.starts(), []);
    assert!(pool.s.is_idle());
}

#[test]
fn a_worker_that_lies_is_killed_and_blamed() {
    let mut pool = Pool::new(1);
    let (call, jobs) = pool.call_of(paced(1_000), 2);
    pool.drain();
    assert_eq!(pool.finish(0, part(NOBODY, 0, 1), 5), Verdict::Violation);
    assert_eq!(pool.finish(0, part(jobs[0], 0, 1), 5), Verdict::Violation);
    assert_eq!(pool.finish(7, part(jobs[0], 0, 1), 5), Verdict::Violation);
    pool.drain();
    assert_eq!(
        pool.other,
        [Action::Kill {
            worker: WorkerId(0)
        }]
    );
    pool.s.worker_lost(WorkerId(0), Some((NOBODY, u32::MAX)));
    pool.drain();
    let attempt = 1;
    assert!(pool.other.contains(&Action::ItemLost {
        call,
        item: 0,
        attempt,
        late: false
    }));
    assert_eq!(pool.starts(), [0]);
}

#[test]
fn only_the_end_of_a_part_can_be_handed_back() {
    let mut pool = Pool::new(1);
    let chunked = true;
    let call = pool.open(CallSpec {
        chunked,
        ..paced(10)
    });
    let job = pool.submit(call, 10);
    pool.drain();
    pool.sent.clear();
    assert_eq!(pool.s.finished(WorkerId(0), job, 0, 2, 20), Verdict::Accept);
    assert_eq!(pool.s.returned(WorkerId(0), job, 6, 10), Verdict::Accept);
    assert_eq!(pool.s.items_in_flight(), 4);
    pool.drain();
    assert_eq!(pool.sent, [(0, part(job, 6, 10))]);
    assert_eq!(pool.s.returned(WorkerId(0), job, 2, 5), Verdict::Violation);
}

#[test]
fn everything_is_cancelled_at_once() {
    let mut pool = Pool::new(2);
    let calls: Vec<CallId> = (0..1_000)
        .map(|_| pool.call_of(paced(1_000), 2).0)
        .collect();
    let open = pool.open(CallSpec::default());
    pool.drain();
    pool.s.cancel_call(calls[0]);
    pool.s.cancel_all();
    pool.drain();
    let dropped = |action: &&Action| matches!(action, Action::ItemsDropped { .. });
    assert_eq!(pool.other.iter().filter(dropped).count(), 2_000);
    assert!(pool.other.contains(&Action::CallDone { call: open }));
    assert!(!pool.s.has_backlog() && !pool.s.is_idle());
    // What the workers hold comes back in one way or another.
    for (worker, part) in pool.recalls() {
        let verdict = pool
            .s
            .recalled(WorkerId(worker), part.job, part.from, part.to);
        assert_eq!(verdict, Verdict::Discard);
    }
    for worker in 0..2 {
        pool.s.worker_lost(WorkerId(worker), None);
    }
    pool.drain();
    assert!(pool.s.is_idle());
    let done = |action: &&Action| matches!(action, Action::CallDone { .. });
    assert_eq!(pool.other.iter().filter(done).count(), 1_001);
}

#[test]
fn what_is_queued_can_be_dropped_alone() {
    let mut pool = Pool::new(1);
    let (first, jobs) = pool.call_of(paced(50_000_000), 3);
    let (second, _) = pool.call_of(paced(50_000_000), 2);
    pool.drain();
    assert_eq!(pool.sent, [(0, part(jobs[0], 0, 1))]);
    pool.s.cancel_queued();
    pool.drain();
    let dropped = |action: &&Action| matches!(action, Action::ItemsDropped { .. });
    assert_eq!(pool.other.iter().filter(dropped).count(), 4);
    assert_eq!(pool.other.last(), Some(&Action::CallDone { call: second }));
    assert!(pool.s.submit(first, 1).is_err());
    assert_eq!(pool.finish(0, part(jobs[0], 0, 1), 5), Verdict::Accept);
    pool.drain();
    assert_eq!(pool.other.last(), Some(&Action::CallDone { call: first }));
}
