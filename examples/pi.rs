//! The book's π: random points in the unit square, counted in shared memory; and the answer to the book's exercise.
//!
//! The book's program takes the lock for every single point, and then asks whether there is a way to improve the speed. There
//! is: each process counts for itself, and takes the lock once, to add its sum. The result is the same, because it does not
//! matter in which order the hits are added. Both are run here on the same points.
//!
//! Run it: `cargo run --release --example pi -- [POINTS [PROCESSES]]`

use std::time::{Duration, Instant};

use mp::{Failure, Process, Value};

const POINTS: u64 = 4_000_000;

/// Random numbers in [0, 1), from a seed (xorshift*): small, and the same on every run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn hits(&mut self) -> bool {
        let (x, y) = (self.next(), self.next());
        x * x + y * y < 1.0
    }
}

/// As in the book: the lock is taken for every point.
#[mp::task]
fn locked_per_point(hits: &Value<u64>, points: u64, seed: u64) -> Result<(), Failure> {
    let mut random = Random::new(seed);
    for _ in 0..points {
        let hit = random.hits();
        let mut hits = hits.lock()?;
        if hit {
            *hits += 1;
        }
    }
    Ok(())
}

/// The answer: counted here, added once.
#[mp::task]
fn summed_locally(hits: &Value<u64>, points: u64, seed: u64) -> Result<(), Failure> {
    let mut random = Random::new(seed);
    let mine = (0..points).filter(|_| random.hits()).count() as u64;
    *hits.lock()? += mine;
    Ok(())
}

/// What one way of counting came to.
struct Outcome {
    hits: u64,
    took: Duration,
}

/// Starts a process for each share of the points and waits for all of them.
fn count(
    task: impl for<'a> mp::Task<Input<'a> = (&'a Value<u64>, u64, u64), Output = ()>,
    points: u64,
    processes: u64,
) -> mp::Result<Outcome> {
    let hits = Value::new(0)?;
    let began = Instant::now();
    let children = (0..processes)
        .map(|process| {
            let share = points / processes + u64::from(process < points % processes);
            Process::new(task, (&hits, share, process + 1)).start()
        })
        .collect::<mp::Result<Vec<_>>>()?;
    for child in children {
        child.join()?;
    }
    Ok(Outcome {
        hits: hits.get()?,
        took: began.elapsed(),
    })
}

mp::main!(run);

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let points = arguments.next().map_or(Ok(POINTS), |text| text.parse())?;
    let processes = match arguments.next() {
        Some(text) => text.parse::<u64>()?.max(1),
        None => mp::cpu_count() as u64,
    };

    println!("{points} points, {processes} processes");
    let locked = count(locked_per_point, points, processes)?;
    let summed = count(summed_locally, points, processes)?;
    for (way, outcome) in [("locked per point", &locked), ("summed locally", &summed)] {
        let pi = 4.0 * outcome.hits as f64 / points.max(1) as f64;
        let took = outcome.took.as_secs_f64();
        println!("{way:>16}: pi is about {pi:.5}, in {took:.3} s");
    }
    if locked.hits != summed.hits {
        return Err("the same points were counted, so the hits must be the same".into());
    }
    println!(
        "summing locally was {:.0} times as fast",
        locked.took.as_secs_f64() / summed.took.as_secs_f64()
    );
    Ok(())
}
