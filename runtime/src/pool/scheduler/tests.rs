//! Tests of the scheduler: simulated pools from random plans, and the rules one by one.
//!
//! When a simulation fails, proptest prints the smallest plan it found and keeps its seed in
//! `proptest-regressions/pool/scheduler/tests.txt`, from which every later run plays it first; the printed plan can
//! also be given to `Sim::new` in a test of its own. `PROPTEST_CASES=10000` looks longer.

use proptest::prelude::*;

use super::sim::{CallPlan, Odds, Plan, Sim};
use super::*;

fn call_plan() -> impl Strategy<Value = CallPlan> {
    (
        (0..20_000_000u64, 0..400u64, -50..50i64, 0..7u32, 1..10u64),
        prop::option::weighted(0.2, 0..40_000_000u64),
        (any::<bool>(), any::<bool>(), 0..4u32, 1..200u32),
        prop::option::weighted(0.2, 1..20u32),
    )
        .prop_map(
            |((at, items, surprise, power, digit), cancel_at, spec, window)| CallPlan {
                at,
                items,
                surprise,
                item_ns: digit * 10u64.pow(power),
                cancel_at,
                spec: CallSpec {
                    stretch: 1,
                    items: spec.0.then_some(0),
                    chunked: spec.1,
                    retries: spec.2,
                    max_chunk: spec.3,
                    window,
                    pace: Pace::default(),
                },
            },
        )
}

fn odds() -> impl Strategy<Value = Odds> {
    let odds = || prop_oneof![2 => Just(0u64), 2 => 0..1_000u64, 1 => 0..20_000u64];
    (
        (odds(), odds(), odds(), odds()),
        (odds(), odds(), odds(), 0..100_000u64),
    )
        .prop_map(|(a, b)| Odds {
            fail: a.0,
            die_running: a.1,
            die_between: a.2,
            die_starting: a.3,
            no_start: b.0 / 4,
            lie: b.1,
            hand_back: b.2,
            perish: b.3,
        })
}

fn plan(workers: u32) -> impl Strategy<Value = Plan> {
    (
        (any::<u64>(), 1..=workers, any::<bool>()),
        (prop_oneof![Just(512u32), 1..10u32], 1..6u32, 1..12u32),
        prop::collection::vec(call_plan(), 1..6),
        prop::collection::vec((0..40_000_000u64, 1..=workers), 0..4),
        prop::collection::vec(0..40_000_000u64, 0..10),
        odds(),
    )
        .prop_map(|(head, policy, calls, resizes, kills, odds)| Plan {
            seed: head.0,
            workers: head.1,
            policy: Policy {
                max_window: policy.0,
                chunk_depth: policy.1,
                max_barren_deaths: policy.2,
                ..Policy::default()
            },
            calls,
            resizes,
            kills,
            odds,
            prompt_recalls: head.2,
            audit_every: 1,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_item_resolves_once(plan in plan(64)) {
        Sim::new(plan).run();
    }
}

/// Submits, sends and finishes `items` single-item jobs as fast as the scheduler can, and gives nanoseconds per item.
fn dispatch_rate(workers: u32, items: u64, apply: bool) -> f64 {
    let mut s = Scheduler::new(Policy::default());
    s.resize(workers);
    while let Some(action) = s.next_action() {
        if let Action::Start { worker } = action {
            s.worker_up(worker);
        }
    }
    let mut rings: Vec<VecDeque<Part>> = vec![VecDeque::new(); workers as usize];
    let mut start = std::time::Instant::now();
    let (mut submitted, mut finished) = (0, 0);
    let mut call = None;
    // The first eighth warms up.
    let mut warm = false;
    while finished < items {
        if !warm && finished >= items / 8 {
            warm = true;
            start = std::time::Instant::now();
        }
        let id = *call.get_or_insert_with(|| match s.open_call(CallSpec::default()) {
            Ok(call) => call,
            Err(error) => panic!("{error}"),
        });
        let room = if apply { 1 } else { s.room(id) };
        for _ in 0..u64::from(room).min(items - submitted) {
            submitted += 1;
            assert!(s.submit(id, 1).is_ok());
        }
        if apply {
            s.input_done(id);
        }
        loop {
            match s.next_action() {
                Some(Action::Send { worker, part }) => rings[worker.0 as usize].push_back(part),
                Some(Action::CallDone { .. }) => call = None,
                Some(_) => {}
                None => break,
            }
        }
        for (worker, ring) in rings.iter_mut().enumerate() {
            for _ in 0..ring.len().div_ceil(2) {
                let Some(part) = ring.pop_front() else { break };
                let worker = WorkerId(worker as u32);
                let verdict = s.finished(worker, part.job, part.from, part.to, 100);
                assert_eq!(verdict, Verdict::Accept);
                finished += 1;
            }
        }
        if apply {
            while let Some(action) = s.next_action() {
                if let Action::CallDone { .. } = action {
                    call = None;
                }
            }
        }
    }
    start.elapsed().as_nanos() as f64 / (items - items / 8) as f64
}

#[test]
#[ignore = "prints figures: cargo test --release -p mp-runtime --lib dispatch_rate -- --ignored --nocapture"]
fn dispatch_rates() {
    for workers in [2, 64, 1024] {
        let mut runs: Vec<f64> = (0..7)
            .map(|_| dispatch_rate(workers, 1_000_000, false))
            .collect();
        runs.sort_by(f64::total_cmp);
        println!(
            "{workers} workers: {:.1} / {:.1} / {:.1} ns a job, {:.1} M/s",
            runs[0],
            runs[3],
            runs[6],
            1e3 / runs[3]
        );
    }
    println!("a call each: {:.1} ns", dispatch_rate(2, 1_000_000, true));
}
