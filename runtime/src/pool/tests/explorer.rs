//! A worker that is killed, or stopped, behind each of its stores into shared memory in turn: the other side goes on.
//!
//! A worker is armed to end behind its n-th store from then on (`sys::points`), and has work to do; then n + 1, until there
//! are no more stores. Each time every item resolves once, at most the item that ran has an error, which names it, and
//! the pool works on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate as mp;
use crate::sys::points;
use mp::{Error, Failure, Pool, Result};

const ITEMS: u64 = 6;
/// Stores behind which no item is being run. (The bell for one may be rung when the next has been claimed.)
const IDLE: &[&str] = &["progress before the claim", "head", "asleep", "awake"];

#[mp::task]
fn arm(count: u64, signal: i32, file: &Path) {
    let signal = Signal::try_from(signal).unwrap_or(Signal::SIGKILL);
    points::arm(count, signal, file.to_owned());
}

#[mp::task]
fn plus_one(x: u64) -> u64 {
    x + 1
}

/// Too long for a slot.
#[mp::task]
fn text(x: u64) -> String {
    format!("{:100}", x + 1)
}

#[mp::task]
fn large(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

#[mp::task]
fn odd_fails(x: u64) -> std::result::Result<u64, Failure> {
    match x % 2 {
        0 => Ok(x + 1),
        _ => Err(Failure::new("odd")),
    }
}

#[mp::task]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

/// What became of each item; the value is one more than the item.
type Results = Vec<Result<u64>>;
type Scenario = fn(&Pool, Option<Duration>) -> Result<Results>;

fn on<T: mp::Task>(pool: &Pool, task: T, timeout: Option<Duration>) -> mp::On<'_, T> {
    match timeout {
        Some(timeout) => pool.on(task).timeout(timeout),
        None => pool.on(task),
    }
}

fn chunks(pool: &Pool, timeout: Option<Duration>, size: usize) -> Result<Results> {
    let on = on(pool, plus_one, timeout).chunk_size(size);
    on.try_map(0..ITEMS)
}

fn texts(pool: &Pool, timeout: Option<Duration>, size: usize) -> Result<Results> {
    let on = on(pool, text, timeout).chunk_size(size);
    let number = |result: Result<String>| Ok(result?.trim().parse().unwrap_or(0));
    Ok(on.try_map(0..ITEMS)?.into_iter().map(number).collect())
}

fn blocks(pool: &Pool, timeout: Option<Duration>) -> Result<Results> {
    let on = on(pool, large, timeout).chunk_size(2);
    let items: Vec<Vec<u8>> = (0..ITEMS as u8).map(|x| vec![x + 1; 100_000]).collect();
    let number = |bytes: Result<Vec<u8>>| {
        let bytes = bytes?;
        assert!(bytes.len() == 100_000 && bytes.iter().all(|byte| *byte == bytes[0]));
        Ok(u64::from(bytes[0]))
    };
    Ok(on.try_map(&items)?.into_iter().map(number).collect())
}

fn failures(pool: &Pool, timeout: Option<Duration>) -> Result<Results> {
    let on = on(pool, odd_fails, timeout).chunk_size(3);
    let mut results = on.try_map(0..ITEMS)?;
    for (item, result) in (0..).zip(&mut results) {
        if result.as_ref().is_err_and(Error::is_task) {
            assert_eq!(item % 2, 1);
            *result = Ok(item + 1);
        }
    }
    Ok(results)
}

/// One item at a time, with pauses in which the worker falls asleep.
fn sleepy(pool: &Pool, timeout: Option<Duration>) -> Result<Results> {
    let items = (0..ITEMS).inspect(|_| std::thread::sleep(Duration::from_micros(500)));
    let on = on(pool, plus_one, timeout).chunk_size(1);
    Ok(on.imap(items)?.collect())
}

fn handles(pool: &Pool, timeout: Option<Duration>) -> Result<Results> {
    let on = on(pool, plus_one, timeout);
    let handles: Result<Vec<_>> = (0..ITEMS).map(|x| on.apply_async(x)).collect();
    let results = handles?.into_iter().map(mp::Handle::get);
    Ok(results.collect())
}

fn folded(pool: &Pool, timeout: Option<Duration>) -> Result<Results> {
    let on = on(pool, plus_one, timeout).chunk_size(3);
    let sum = on.map_reduce(add, 0..ITEMS);
    let good = (0..ITEMS).map(|x| Ok(x + 1));
    match sum {
        Ok(sum) => {
            assert_eq!(sum, Some((1..=ITEMS).sum()));
            Ok(good.collect())
        }
        Err(error) => {
            let item = error.item();
            let mut results: Results = good.collect();
            results[item.ok_or_else(|| error.without_item())?] = Err(again(item));
            Ok(results)
        }
    }
}

fn again(item: Option<usize>) -> Error {
    Error::new(crate::error::Kind::Died, "in a fold").with_item(item.unwrap_or(0) as u64)
}

const SCENARIOS: [(&str, Scenario); 9] = [
    ("single", |pool, timeout| chunks(pool, timeout, 1)),
    ("chunks", |pool, timeout| chunks(pool, timeout, 3)),
    ("texts", |pool, timeout| texts(pool, timeout, 3)),
    ("single texts", |pool, timeout| texts(pool, timeout, 1)),
    ("blocks", blocks),
    ("failures", failures),
    ("sleepy", sleepy),
    ("handles", handles),
    ("folded", folded),
];

struct Explorer {
    pool: Pool,
    signal: Signal,
    file: PathBuf,
}

impl Explorer {
    fn new(name: &str, workers: usize, signal: Signal) -> Result<Self> {
        let file = std::env::temp_dir().join(format!("mp-explorer-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let pool = Pool::builder().workers(workers).build()?;
        Ok(Explorer { pool, signal, file })
    }

    /// Which worker was hit, and behind which store.
    fn fired(&self) -> Option<(u32, String)> {
        let told = std::fs::read_to_string(&self.file).ok()?;
        let _ = std::fs::remove_file(&self.file);
        let (pid, point) = told.split_once(' ')?;
        Some((pid.parse().ok()?, point.to_owned()))
    }

    /// Runs the scenario over and over, hit at one store after the other; gives how many there were.
    fn explore(&self, name: &str, scenario: Scenario, timeout: Option<Duration>) -> Result<u64> {
        let (mut hit, mut missed) = (0, 0);
        for count in 1.. {
            let order = (count, self.signal as i32, self.file.as_path());
            let armed = on(&self.pool, arm, timeout).apply(order);
            let results = scenario(&self.pool, timeout)?;
            let Some((pid, point)) = self.fired() else {
                // Among several workers the armed one may have had little to do, this time.
                missed += 1;
                if missed == self.pool.workers() * 3 {
                    break;
                }
                self.end_all();
                continue;
            };
            (hit, missed) = (hit + 1, 0);
            let place = format!("{name}, hit behind store {count} ({point})");
            self.judge(&place, &point, armed, results);
            self.end_the_stopped(pid);
            let after = self.pool.map(plus_one, 0..ITEMS)?;
            assert!(
                after.iter().zip(1..).all(|(value, x)| *value == x),
                "{place}"
            );
        }
        Ok(hit)
    }

    /// One of them may be armed still, and would be hit later.
    fn end_all(&self) {
        for pid in self.pool.worker_pids() {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
            while matches!(state(pid), Some('R' | 'S' | 'T')) {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        let _ = std::fs::remove_file(&self.file);
    }

    fn judge(&self, place: &str, point: &str, armed: Result<()>, results: Results) {
        assert_eq!(results.len() as u64, ITEMS, "{place}");
        let mut errors: Vec<Error> = armed.err().into_iter().collect();
        for (item, result) in results.into_iter().enumerate() {
            match result {
                Ok(value) => assert_eq!(value, item as u64 + 1, "{place}"),
                Err(error) => {
                    assert!(
                        error.item().is_none_or(|named| named == item),
                        "{place}: {error}"
                    );
                    errors.push(error);
                }
            }
        }
        assert!(errors.len() <= 1, "{place}: {errors:?}");
        assert!(
            errors.is_empty() || !IDLE.contains(&point),
            "{place}: {errors:?}"
        );
        for error in &errors {
            let known = match self.signal {
                Signal::SIGSTOP => error.is_timeout() || error.is_death(),
                _ => error.is_death(),
            };
            assert!(known, "{place}: {error}");
        }
    }

    /// A worker that was stopped where no deadline runs is ended now.
    fn end_the_stopped(&self, pid: u32) {
        // Its number may belong to somebody else by now, if it was ended already.
        if self.signal == Signal::SIGSTOP && self.pool.worker_pids().contains(&pid) {
            // Where it was late to stop it may not have begun to.
            while matches!(state(pid), Some('R' | 'S')) {
                std::thread::sleep(Duration::from_micros(50));
            }
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
        }
    }
}

/// What the process is doing, as `/proc` has it.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

impl Drop for Explorer {
    fn drop(&mut self) {
        self.end_all();
    }
}

fn explore_all(workers: usize, signal: Signal, timeout: Option<Duration>) -> Result<()> {
    let explore = |(name, scenario): (&'static str, Scenario)| {
        let begun = Instant::now();
        let explorer = Explorer::new(name, workers, signal)?;
        let stores = explorer.explore(name, scenario, timeout)?;
        println!("{name}: {stores} stores, {:?}", begun.elapsed());
        let least = if workers == 1 { 20 } else { 5 };
        assert!(stores > least, "{name}: only {stores} stores");
        Ok(())
    };
    if signal == Signal::SIGKILL {
        return SCENARIOS.into_iter().try_for_each(explore);
    }
    // Most of the time is spent waiting for deadlines.
    std::thread::scope(|scope| {
        let threads = SCENARIOS.map(|scenario| scope.spawn(move || explore(scenario)));
        threads
            .into_iter()
            .try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })
}

#[mp::test(timeout = "120s")]
fn killed_behind_every_store() -> Result<()> {
    explore_all(1, Signal::SIGKILL, None)
}

#[mp::test(timeout = "120s")]
fn killed_behind_every_store_of_timed_items() -> Result<()> {
    explore_all(1, Signal::SIGKILL, Some(Duration::from_secs(50)))
}

#[mp::test(timeout = "60s")]
fn stopped_behind_every_store() -> Result<()> {
    explore_all(2, Signal::SIGSTOP, Some(Duration::from_millis(80)))
}

#[mp::test]
fn a_timed_fold_folds_everything() -> Result<()> {
    let pool = Pool::builder().workers(2).build()?;
    for chunk in [1, 3, 100] {
        let on = pool.on(plus_one).chunk_size(chunk);
        let sum = on
            .timeout(Duration::from_secs(50))
            .map_reduce(add, 0..100)?;
        assert_eq!(sum, Some(5050), "{chunk}");
    }
    Ok(())
}
