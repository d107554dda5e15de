//! Callbacks that wait: for other handles, for other callbacks, for pools to end. Nothing of it hangs, although the keeper is
//! the thread that would have to bring what they wait for.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mp::{Handle, Pool};
use mp_tests::grief::{end, sleep_ms};

const LONG: u64 = 60_000;

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

fn pool(workers: usize) -> mp::Result<Pool> {
    Pool::builder().workers(workers).build()
}

/// Runs `f` in a callback of the pool, and gives what it gives.
fn inside<R: Send + 'static>(
    pool: &Pool,
    f: impl FnOnce(&Pool) -> R + Send + 'static,
) -> mp::Result<R> {
    let own = pool.clone();
    pool.apply_async(square, 1)?.then(move |_| f(&own)).get()
}

#[mp::test(timeout = "60s")]
fn every_wait_works_inside_a_callback() -> mp::Result<()> {
    let pool = pool(2)?;
    let some = |pool: &Pool| -> Vec<Handle<u64>> {
        (0..20)
            .map(|x| pool.apply_async(square, x).expect("it is open"))
            .collect()
    };
    for _ in 0..5 {
        let first = inside(&pool, move |pool| mp::wait_any(&some(pool), None))?;
        assert!(first.is_some());
        assert!(inside(&pool, move |pool| mp::wait_all(&some(pool), None))?);
        let sum = inside(&pool, move |pool| {
            let values = mp::as_completed(some(pool)).map(|(_, value)| value.unwrap_or(0));
            values.sum::<u64>()
        })?;
        assert_eq!(sum, (0..20).map(|x| x * x).sum::<u64>());
        // What comes behind other callbacks, which only the keeper runs.
        let value = inside(&pool, |pool| {
            let handle = pool.apply_async(square, 5)?.then(|x| x + 1).then(|x| x * 2);
            handle.get()
        })??;
        assert_eq!(value, 52);
        let there = inside(&pool, |pool| {
            let handle = pool.apply_async(square, 5).map(|handle| handle.then(|x| x));
            handle.is_ok_and(|handle| handle.wait(Duration::from_secs(50)))
        })?;
        assert!(there);
        let values = inside(&pool, |pool| pool.map_async(square, 0..100)?.get())??;
        assert_eq!(values.len(), 100);
        let count = inside(&pool, |pool| {
            Ok::<_, mp::Error>(pool.imap(square, 0..100)?.count())
        })??;
        assert_eq!(count, 100);
    }
    // A time-out is one there, too.
    let late = inside(&pool, |pool| {
        let handles = [pool.apply_async(sleep_ms, LONG)?];
        let late = mp::wait_any(&handles, Some(Duration::from_millis(20)));
        handles[0].cancel();
        Ok::<_, mp::Error>(late)
    })??;
    assert_eq!(late, None);
    Ok(())
}

#[mp::test(timeout = "60s")]
fn callbacks_in_callbacks_in_callbacks() -> mp::Result<()> {
    fn deep(pool: &Pool, depth: u64) -> mp::Result<u64> {
        if depth == 0 {
            return pool.apply(square, 2);
        }
        let own = pool.clone();
        let handle = pool
            .apply_async(square, depth)?
            .then(move |value| Ok::<_, mp::Error>(value + deep(&own, depth - 1)?));
        handle.get()?
    }
    let pool = pool(1)?;
    assert_eq!(deep(&pool, 20)?, (1..=20).map(|x| x * x).sum::<u64>() + 4);
    Ok(())
}

/// The callback of one pool waits for one of the other, which waits for another of the first.
#[mp::test(timeout = "60s")]
fn callbacks_of_two_pools_wait_for_each_other() -> mp::Result<()> {
    let (one, two) = (pool(2)?, pool(1)?);
    for _ in 0..20 {
        // Ready when the first one waits already.
        let last = one.apply_async(sleep_ms, 9)?.then(|x| x + 1);
        let (to, from) = mpsc::channel::<Handle<u64>>();
        let middle = two.apply_async(square, 2)?.then(move |x| {
            let last = from.recv().expect("it is sent");
            Ok::<_, mp::Error>(x + last.get()?)
        });
        let first = one
            .apply_async(square, 1)?
            .then(|x| Ok::<_, mp::Error>(x + middle.get()??));
        to.send(last).expect("it is received");
        assert_eq!(first.get()??, 1 + 4 + 10);
    }
    Ok(())
}

/// Two callbacks of which the later one waits for the earlier one, while that waits for a task.
#[mp::test(timeout = "60s")]
fn a_callback_that_waits_for_one_that_waits() -> mp::Result<()> {
    let pool = pool(2)?;
    let own = pool.clone();
    let slow = pool.apply_async(square, 1)?.then(move |_| {
        let late = own.apply_async(sleep_ms, 50)?.then(|ms| ms + 1);
        late.get()
    });
    let behind = pool
        .apply_async(sleep_ms, 10)?
        .then(|_| Ok::<_, mp::Error>(slow.get()?? + 1));
    assert_eq!(behind.get()??, 52);
    Ok(())
}

#[mp::test(timeout = "60s")]
fn a_future_is_awaited_in_a_callback() -> mp::Result<()> {
    use std::future::Future;
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        loop {
            let mut context = Context::from_waker(&waker);
            match std::pin::Pin::new(&mut future).poll(&mut context) {
                Poll::Ready(value) => return value,
                Poll::Pending => std::thread::park(),
            }
        }
    }
    let pool = pool(1)?;
    let value = inside(&pool, |pool| {
        let chained = pool.apply_async(sleep_ms, 20)?.then(|ms| ms + 1);
        block_on(chained)
    })??;
    assert_eq!(value, 21);
    let value = inside(&pool, |pool| block_on(pool.apply_async(sleep_ms, 20)?))??;
    assert_eq!(value, 20);
    Ok(())
}

type End = fn(&Pool);

#[mp::test(timeout = "60s")]
fn a_pool_is_ended_by_its_own_callback() -> mp::Result<()> {
    let ends: [End; 4] = [
        |pool| {
            pool.close();
            pool.terminate();
        },
        |pool| assert!(!pool.shutdown(Duration::from_millis(10))),
        |pool| pool.kill(),
        // Twice.
        |pool| {
            pool.terminate();
            pool.terminate();
            pool.close();
            pool.join().expect("it is closed");
        },
    ];
    for finish in ends {
        let pool = pool(1)?;
        let first = pool.apply_async(square, 3)?;
        let running = pool.apply_async(sleep_ms, LONG)?;
        let queued = pool.apply_async(sleep_ms, LONG)?.then(|_| ());
        let own = pool.clone();
        let first = first.then(move |value| {
            finish(&own);
            value
        });
        assert_eq!(first.get()?, 9);
        for error in [running.get().map(drop), queued.get()] {
            let error = error.expect_err("it was called off");
            assert!(error.is_cancelled(), "{error}");
        }
        assert!(pool.apply(square, 1).is_err_and(|error| error.is_closed()));
    }
    Ok(())
}

/// The last owner of a pool is a callback of its own.
#[mp::test(timeout = "60s")]
fn a_pool_is_dropped_by_its_own_callback() -> mp::Result<()> {
    for queued in [0, 1, 5] {
        let pool = Pool::builder()
            .workers(1)
            .drop_grace(Duration::from_millis(20))
            .build()?;
        let first = pool.apply_async(square, 3)?;
        let rest: mp::Result<Vec<_>> = (0..queued)
            .map(|_| pool.apply_async(sleep_ms, LONG))
            .collect();
        let first = first.then(move |value| {
            drop(pool);
            value
        });
        assert_eq!(first.get()?, 9);
        for handle in rest? {
            let error = handle.get().expect_err("it was called off");
            assert!(error.is_cancelled(), "{error}");
        }
    }
    Ok(())
}

#[mp::test(timeout = "60s")]
fn workers_are_lost_while_a_callback_waits() -> mp::Result<()> {
    let pool = pool(2)?;
    for _ in 0..5 {
        let error = inside(&pool, |pool| {
            let dies = pool.apply_async(end, "kill")?.then(|()| 1);
            dies.get()
        })?
        .expect_err("its worker died");
        assert!(error.is_death(), "{error}");
    }
    assert_eq!(pool.apply(square, 2)?, 4);
    Ok(())
}

/// Cannot be decoded without a panic.
#[derive(Debug, serde::Serialize)]
struct Grenade(u64);

impl<'d> serde::Deserialize<'d> for Grenade {
    fn deserialize<D: serde::Deserializer<'d>>(_: D) -> Result<Self, D::Error> {
        panic!("the pin is out");
    }
}

#[mp::task]
fn grenade() -> Grenade {
    Grenade(1)
}

/// Calls its pool when it is dropped, and panics.
struct Clingy(Pool, Arc<Mutex<u32>>);

impl Drop for Clingy {
    fn drop(&mut self) {
        *self.1.lock().expect("nobody panics with it") += 1;
        assert!(self.0.workers() > 100, "dropped");
    }
}

#[mp::test(timeout = "60s")]
fn what_panics_on_the_keeper_ends_there() -> mp::Result<()> {
    let pool = pool(1)?;
    let error = pool
        .apply_async(grenade, ())?
        .then(|_| 1)
        .get()
        .expect_err("it cannot be decoded");
    assert!(error.is_panic(), "{error}");
    // A callback that is not called, and what it holds: dropped without any lock, and its panic stays in.
    let drops = Arc::new(Mutex::new(0));
    let clingy = Clingy(pool.clone(), Arc::clone(&drops));
    let error = pool
        .apply_async(end, "exit 3")?
        .then(move |()| drop(clingy))
        .get()
        .expect_err("its worker died");
    assert!(error.is_panic() || error.is_death(), "{error}");
    assert_eq!(*drops.lock().expect("nobody panics with it"), 1);
    assert_eq!(pool.apply_async(square, 4)?.then(|x| x).get()?, 16);
    Ok(())
}
