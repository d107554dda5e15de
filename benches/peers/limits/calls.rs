#![allow(unsafe_code)]
//! Calls: a number goes to another process and comes back, one at a time (W4) or as a stream (W3f), over a ring in shared
//! memory or a pair of futexes.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::locks::Pinned;
use super::shared::{Shared, Twin, set, wait_while};
use crate::frame::{Case, Measured, Scale};

/// Sent by the parent when there is nothing more.
const STOP: u64 = u64::MAX;

pub(crate) fn round_trips(scale: Scale) -> Vec<Case> {
    let (spins, sleeps) = (scale.of(200_000), scale.of(5_000));
    vec![
        Case::new(
            "limit",
            "ring in shared memory, both spin, p50",
            move || spinning(spins),
        ),
        Case::new("limit", "futex, there and back, p50", move || {
            sleeping(sleeps, Duration::ZERO, || ())
        }),
        Case::new("limit", "futex, 200 µs between calls, p50", move || {
            sleeping(sleeps, Duration::from_micros(200), || ())
        }),
    ]
}

/// One way only: from the store to the woken, on another core.
pub(crate) fn wake_ups(scale: Scale) -> Vec<Case> {
    let count = scale.of(2_000);
    vec![Case::new("limit", "futex, one way", move || one_way(count))]
}

/// Nanoseconds by a clock that all processes share.
pub(crate) fn now() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn one_way(count: usize) -> Measured {
    let shared = Shared::new()?;
    let _pinned = Pinned::to(0);
    let _twin = Twin::start(|| {
        std::mem::forget(Pinned::to(1));
        for round in 0..count as u32 {
            wait_while(&shared.question.0, round);
            let then = shared.there.take_spinning();
            while !shared.back.put(now() - then) {}
        }
    })?;
    let mut times = Vec::with_capacity(count);
    for round in 0..count as u32 {
        thread::sleep(Duration::from_micros(300));
        shared.there.put(now());
        set(&shared.question.0, round + 1);
        times.push(shared.back.take_spinning() as f64 / 1e3);
    }
    Ok(middle(times))
}

pub(crate) fn streams(scale: Scale) -> Vec<Case> {
    let count = scale.of(5_000_000);
    vec![Case::new(
        "limit",
        "a pair of rings, one process",
        move || stream(count),
    )]
}

/// The middle of many single times, in microseconds.
pub(crate) fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Squares what comes on one ring onto the other, until told to stop.
fn serve(shared: &Shared) {
    loop {
        match shared.there.take_spinning() {
            STOP => return,
            number => while !shared.back.put(number.wrapping_mul(number)) {},
        }
    }
}

fn spinning(count: usize) -> Measured {
    let shared = Shared::new()?;
    let _twin = Twin::start(|| serve(shared))?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count as u64 {
        let began = Instant::now();
        shared.there.put(number);
        let square = shared.back.take_spinning();
        times.push(began.elapsed().as_secs_f64() * 1e6);
        if square != number * number {
            return Err("the wrong answer".into());
        }
    }
    shared.there.put(STOP);
    Ok(middle(times))
}

/// A question and its answer over a pair of futexes, both sides asleep meanwhile; the middle time, in microseconds.
/// The other begins with `first`.
pub(crate) fn sleeping(count: usize, pause: Duration, first: fn()) -> Measured {
    let shared = Shared::new()?;
    let _twin = Twin::start(|| {
        first();
        for round in 0..count as u32 {
            wait_while(&shared.question.0, round);
            set(&shared.answer.0, round + 1);
        }
    })?;
    let mut times = Vec::with_capacity(count);
    for round in 0..count as u32 {
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        let began = Instant::now();
        set(&shared.question.0, round + 1);
        wait_while(&shared.answer.0, round);
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    debug_assert_eq!(shared.answer.0.load(Ordering::Relaxed), count as u32);
    Ok(middle(times))
}

fn stream(count: usize) -> Measured {
    let shared = Shared::new()?;
    let _twin = Twin::start(|| serve(shared))?;
    let began = Instant::now();
    let (mut sent, mut received, mut total) = (0, 0, 0_u64);
    while received < count {
        while sent < count && shared.there.put(sent as u64) {
            sent += 1;
        }
        while let Some(square) = shared.back.take() {
            total = total.wrapping_add(square);
            received += 1;
        }
    }
    let rate = count as f64 / began.elapsed().as_secs_f64() / 1e6;
    shared.there.put(STOP);
    let expected = (0..count as u64).fold(0_u64, |total, number| {
        total.wrapping_add(number.wrapping_mul(number))
    });
    if total == expected {
        Ok(rate)
    } else {
        Err("the wrong total".into())
    }
}
