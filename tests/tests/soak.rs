//! A soak: calls of all kinds and sizes from several threads, while workers are killed, or stopped and killed, at random.
//!
//! Every item is accounted for, once: its value is right, or an error names the item and the death. Afterwards the pool works,
//! and the judge finds nothing left. `MP_SOAK_SECONDS` says for how long (5); `MP_SOAK_SEED` repeats a run's choices.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mp::{Error, Pool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Small random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end.max(1)
    }
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

/// Takes a while.
#[mp::task]
fn toil(x: u64, microseconds: u64) -> u64 {
    let end = Instant::now() + Duration::from_micros(microseconds);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    x * x
}

#[mp::task]
fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

#[mp::task]
fn text(x: u64) -> String {
    format!("{x:>width$}", width = (x % 300) as usize)
}

#[mp::task]
fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

/// What became of the items of all calls.
#[derive(Default)]
struct Books {
    good: AtomicU64,
    lost: AtomicU64,
    kills: AtomicU64,
}

impl Books {
    fn good(&self, count: u64) {
        self.good.fetch_add(count, Ordering::Relaxed);
    }

    /// An error must be a death by our own hand, of this item.
    fn lost(&self, error: &Error, item: Option<u64>, items: u64) {
        assert!(error.is_death(), "{error}");
        assert_eq!(error.signal(), Some(9), "{error}");
        assert!(error.pid().is_some() && error.worker().is_some(), "{error}");
        let named = error.item().map(|named| named as u64);
        match item {
            Some(item) => assert_eq!(named, Some(item), "{error}"),
            None => assert!(named.is_none_or(|named| named < items), "{error}"),
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// One result for each of `items` items, in their order.
    fn each<T: PartialEq + std::fmt::Debug>(
        &self,
        results: Vec<mp::Result<T>>,
        items: u64,
        right: impl Fn(u64) -> T,
    ) {
        assert_eq!(results.len() as u64, items);
        for (item, result) in (0..).zip(results) {
            match result {
                Ok(value) => {
                    assert_eq!(value, right(item));
                    self.good(1);
                }
                Err(error) => self.lost(&error, Some(item), items),
            }
        }
    }

    /// All values, or the first error.
    fn all<T: PartialEq + std::fmt::Debug>(
        &self,
        results: mp::Result<Vec<T>>,
        items: u64,
        right: impl Fn(u64) -> T,
    ) {
        match results {
            Ok(values) => self.each(values.into_iter().map(Ok).collect(), items, right),
            Err(error) => {
                assert!(error.item().is_some(), "{error}");
                self.lost(&error, None, items);
            }
        }
    }
}

/// One call of a random kind and size.
fn call(pool: &Pool, random: &mut Random, books: &Books) -> mp::Result<()> {
    let items = [1, 3, 40, 2_000][random.below(4) as usize];
    let chunk = [1, 7, 100][random.below(3) as usize];
    match random.below(9) {
        0 => books.all(pool.map(square, 0..items), items, |x| x * x),
        1 => books.all(
            pool.on(text).chunk_size(chunk).map(0..items),
            items,
            text_of,
        ),
        2 => {
            let time = random.below(200);
            let on = pool.on(toil).chunk_size(chunk);
            let results = on.try_map((0..items.min(300)).map(|x| (x, time)))?;
            books.each(results, items.min(300), |x| x * x);
        }
        3 => books.each(pool.try_map(text, 0..items)?, items, text_of),
        4 => {
            let results = pool.on(square).chunk_size(chunk).imap(0..items)?;
            books.each(results.collect(), items, |x| x * x);
        }
        5 => {
            let mut results: Vec<_> = (0..items).map(|_| None).collect();
            for (item, result) in pool.imap_unordered(text, 0..items)? {
                assert!(results[item].replace(result).is_none(), "item {item} twice");
            }
            let results: Option<Vec<_>> = results.into_iter().collect();
            books.each(results.expect("every item"), items, text_of);
        }
        6 => {
            // Large arguments and results.
            let blocks: Vec<Vec<u8>> = (0..items.min(4))
                .map(|item| vec![item as u8; 1 << random.below(21)])
                .collect();
            let results = pool.try_map(reversed, &blocks)?;
            books.each(results, items.min(4), |item| blocks[item as usize].clone());
        }
        7 => {
            let items = items.min(40);
            let handles: mp::Result<Vec<_>> =
                (0..items).map(|x| pool.apply_async(square, x)).collect();
            for (x, handle) in (0..).zip(handles?) {
                match handle.get() {
                    Ok(value) => {
                        assert_eq!(value, x * x);
                        books.good(1);
                    }
                    Err(error) => books.lost(&error, None, 1),
                }
            }
        }
        _ => match pool.map_reduce(square, add, 0..items) {
            Ok(sum) => {
                assert_eq!(sum, Some((0..items).map(|x| x * x).sum()));
                books.good(items);
            }
            Err(error) => books.lost(&error, None, items),
        },
    }
    Ok(())
}

fn text_of(x: u64) -> String {
    text(x)
}

/// Kills a random worker, at once or after it has stood still for a while.
fn strike(pool: &Pool, random: &mut Random) {
    let pids = pool.worker_pids();
    if pids.is_empty() {
        return;
    }
    let victim = Pid::from_raw(pids[random.below(pids.len() as u64) as usize] as i32);
    if random.below(3) == 0 && kill(victim, Signal::SIGSTOP).is_ok() {
        std::thread::sleep(Duration::from_micros(random.below(5_000)));
    }
    let _ = kill(victim, Signal::SIGKILL);
}

#[mp::test(timeout = "600s")]
fn every_item_is_accounted_for() -> mp::Result<()> {
    let time = Duration::from_secs(number_of("MP_SOAK_SECONDS").unwrap_or(5).min(500));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let fresh = clock.map_or(1, |time| time.as_nanos() as u64);
    let seed = number_of("MP_SOAK_SEED").unwrap_or(fresh) | 1;
    println!("seed: MP_SOAK_SEED={seed}");

    let pool = Pool::builder().workers(3).build()?;
    let (books, over) = (Books::default(), AtomicBool::new(false));
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        let callers: Vec<_> = (1..=3_u64)
            .map(|caller| {
                let (pool, books) = (&pool, &books);
                scope.spawn(move || -> mp::Result<()> {
                    let mut random = Random(seed.wrapping_mul(caller * 2 + 1));
                    while Instant::now() < end {
                        call(pool, &mut random, books)?;
                    }
                    Ok(())
                })
            })
            .collect();
        scope.spawn(|| {
            let mut random = Random(seed);
            while !over.load(Ordering::Relaxed) {
                strike(&pool, &mut random);
                books.kills.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(1_000 + random.below(8_000)));
            }
        });
        let ends: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        over.store(true, Ordering::Relaxed);
        for end in ends {
            match end {
                Ok(result) => result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok::<(), Error>(())
    })?;
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    println!(
        "{} items had their values, {} were lost, each with its error, in {} kills",
        count(&books.good),
        count(&books.lost),
        count(&books.kills)
    );
    assert!(count(&books.good) > 0 && count(&books.kills) > 0);
    assert_eq!(pool.map(square, 0..5)?, [0, 1, 4, 9, 16]);
    Ok(())
}
