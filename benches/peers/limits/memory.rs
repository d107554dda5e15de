//! Bulk: how fast the machine copies, touches and sums 100 MiB.

use std::hint::black_box;
use std::time::Instant;

use crate::frame::{Case, Measured, Scale};

pub(crate) const BYTES: usize = 100 << 20;

/// The sum of `numbers`, in eight lanes: a strict order would be slower than the memory.
pub(crate) fn sum(numbers: &[f64]) -> f64 {
    let (lanes, rest) = numbers.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for lane in lanes {
        for (sum, number) in sums.iter_mut().zip(lane) {
            *sum += number;
        }
    }
    sums.iter().sum::<f64>() + rest.iter().sum::<f64>()
}

pub(crate) fn sums(scale: Scale) -> Vec<Case> {
    let length = scale.of(BYTES / 8);
    let numbers = vec![1.0_f64; length];
    let mut target = vec![2.0_f64; length];
    let source = numbers.clone();
    vec![
        Case::new("limit", "memcpy into warm memory", move || {
            rate(length, || target.copy_from_slice(black_box(&source)))
        }),
        Case::new("limit", "sum in this process", move || {
            rate(length, || {
                black_box(sum(black_box(&numbers)));
            })
        }),
    ]
}

pub(crate) fn results(scale: Scale) -> Vec<Case> {
    let length = scale.of(BYTES / 8);
    let source = vec![1.0_f64; length];
    vec![
        Case::new("limit", "memcpy into a fresh Vec", move || {
            rate(length, || drop(black_box(black_box(&source).to_vec())))
        }),
        Case::new("limit", "make, then memcpy into a fresh Vec", move || {
            rate(length, || {
                drop(black_box(black_box(vec![1.0_f64; length]).clone()))
            })
        }),
    ]
}

/// GB/s of `work` over `length` numbers; the best of three, since the first may touch memory for the first time.
fn rate(length: usize, mut work: impl FnMut()) -> Measured {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let began = Instant::now();
        work();
        best = best.min(began.elapsed().as_secs_f64());
    }
    Ok((length * 8) as f64 / best / 1e9)
}
