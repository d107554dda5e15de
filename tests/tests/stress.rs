//! The thousands: pools made and dropped, children started and joined, workers killed at random moments. Nothing may hang,
//! nothing may be lost, and nothing may be left; the judge of `#[mp::test]` looks at the end of each.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mp::{Pool, Process};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[mp::task]
fn triple(x: u64) -> u64 {
    3 * x
}

#[mp::task]
fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

/// Spins for so many microseconds.
#[mp::task]
fn spin(x: u64, microseconds: u64) -> u64 {
    let until = Instant::now() + Duration::from_micros(microseconds);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    x
}

#[mp::task]
fn text_of(x: u64) -> String {
    format!("<{x}>").repeat(x as usize % 40)
}

#[mp::task]
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

#[mp::test(timeout = "4m")]
fn ten_thousand_children() -> mp::Result<()> {
    // By two threads, as many as there are processors to wait for, a few at a time.
    let started = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| -> mp::Result<()> {
                    while started.load(Ordering::Relaxed) < 10_000 {
                        let first = started.fetch_add(8, Ordering::Relaxed);
                        let children: Vec<_> = (first..first + 8)
                            .map(|x| Ok((x, Process::new(triple, x).start()?)))
                            .collect::<mp::Result<_>>()?;
                        for (x, child) in children {
                            assert_eq!(child.join()?, 3 * x);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    assert!(mp::active_children().is_empty());
    Ok(())
}

#[mp::test(timeout = "4m")]
fn a_thousand_pools() -> mp::Result<()> {
    for round in 0..1000u64 {
        let pool = Pool::builder().workers(1 + round as usize % 2).build()?;
        // Dropped at once, after some work, in the middle of some, closed, terminated.
        match round % 6 {
            0 => {}
            1 => assert_eq!(pool.apply(triple, round)?, 3 * round),
            2 => {
                let values = pool.map(triple, 0..50)?;
                assert!(values.iter().zip(0..).all(|(value, x)| *value == 3 * x));
            }
            3 => drop(pool.apply_async(spin, (1, 50))?),
            4 => {
                let handle = pool.apply_async(triple, round)?;
                pool.close();
                pool.join()?;
                assert_eq!(handle.get()?, 3 * round);
            }
            _ => {
                drop(pool.apply_async(spin, (1, 50))?);
                pool.terminate();
            }
        }
    }
    assert!(mp::active_children().is_empty());
    Ok(())
}

/// Kills a worker of the pool now and then, each once, until it is told to stop; counts the kills.
fn killer(pool: &Pool, stop: &AtomicBool, kills: &AtomicU64, mut dice: Dice) {
    let mut killed = HashSet::new();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_micros(500 + dice.roll(4000)));
        let mut pids = pool.worker_pids();
        pids.retain(|pid| !killed.contains(pid));
        if pids.is_empty() {
            continue;
        }
        let victim = pids[dice.roll(pids.len() as u64) as usize];
        if kill(Pid::from_raw(victim as i32), Signal::SIGKILL).is_ok() {
            killed.insert(victim);
            kills.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// All or nothing: the whole right answer, or an error that names an item there was, a worker and its signal.
#[track_caller]
fn account<T: PartialEq + std::fmt::Debug>(what: mp::Result<T>, right: &T, items: usize) -> bool {
    match what {
        Ok(value) => {
            assert!(value == *right, "a wrong answer");
            true
        }
        Err(error) => {
            assert!(error.is_death(), "{error}");
            assert!(error.item().is_none_or(|item| item < items), "{error}");
            // On a busy machine workers may be killed faster than they start.
            if !error.message().contains("again and again") {
                assert_eq!(error.signal(), Some(9), "{error}");
                assert!(error.pid().is_some() && error.worker().is_some(), "{error}");
            }
            false
        }
    }
}

#[mp::test(timeout = "4m")]
fn a_thousand_kills_at_random_moments() -> mp::Result<()> {
    let pool = Pool::builder().workers(3).build()?;
    let (stop, kills) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut whole, mut calls) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| killer(&pool, &stop, &kills, Dice(42)));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while kills.load(Ordering::Relaxed) < 1000 {
                calls += 1;
                let count = 1 + dice.roll(400);
                let all = count as usize;
                whole += u32::from(match dice.roll(6) {
                    0 => account(
                        pool.map(triple, 0..count * 20),
                        &(0..count * 20).map(|x| 3 * x).collect(),
                        all * 20,
                    ),
                    1 => account(
                        pool.map(spin, (0..count).map(|x| (x, 20))),
                        &(0..count).collect(),
                        all,
                    ),
                    2 => {
                        let right = (0..count).map(text_of_here).collect();
                        account(pool.map(text_of, 0..count), &right, all)
                    }
                    3 => {
                        let right = Some((0..count).map(|x| 3 * x).sum());
                        account(pool.map_reduce(triple, add, 0..count), &right, all)
                    }
                    4 => {
                        let rows: Vec<Vec<u8>> =
                            (0..count % 20 + 1).map(|x| vec![x as u8; 50_000]).collect();
                        let right = rows.iter().map(|row| sum(row)).collect();
                        account(pool.map(sum, &rows), &right, rows.len())
                    }
                    _ => {
                        let handles: mp::Result<Vec<_>> = (0..count % 30)
                            .map(|x| pool.apply_async(spin, (x, 50)))
                            .collect();
                        handles.is_ok_and(|handles| {
                            handles
                                .into_iter()
                                .zip(0..)
                                .all(|(handle, x)| account(handle.get(), &x, 1))
                        })
                    }
                });
            }
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(payload) = done {
            std::panic::resume_unwind(payload);
        }
    });
    let kills = kills.load(Ordering::Relaxed);
    println!("{kills} kills, {calls} calls, {whole} of them whole");
    assert!(whole > 0, "not one call came through");
    // It works on, whole.
    let values = pool.map(triple, 0..10_000)?;
    assert!(values.iter().zip(0..).all(|(value, x)| *value == 3 * x));
    assert_eq!(pool.worker_pids().len(), 3);
    Ok(())
}

fn text_of_here(x: u64) -> String {
    text_of(x)
}

/// Has a pool at work until it is killed.
#[mp::task]
fn pool_at_work() -> Result<(), mp::Failure> {
    let pool = Pool::builder().workers(2).build()?;
    loop {
        let values = pool.map(triple, 0..100)?;
        assert!(values.len() == 100);
    }
}

#[mp::test(timeout = "4m")]
fn processes_killed_while_they_start_and_work() -> mp::Result<()> {
    let mut dice = Dice(7);
    for _ in 0..100 {
        let children: Vec<_> = (0..3)
            .map(|_| Process::new(pool_at_work, ()).start())
            .collect::<mp::Result<_>>()?;
        std::thread::sleep(Duration::from_micros(dice.roll(6000)));
        for child in &children {
            child.kill()?;
        }
        for child in children {
            assert_eq!(child.join().expect_err("it was killed").signal(), Some(9));
        }
    }
    Ok(())
}

#[mp::test(timeout = "4m")]
fn many_threads_and_many_kills() -> mp::Result<()> {
    let pool = Pool::builder().workers(3).build()?;
    let (stop, kills) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| killer(&pool, &stop, &kills, Dice(99)));
        let threads: Vec<_> = (0..6u64)
            .map(|thread| {
                let (pool, kills) = (&pool, &kills);
                scope.spawn(move || {
                    while kills.load(Ordering::Relaxed) < 300 {
                        account(pool.apply(spin, (thread, 10)), &thread, 1);
                        account(
                            pool.map(triple, 0..200),
                            &(0..200).map(|x| 3 * x).collect(),
                            200,
                        );
                        if let Ok(handle) = pool.apply_async(spin, (thread, 30)) {
                            account(handle.get(), &thread, 1);
                        }
                    }
                })
            })
            .collect();
        let panics = threads
            .into_iter()
            .filter_map(|thread| thread.join().err())
            .count();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(panics, 0);
    });
    assert_eq!(pool.map(triple, [1, 2])?, [3, 6]);
    Ok(())
}
