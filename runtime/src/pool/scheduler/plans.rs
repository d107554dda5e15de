//! Simulated pools from random plans, and one large one.
//!
//! When a simulation fails, proptest prints the smallest plan it found and keeps its seed in
//! `proptest-regressions/pool/scheduler/plans.txt`, from which every later run plays it first; the printed plan can
//! also be given to `Sim::new` in a test of its own. `PROPTEST_CASES=10000` looks longer.

use proptest::prelude::*;

use super::sim::{CallPlan, Odds, Plan, Sim};
use super::*;

fn call_plan() -> impl Strategy<Value = CallPlan> {
    (
        (0..20_000_000u64, 0..400u64, -50..50i64, 0..7u32, 1..10u64),
        prop::option::weighted(0.2, 0..40_000_000u64),
        (any::<bool>(), any::<bool>(), 0..4u32, 1..200u32, 1..6u32),
        prop::option::weighted(0.2, 1..20u32),
        (
            prop::option::weighted(0.4, 100_000..10_000_000u64),
            prop_oneof![Just(0u64), 1..1_000_000u64],
            any::<bool>(),
        ),
    )
        .prop_map(
            |((at, items, surprise, power, digit), cancel_at, spec, window, time)| CallPlan {
                at,
                items,
                surprise,
                item_ns: digit * 10u64.pow(power),
                cancel_at,
                by_force: time.2,
                spec: CallSpec {
                    items: spec.0.then_some(0),
                    chunked: spec.1,
                    retries: spec.2,
                    max_chunk: spec.3,
                    window,
                    stretch: spec.4,
                    pace: Pace::default(),
                    timeout_ns: time.0,
                    grace_ns: time.1,
                },
            },
        )
}

fn odds() -> impl Strategy<Value = Odds> {
    let odds = || prop_oneof![2 => Just(0u64), 2 => 0..1_000u64, 1 => 0..20_000u64];
    (
        (odds(), odds(), odds(), odds()),
        (odds(), odds(), odds(), 0..100_000u64, odds()),
        (odds(), odds()),
    )
        .prop_map(|(a, b, c)| Odds {
            fail: a.0,
            die_running: a.1,
            die_between: a.2,
            die_starting: a.3,
            no_start: b.0 / 4,
            lie: b.1,
            hand_back: b.2,
            perish: b.3,
            stall: b.4,
            hang_starting: c.0,
            unborn: c.1,
        })
}

fn plan(workers: u32) -> impl Strategy<Value = Plan> {
    (
        (
            any::<u64>(),
            1..=workers,
            any::<bool>(),
            prop_oneof![Just(1u64), Just(16)],
        ),
        (
            prop_oneof![Just(512u32), 1..10u32],
            1..6u32,
            1..12u32,
            prop::option::weighted(0.3, 1..60u32),
            prop_oneof![Just(u32::MAX), 1..6u32],
        ),
        prop::collection::vec(call_plan(), 1..6),
        prop::collection::vec((0..40_000_000u64, 1..=workers), 0..4),
        prop::collection::vec(0..40_000_000u64, 0..10),
        (
            prop::option::weighted(0.1, 0..40_000_000u64),
            prop::option::weighted(0.3, 500_000..3_000_000u64),
        ),
        odds(),
    )
        .prop_map(
            |(head, policy, calls, resizes, kills, (drop_queued_at, start_ns), odds)| Plan {
                seed: head.0,
                workers: head.1,
                policy: Policy {
                    max_window: policy.0,
                    chunk_depth: policy.1,
                    max_barren_deaths: policy.2,
                    max_items: policy.3,
                    hands: policy.4,
                    ..Policy::default()
                },
                calls,
                resizes,
                kills,
                drop_queued_at,
                odds,
                start_ns,
                prompt_recalls: head.2,
                audit_every: head.3,
            },
        )
}

proptest! {
    #[test]
    fn every_item_resolves_once(plan in plan(64)) {
        Sim::new(plan).run();
    }
}

/// Every kind of thing happens in the simulation: it would prove nothing otherwise.
#[test]
fn the_simulation_is_eventful() {
    let call = |at, retries, chunked, item_ns, cancel_at| CallPlan {
        at,
        items: 1_000,
        surprise: 0,
        item_ns,
        cancel_at,
        by_force: cancel_at.is_some(),
        spec: CallSpec {
            items: Some(0),
            chunked,
            retries,
            timeout_ns: (retries > 0).then_some(60_000),
            grace_ns: 20_000,
            ..CallSpec::default()
        },
    };
    let mut happened = [0; 16];
    for seed in 0..8 {
        let tally = Sim::new(Plan {
            seed,
            workers: 8,
            policy: Policy::default(),
            calls: vec![
                call(0, 1, false, 20_000, None),
                call(100_000, 0, true, 2_000, Some(1_200_000)),
                call(200_000, 0, false, 200, None),
                call(20_000_000, 0, false, 5_000, None),
            ],
            resizes: vec![(2_000_000, 12), (4_000_000, 3), (6_000_000, 6)],
            kills: (0..20).map(|kill| kill * 500_000).collect(),
            drop_queued_at: None,
            odds: Odds {
                fail: 1_000,
                die_running: 500,
                die_between: 500,
                die_starting: 10_000,
                no_start: 1_000,
                lie: 300,
                hand_back: 1_000,
                perish: 50_000,
                stall: 300,
                hang_starting: 10_000,
                unborn: 0,
            },
            start_ns: Some(1_200_000),
            prompt_recalls: false,
            audit_every: 1,
        })
        .run();
        let counts = [
            tally.events,
            tally.sends,
            tally.finished,
            tally.failed,
            tally.retried,
            tally.lost,
            tally.dropped,
            tally.recalled,
            tally.refused,
            tally.returned,
            tally.deaths,
            tally.violations,
            tally.warned,
            tally.cut,
            tally.late,
            tally.overdue,
        ];
        for (sum, count) in happened.iter_mut().zip(counts) {
            *sum += count;
        }
        assert!(tally.end > 20_000_000);
    }
    assert!(happened.iter().all(|&count| count > 0), "{happened:?}");
}

/// Healthy workers are kept busy, whatever the items take: little is lost at the start, between items or at the end.
#[test]
fn workers_are_kept_busy() {
    for (item_ns, items, chunked) in [
        (500, 200_000, true),
        (2_000, 50_000, false),
        (20_000, 20_000, false),
        (20_000, 20_000, true),
        (1_000_000, 1_000, false),
        (30_000_000, 200, true),
    ] {
        let tally = Sim::new(Plan {
            seed: item_ns,
            workers: 8,
            policy: Policy::default(),
            calls: vec![CallPlan {
                at: 1_000_000,
                items,
                surprise: 0,
                item_ns,
                cancel_at: None,
                by_force: false,
                spec: CallSpec {
                    items: Some(0),
                    chunked,
                    ..CallSpec::default()
                },
            }],
            resizes: Vec::new(),
            kills: Vec::new(),
            drop_queued_at: None,
            odds: Odds::default(),
            start_ns: None,
            prompt_recalls: true,
            audit_every: 0,
        })
        .run();
        // No worker can end before the longest item does: one in two hundred takes a hundred times the usual.
        let longest = 175 * item_ns;
        let ideal = tally.busy / 8;
        let took = tally.end - 1_000_000;
        assert!(
            took < ideal / 100 * 115 + longest,
            "{item_ns}: {took} against {ideal}"
        );
    }
}

/// Ten thousand workers and a million items, and everything that can happen to them.
#[test]
fn a_large_pool() {
    let call = |items, chunked, item_ns| CallPlan {
        at: 0,
        items,
        surprise: 0,
        item_ns,
        cancel_at: None,
        by_force: false,
        spec: CallSpec {
            items: Some(0),
            chunked,
            retries: 2,
            timeout_ns: chunked.then_some(2_000_000),
            ..CallSpec::default()
        },
    };
    // One that is called off half-way, with all that runs of it.
    let called_off = CallPlan {
        cancel_at: Some(4_000_000),
        by_force: true,
        ..call(200_000, true, 20_000)
    };
    let tally = Sim::new(Plan {
        seed: 42,
        workers: 10_000,
        policy: Policy::default(),
        calls: vec![
            call(600_000, true, 1_000),
            call(400_000, false, 100_000),
            called_off,
        ],
        resizes: vec![(3_000_000, 11_000), (5_000_000, 9_000)],
        kills: (0..500).map(|kill| kill * 20_000).collect(),
        drop_queued_at: None,
        odds: Odds {
            fail: 100,
            die_running: 100,
            die_between: 20,
            hand_back: 100,
            lie: 5,
            perish: 50_000,
            stall: 20,
            hang_starting: 2_000,
            ..Odds::default()
        },
        start_ns: Some(2_000_000),
        prompt_recalls: true,
        audit_every: 50_000,
    })
    .run();
    let resolved = tally.finished + tally.failed + tally.lost + tally.dropped;
    assert!(resolved > 1_000_000, "{tally:?}");
    let seen = [
        tally.deaths,
        tally.retried,
        tally.cut,
        tally.recalled,
        tally.dropped,
        tally.overdue,
        tally.violations,
    ];
    assert!(seen.iter().all(|&count| count > 0), "{tally:?}");
    assert!(tally.finished > resolved / 10 * 9, "{tally:?}");
}
