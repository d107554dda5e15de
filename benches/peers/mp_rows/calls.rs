//! One call at a time on a live pool (W4): back to back, and with a pause between two calls.

use std::thread;
use std::time::{Duration, Instant};

use super::pool_of;
use crate::frame::{Case, Measured, Scale};

#[mp::task]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

pub(crate) fn round_trips(scale: Scale) -> Vec<Case> {
    let (many, few) = (scale.of(100_000), scale.of(3_000));
    let none = Duration::ZERO;
    let row = |variant: &'static str, count: usize, pause: Duration, of: fn(&mut [f64]) -> f64| {
        let mut pool = pool_of(2);
        Case::new("mp", variant, move || measure(&pool()?, count, pause, of))
    };
    vec![
        row("apply, back to back, p50", many, none, |times| {
            quantile(times, 0.5)
        }),
        row("apply, back to back, p99", many, none, |times| {
            quantile(times, 0.99)
        }),
        row("apply, back to back, mean", many, none, |times| {
            times.iter().sum::<f64>() / times.len() as f64
        }),
        row(
            "apply, 200 µs between calls, p50",
            few,
            Duration::from_micros(200),
            |times| quantile(times, 0.5),
        ),
    ]
}

fn measure(pool: &mp::Pool, count: usize, pause: Duration, of: fn(&mut [f64]) -> f64) -> Measured {
    let mut times = Vec::with_capacity(count);
    for number in 0..count as u64 {
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        let began = Instant::now();
        let result = pool.apply(square, number)?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
        if result != number * number {
            return Err("the wrong answer".into());
        }
    }
    Ok(of(&mut times))
}

fn quantile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    let at = (times.len() as f64 * share) as usize;
    times
        .get(at.min(times.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
