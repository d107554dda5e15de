//! The same work on threads of one process: what nothing that crosses a process boundary can be expected to beat.

use std::thread;
use std::time::{Duration, Instant};

use crate::frame::{Case, Measured, Scale};

const THREADS: usize = 2;

pub(crate) fn map(scale: Scale) -> Vec<Case> {
    let items: Vec<u64> = (0..scale.of(1_000_000) as u64).collect();
    vec![Case::new(
        "limit",
        "2 threads, halves of a slice, fresh Vec",
        move || squares(&items),
    )]
}

fn squares(items: &[u64]) -> Measured {
    let rounds = 5;
    let began = Instant::now();
    for _ in 0..rounds {
        let mut out = vec![0_u64; items.len()];
        let half = items.len().div_ceil(THREADS);
        thread::scope(|scope| {
            for (from, to) in items.chunks(half).zip(out.chunks_mut(half)) {
                scope.spawn(move || {
                    for (item, square) in from.iter().zip(to) {
                        *square = item.wrapping_mul(*item);
                    }
                });
            }
        });
        std::hint::black_box(out);
    }
    Ok((rounds * items.len()) as f64 / began.elapsed().as_secs_f64() / 1e6)
}

/// Keeps a core busy for about `time` of *its own* work: as many steps as fit into that time on an idle machine.
pub(crate) fn steps_in(time: Duration) -> u64 {
    let steps = 20_000_000;
    let began = Instant::now();
    spin(steps);
    (steps as f64 * time.as_secs_f64() / began.elapsed().as_secs_f64()) as u64
}

/// Work that depends on itself, so that nothing can shorten it.
pub(crate) fn spin(steps: u64) -> u64 {
    (0..steps).fold(1, |state: u64, step| {
        std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005) ^ step)
    })
}

/// How many of so many points, thrown at the unit square, fall inside the circle.
pub(crate) fn inside(seed: u64, points: u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut hits = 0;
    for _ in 0..points {
        // xorshift; one number is two coordinates of 32 bits.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let (x, y) = (state >> 32, state & 0xffff_ffff);
        hits += u64::from((x * x).checked_add(y * y).is_some());
    }
    hits
}

/// Nanoseconds per point.
pub(crate) fn points(scale: Scale) -> Vec<Case> {
    let count = scale.of(100_000_000) as u64;
    vec![Case::new("limit", "2 threads, summed", move || {
        let began = Instant::now();
        let hits: u64 = thread::scope(|scope| {
            let other = scope.spawn(|| inside(1, count / 2));
            inside(2, count / 2) + other.join().unwrap_or(0)
        });
        let took = began.elapsed().as_secs_f64();
        std::hint::black_box(hits);
        Ok(took * 1e9 / count as f64)
    })]
}

pub(crate) fn busy(scale: Scale) -> Vec<Case> {
    let tasks = scale.of(200);
    vec![Case::new("limit", "2 threads against 1", move || {
        let steps = steps_in(Duration::from_millis(2));
        let time = |threads: usize| {
            let began = Instant::now();
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        for _ in 0..tasks / threads {
                            std::hint::black_box(spin(steps));
                        }
                    });
                }
            });
            began.elapsed().as_secs_f64() / (tasks / threads * threads) as f64
        };
        Ok(time(1) / time(2))
    })]
}
