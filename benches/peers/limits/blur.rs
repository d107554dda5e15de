//! A picture blurred in place by two threads (W21): what processes that share it are compared with.

use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use crate::frame::{Case, Scale};

/// The width of the picture; it has as many rows, and so 400 MiB.
pub(crate) const WIDTH: usize = 10_240;
pub(crate) const PASSES: usize = 5;

/// So many rows of something.
pub(crate) fn picture(rows: usize) -> Vec<f32> {
    let pixel = |index: usize| ((index * 2_654_435_761) >> 7 & 255) as f32;
    (0..rows * WIDTH).map(pixel).collect()
}

/// The rows above and below each band, as they are before the pass.
pub(crate) fn edges(picture: &[f32], band: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let row = |begin: usize| picture[begin..begin + WIDTH].to_vec();
    let last = picture.len() - WIDTH;
    let begins = (0..picture.len()).step_by(band);
    begins
        .map(|begin| {
            (
                row(begin.saturating_sub(WIDTH)),
                row((begin + band).min(last)),
            )
        })
        .collect()
}

/// Each pixel becomes the mean of its neighbourhood, weighted 1-2-1 both ways.
pub(crate) fn blur_rows(band: &mut [f32], above: &[f32], below: &[f32]) {
    let mut before = above.to_vec();
    let mut columns = vec![0.0; WIDTH];
    for row in 0..band.len() / WIDTH {
        let (done, rest) = band.split_at_mut((row + 1) * WIDTH);
        let here = &mut done[row * WIDTH..];
        let after = rest.get(..WIDTH).unwrap_or(below);
        for (((sum, old), x), next) in columns.iter_mut().zip(&mut before).zip(&*here).zip(after) {
            *sum = *old + 2.0 * *x + *next;
            *old = *x;
        }
        here[0] = (3.0 * columns[0] + columns[1]) / 16.0;
        here[WIDTH - 1] = (3.0 * columns[WIDTH - 1] + columns[WIDTH - 2]) / 16.0;
        for (x, sums) in here[1..WIDTH - 1].iter_mut().zip(columns.windows(3)) {
            *x = (sums[0] + 2.0 * sums[1] + sums[2]) / 16.0;
        }
    }
}

pub(crate) fn threads(scale: Scale) -> Vec<Case> {
    let rows = scale.of(WIDTH);
    let mut kept: Vec<f32> = Vec::new();
    vec![Case::new(
        "limit",
        "2 threads, a Vec, 8 bands a pass",
        move || {
            if kept.is_empty() {
                kept = picture(rows);
            }
            let band = rows.div_ceil(8) * WIDTH;
            let began = Instant::now();
            for _ in 0..PASSES {
                let edges = edges(&kept, band);
                let bands = Mutex::new(kept.chunks_mut(band).zip(&edges));
                let work = || {
                    while let Some((band, (above, below))) =
                        bands.lock().ok().and_then(|mut bands| bands.next())
                    {
                        blur_rows(band, above, below);
                    }
                };
                thread::scope(|scope| {
                    scope.spawn(work);
                    work();
                });
            }
            Ok(began.elapsed().as_secs_f64())
        },
    )]
}
