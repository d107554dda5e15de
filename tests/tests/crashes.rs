//! What has hung other pools: the behaviours that CPython's `test_deadlock` and loky's crash tests look for, found there after
//! deadlocks in the field. Nothing hangs here, every handle has its answer, and the pool works on or ends.
//!
//! Errors and deaths at each place of an item's way are in `matrix`.

use std::time::Duration;

use mp::{Error, Pool};
use mp_tests::grief::{self, end, sleep_ms};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn pool(workers: usize) -> mp::Result<Pool> {
    Pool::builder().workers(workers).build()
}

fn shoot(pid: u32) {
    let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
}

/// Crashes a little later, with as much data as it was sent.
#[mp::task]
fn crash_with(bytes: &[u8], bad: bool) -> u64 {
    std::thread::sleep(Duration::from_millis(5));
    if bad {
        grief::end("segfault");
    }
    bytes.len() as u64
}

/// Kills another worker, and goes on.
#[mp::task]
fn kill_friend(pid: u32, delay_us: u64) -> u64 {
    std::thread::sleep(Duration::from_micros(delay_us));
    shoot(pid);
    std::thread::sleep(Duration::from_micros(200));
    u64::from(pid)
}

/// Ends its process a little later.
#[mp::task]
fn end_after(delay_us: u64, way: &str) {
    std::thread::sleep(Duration::from_micros(delay_us));
    grief::end(way);
}

/// Does not travel.
struct Stubborn;

impl serde::Serialize for Stubborn {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it does not travel"))
    }
}

impl<'d> serde::Deserialize<'d> for Stubborn {
    fn deserialize<D: serde::Deserializer<'d>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it does not travel"))
    }
}

#[mp::task]
fn accept(stubborn: Stubborn) {
    let _ = stubborn;
}

type End = fn(Pool);

/// The ways to end a pool.
const ENDS: [(&str, End); 5] = [
    ("close, join", |pool| {
        pool.close();
        pool.join().expect("it is closed");
    }),
    ("shutdown", |pool| {
        pool.shutdown(Duration::from_secs(30));
    }),
    ("terminate", |pool| pool.terminate()),
    ("kill", |pool| pool.kill()),
    ("drop", drop),
];

#[mp::test]
fn workers_crash_while_the_pool_ends() -> mp::Result<()> {
    for (name, finish) in ENDS {
        for way in ["kill", "exit 3", "abort"] {
            for delay in [0, 300, 2_000] {
                let pool = pool(2)?;
                let handles: mp::Result<Vec<_>> = (0..6)
                    .map(|item| pool.apply_async(end_after, (delay * item / 2, way)))
                    .collect();
                finish(pool);
                for handle in handles? {
                    let error = handle.get().expect_err("it crashes");
                    assert!(
                        error.is_death() || error.is_cancelled(),
                        "{name}, {way}: {error}"
                    );
                }
            }
        }
    }
    Ok(())
}

#[mp::test]
fn workers_are_killed_from_outside_while_the_pool_ends() -> mp::Result<()> {
    for (name, finish) in ENDS {
        for delay in 0..15 {
            let pool = pool(3)?;
            let handles: mp::Result<Vec<_>> =
                (0..9).map(|_| pool.apply_async(sleep_ms, 2)).collect();
            let pids = pool.worker_pids();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_micros(delay * 400));
                    pids.iter().for_each(|pid| shoot(*pid));
                });
                finish(pool);
            });
            for handle in handles? {
                match handle.get() {
                    Ok(value) => assert_eq!(value, 2),
                    Err(error) => {
                        assert!(error.is_death() || error.is_cancelled(), "{name}: {error}")
                    }
                }
            }
        }
    }
    Ok(())
}

#[mp::test]
fn a_crash_with_more_data_queued_than_any_pipe_holds() -> mp::Result<()> {
    let pool = pool(2)?;
    let data = vec![7_u8; 2 << 20];
    for bad in [0, 10, 19] {
        let items = (0..20).map(|item| (&data, item == bad));
        let results = pool.on(crash_with).chunk_size(1).try_map(items)?;
        for (item, result) in results.into_iter().enumerate() {
            match result {
                Ok(size) => assert_eq!(size, 2 << 20),
                Err(error) => {
                    assert_eq!((item, error.item()), (bad, Some(bad)), "{error}");
                    assert_eq!(error.signal(), Some(11), "{error}");
                }
            }
        }
    }
    Ok(())
}

#[mp::test]
fn workers_kill_each_other() -> mp::Result<()> {
    let pool = pool(4)?;
    for round in 0..30 {
        let pids = pool.worker_pids();
        let items = pids.iter().map(|pid| (*pid, round % 5 * 100));
        let results = pool.on(kill_friend).chunk_size(1).try_map(items)?;
        assert_eq!(results.len(), pids.len());
        for (pid, result) in pids.iter().zip(results) {
            match result {
                Ok(value) => assert_eq!(value, u64::from(*pid)),
                Err(error) => assert!(error.is_death() && error.signal() == Some(9), "{error}"),
            }
        }
        assert_eq!(pool.map(sleep_ms, [0, 1, 0, 1])?, [0, 1, 0, 1]);
    }
    Ok(())
}

#[mp::test]
fn all_workers_crash_at_the_same_time() -> mp::Result<()> {
    for workers in [1, 2, 8] {
        let pool = pool(workers)?;
        for way in ["kill", "abort", "exit 1"] {
            let results = pool.on(end).chunk_size(1).try_map(vec![way; workers])?;
            for error in results.into_iter().map(Result::unwrap_err) {
                assert!(error.is_death(), "{error}");
            }
            assert_eq!(pool.apply(sleep_ms, 1)?, 1);
        }
    }
    Ok(())
}

#[mp::test]
fn what_does_not_travel_does_not_keep_a_pool_from_ending() -> mp::Result<()> {
    for (name, finish) in ENDS {
        let pool = pool(2)?;
        let before = pool.apply_async(sleep_ms, 1)?;
        let refused = pool.apply_async(accept, Stubborn);
        let mapped = pool.try_map(accept, [Stubborn, Stubborn])?;
        finish(pool);
        assert!(refused.is_err_and(|error| error.is_encode()), "{name}");
        assert!(
            mapped
                .iter()
                .all(|result| result.as_ref().is_err_and(Error::is_encode))
        );
        match before.get() {
            Ok(value) => assert_eq!(value, 1),
            Err(error) => assert!(error.is_cancelled(), "{name}: {error}"),
        }
    }
    Ok(())
}

#[mp::test]
fn many_threads_submit_while_workers_die() -> mp::Result<()> {
    let pool = pool(2)?;
    std::thread::scope(|scope| {
        for thread in 0..6_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..40 {
                    if (round + thread) % 8 == 0 {
                        assert!(pool.apply(end, "kill").is_err_and(|error| error.is_death()));
                    } else {
                        assert_eq!(pool.apply(sleep_ms, 0).ok(), Some(0));
                    }
                }
            });
        }
    });
    Ok(())
}
