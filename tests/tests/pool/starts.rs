//! Workers that do not come up: stopped before they have begun, or with an initializer that never ends.

use std::path::Path;
use std::time::Duration;

use mp::{Failure, Pool};
use mp_tests::grief::{end, sleep_ms};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

#[mp::task]
fn hang() {
    loop {
        std::thread::sleep(Duration::from_secs(100));
    }
}

/// Ends at once the first so many times, and never afterwards.
#[mp::task]
fn hang_later(folder: &Path, times: u64) -> Result<(), Failure> {
    let turn = (0..).find(|turn| {
        let place = folder.join(format!("{turn}"));
        std::fs::File::create_new(place).is_ok()
    });
    if turn >= Some(times) {
        hang();
    }
    Ok(())
}

fn stop(pid: u32) {
    let _ = kill(Pid::from_raw(pid as i32), Signal::SIGSTOP);
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Most of these workers have not got as far as taking work when they are stopped; the others are idle.
#[mp::test(timeout = "120s")]
fn stopped_before_it_is_up() -> mp::Result<()> {
    for workers in [1, 2] {
        let pool = Pool::builder().workers(workers).build()?;
        pool.worker_pids().into_iter().for_each(stop);
        let timed = pool.on(square).timeout(ms(100));
        assert_eq!(timed.apply(3)?, 9);
        assert_eq!(timed.map(0..10)?.len(), 10);
        // And those that come later.
        assert!(pool.apply(end, "kill").is_err_and(|error| error.is_death()));
        pool.worker_pids().into_iter().for_each(stop);
        assert_eq!(timed.try_map([5, 6])?.len(), 2);
        assert_eq!(timed.apply_async(4)?.get()?, 16);
    }
    Ok(())
}

/// With a time for starts, no item need have a deadline for that.
#[mp::test(timeout = "120s")]
fn stopped_while_it_starts() -> mp::Result<()> {
    let pool = Pool::builder()
        .workers(1)
        .start_timeout(ms(1_000))
        .build()?;
    assert_eq!(pool.apply(square, 3)?, 9);
    let dies = pool.apply_async(end, "kill")?;
    assert!(dies.get().is_err_and(|error| error.is_death()));
    pool.worker_pids().into_iter().for_each(stop);
    // Stopped before it was up it is replaced; afterwards only a deadline helps.
    let value = pool.on(square).timeout(ms(3_000)).apply(4)?;
    assert_eq!(value, 16);
    Ok(())
}

#[mp::test(timeout = "60s")]
fn an_initializer_that_never_ends() -> mp::Result<()> {
    for workers in [1, 3] {
        let error = Pool::builder()
            .workers(workers)
            .initializer(hang, ())
            .start_timeout(ms(150))
            .build()
            .expect_err("it never ends");
        assert!(error.is_timeout(), "{error}");
        assert!(
            error.task().is_some_and(|task| task.ends_with("hang")),
            "{error}"
        );
    }
    // One that does end is no matter.
    let pool = Pool::builder()
        .workers(2)
        .initializer(sleep_ms, 20)
        .start_timeout(Duration::from_secs(50))
        .build()?;
    assert_eq!(pool.map(square, [1, 2, 3])?, [1, 4, 9]);
    Ok(())
}

#[mp::test(timeout = "60s")]
fn an_initializer_that_never_ends_later() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("mp-starts-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder)?;
    let pool = Pool::builder()
        .workers(1)
        .initializer(hang_later, (&folder, 2))
        .start_timeout(ms(400))
        .build()?;
    assert_eq!(pool.apply(square, 3)?, 9);
    // Its successor is initialised, too; the next one is not.
    assert!(pool.apply(end, "kill").is_err_and(|error| error.is_death()));
    assert_eq!(pool.apply(square, 4)?, 16);
    assert!(pool.apply(end, "kill").is_err_and(|error| error.is_death()));
    for error in [
        pool.apply(square, 5).map(drop),
        pool.map(square, [1, 2]).map(drop),
        pool.apply_async(square, 5)?.get().map(drop),
    ] {
        let error = error.expect_err("no worker comes up any more");
        assert!(error.is_timeout(), "{error}");
        assert!(error.message().contains("in time"), "{error}");
    }
    // While it starts the pool can be ended.
    let running = pool.apply_async(square, 5)?;
    pool.terminate();
    let error = running.get().expect_err("nobody runs it");
    assert!(error.is_cancelled() || error.is_timeout(), "{error}");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// A call's own time bounds the wait for workers, too.
#[mp::test(timeout = "60s")]
fn a_call_is_bounded_while_workers_start() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("mp-bound-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder)?;
    let pool = Pool::builder()
        .workers(1)
        .initializer(hang_later, (&folder, 1))
        .build()?;
    assert!(pool.apply(end, "kill").is_err_and(|error| error.is_death()));
    let error = pool
        .on(square)
        .within(ms(100))
        .map([1, 2])
        .expect_err("nobody runs it");
    assert!(error.is_timeout(), "{error}");
    let handle = pool.apply_async(square, 1)?;
    assert!(!handle.wait(ms(50)));
    drop(pool);
    assert!(handle.get().is_err_and(|error| error.is_cancelled()));
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
