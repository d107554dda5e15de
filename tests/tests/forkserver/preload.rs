//! What is preloaded: it is there in every child, and what goes wrong in it is told.

use std::sync::OnceLock;
use std::time::Duration;

use mp::{Failure, Pool, Process, StartMethod};
use mp_tests::grief;

use crate::{Verdict, double, forked, server};

static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
static LOCK: OnceLock<(mp::Lock, mp::Semaphore)> = OnceLock::new();

#[mp::task]
fn build(name: &str, numbers: Vec<u64>) -> Result<u64, Failure> {
    if name == "fail" {
        return Err(Failure::new("there is no such table"));
    }
    let sum = numbers.iter().sum();
    TABLE.get_or_init(|| numbers);
    // Without an end of the line: it stands in a buffer of the server's, and must not be every child's.
    print!("[built]");
    Ok(sum)
}

#[mp::task]
fn look_up(at: usize) -> Option<u64> {
    TABLE.get()?.get(at).copied()
}

#[mp::test]
fn children_find_it() -> Verdict {
    let large: Vec<u64> = (0..200_000).collect();
    mp::set_forkserver_preload(build, ("squares", large))?;
    for _ in 0..3 {
        assert_eq!(forked(look_up, 150_000).start()?.join()?, Some(150_000));
    }
    let spawned = Process::new(look_up, 1).start_method(StartMethod::Spawn);
    assert_eq!(spawned.start()?.join()?, None);
    let pool = Pool::builder()
        .workers(2)
        .start_method(StartMethod::ForkServer)
        .build()?;
    assert_eq!(
        pool.map(look_up, [7, 8, 1_000_000])?,
        [Some(7), Some(8), None]
    );
    // The next server preloads it again.
    let pid = server(&pool.worker_pids()).ok_or("there is no server")?;
    let _ = nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid as i32),
        nix::sys::signal::Signal::SIGKILL,
    );
    assert_eq!(forked(look_up, 9).start()?.join()?, Some(9));
    // Another takes its place, for those who come after.
    mp::set_forkserver_preload(build, ("short", vec![5, 6]))?;
    assert_eq!(forked(look_up, 1).start()?.join()?, Some(6));
    assert_eq!(pool.map(look_up, [7])?, [Some(7)]);
    Ok(())
}

#[mp::task]
fn panics() {
    panic!("no table today");
}

#[mp::task]
fn starts_a_thread(joined: bool) {
    let thread = std::thread::Builder::new()
        .name("lingering".into())
        .spawn(move || std::thread::sleep(Duration::from_secs(if joined { 0 } else { 1000 })));
    if let (true, Ok(thread)) = (joined, thread) {
        let _ = thread.join();
    }
}

#[mp::task]
fn has_a_family() -> Result<u64, Failure> {
    let child = Process::new(double, 3).start()?;
    drop(
        Process::new(grief::sleep_ms, 100_000)
            .daemon(true)
            .start()?,
    );
    Ok(child.join()?)
}

#[mp::test]
fn its_failure_is_that_of_the_start() -> Verdict {
    mp::set_forkserver_preload(build, ("fail", vec![]))?;
    for _ in 0..2 {
        let error = forked(double, 1).start().expect_err("it failed");
        assert!(
            error.is_task() && error.to_string().contains("no such table"),
            "{error}"
        );
        assert!(
            error.task().is_some_and(|task| task.contains("build")),
            "{error}"
        );
    }
    let pool = Pool::builder()
        .workers(2)
        .start_method(StartMethod::ForkServer)
        .build();
    assert!(
        pool.err()
            .ok_or("it cannot begin")?
            .to_string()
            .contains("no such table")
    );
    mp::set_forkserver_preload(panics, ())?;
    let error = forked(double, 1).start().expect_err("it panicked");
    assert!(
        error.is_panic() && error.to_string().contains("preload.rs"),
        "{error}"
    );
    for (way, signal) in [("kill", Some(9)), ("abort", Some(6)), ("exit 4", None)] {
        mp::set_forkserver_preload(grief::end, way)?;
        let error = forked(double, 1).start().expect_err("it died");
        assert!(
            error.is_death() && error.signal() == signal,
            "{way}: {error}"
        );
    }
    mp::set_forkserver_preload(starts_a_thread, false)?;
    let error = forked(double, 1).start().expect_err("it has two threads");
    assert!(error.to_string().contains("lingering"), "{error}");
    // All is well again, with none or with a better one.
    for joined in [true, true] {
        mp::set_forkserver_preload(starts_a_thread, joined)?;
        assert_eq!(forked(double, 1).start()?.join()?, 2);
    }
    mp::set_forkserver_preload(has_a_family, ())?;
    assert_eq!(forked(double, 1).start()?.join()?, 2);
    Ok(())
}

#[mp::task]
fn keep(lock: mp::Lock, runs: mp::Semaphore) {
    LOCK.get_or_init(|| (lock, runs));
}

/// Uses the objects that the server was given, and ends in the way that is said.
#[mp::task]
fn use_kept(way: &str) -> Result<(), Failure> {
    let (lock, runs) = LOCK.get().ok_or_else(|| Failure::new("nothing was kept"))?;
    let guard = lock.lock().or_else(mp::LockError::into_guard)?;
    runs.release()?;
    if way != "return" {
        grief::end(way);
    }
    drop(guard);
    Ok(())
}

/// Handles in what was preloaded are each child's own: what it locks is its own, and what it holds is given back at its end.
#[mp::test]
fn objects_that_were_preloaded() -> Verdict {
    let (lock, runs) = (mp::Lock::new()?, mp::Semaphore::new(0)?);
    mp::set_forkserver_preload(keep, (lock.clone(), runs.clone()))?;
    for round in 0..10 {
        forked(use_kept, "return").start()?.join()?;
        let error = forked(use_kept, "kill").start()?.join();
        assert!(error.expect_err("it died").is_death());
        assert!(
            lock.lock().is_err_and(|error| error.is_poisoned()),
            "round {round}"
        );
        let guard = lock.lock().map_err(mp::Error::from)?;
        drop(guard);
    }
    assert_eq!(runs.value(), 20);
    // The server alone has them now.
    drop((lock, runs));
    forked(use_kept, "return").start()?.join()?;
    Ok(())
}
