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
