//! Short items that wait for one another: however few workers they are kept to at first, all of them run at last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mp::{Barrier, Event, Pool};

const LONG: Duration = Duration::from_secs(20);

/// Waits for the others; does nothing without a barrier.
#[mp::task]
fn meet(barrier: Option<Barrier>) -> bool {
    match barrier {
        Some(barrier) => matches!(barrier.wait_timeout(LONG), Ok(Some(_))),
        None => true,
    }
}

#[mp::task]
fn held_up(event: Event) -> bool {
    event.wait_timeout(2 * LONG).unwrap_or(false)
}

#[mp::task]
fn nap(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

/// A pool that believes that `meet` takes no time, and a meeting of as many as there are workers but one.
fn pool_of_the_quick() -> mp::Result<(Pool, usize)> {
    let workers = 4 * mp::cpu_count();
    let pool = Pool::builder().workers(workers).chunk_size(1).build()?;
    pool.map(meet, std::iter::repeat_n(None, 2_000))?;
    Ok((pool, workers - 1))
}

#[mp::test]
fn a_thread_that_sleeps_for_another_call_looks_after_what_is_held_back() -> mp::Result<()> {
    let (pool, guests) = pool_of_the_quick()?;
    let (event, barrier) = (Event::new()?, Barrier::new(guests)?);
    thread::scope(|scope| {
        let other = scope.spawn(|| pool.apply(held_up, event.clone()));
        // By now it leads, and sleeps.
        thread::sleep(Duration::from_millis(300));
        let met = pool.map(meet, std::iter::repeat_n(Some(barrier), guests));
        event.set()?;
        assert!(met?.iter().all(|met| *met));
        assert!(other.join().expect("it does not panic")?);
        Ok(())
    })
}

#[mp::test]
fn so_does_the_keeper_where_no_thread_waits() -> mp::Result<()> {
    let (pool, guests) = pool_of_the_quick()?;
    let (event, barrier) = (Event::new()?, Barrier::new(guests + 1)?);
    let other = pool.apply_async(held_up, event.clone())?;
    thread::sleep(Duration::from_millis(300));
    let handle = pool.map_async(meet, std::iter::repeat_n(Some(barrier.clone()), guests))?;
    let met = matches!(barrier.wait_timeout(LONG), Ok(Some(_)));
    event.set()?;
    assert!(met && handle.get()?.iter().all(|met| *met) && other.get()?);
    Ok(())
}

#[mp::test]
fn the_results_of_another_call_are_no_progress_of_those_that_wait() -> mp::Result<()> {
    let (pool, guests) = pool_of_the_quick()?;
    let barrier = Barrier::new(guests)?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                pool.apply(nap, 1)?;
            }
            mp::Result::Ok(())
        });
        thread::sleep(Duration::from_millis(100));
        let met = pool.map(meet, std::iter::repeat_n(Some(barrier), guests));
        over.store(true, Ordering::Relaxed);
        assert!(met?.iter().all(|met| *met));
        other.join().expect("it does not panic")
    })
}
