//! The calls of a pool as a stranger makes them: `try_map`, `imap`, and the settings of a single call.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mp::{Failure, Pool};

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

/// Fails, panics or dies on some items.
#[mp::task]
fn moody(x: u64) -> Result<u64, Failure> {
    match x % 10 {
        3 => Err(Failure::new("three")),
        5 => panic!("five"),
        7 => std::process::abort(),
        _ => Ok(x),
    }
}

#[mp::task]
fn text(x: u64) -> String {
    "x".repeat(x as usize % 50)
}

#[mp::task]
fn slow(ms: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(ms));
    ms
}

/// A value that some of the time cannot be encoded.
#[derive(Debug, Clone, Copy)]
struct Shy(u64);

impl serde::Serialize for Shy {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 % 4 == 1 {
            return Err(serde::ser::Error::custom("too shy"));
        }
        to.serialize_u64(self.0)
    }
}

impl<'d> serde::Deserialize<'d> for Shy {
    fn deserialize<D: serde::Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        u64::deserialize(from).map(Shy)
    }
}

#[mp::task]
fn boldly(shy: Shy) -> u64 {
    shy.0
}

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

#[mp::test]
fn every_item_has_a_result_of_its_own() {
    for chunk in [1, 7, 100] {
        let pool = pool(2);
        let results = pool.on(moody).chunk_size(chunk).try_map(0..40).unwrap();
        assert_eq!(results.len(), 40);
        for (item, result) in results.into_iter().enumerate() {
            match item % 10 {
                3 | 5 | 7 => {
                    let error = result.unwrap_err();
                    assert_eq!(error.item(), Some(item), "{error}");
                    assert!(error.task().unwrap().ends_with("moody"));
                    assert!(error.pid().is_some() && error.worker().is_some());
                    let kind = (error.is_task(), error.is_panic(), error.is_death());
                    let wanted = (item % 10 == 3, item % 10 == 5, item % 10 == 7);
                    assert_eq!(kind, wanted, "{error}");
                }
                _ => assert_eq!(result.unwrap(), item as u64),
            }
        }
    }
}

#[mp::test]
fn an_item_that_cannot_be_encoded_fails_alone() {
    let pool = pool(2);
    for chunk in [1, 5] {
        let results = pool
            .on(boldly)
            .chunk_size(chunk)
            .try_map((0..20).map(Shy))
            .unwrap();
        let streamed: Vec<_> = pool
            .on(boldly)
            .chunk_size(chunk)
            .imap((0..20).map(Shy))
            .unwrap()
            .collect();
        for results in [results, streamed] {
            assert_eq!(results.len(), 20);
            for (item, result) in results.into_iter().enumerate() {
                if item % 4 == 1 {
                    let error = result.unwrap_err();
                    assert!(error.is_encode() && error.item() == Some(item), "{error}");
                } else {
                    assert_eq!(result.unwrap(), item as u64);
                }
            }
        }
    }
    let error = pool.map(boldly, [Shy(0), Shy(1)]).unwrap_err();
    assert!(error.is_encode() && error.item() == Some(1), "{error}");
}

#[mp::test]
fn imap_gives_all_values_in_order() {
    let pool = pool(2);
    for items in [0, 1, 10, 5_000u64] {
        let values: Result<Vec<u64>, _> = pool.imap(square, 0..items).unwrap().collect();
        assert_eq!(values.unwrap(), (0..items).map(*square).collect::<Vec<_>>());
        let values: Result<Vec<String>, _> = pool.imap(text, 0..items).unwrap().collect();
        assert_eq!(values.unwrap(), (0..items).map(*text).collect::<Vec<_>>());
        let mut seen = vec![false; items as usize];
        for (item, value) in pool.imap_unordered(square, 0..items).unwrap() {
            assert_eq!(value.unwrap(), (item * item) as u64);
            assert!(!std::mem::replace(&mut seen[item], true));
        }
        assert!(seen.into_iter().all(|seen| seen));
    }
    let values = pool.on(square).ordered(false).map(0..1000).unwrap();
    assert_eq!(values.len(), 1000);
}

#[mp::test]
fn imap_pulls_no_more_than_it_needs() {
    let pool = pool(2);
    let pulled = Cell::new(0u64);
    let input = (0u64..).inspect(|_| pulled.set(pulled.get() + 1));
    let mut values = pool.imap(slow, input.map(|_| 1)).unwrap();
    for taken in 0..50 {
        assert!(
            pulled.get() <= taken + 200,
            "{} pulled, {taken} taken",
            pulled.get()
        );
        assert_eq!(values.next().unwrap().unwrap(), 1);
    }
    // What the caller does meanwhile does not let it run ahead.
    std::thread::sleep(Duration::from_millis(100));
    assert!(pulled.get() <= 250);
    drop(values);
    // The pool is free again.
    assert_eq!(pool.apply(square, 3).unwrap(), 9);
}

#[mp::test]
fn imap_goes_on_while_nobody_asks() {
    let pool = pool(2);
    let mut values = pool.on(slow).chunk_size(1).imap([20; 4]).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    // All four were pulled, and run, two at a time.
    for _ in 0..4 {
        assert_eq!(
            values
                .next_timeout(Duration::from_millis(15))
                .unwrap()
                .unwrap()
                .unwrap(),
            20
        );
    }
    assert!(values.next_timeout(Duration::ZERO).unwrap().is_none());
}

#[mp::test]
fn an_early_drop_stops_the_work() {
    let pool = pool(1);
    let mut values = pool.imap_unordered(slow, std::iter::repeat(5)).unwrap();
    assert_eq!(values.next().unwrap().1.unwrap(), 5);
    drop(values);
    let large = pool
        .imap(square, 1..)
        .unwrap()
        .find(|value| *value.as_ref().unwrap() > 1000);
    assert_eq!(large.unwrap().unwrap(), 1024);
}

#[mp::test]
fn what_came_before_a_panic_of_the_input_comes_out() {
    let pool = pool(2);
    for chunk in [1, 4] {
        let input = (0..20u64).inspect(|item| assert!(*item < 10, "no more"));
        let mut values = pool.on(square).chunk_size(chunk).imap(input).unwrap();
        for item in 0..10 {
            assert_eq!(values.next().unwrap().unwrap(), item * item);
        }
        let panic = catch_unwind(AssertUnwindSafe(|| values.next())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"no more"));
        assert!(values.next().is_none());
    }
    let input = (0..20u64).inspect(|item| assert!(*item < 10, "no more"));
    assert!(catch_unwind(AssertUnwindSafe(|| pool.map(square, input))).is_err());
    assert_eq!(pool.map(square, [2]).unwrap(), [4]);
}

#[mp::test]
fn a_slow_input_holds_no_value_back() {
    let pool = pool(2);
    let pulled = Cell::new(0u64);
    let input = (0..40u64).inspect(|item| {
        pulled.set(*item);
        std::thread::sleep(Duration::from_millis(40));
    });
    let mut values = pool.imap(square, input).unwrap();
    assert_eq!(values.next().unwrap().unwrap(), 0);
    assert!(pulled.get() < 39);
    assert_eq!(values.count(), 39);
}

/// More than is held at a time goes through.
#[mp::test]
fn imap_of_large_items() {
    let pool = pool(2);
    let block = vec![7u8; 1 << 20];
    let values = pool.imap(length, (0..300).map(|_| &block)).unwrap();
    assert_eq!(
        values
            .map(Result::unwrap)
            .filter(|value| *value == 1 << 20)
            .count(),
        300
    );
}

#[mp::task]
fn length(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

#[mp::task]
fn second_time(marker: &str) -> Result<u64, Failure> {
    match std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(marker)
    {
        Ok(_) if marker.ends_with("dies") => std::process::abort(),
        Ok(_) => Err(Failure::new("the first time")),
        Err(_) => Ok(2),
    }
}

#[mp::test]
fn retries_are_those_of_the_call() {
    let pool = pool(1);
    for what in ["fails", "dies"] {
        let marker = std::env::temp_dir().join(format!("mp-retry-{}-{what}", std::process::id()));
        let marker = marker.to_str().unwrap();
        let _ = std::fs::remove_file(marker);
        assert!(pool.apply(second_time, marker).is_err());
        let _ = std::fs::remove_file(marker);
        assert_eq!(pool.on(second_time).retries(1).apply(marker).unwrap(), 2);
        std::fs::remove_file(marker).unwrap();
        assert_eq!(pool.on(second_time).retries(1).map([marker]).unwrap(), [2]);
        std::fs::remove_file(marker).unwrap();
    }
}

/// A call's own time counts while its input is slow, too, between any two items; one `next` that blocks is waited for.
#[mp::test(timeout = "60s")]
fn a_slow_input_does_not_outlast_the_call() {
    let pool = pool(2);
    let pulled = Cell::new(0u64);
    let slow_input = |count: u64| {
        pulled.set(0);
        let pulled = &pulled;
        (0..count).inspect(move |_| {
            pulled.set(pulled.get() + 1);
            std::thread::sleep(Duration::from_millis(5));
        })
    };
    let within = Duration::from_millis(50);
    // Longer than the watchdog, if it were pulled to its end.
    let endless = 60_000;
    for chunk in [1, 1_000_000] {
        let on = || pool.on(square).within(within).chunk_size(chunk);
        for error in [
            on().map(slow_input(endless)).unwrap_err(),
            on().try_map(slow_input(endless)).unwrap_err(),
            on().map_reduce(add, slow_input(endless)).unwrap_err(),
            pool.on(square)
                .within(within)
                .map(slow_input(endless))
                .unwrap_err(),
        ] {
            assert!(error.is_timeout(), "{error}");
            assert!(error.task().is_some_and(|task| task.ends_with("square")));
        }
        assert!(pulled.get() < endless);
    }
    // What is in time is whole.
    let in_time = pool.on(square).within(Duration::from_secs(50));
    assert_eq!(in_time.map(slow_input(20)).unwrap().len(), 20);
    assert_eq!(pulled.get(), 20);
}

#[mp::task]
fn add(a: u64, b: u64) -> u64 {
    a + b
}
