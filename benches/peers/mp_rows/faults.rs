#![allow(unsafe_code)]
//! When something goes wrong (W20): how soon a killed worker is replaced, how late a deadline's error comes, how soon the
//! worker of a cancelled item is free.

use std::thread;
use std::time::{Duration, Instant};

use super::pool_of;
use crate::frame::{Case, Measured, Scale};

/// How long an item may take where it is timed.
const LIMIT: Duration = Duration::from_millis(20);

#[mp::task]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

/// Would never end.
#[mp::task]
fn hang() {
    loop {
        thread::sleep(Duration::from_secs(100));
    }
}

type Once = fn(&mp::Pool) -> Result<Duration, Box<dyn std::error::Error>>;

pub(crate) fn all(scale: Scale) -> Vec<Case> {
    let count = scale.of(100);
    let pair = |names: [&'static str; 2], once: Once| {
        let row = |name: &'static str, share: f64| {
            let mut pool = pool_of(1);
            Case::new("mp", name, move || quantile(&pool()?, count, once, share))
        };
        [row(names[0], 0.5), row(names[1], 1.0)]
    };
    [
        pair(
            [
                "kill → value from the new worker, p50",
                "kill → value from the new worker, max",
            ],
            after_kill,
        ),
        pair(
            [
                "deadline → its error, worker replaced, p50",
                "deadline → its error, worker replaced, max",
            ],
            after_deadline,
        ),
        pair(
            [
                "cancel → value from a free worker, p50",
                "cancel → value from a free worker, max",
            ],
            after_cancel,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Milliseconds.
fn quantile(pool: &mp::Pool, count: usize, once: Once, share: f64) -> Measured {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(once(pool)?.as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
    Ok(times.get(at).copied().unwrap_or(f64::NAN))
}

/// A worker that hangs, and a call that waits for it to be free.
fn hung(pool: &mp::Pool) -> mp::Result<(mp::Handle<()>, mp::Handle<u64>)> {
    pool.apply(square, 2)?;
    let handles = (pool.apply_async(hang, ())?, pool.apply_async(square, 3)?);
    thread::sleep(Duration::from_millis(2));
    Ok(handles)
}

fn after_kill(pool: &mp::Pool) -> Result<Duration, Box<dyn std::error::Error>> {
    let (hung, next) = hung(pool)?;
    let pid = *pool.worker_pids().first().ok_or("there is no worker")?;
    let began = Instant::now();
    // SAFETY: a plain call; the pid is that of our own child, which nobody reaps before the pool hears of its death.
    unsafe { libc::kill(pid as i32, libc::SIGKILL) };
    let value = next.get()?;
    let took = began.elapsed();
    match hung.get() {
        Err(error) if value == 9 && error.is_death() => Ok(took),
        other => Err(format!("{value}, {other:?}").into()),
    }
}

fn after_deadline(pool: &mp::Pool) -> Result<Duration, Box<dyn std::error::Error>> {
    pool.apply(square, 2)?;
    let began = Instant::now();
    match pool.on(hang).timeout(LIMIT).apply(()) {
        Err(error) if error.is_timeout() => Ok(began.elapsed().saturating_sub(LIMIT)),
        other => Err(format!("{other:?}").into()),
    }
}

fn after_cancel(pool: &mp::Pool) -> Result<Duration, Box<dyn std::error::Error>> {
    let (hung, next) = hung(pool)?;
    let began = Instant::now();
    hung.cancel();
    let value = next.get()?;
    let took = began.elapsed();
    match hung.get() {
        Err(error) if value == 9 && error.is_cancelled() => Ok(took),
        other => Err(format!("{value}, {other:?}").into()),
    }
}
