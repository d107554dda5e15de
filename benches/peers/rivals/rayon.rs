//! rayon, on threads of one process: what a program that needs no processes would use.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::frame::{Case, Measured, Scale};
use crate::limits::{PASSES, WIDTH, blur_rows, edges, picture, spin, steps_in};

const WHO: &str = "rayon";

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    match workload {
        "W3" => {
            let items: Vec<u64> = (0..scale.of(1_000_000) as u64).collect();
            vec![Case::new(WHO, "par_iter().map().collect()", move || {
                squares(&items, 5, usize::MAX)
            })]
        }
        "W3f" => {
            let items: Vec<u64> = (0..scale.of(1_000_000) as u64).collect();
            vec![Case::new(WHO, "the same, with_max_len(1)", move || {
                squares(&items, 1, 1)
            })]
        }
        "W8" => {
            let points = scale.of(40_000_000) as u64;
            vec![Case::new(WHO, "2 threads", move || pi(points))]
        }
        "W10" => {
            let tasks = scale.of(200);
            vec![Case::new(WHO, "2 threads against 1", move || {
                let steps = steps_in(Duration::from_millis(2));
                let time = |threads: usize| -> Measured {
                    Ok(pool(threads)?.install(|| {
                        let began = Instant::now();
                        let all: u64 = (0..tasks)
                            .into_par_iter()
                            .with_max_len(1)
                            .map(|_| spin(steps) & 1)
                            .sum();
                        std::hint::black_box(all);
                        began.elapsed().as_secs_f64()
                    }))
                };
                Ok(time(1)? / time(2)?)
            })]
        }
        "W21" => vec![blur(scale)],
        _ => Vec::new(),
    }
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build()
}

fn squares(items: &[u64], rounds: usize, most: usize) -> Measured {
    Ok(pool(2)?.install(|| {
        // Once for nothing: the threads are up.
        rayon::join(|| (), || ());
        let began = Instant::now();
        for _ in 0..rounds {
            let squares: Vec<u64> = items
                .par_iter()
                .with_max_len(most)
                .map(|x| x.wrapping_mul(*x))
                .collect();
            std::hint::black_box(squares);
        }
        (rounds * items.len()) as f64 / began.elapsed().as_secs_f64() / 1e6
    }))
}

fn pi(points: u64) -> Measured {
    Ok(pool(2)?.install(|| {
        let began = Instant::now();
        let (one, other) = rayon::join(
            || mp_benches::hits(1, points / 2),
            || mp_benches::hits(2, points / 2),
        );
        std::hint::black_box(one + other);
        began.elapsed().as_secs_f64() * 1e9 / points as f64
    }))
}

fn blur(scale: Scale) -> Case {
    let rows = scale.of(WIDTH);
    let mut kept: Vec<f32> = Vec::new();
    Case::new(WHO, "2 threads, a Vec, 8 bands a pass", move || {
        if kept.is_empty() {
            kept = picture(rows);
        }
        let band = rows.div_ceil(8) * WIDTH;
        Ok(pool(2)?.install(|| {
            let began = Instant::now();
            for _ in 0..PASSES {
                let edges = edges(&kept, band);
                kept.par_chunks_mut(band)
                    .with_max_len(1)
                    .zip(&edges)
                    .for_each(|(band, (above, below))| blur_rows(band, above, below));
            }
            began.elapsed().as_secs_f64()
        }))
    })
}
