//! Workers that die: the item they ran is named, everything else is done, and the pool goes on.

use std::time::Duration;

use mp::Pool;
use mp_tests::grief::{self, end, sleep_ms};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Ends its process in the way that is said where `x` is `bad`.
#[mp::task]
fn end_at(x: u64, bad: u64, way: &str) -> u64 {
    if x == bad {
        grief::end(way);
    }
    x + 1
}

/// The same, with nothing to return.
#[mp::task]
fn end_silently_at(x: u64, bad: u64) {
    if x == bad {
        grief::end("kill");
    }
}

/// The same, with a result that has no constant size.
#[mp::task]
fn end_with_text_at(x: u64, bad: u64) -> String {
    if x == bad {
        grief::end("kill");
    }
    x.to_string()
}

#[mp::task]
fn add(a: u64, b: u64) -> u64 {
    a + b
}

fn two() -> mp::Result<Pool> {
    Pool::builder().workers(2).build()
}

#[mp::test]
fn every_way_to_die_in_apply() -> mp::Result<()> {
    let pool = two()?;
    for (way, code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 3", Some(3), None),
        ("_exit 7", Some(7), None),
        ("a thread exits 9", Some(9), None),
        ("abort", None, Some(6)),
        ("kill", None, Some(9)),
        ("term", None, Some(15)),
        ("segfault", None, Some(11)),
        ("overflow", None, None),
        ("overflow in a thread", None, None),
    ] {
        let pids = pool.worker_pids();
        let error = pool.apply(end, way).expect_err("the worker died");
        assert!(error.is_death(), "{way}: {error}");
        if way.starts_with("overflow") {
            // Of other threads' stacks only the signal is known.
            let told = error.to_string().contains("overflowed its stack");
            assert!(told || way != "overflow", "{error}");
            assert!(matches!(error.signal(), Some(6 | 11)), "{error}");
        } else {
            assert_eq!(
                (error.exit_code(), error.signal()),
                (code, signal),
                "{way}: {error}"
            );
        }
        assert!(
            error.pid().is_some_and(|pid| pids.contains(&pid)),
            "{error}"
        );
        assert!(
            error
                .worker()
                .is_some_and(|name| name.starts_with("PoolWorker-")),
            "{error}"
        );
        assert!(
            error
                .task()
                .is_some_and(|task| task.ends_with("grief::end")),
            "{error}"
        );
        // It is refilled, and works on.
        assert_eq!(pool.map(sleep_ms, [0, 1, 0])?, [0, 1, 0]);
        assert_eq!(pool.worker_pids().len(), 2);
    }
    Ok(())
}

#[mp::test]
fn a_death_in_map_names_the_item() -> mp::Result<()> {
    let pool = two()?;
    for count in [1, 2, 300, 20_000] {
        for bad in [0, count / 2, count - 1] {
            let error = pool
                .map(end_at, (0..count).map(|x| (x, bad, "kill")))
                .expect_err("one item kills its worker");
            assert!(error.is_death(), "{error}");
            assert_eq!(error.item(), Some(bad as usize), "{count}: {error}");
            assert_eq!(error.signal(), Some(9), "{error}");
            let error = pool
                .map(end_silently_at, (0..count).map(|x| (x, bad)))
                .expect_err("one item kills its worker");
            assert_eq!(
                (error.is_death(), error.item()),
                (true, Some(bad as usize)),
                "{count}: {error}"
            );
            let error = pool
                .map(end_with_text_at, (0..count).map(|x| (x, bad)))
                .expect_err("one item kills its worker");
            assert_eq!(
                (error.is_death(), error.item()),
                (true, Some(bad as usize)),
                "{count}: {error}"
            );
            let error = pool
                .map_reduce(end_at, add, (0..count).map(|x| (x, bad, "exit 3")))
                .expect_err("one item kills its worker");
            assert_eq!(
                (error.is_death(), error.item()),
                (true, Some(bad as usize)),
                "{count}: {error}"
            );
            assert_eq!(error.exit_code(), Some(3), "{error}");
        }
        let all = pool.map(end_at, (0..count).map(|x| (x, count, "")))?;
        assert!(all.iter().zip(1..).all(|(value, x)| *value == x));
    }
    Ok(())
}

/// Says in a file which items it has run, and kills its process on one of them.
#[mp::task]
fn note_and_end(x: u64, bad: u64, notes: &std::path::Path) -> Result<u64, mp::Failure> {
    use std::io::Write;
    let mut file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(notes)?;
    file.write_all(format!("{x}\n").as_bytes())?;
    if x == bad {
        grief::end("kill");
    }
    Ok(x)
}

#[mp::test]
fn what_a_dead_worker_had_finished_is_not_run_again() -> Result<(), Box<dyn std::error::Error>> {
    let notes = std::env::temp_dir().join(format!("mp-notes-{}", std::process::id()));
    let pool = Pool::builder().workers(1).chunk_size(50).build()?;
    let items = (0..200).map(|x| (x, 30, notes.as_path()));
    let error = pool
        .map(note_and_end, items)
        .expect_err("item 30 kills its worker");
    assert_eq!(error.item(), Some(30), "{error}");
    let text = std::fs::read_to_string(&notes)?;
    std::fs::remove_file(&notes)?;
    let mut seen: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    seen.sort_unstable();
    let all = seen.len();
    seen.dedup();
    assert_eq!(seen.len(), all, "an item ran twice");
    assert!(seen.contains(&0) && seen.contains(&30), "{seen:?}");
    Ok(())
}

#[mp::test]
fn killed_from_outside_while_idle_and_while_busy() -> mp::Result<()> {
    let pool = two()?;
    let kill_all = |pool: &Pool| {
        for pid in pool.worker_pids() {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
        }
    };
    for _ in 0..10 {
        kill_all(&pool);
        // Nobody was running anything: nobody is to blame, unless an item was begun before the death.
        match pool.map(sleep_ms, [0, 1, 2, 3]) {
            Ok(values) => assert_eq!(values, [0, 1, 2, 3]),
            Err(error) => assert!(error.is_death() && error.item().is_some(), "{error}"),
        }
    }
    let handle = pool.apply_async(sleep_ms, 50_000)?;
    std::thread::sleep(Duration::from_millis(100));
    kill_all(&pool);
    let error = handle.get().expect_err("its worker was killed");
    assert_eq!(
        (error.is_death(), error.signal()),
        (true, Some(9)),
        "{error}"
    );
    assert_eq!(pool.apply(sleep_ms, 1)?, 1);
    Ok(())
}

/// Dies in the start of every process after the first ones, as a broken library would make it.
#[mp::test]
fn a_pool_whose_workers_can_never_do_anything_says_so() -> mp::Result<()> {
    let pool = two()?;
    for _ in 0..6 {
        let error = pool.map(end, ["exit 1"; 40]).expect_err("they all die");
        assert!(error.is_death(), "{error}");
    }
    assert_eq!(pool.apply(sleep_ms, 1)?, 1);
    Ok(())
}

#[mp::test]
fn a_stopped_worker_holds_up_its_own_items_only() -> mp::Result<()> {
    let pool = two()?;
    let [stopped, _] = pool.worker_pids()[..] else {
        panic!("two workers");
    };
    let stopped = Pid::from_raw(stopped as i32);
    kill(stopped, Signal::SIGSTOP).expect("it is there");
    let handle = pool.apply_async(sleep_ms, 1)?;
    let other = pool.apply_async(sleep_ms, 2)?;
    // One of the two is at the stopped worker, unless the other one took both.
    while !handle.is_ready() && !other.is_ready() {
        std::thread::sleep(Duration::from_millis(1));
    }
    kill(stopped, Signal::SIGCONT).expect("it is there");
    assert_eq!((handle.get()?, other.get()?), (1, 2));
    // And one that stays stopped does not keep the pool from ending.
    kill(stopped, Signal::SIGSTOP).expect("it is there");
    pool.terminate();
    Ok(())
}

#[mp::task]
fn print_and_panic(lines: u32) {
    for line in 0..lines {
        eprintln!("{line:0>500}");
    }
    panic!("after {lines} lines");
}

#[mp::test]
fn a_worker_that_prints_and_panics() -> mp::Result<()> {
    let pool = two()?;
    for _ in 0..20 {
        let error = pool.apply(print_and_panic, 50).expect_err("it panics");
        assert!(error.is_panic(), "{error}");
        assert!(error.message().contains("after 50 lines"), "{error}");
    }
    // Panics do not cost workers.
    assert_eq!(pool.map(sleep_ms, [1, 2])?, [1, 2]);
    Ok(())
}

#[mp::test]
fn a_caught_panic_is_not_told_of_a_later_abort() -> mp::Result<()> {
    let pool = Pool::builder().workers(1).build()?;
    let error = pool.apply(print_and_panic, 0).expect_err("it panics");
    assert!(error.is_panic(), "{error}");
    let error = pool.apply(end, "abort").expect_err("it aborts");
    assert!(error.is_death() && error.signal() == Some(6), "{error}");
    Ok(())
}

#[mp::test]
fn a_worker_that_closes_our_descriptors_works_on() -> mp::Result<()> {
    let pool = Pool::builder().workers(1).build()?;
    assert_eq!(pool.apply(grief::close_all, ())?, 17);
    assert_eq!(pool.map(sleep_ms, [1, 2, 3])?, [1, 2, 3]);
    Ok(())
}
