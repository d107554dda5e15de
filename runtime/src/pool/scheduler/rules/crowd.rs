//! More workers than processors: who gets short parts, and what happens when a bet on their time is lost.

use super::*;

fn crowd(hands: u32, workers: u32) -> Pool {
    let policy = Policy {
        hands,
        ..Policy::default()
    };
    Pool::with(policy, workers)
}

/// How many workers have been sent something.
fn takers(pool: &Pool) -> usize {
    let mut workers: Vec<u32> = pool.sent.iter().map(|sent| sent.0).collect();
    workers.sort_unstable();
    workers.dedup();
    workers.len()
}

#[test]
fn short_parts_stay_with_as_many_workers_as_there_are_processors() {
    let mut pool = crowd(2, 8);
    pool.call_of(paced(600), 3_000);
    pool.drain();
    assert_eq!(takers(&pool), 2);
    // Both are full, the rest waits for them, and none is asked to give anything back.
    assert_eq!(pool.sent.len(), 2 * 250);
    assert!(pool.s.has_backlog() && pool.s.holds_back());
    assert!(pool.recalls().is_empty());
    let (worker, part) = pool.sent[0];
    assert_eq!(pool.finish(worker, part, 600), Verdict::Accept);
    pool.drain();
    assert_eq!(takers(&pool), 2);
    assert_eq!(pool.sent.len(), 2 * 250 + 1);
}

#[test]
fn tiny_parts_leave_a_processor_to_their_sender() {
    for (hands, workers, expected) in [(2, 2, 1), (2, 8, 1), (8, 8, 7), (8, 4, 4), (1, 4, 1)] {
        let mut pool = crowd(hands, workers);
        pool.call_of(paced(100), 40);
        pool.drain();
        assert_eq!(
            takers(&pool),
            expected,
            "{hands} processors, {workers} workers"
        );
        assert!(pool.recalls().is_empty());
        assert!(pool.s.sends_tiny());
    }
}

#[test]
fn long_parts_and_those_of_unknown_length_go_to_everybody() {
    for spec in [paced(30_000), CallSpec::default()] {
        let mut pool = crowd(2, 8);
        pool.call_of(spec, 40);
        pool.drain();
        assert_eq!(takers(&pool), 8);
    }
    // So do short ones where there are no more workers than processors.
    let mut pool = crowd(8, 8);
    pool.call_of(paced(600), 40);
    pool.drain();
    assert_eq!(takers(&pool), 8);
}

#[test]
fn a_stall_brings_more_hands_until_all_short_parts_are_done() {
    let mut pool = crowd(1, 4);
    pool.call_of(paced(100), 100);
    pool.drain();
    assert_eq!(takers(&pool), 1);
    let hand = pool.sent[0].0;
    pool.s.stalled();
    pool.drain();
    // Half of what it has not begun is asked back, for one that has nothing.
    let recalls = pool.recalls();
    assert_eq!(recalls.len(), 50);
    pool.other.clear();
    for (worker, part) in recalls {
        assert_eq!(worker, hand);
        pool.s
            .recalled(WorkerId(worker), part.job, part.from, part.to);
        pool.drain();
    }
    assert_eq!(takers(&pool), 2);
    // Whatever each has, in the order in which it was sent, less what was taken back.
    while pool.s.items_in_flight() > 0 {
        for worker in 0..4 {
            while let Some(part) = pool.s.first_of(WorkerId(worker)) {
                assert_eq!(pool.finish(worker, part, 100), Verdict::Accept);
            }
        }
        let recalls = pool.recalls();
        pool.other.clear();
        for (worker, part) in recalls {
            pool.s.claimed(WorkerId(worker), part.job, part.from);
        }
        pool.drain();
    }
    // The next call begins with one hand again.
    pool.sent.clear();
    pool.call_of(paced(100), 100);
    pool.drain();
    assert_eq!(takers(&pool), 1);
}

#[test]
fn a_hand_that_dies_leaves_its_place_to_another() {
    let mut pool = crowd(1, 3);
    pool.call_of(paced(100), 100);
    pool.drain();
    let (hand, part) = pool.sent[0];
    pool.s
        .worker_lost(WorkerId(hand), Some((part.job, part.from)));
    pool.sent.clear();
    pool.drain();
    assert_eq!(takers(&pool), 1);
    assert_ne!(pool.sent[0].0, hand);
    assert_eq!(pool.sent.len(), 99);
}
