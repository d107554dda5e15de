#![allow(unsafe_code)]
//! procspawn's rows. A program of its own, as its children execute it again: `rival-procspawn WORKLOAD COUNT` prints one
//! number, in the unit of the workload.

use std::process::ExitCode;
use std::time::Instant;

use procspawn::Pool;

type Outcome<T = f64> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    procspawn::init();
    // SAFETY: alarm has no conditions; its signal ends this program, and its children find their channels closed.
    unsafe { libc::alarm(100) };
    match measure() {
        Ok(value) => {
            println!("{value}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("rival-procspawn: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, count] = &arguments[..] else {
        return Err("rival-procspawn WORKLOAD COUNT".into());
    };
    let count: usize = count.parse()?;
    match what.as_str() {
        "W1" => started(count, 1).map(|seconds| seconds * 1e6 / count as f64),
        "W1b" => started(count, 100).map(|seconds| seconds * 1e3 / count as f64),
        "W2" => pools(count).map(|seconds| seconds * 1e3 / count as f64),
        "W4" => round_trips(count),
        "W5" => sum_of(count),
        _ => Err("W1, W1b, W2, W4 or W5?".into()),
    }
}

fn echo(x: u64) -> u64 {
    x
}

fn right(value: u64, expected: u64) -> Outcome<()> {
    if value == expected {
        Ok(())
    } else {
        Err("the wrong value".into())
    }
}

fn started(count: usize, at_once: usize) -> Outcome {
    right(procspawn::spawn(7, echo).join()?, 7)?;
    let began = Instant::now();
    for _ in 0..count {
        let children: Vec<_> = (0..at_once).map(|_| procspawn::spawn(7, echo)).collect();
        for child in children {
            right(child.join()?, 7)?;
        }
    }
    Ok(began.elapsed().as_secs_f64())
}

fn pools(count: usize) -> Outcome {
    let began = Instant::now();
    for _ in 0..count {
        let pool = Pool::new(2)?;
        right(pool.spawn(7, echo).join()?, 7)?;
        pool.shutdown();
    }
    Ok(began.elapsed().as_secs_f64())
}

/// The middle one, in microseconds.
fn round_trips(count: usize) -> Outcome {
    let pool = Pool::new(2)?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count as u64 {
        let began = Instant::now();
        right(pool.spawn(number, echo).join()?, number)?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(f64::NAN))
}

fn sum(numbers: Vec<f64>) -> f64 {
    numbers.iter().sum()
}

/// GB/s. The second use is timed. By value: with its shared memory as an argument, its pool panics.
fn sum_of(length: usize) -> Outcome {
    let pool = Pool::new(1)?;
    let numbers = vec![1.0_f64; length];
    let mut took = f64::NAN;
    for _ in 0..2 {
        let copy = numbers.clone();
        let began = Instant::now();
        if pool.spawn(copy, sum).join()? != length as f64 {
            return Err("the wrong sum".into());
        }
        took = began.elapsed().as_secs_f64();
    }
    Ok((length * 8) as f64 / took / 1e9)
}
