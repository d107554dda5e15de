//! Handles, deadlines and callbacks of a pool, as a stranger uses them.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use mp::{Failure, Pool};

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

#[mp::task]
fn nap(ms: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(ms));
    ms
}

#[mp::task]
fn fail(x: u64) -> Result<u64, Failure> {
    Err(Failure::new(format!("not {x}")))
}

/// Stops itself, so that nothing but SIGKILL ends it.
#[mp::task]
fn freeze() {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill")
        .args(["-STOP", &pid])
        .status();
}

/// Ends when it is asked to.
#[mp::task]
fn listen(fails: bool) -> Result<u64, Failure> {
    let begun = Instant::now();
    while !mp::cancelled() {
        std::thread::sleep(Duration::from_millis(1));
        if begun.elapsed() > Duration::from_secs(30) {
            return Ok(0);
        }
    }
    if fails {
        Err(Failure::new("I was asked to"))
    } else {
        Ok(7)
    }
}

#[mp::task(timeout = "150ms", retries = 1)]
fn bounded(ms: u64) -> u64 {
    nap(ms)
}

/// Takes so much memory, and is killed.
#[mp::task]
fn hog(mib: usize) {
    let memory = std::hint::black_box(vec![1u8; mib << 20]);
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill")
        .args(["-KILL", &pid])
        .status();
    drop(memory);
}

const LONG: u64 = 60_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// Threads that wait for handles, threads that go away, callbacks and futures take turns: each of
/// them gets what it waits for.
#[mp::test(timeout = "120s")]
fn the_keeper_comes_whenever_no_thread_waits() -> mp::Result<()> {
    let long = Duration::from_secs(30);
    let pool = Pool::builder().workers(2).build()?;
    let counted = mp::Atomic::new(0u64)?;
    let so_far = || counted.load(Ordering::Acquire);
    for round in 0..300u64 {
        // A thread comes and goes, and takes the lead from the keeper if that has it.
        for x in 0..round % 5 {
            assert_eq!(pool.apply_async(square, x)?.get()?, x * x);
        }
        if round % 7 == 0 {
            std::thread::sleep(Duration::from_millis(round % 3));
        }
        match round % 3 {
            // Nothing is waited for in a way of ours.
            0 => {
                let (told, tell) = mpsc::channel();
                let handle = pool.apply_async(square, round)?;
                drop(handle.then(move |value| told.send(value)));
                assert_eq!(tell.recv_timeout(long), Ok(round * round));
            }
            1 => {
                let handles = [
                    pool.apply_async(square, round)?,
                    pool.apply_async(square, 1)?,
                ];
                assert!(mp::wait_all(&handles, Some(long)));
            }
            // More than the workers are given at a time, and no thread asks for it.
            _ => {
                let before = so_far();
                for _ in 0..1500 {
                    drop(pool.apply_async(count, &counted)?);
                }
                let begun = Instant::now();
                while so_far() < before + 1500 {
                    assert!(begun.elapsed() < long, "{} of 1500", so_far() - before);
                    std::thread::yield_now();
                }
            }
        }
    }
    Ok(())
}

#[mp::task]
fn count(counted: &mp::Atomic<u64>) {
    counted.fetch_add(1, Ordering::AcqRel);
}

#[mp::test]
fn a_deadline_ends_one_item_and_nothing_else() {
    let pool = pool(2);
    let before = pool.worker_pids();
    for chunk in [1, 3] {
        let items = [1, 2, LONG, 3, 4, LONG, 5];
        let results = pool
            .on(nap)
            .chunk_size(chunk)
            .timeout(ms(150))
            .try_map(items)
            .unwrap();
        for (item, result) in results.into_iter().enumerate() {
            if items[item] == LONG {
                let error = result.unwrap_err();
                assert!(error.is_timeout(), "{error}");
                assert_eq!(error.item(), Some(item));
                assert_eq!(error.attempt(), Some(1));
                assert!(error.pid().is_some() && error.worker().is_some(), "{error}");
                assert!(error.task().unwrap().ends_with("nap"));
            } else {
                assert_eq!(result.unwrap(), items[item]);
            }
        }
    }
    assert_eq!(pool.map(square, 0..100).unwrap().len(), 100);
    assert_eq!(pool.worker_pids().len(), 2);
    assert!(pool.worker_pids() != before);
}

#[mp::test]
fn deadlines_hold_while_nobody_waits() {
    let pool = pool(1);
    let handle = pool.on(nap).timeout(ms(50)).apply_async(LONG).unwrap();
    let before = pool.worker_pids();
    // Nobody but the keeper looks after it.
    std::thread::sleep(ms(600));
    assert_ne!(pool.worker_pids(), before);
    assert_eq!(handle.is_successful(), Some(false));
    assert!(handle.get().unwrap_err().is_timeout());
    assert_eq!(pool.apply(square, 2).unwrap(), 4);
}

#[mp::test]
fn a_stopped_worker_has_a_deadline_too() {
    let pool = pool(1);
    let error = pool.on(freeze).timeout(ms(100)).apply(()).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    // Stopped before it begins the item: that runs elsewhere, and nobody is to blame.
    let pid = pool.worker_pids()[0].to_string();
    pool.apply(square, 1).unwrap();
    std::thread::sleep(ms(20));
    std::process::Command::new("kill")
        .args(["-STOP", &pid])
        .status()
        .unwrap();
    assert_eq!(pool.on(square).timeout(ms(100)).apply(3).unwrap(), 9);
}

#[mp::test]
fn deadlines_are_retried_and_counted() {
    let pool = pool(1);
    let error = pool.apply(bounded, LONG).unwrap_err();
    assert!(error.is_timeout() && error.attempt() == Some(2), "{error}");
    // The call's word wins over the task's.
    let error = pool.on(bounded).retries(0).apply(LONG).unwrap_err();
    assert_eq!(error.attempt(), Some(1));
    assert_eq!(
        pool.on(bounded).timeout(ms(20_000)).apply(300).unwrap(),
        300
    );
    assert_eq!(pool.map(bounded, [1, 2]).unwrap(), [1, 2]);
    let error = pool.map(bounded, [1, LONG]).unwrap_err();
    assert!(error.is_timeout() && error.item() == Some(1), "{error}");
}

#[mp::test]
fn a_grace_lets_the_task_end_by_itself() {
    let pool = pool(1);
    let before = pool.worker_pids();
    let patient = pool.on(listen).timeout(ms(50)).grace(ms(20_000));
    assert_eq!(patient.apply(false).unwrap(), 7);
    let error = patient.apply(true).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("I was asked to")
    );
    // Neither cost a worker; an item that does not listen does.
    assert_eq!(pool.worker_pids(), before);
    let error = pool
        .on(nap)
        .timeout(ms(50))
        .grace(ms(50))
        .apply(LONG)
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_ne!(pool.worker_pids(), before);
    assert!(!mp::cancelled());
}

#[mp::test]
fn a_call_has_a_time_of_its_own() {
    let pool = pool(2);
    let begun = Instant::now();
    for error in [
        pool.on(nap).within(ms(100)).map([1, LONG, 2]).unwrap_err(),
        pool.on(nap)
            .within(ms(100))
            .try_map([1, LONG, 2])
            .unwrap_err(),
        pool.on(nap).within(ms(100)).apply(LONG).unwrap_err(),
    ] {
        assert!(error.is_timeout() && error.task().is_some(), "{error}");
    }
    assert!(begun.elapsed() < ms(LONG));
    // The workers are free again.
    assert_eq!(pool.map(nap, [1; 20]).unwrap().len(), 20);
}

#[mp::test]
fn a_death_tells_the_peak_of_memory() {
    let pool = pool(1);
    let error = pool.on(hog).retries(1).apply(200).unwrap_err();
    assert!(error.is_death() && error.signal() == Some(9), "{error}");
    assert!(error.peak_memory().unwrap() > 200 << 20, "{error}");
    assert_eq!(error.attempt(), Some(2));
    let text = error.to_string();
    assert!(
        text.contains("attempt 2") && text.contains("peak memory 2"),
        "{text}"
    );
}

#[mp::test]
fn handles_can_be_cancelled() {
    let pool = pool(1);
    let running = pool.apply_async(nap, LONG).unwrap();
    let queued = pool.apply_async(nap, LONG).unwrap();
    let innocent = pool.apply_async(square, 3).unwrap();
    std::thread::sleep(ms(50));
    assert_eq!(running.is_successful(), None);
    assert!(queued.cancel());
    assert!(running.cancel());
    assert!(!running.cancel());
    assert!(running.get().unwrap_err().is_cancelled());
    assert!(queued.get().unwrap_err().is_cancelled());
    assert_eq!(innocent.get().unwrap(), 9);
    let patient = pool
        .on(listen)
        .grace(ms(20_000))
        .apply_async(false)
        .unwrap();
    std::thread::sleep(ms(50));
    let before = pool.worker_pids();
    assert!(patient.cancel());
    assert!(patient.get().unwrap_err().is_cancelled());
    assert_eq!(pool.apply(square, 4).unwrap(), 16);
    assert_eq!(pool.worker_pids(), before);
}

#[mp::test]
fn map_async_brings_all_values_or_the_first_error() {
    let pool = pool(2);
    let mut all = pool.map_async(square, 0..10_000).unwrap();
    assert!(all.wait(ms(30_000)) && all.is_ready());
    assert_eq!(all.is_successful(), Some(true));
    assert_eq!(
        all.get_timeout(ms(1)).unwrap().unwrap(),
        (0..10_000).map(*square).collect::<Vec<_>>()
    );
    assert!(all.get_timeout(ms(1)).unwrap_err().is_usage());
    let failed = pool.map_async(fail, 0..10).unwrap();
    assert!(failed.get().unwrap_err().is_task());
    let each = pool.on(fail).try_map_async(0..10).unwrap().get().unwrap();
    assert!(each.len() == 10 && each.iter().all(Result::is_err));
    let empty = pool.map_async(square, [0; 0]).unwrap();
    assert_eq!(empty.get().unwrap(), []);
    let long = pool.map_async(nap, [LONG; 10]).unwrap();
    assert!(!long.wait(ms(20)));
    assert!(long.cancel());
    assert!(long.get().unwrap_err().is_cancelled());
}

#[mp::test]
fn callbacks_run_on_the_keeper() {
    let pool = pool(2);
    let (tell, told) = mpsc::channel();
    let name = || std::thread::current().name().unwrap_or_default().to_owned();
    let sent = tell.clone();
    drop(
        pool.apply_async(square, 5)
            .unwrap()
            .then(move |value| sent.send((value, name()))),
    );
    assert_eq!(told.recv().unwrap(), (25, "mp-keeper".to_owned()));
    let sent = tell.clone();
    let error = pool
        .apply_async(fail, 1)
        .unwrap()
        .then(|value| value + 1)
        .on_error(move |error| drop(sent.send((error.is_task().into(), name()))))
        .get()
        .unwrap_err();
    assert!(error.is_task());
    assert_eq!(told.recv().unwrap(), (1, "mp-keeper".to_owned()));
    // One that is ready already, and one on top of another.
    let handle = pool.apply_async(square, 2).unwrap();
    assert!(handle.wait(ms(10_000)));
    let handle = handle.then(|value| value + 1);
    assert!(handle.wait(ms(10_000)));
    assert_eq!(handle.then(|value| value * 10).get().unwrap(), 50);
    // A panic stays in.
    let error = pool
        .apply_async(square, 2)
        .unwrap()
        .then(|_| panic!("oh"))
        .get()
        .unwrap_err();
    assert!(
        error.is_panic() && error.message().contains("oh"),
        "{error}"
    );
    let all = pool
        .map_async(square, 0..100)
        .unwrap()
        .then(|all| all.len());
    assert_eq!(all.get().unwrap(), 100);
    // From inside a callback the pool can be called, and ended.
    let inner = pool.clone();
    let handle = pool
        .apply_async(square, 3)
        .unwrap()
        .then(move |value| inner.apply(square, value).unwrap());
    assert_eq!(handle.get().unwrap(), 81);
    let inner = pool.clone();
    let left = pool.apply_async(nap, LONG).unwrap();
    pool.apply_async(square, 3)
        .unwrap()
        .then(move |_| inner.terminate())
        .get()
        .unwrap();
    assert!(left.get().unwrap_err().is_cancelled());
    let _ = tell;
}

#[mp::test]
fn several_handles_are_waited_for() {
    let (one, two) = (pool(2), pool(1));
    let mut handles: Vec<_> = (0..100)
        .map(|x| one.apply_async(square, x).unwrap())
        .collect();
    handles.extend((100..200).map(|x| two.apply_async(square, x).unwrap().then(|x| x)));
    let mut seen = [false; 200];
    for (place, value) in mp::as_completed(handles) {
        assert_eq!(value.unwrap(), (place * place) as u64);
        assert!(!std::mem::replace(&mut seen[place], true));
    }
    assert!(seen.iter().all(|seen| *seen));
    let handles = [
        one.apply_async(nap, LONG).unwrap(),
        one.apply_async(nap, 30).unwrap(),
    ];
    assert_eq!(mp::wait_any(&handles, Some(ms(1))), None);
    assert_eq!(mp::wait_any(&handles, None), Some(1));
    assert!(!mp::wait_all(&handles, Some(ms(20))));
    assert!(handles[0].cancel());
    assert!(mp::wait_all(&handles, None));
    let mut rest = mp::as_completed(handles);
    assert!(rest.next_timeout(ms(1000)).unwrap().is_some());
    assert!(rest.next_timeout(ms(1000)).unwrap().is_some());
    assert!(rest.next_timeout(ms(0)).unwrap().is_none());
    let slow = [one.apply_async(nap, LONG).unwrap()];
    assert!(
        mp::as_completed(slow)
            .next_timeout(ms(10))
            .unwrap_err()
            .is_timeout()
    );
    assert_eq!(mp::wait_any::<u64>([], None), None);
    one.terminate();
}

/// The same calls without processes: nothing can be killed there, so deadlines have no effect.
#[mp::test]
fn all_calls_work_inline() {
    let pool = Pool::builder().inline(true).build().unwrap();
    let values = pool
        .imap(square, 0..100)
        .unwrap()
        .collect::<Result<Vec<_>, _>>();
    assert_eq!(values.unwrap().len(), 100);
    assert_eq!(pool.imap_unordered(square, 0..100).unwrap().count(), 100);
    let first = pool
        .imap(square, 1..)
        .unwrap()
        .find(|value| *value.as_ref().unwrap() > 50);
    assert_eq!(first.unwrap().unwrap(), 64);
    let each = pool.try_map(fail, 0..3).unwrap();
    assert!(
        each.iter()
            .all(|result| result.as_ref().is_err_and(mp::Error::is_task))
    );
    assert_eq!(
        pool.map_async(square, 0..10).unwrap().get().unwrap().len(),
        10
    );
    assert_eq!(
        pool.apply_async(square, 2)
            .unwrap()
            .then(|x| x + 1)
            .get()
            .unwrap(),
        5
    );
    assert_eq!(
        pool.on(nap).timeout(ms(1)).retries(2).apply(20).unwrap(),
        20
    );
    let handles: Vec<_> = (0..10)
        .map(|x| pool.apply_async(square, x).unwrap())
        .collect();
    assert!(mp::wait_all(&handles, None));
    assert_eq!(mp::as_completed(handles).count(), 10);
    let running = pool.apply_async(nap, 200).unwrap();
    let queued = pool.apply_async(nap, 1).unwrap();
    assert!(queued.cancel());
    assert!(queued.get().unwrap_err().is_cancelled());
    drop(running);
    assert!(pool.shutdown(ms(30_000)));
}

/// Each of several threads that wait for one handle is woken.
#[mp::test(timeout = "60s")]
fn many_wait_for_one() -> mp::Result<()> {
    let pool = mp::Pool::builder().workers(1).build()?;
    for chained in [false, true] {
        let mut handle = pool.apply_async(nap, 200)?;
        if chained {
            handle = handle.then(|value| value);
        }
        std::thread::scope(|scope| {
            let waits: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| mp::wait_any([&handle], Some(Duration::from_secs(50)))))
                .collect();
            for wait in waits {
                assert!(
                    wait.join().expect("no panic").is_some(),
                    "chained: {chained}"
                );
            }
        });
        assert_eq!(handle.get()?, 200);
    }
    Ok(())
}

/// What is asked of a handle after its pool has ended is answered all the same.
#[mp::test(timeout = "60s")]
fn callbacks_after_the_end() -> mp::Result<()> {
    let pool = mp::Pool::builder().workers(1).build()?;
    let handle = pool.apply_async(nap, 20_000)?;
    pool.terminate();
    let error = handle
        .then(|value| value + 1)
        .get()
        .expect_err("it was called off");
    assert!(error.is_cancelled(), "{error}");
    Ok(())
}
