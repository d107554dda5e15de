//! Windows, chunks, turns, recalls: what is sent to whom, and when.

use super::*;

#[test]
fn idle_workers_come_first_and_the_unknown_is_sent_sparingly() {
    let mut pool = Pool::new(4);
    pool.call_of(CallSpec::default(), 20);
    pool.drain();
    let mut first: Vec<u32> = pool.sent[..4].iter().map(|sent| sent.0).collect();
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2, 3]);
    assert_eq!(pool.sent.len(), 8);
    assert!((0..4).all(|worker| pool.s.outstanding(WorkerId(worker)) == 2));
    assert!(pool.s.has_backlog());
}

#[test]
fn windows_follow_the_measured_time() {
    for (ns, parts) in [
        (0, 507),
        (100, 507),
        (1_000, 150),
        (50_000, 3),
        (100_000, 2),
        (5_000_000, 2),
        (10_000_000, 1),
        (u64::MAX, 1),
    ] {
        let mut pool = Pool::new(1);
        pool.call_of(paced(ns), 600);
        pool.drain();
        assert_eq!(pool.sent.len(), parts, "{ns} ns");
    }
    // The caller's own window, whatever the time.
    for ns in [1, 1_000_000_000] {
        let mut pool = Pool::new(1);
        let window = Some(7);
        pool.call_of(
            CallSpec {
                window,
                ..paced(ns)
            },
            600,
        );
        pool.drain();
        assert_eq!(pool.sent.len(), 7);
    }
}

#[test]
fn a_window_opens_once_a_time_is_known() {
    let mut pool = Pool::new(1);
    pool.call_of(CallSpec::default(), 600);
    pool.drain();
    assert_eq!(pool.sent.len(), 2);
    let (worker, part) = pool.sent[0];
    assert_eq!(pool.finish(worker, part, 200), Verdict::Accept);
    pool.drain();
    assert!(pool.s.outstanding(WorkerId(0)) > 200);
}

#[test]
fn one_outlier_does_not_close_a_window_for_long() {
    let mut pace = pace(100);
    for _ in 0..100 {
        pace.sample(1, 100);
    }
    pace.sample(1, 50_000_000);
    assert!(pace.each().is_some_and(|each| each < 500.0));
    // But a change that lasts is believed.
    for _ in 0..30 {
        pace.sample(1, 50_000_000);
    }
    assert!(pace.each().is_some_and(|each| each > 20_000_000.0));
}

#[test]
fn chunks_have_the_measured_size_and_share_out_the_end() {
    let mut pool = Pool::new(2);
    let spec = CallSpec {
        chunked: true,
        items: Some(1_000_000),
        ..CallSpec::default()
    };
    let call = pool.open(spec);
    assert_eq!(pool.s.chunk(call), 1);
    pool.submit(call, 1);
    pool.drain();
    let (worker, first) = pool.sent[0];
    pool.finish(worker, first, 100);
    assert_eq!(pool.s.chunk(call), 2_000);
    let max_chunk = 500;
    let limited = pool.open(CallSpec {
        chunked: true,
        max_chunk,
        ..paced(100)
    });
    assert_eq!(pool.s.chunk(limited), 500);
    // 8,000 are left for two workers: an eighth each, then never less than what is worth a message.
    pool.submit(call, 991_999);
    assert_eq!(pool.s.chunk(call), 1_000);
    pool.submit(call, 7_800);
    assert_eq!(pool.s.chunk(call), 200);
    pool.submit(call, 150);
    assert_eq!(pool.s.chunk(call), 50);
    // The expectation was wrong: there is no end in sight any more.
    pool.submit(call, 100);
    assert_eq!(pool.s.chunk(call), 2_000);
    assert!(pool.s.pace(call) == pace(100));
}

#[test]
fn at_most_four_chunks_are_at_a_worker() {
    let mut pool = Pool::new(1);
    let chunked = true;
    let call = pool.open(CallSpec {
        chunked,
        ..paced(10)
    });
    for _ in 0..10 {
        pool.submit(call, 100);
    }
    pool.drain();
    assert_eq!(pool.sent.len(), 4);
}

#[test]
fn the_look_ahead_is_bounded() {
    // Nobody is up yet, and the input has no end.
    let mut s = Scheduler::new(Policy::default());
    s.resize(3);
    for (spec, most) in [(CallSpec::default(), 3 * 3), (paced(1), 3 * 640)] {
        let Ok(call) = s.open_call(spec) else {
            panic!("the pool is open");
        };
        let mut submitted = 0;
        while s.room(call) > 0 {
            assert!(s.submit(call, s.chunk(call)).is_ok());
            submitted += 1;
            assert!(submitted <= most);
        }
        assert!(submitted >= most / 2);
        s.cancel_call(call);
        assert_eq!(s.room(call), 0);
    }
}

#[test]
fn calls_take_turns_whatever_their_kind_and_pace() {
    let mut pool = Pool::new(2);
    let chunked = true;
    let specs = [
        paced(100),
        CallSpec::default(),
        CallSpec {
            chunked,
            ..paced(100)
        },
        paced(1_000_000),
    ];
    let calls: Vec<CallId> = specs.map(|spec| pool.call_of(spec, 2_000).0).into();
    pool.drain();
    let mut finished = vec![0; calls.len()];
    for _ in 0..40 {
        // Each worker does one part after the other, and is refilled after each.
        for worker in 0..2 {
            let Some(at) = pool.sent.iter().position(|sent| sent.0 == worker) else {
                continue;
            };
            let (_, part) = pool.sent.remove(at);
            let slot = pool.s.jobs.at(part.job.slot).call;
            finished[slot as usize] += 1;
            pool.finish(worker, part, 1_000);
            pool.drain();
        }
    }
    assert!(finished.iter().all(|&count| count >= 5), "{finished:?}");
}

#[test]
fn an_idle_worker_gets_what_waits_behind_others() {
    let mut pool = Pool::new(2);
    pool.s.worker_lost(WorkerId(1), None);
    let (call, jobs) = pool.call_of(paced(1_000), 9);
    pool.drain();
    assert!(pool.sent.iter().all(|sent| sent.0 == 0));
    pool.sent.clear();
    pool.s.worker_up(WorkerId(1));
    pool.drain();
    // Half of what it has not begun, from the end.
    let asked: Vec<JobId> = pool.recalls().iter().map(|recall| recall.1.job).collect();
    assert_eq!(asked, [jobs[8], jobs[7], jobs[6], jobs[5]]);
    // No more is asked for while that is under way.
    pool.drain();
    assert_eq!(pool.recalls().len(), 4);
    for job in [jobs[8], jobs[7], jobs[6]] {
        assert_eq!(pool.s.recalled(WorkerId(0), job, 0, 1), Verdict::Accept);
    }
    pool.s.claimed(WorkerId(0), jobs[5], 0);
    pool.drain();
    let parts: Vec<(u32, JobId)> = pool.sent.iter().map(|sent| (sent.0, sent.1.job)).collect();
    assert_eq!(parts[0], (1, jobs[6]));
    assert_eq!(
        pool.s.outstanding(WorkerId(0)) + pool.s.outstanding(WorkerId(1)),
        9
    );
    assert_eq!(pool.s.items_in_flight(), 9);
    assert!(!pool.other.contains(&Action::CallDone { call }));
}

#[test]
fn slots_wait_for_their_release() {
    let mut pool = Pool::new(1);
    let (_, jobs) = pool.call_of(CallSpec::default(), 1);
    pool.drain();
    pool.finish(0, part(jobs[0], 0, 1), 5);
    // Not drained: the driver does not know yet that the payload is free.
    let (_, next) = pool.call_of(CallSpec::default(), 1);
    assert_ne!(next[0].slot(), jobs[0].slot());
    pool.drain();
    let (_, third) = pool.call_of(CallSpec::default(), 1);
    assert_eq!(third[0].slot(), jobs[0].slot());
    assert_ne!(third[0], jobs[0]);
}
