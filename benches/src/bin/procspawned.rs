//! procspawn in a small program of its own, as workers of it are this program executed again.
//!
//! `procspawned WHAT COUNT [AT_ONCE]` prints one number, in the unit of the workload: `one` (µs for a process), `pool` (ms for a
//! pool of two), `call` (µs for a call on a live pool, the middle one), `single` (millions of items a second, each sent by itself),
//! `sum` (GB/s of a vector of f64 as argument), `result` (GB/s of one as result), `pi` (ns for a point).

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mp_benches::{hits, sum};
use procspawn::{JoinHandle, Pool, spawn};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// 100 MiB.
const NUMBERS: usize = 100 << 17;
/// How many single items are in flight.
const IN_FLIGHT: usize = 1024;

fn main() -> ExitCode {
    procspawn::init();
    // Whatever hangs is ended with this program.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        eprintln!("procspawned: out of time");
        std::process::exit(1);
    });
    match measure() {
        Ok(value) => {
            println!("{value}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("procspawned: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Outcome<f64> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map_or(Ok(1), |text| text.parse::<u64>());
    let (count, at_once) = (number(1)?, number(2)?);
    match arguments.first().map(String::as_str) {
        Some("one") => processes(count, at_once),
        Some("pool") => pools(count),
        Some("call") => calls(count),
        Some("single") => singles(count),
        Some("sum") => sums(count),
        Some("result") => results(count),
        Some("pi") => pi(count),
        _ => Err("one, pool, call, single, sum, result or pi?".into()),
    }
}

fn seven(handle: JoinHandle<u64>) -> Outcome<()> {
    match handle.join()? {
        7 => Ok(()),
        _ => Err("the wrong value".into()),
    }
}

fn processes(count: u64, at_once: u64) -> Outcome<f64> {
    seven(spawn(7, |x: u64| x))?;
    let began = Instant::now();
    for _ in 0..count {
        let running: Vec<_> = (0..at_once).map(|_| spawn(7, |x: u64| x)).collect();
        running.into_iter().try_for_each(seven)?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / (count * at_once) as f64)
}

fn pools(count: u64) -> Outcome<f64> {
    let began = Instant::now();
    for _ in 0..count {
        let pool = Pool::new(2)?;
        seven(pool.spawn(7, |x: u64| x))?;
        pool.shutdown();
    }
    Ok(began.elapsed().as_secs_f64() * 1e3 / count as f64)
}

fn calls(count: u64) -> Outcome<f64> {
    let pool = Pool::new(2)?;
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        seven(pool.spawn(7, |x: u64| x))?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn singles(count: u64) -> Outcome<f64> {
    let pool = Pool::new(2)?;
    seven(pool.spawn(7, |x: u64| x))?;
    let (mut total, mut waiting) = (0_u64, VecDeque::new());
    let mut take = |handle: Option<JoinHandle<u64>>| -> Outcome<()> {
        if let Some(handle) = handle {
            total = total.wrapping_add(handle.join()?);
        }
        Ok(())
    };
    let began = Instant::now();
    for item in 0..count {
        if waiting.len() == IN_FLIGHT {
            take(waiting.pop_front())?;
        }
        waiting.push_back(pool.spawn(item, |x: u64| x * x));
    }
    while !waiting.is_empty() {
        take(waiting.pop_front())?;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64() / 1e6;
    match total == (0..count).map(|x| x * x).sum::<u64>() {
        true => Ok(rate),
        false => Err("the wrong total".into()),
    }
}

fn sums(count: u64) -> Outcome<f64> {
    let pool = Pool::new(1)?;
    seven(pool.spawn(7, |x: u64| x))?;
    let numbers = vec![1.0_f64; NUMBERS];
    let mut best = f64::INFINITY;
    for _ in 0..count.max(2) {
        // It takes its argument by value, so each call needs a copy, which does not count.
        let numbers = numbers.clone();
        let began = Instant::now();
        let total = pool
            .spawn(numbers, |numbers: Vec<f64>| sum(&numbers))
            .join()?;
        best = best.min(began.elapsed().as_secs_f64());
        if total != NUMBERS as f64 {
            return Err("the wrong sum".into());
        }
    }
    Ok((NUMBERS * 8) as f64 / best / 1e9)
}

fn results(count: u64) -> Outcome<f64> {
    let pool = Pool::new(1)?;
    seven(pool.spawn(7, |x: u64| x))?;
    let mut best = f64::INFINITY;
    for _ in 0..count.max(2) {
        let began = Instant::now();
        let numbers = pool
            .spawn(NUMBERS, |len: usize| vec![1.0_f64; len])
            .join()?;
        best = best.min(began.elapsed().as_secs_f64());
        if numbers.len() != NUMBERS {
            return Err("the wrong result".into());
        }
    }
    Ok((NUMBERS * 8) as f64 / best / 1e9)
}

fn pi(points: u64) -> Outcome<f64> {
    let pool = Pool::new(2)?;
    seven(pool.spawn(7, |x: u64| x))?;
    let began = Instant::now();
    let halves: Vec<_> = (1..=2)
        .map(|seed| {
            pool.spawn((seed, points / 2), |(seed, points): (u64, u64)| {
                hits(seed, points)
            })
        })
        .collect();
    let mut all = 0;
    for half in halves {
        all += half.join()?;
    }
    let took = began.elapsed().as_secs_f64();
    match (all as f64 * 4.0 / points as f64 - std::f64::consts::PI).abs() < 0.02 {
        true => Ok(took * 1e9 / points as f64),
        false => Err("that is not π".into()),
    }
}
