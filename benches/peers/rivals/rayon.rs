//! rayon, with two threads in one process.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::frame::{Case, Measured, Scale};
use crate::limits::{PASSES, WIDTH, blur_rows, edges, inside, picture, spin, steps_in};

const WHO: &str = "rayon";

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let items: Vec<u64> = (0..scale.of(1_000_000) as u64).collect();
    match workload {
        "W3" => vec![Case::new(WHO, "par_iter, collect", move || {
            squares(&items, usize::MAX)
        })],
        "W3f" => vec![Case::new(WHO, "par_iter, with_max_len(1)", move || {
            squares(&items, 1)
        })],
        "W8" => vec![Case::new(WHO, "2 tasks, summed", move || {
            points(scale.of(100_000_000) as u64)
        })],
        "W10" => vec![Case::new(WHO, "2 threads against 1", move || {
            busy(scale.of(200))
        })],
        "W21" => blurred(scale.of(WIDTH)),
        _ => Vec::new(),
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn threads(count: usize) -> Outcome<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(count).build()?)
}

/// Millions of items a second.
fn squares(items: &[u64], longest: usize) -> Measured {
    let pool = threads(2)?;
    let square = |x: &u64| x.wrapping_mul(*x);
    pool.install(|| items.par_iter().for_each(drop));
    let rounds = 5;
    let began = Instant::now();
    for _ in 0..rounds {
        let out: Vec<u64> = pool.install(|| {
            let items = items.par_iter().with_max_len(longest);
            items.map(square).collect()
        });
        std::hint::black_box(out);
    }
    Ok((rounds * items.len()) as f64 / began.elapsed().as_secs_f64() / 1e6)
}

/// Nanoseconds per point.
fn points(count: u64) -> Measured {
    let pool = threads(2)?;
    pool.install(|| (0..2).into_par_iter().for_each(drop));
    let began = Instant::now();
    let hits: u64 = pool.install(|| {
        let seeds = [1, 2].par_iter().with_max_len(1);
        seeds.map(|&seed| inside(seed, count / 2)).sum()
    });
    let took = began.elapsed().as_secs_f64();
    std::hint::black_box(hits);
    Ok(took * 1e9 / count as f64)
}

fn busy(tasks: usize) -> Measured {
    let steps = vec![steps_in(Duration::from_millis(2)); tasks];
    let time = |threads: &rayon::ThreadPool| {
        let began = Instant::now();
        threads.install(|| {
            let steps = steps.par_iter().with_max_len(1);
            steps.for_each(|&steps| {
                std::hint::black_box(spin(steps));
            })
        });
        began.elapsed().as_secs_f64()
    };
    Ok(time(&threads(1)?) / time(&threads(2)?))
}

fn blurred(rows: usize) -> Vec<Case> {
    let mut kept: Vec<f32> = Vec::new();
    let run = move || {
        if kept.is_empty() {
            kept = picture(rows);
        }
        let pool = threads(2)?;
        let band = rows.div_ceil(8) * WIDTH;
        let began = Instant::now();
        for _ in 0..PASSES {
            let edges = edges(&kept, band);
            pool.install(|| {
                let bands = kept.par_chunks_mut(band).zip(&edges).with_max_len(1);
                bands.for_each(|(band, (above, below))| blur_rows(band, above, below));
            });
        }
        Ok(began.elapsed().as_secs_f64())
    };
    vec![Case::new(WHO, "par_chunks_mut, 8 a pass", run)]
}
