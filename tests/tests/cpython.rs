//! What CPython's own tests expect of its pools, `_TestPool`, `_TestPoolWorkerLifetime` and `test_concurrent_futures`, as
//! behaviour of `mp`'s. What they look for in crashes and deadlocks is in `crashes` and `matrix`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mp::{Failure, Handle, Pool};
use mp_tests::grief::{end, sleep_ms};

const LONG: u64 = 60_000;

#[mp::task]
fn sqr(x: u64, wait_ms: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(wait_ms));
    x * x
}

#[mp::task]
fn mul(x: u64, y: u64) -> u64 {
    x * y
}

#[mp::task]
fn maybe_fail(x: u64) -> Result<u64, Failure> {
    match x {
        7 => Err(Failure::new("seven")),
        x => Ok(x),
    }
}

#[mp::task]
fn chain_of_causes() -> Result<(), Failure> {
    Err(std::fs::File::open("/no/such/file")
        .expect_err("there is none")
        .into())
}

#[mp::task]
fn who() -> u32 {
    std::process::id()
}

#[mp::task]
fn identity(x: u64) -> u64 {
    x
}

fn pool(workers: usize) -> mp::Result<Pool> {
    Pool::builder().workers(workers).build()
}

// ---- _TestPool ----

#[mp::test]
fn apply_map_and_starmap() -> mp::Result<()> {
    let pool = pool(4)?;
    assert_eq!(pool.apply(sqr, (5, 0))?, 25);
    let squares: Vec<u64> = (0..100).map(|x| x * x).collect();
    assert_eq!(pool.map(sqr, (0..100).map(|x| (x, 0)))?, squares);
    for chunk in [1, 7, 20, 1_000] {
        let on = pool.on(mul).chunk_size(chunk);
        let products = on.map((0..100).map(|x| (x, x)))?;
        assert_eq!(products, squares, "chunks of {chunk}");
    }
    assert_eq!(pool.map_async(identity, 0..100)?.get()?.len(), 100);
    // Nothing in, nothing out.
    assert_eq!(pool.map(identity, 0..0)?, []);
    assert_eq!(pool.map_async(identity, 0..0)?.get()?, []);
    assert_eq!(pool.imap(identity, 0..0)?.count(), 0);
    assert_eq!(pool.imap_unordered(identity, 0..0)?.count(), 0);
    Ok(())
}

#[mp::test]
fn map_async_with_callbacks() -> mp::Result<()> {
    let pool = pool(2)?;
    let (tell, told) = mpsc::channel();
    let sent = tell.clone();
    let all = pool.map_async(identity, 0..10)?;
    all.then(move |values| sent.send(values.len()).is_ok())
        .get()?;
    assert_eq!(told.recv(), Ok(10));
    let failed = pool.map_async(maybe_fail, 0..10)?;
    let failed = failed.on_error(move |error| {
        let _ = tell.send(error.item().unwrap_or(0));
    });
    assert!(failed.get().is_err_and(|error| error.is_task()));
    assert_eq!(told.recv(), Ok(7));
    Ok(())
}

#[mp::test]
fn async_and_its_timeout() -> mp::Result<()> {
    let pool = pool(2)?;
    assert_eq!(pool.apply_async(sqr, (7, 50))?.get()?, 49);
    let mut late = pool.apply_async(sqr, (6, LONG))?;
    assert_eq!(late.get_timeout(Duration::from_millis(50))?, None);
    assert!(!late.is_ready());
    late.cancel();
    Ok(())
}

#[mp::test]
fn imap_and_failures_half_way() -> mp::Result<()> {
    let pool = pool(2)?;
    let values: mp::Result<Vec<u64>> = pool.imap(identity, 0..1_000)?.collect();
    assert_eq!(values?, (0..1_000).collect::<Vec<_>>());
    // The failure of one item is its own.
    for (item, result) in pool.imap(maybe_fail, 0..20)?.enumerate() {
        assert_eq!(result.is_err(), item == 7);
    }
    let failures = pool.imap_unordered(maybe_fail, 0..20)?;
    assert_eq!(failures.filter(|(_, result)| result.is_err()).count(), 1);
    // One of the input comes where it happens, what came before comes out.
    for unordered in [false, true] {
        let input = (0..10u64).inspect(|x| assert!(*x != 4, "the input fails"));
        let mut seen = 0;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let on = pool.on(identity).chunk_size(1).ordered(!unordered);
            for value in on.imap(input).expect("the pool is open") {
                value.expect("these do not fail");
                seen += 1;
            }
        }));
        assert!(panicked.is_err());
        assert_eq!(seen, 4, "unordered: {unordered}");
    }
    Ok(())
}

#[mp::test]
fn pools_of_no_size_and_of_the_usual_one() -> mp::Result<()> {
    assert!(pool(0).is_err_and(|error| error.is_usage()));
    assert_eq!(Pool::new()?.workers(), mp::cpu_count());
    Ok(())
}

#[mp::test]
fn terminate_with_much_queued() -> mp::Result<()> {
    let pool = pool(2)?;
    let all = pool.map_async(sleep_ms, [100; 1_000])?;
    pool.terminate();
    pool.join()?;
    assert!(all.get().is_err_and(|error| error.is_cancelled()));
    Ok(())
}

#[mp::test]
fn causes_and_panics_travel() -> mp::Result<()> {
    let pool = pool(1)?;
    let error = pool.apply(chain_of_causes, ()).expect_err("no such file");
    assert!(
        error.is_task() && error.message().contains("No such file"),
        "{error}"
    );
    let error = pool.apply(end, "panic").expect_err("it panics");
    assert!(error.is_panic(), "{error}");
    let place = error.location().unwrap_or_default();
    assert!(place.contains("grief.rs:"), "{place}");
    Ok(())
}

/// `test_map_no_failfast`: the first error ends the call, what runs is let finish.
#[mp::test]
fn a_failure_does_not_disturb_the_others() -> mp::Result<()> {
    let pool = pool(2)?;
    let error = pool
        .map(maybe_fail, 0..1_000)
        .expect_err("the seventh fails");
    assert_eq!(error.item(), Some(7), "{error}");
    let results = pool.try_map(maybe_fail, 0..1_000)?;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 999);
    Ok(())
}

/// `test_release_task_refs`: what was given to a call is dropped when the call is done.
#[mp::test]
fn arguments_and_callbacks_are_let_go() -> mp::Result<()> {
    let pool = pool(2)?;
    let kept = Arc::new(vec![1u64; 10]);
    let lent = Arc::clone(&kept);
    assert_eq!(pool.map(identity, lent.iter().copied())?.len(), 10);
    drop(lent);
    let held = Arc::clone(&kept);
    let handle = pool.apply_async(identity, 1)?.then(move |x| x + held[0]);
    assert_eq!(handle.get()?, 2);
    // The callback has given its value, and goes.
    while Arc::strong_count(&kept) > 1 {
        std::thread::yield_now();
    }
    Ok(())
}

// ---- _TestPoolWorkerLifetime ----

#[mp::test]
fn workers_have_a_lifetime() -> mp::Result<()> {
    let pool = Pool::builder().workers(3).tasks_per_worker(10).build()?;
    let before = pool.worker_pids();
    let results: mp::Result<Vec<_>> = (0..100).map(|x| pool.apply_async(sqr, (x, 0))).collect();
    for (x, handle) in (0..).zip(results?) {
        assert_eq!(handle.get()?, x * x);
    }
    while pool.worker_pids().len() < 3 {
        pool.apply(identity, 1)?;
    }
    assert!(pool.worker_pids().iter().all(|pid| !before.contains(pid)));
    // `early_close`: closed while workers are being replaced.
    let pool = Pool::builder().workers(3).tasks_per_worker(1).build()?;
    let results: mp::Result<Vec<_>> = (0..6).map(|x| pool.apply_async(sqr, (x, 20))).collect();
    pool.close();
    pool.join()?;
    for (x, handle) in (0..).zip(results?) {
        assert_eq!(handle.get()?, x * x);
    }
    Ok(())
}

// ---- test_concurrent_futures ----

#[mp::test]
fn wait_for_the_first_and_for_all() -> mp::Result<()> {
    let pool = pool(2)?;
    let handles = [
        pool.apply_async(sqr, (21, 0))?,
        pool.apply_async(sqr, (1, LONG))?,
    ];
    assert_eq!(mp::wait_any(&handles, None), Some(0));
    // Again, of those that are there already.
    assert_eq!(mp::wait_any(&handles, Some(Duration::ZERO)), Some(0));
    assert!(!mp::wait_all(&handles, Some(Duration::from_millis(20))));
    handles[1].cancel();
    assert!(mp::wait_all(&handles, None));
    // `first_exception`: an error makes a handle ready as a value does.
    let handles: Vec<Handle<u64>> = [7, 7]
        .map(|x| pool.apply_async(maybe_fail, x))
        .into_iter()
        .collect::<mp::Result<_>>()?;
    assert!(mp::wait_any(&handles, None).is_some());
    Ok(())
}

#[mp::test]
fn as_completed_and_its_timeout() -> mp::Result<()> {
    let pool = pool(2)?;
    let handles = vec![
        pool.apply_async(mul, (2, 21))?,
        pool.apply_async(mul, (7, 6))?,
        pool.apply_async(sqr, (1, LONG))?,
    ];
    let mut completed = mp::as_completed(handles);
    for _ in 0..2 {
        let (place, value) = completed.next().expect("three are there");
        assert!(place < 2);
        assert_eq!(value?, 42);
    }
    let late = completed.next_timeout(Duration::from_millis(20));
    assert!(late.is_err_and(|error| error.is_timeout()));
    pool.terminate();
    let (place, value) = completed.next().expect("one is left");
    assert!(place == 2 && value.is_err_and(|error| error.is_cancelled()));
    assert!(completed.next().is_none());
    Ok(())
}

/// `test_map_timeout`, `test_map_exception`: what came before comes out.
#[mp::test]
fn a_map_whose_values_are_late() -> mp::Result<()> {
    let pool = pool(2)?;
    let mut values = pool.on(sleep_ms).chunk_size(1).imap([0, 0, LONG])?;
    assert_eq!(values.next().transpose()?, Some(0));
    assert_eq!(values.next().transpose()?, Some(0));
    let late = values.next_timeout(Duration::from_millis(20));
    assert!(late.is_err_and(|error| error.is_timeout()));
    drop(values);
    pool.kill();
    Ok(())
}

/// `test_shutdown_race_issue12456`, `test_hang_issue12364`, `test_run_after_shutdown`, `test_cancel_futures`.
#[mp::test]
fn shut_down_while_others_wait() -> mp::Result<()> {
    let workers = 5;
    let racing = pool(workers)?;
    std::thread::scope(|scope| {
        let waits: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| racing.map(identity, 0..workers as u64)))
            .collect();
        for wait in waits {
            assert!(wait.join().expect("no panic").is_ok());
        }
        racing.shutdown(Duration::from_secs(50));
    });
    assert!(
        racing
            .apply(identity, 1)
            .is_err_and(|error| error.is_closed())
    );
    // With all of it done.
    let done = pool(2)?;
    let handles: mp::Result<Vec<_>> = (0..50).map(|_| done.apply_async(sleep_ms, 5)).collect();
    assert!(done.shutdown(Duration::from_secs(50)));
    for handle in handles? {
        assert_eq!(handle.get()?, 5);
    }
    // With what is queued called off.
    let busy = pool(2)?;
    let handles: mp::Result<Vec<_>> = (0..50).map(|_| busy.apply_async(sleep_ms, 100)).collect();
    assert!(!busy.shutdown(Duration::from_millis(250)));
    let values = handles?.into_iter().map(Handle::get);
    let (done, off): (Vec<_>, Vec<_>) = values.partition(Result::is_ok);
    assert!(!off.is_empty() && done.len() + off.len() == 50);
    assert!(
        off.iter()
            .all(|value| value.as_ref().is_err_and(mp::Error::is_cancelled))
    );
    Ok(())
}

/// `test_killed_child`: Python's pool is broken from then on; this one goes on.
#[mp::test]
fn a_killed_child_breaks_nothing() -> mp::Result<()> {
    let pool = pool(2)?;
    let waits = pool.apply_async(sleep_ms, LONG)?;
    let dies = pool.apply_async(end, "kill")?;
    assert!(dies.get().is_err_and(|error| error.is_death()));
    assert_eq!(pool.apply(identity, 3)?, 3);
    assert!(waits.cancel());
    Ok(())
}

/// `test_idle_process_reuse`, `test_saturation`.
#[mp::test]
fn workers_are_used_again_and_not_overrun() -> mp::Result<()> {
    let pool = pool(4)?;
    let pids = pool.worker_pids();
    for _ in 0..100 {
        assert!(pids.contains(&pool.apply(who, ())?));
    }
    let handles: mp::Result<Vec<_>> = (0..15 * 4).map(|_| pool.apply_async(sleep_ms, 5)).collect();
    assert_eq!(pool.worker_pids(), pids);
    for handle in handles? {
        handle.get()?;
    }
    Ok(())
}

/// `test_done_callback_*`: with a value, an error, cancelled, raising, and when it is done already.
#[mp::test]
fn callbacks_in_every_case() -> mp::Result<()> {
    let pool = pool(1)?;
    let said = Arc::new(Mutex::new(Vec::new()));
    let say = |what: &'static str| {
        let said = Arc::clone(&said);
        move || said.lock().expect("nobody panics with it").push(what)
    };
    let (value, error, off) = (say("value"), say("error"), say("cancelled"));
    let good = pool.apply_async(identity, 5)?.then(move |_| value());
    good.get()?;
    let bad = pool.apply_async(maybe_fail, 7)?.on_error(move |_| error());
    assert!(bad.get().is_err());
    let blocker = pool.apply_async(sleep_ms, LONG)?;
    let queued = pool.apply_async(identity, 1)?;
    assert!(queued.cancel());
    let queued = queued.on_error(move |error| {
        assert!(error.is_cancelled());
        off();
    });
    assert!(queued.get().is_err());
    blocker.cancel();
    let raising = pool
        .apply_async(identity, 1)?
        .then(|_| panic!("a callback"));
    assert!(
        raising
            .get()
            .is_err_and(|error: mp::Error| error.is_panic())
    );
    let done = pool.apply_async(identity, 1)?;
    assert!(done.wait(Duration::from_secs(50)));
    let late = say("late");
    done.then(move |_| late()).get()?;
    let said = said.lock().expect("nobody panics with it");
    assert_eq!(*said, ["value", "error", "cancelled", "late"]);
    Ok(())
}
