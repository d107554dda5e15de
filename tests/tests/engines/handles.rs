//! `apply_async` and its handles, waited for in every way.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crate::tasks::{fail_on, nap, panic_on, square, text};
use crate::{Engine, Verdict};

struct Unpark(Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.unpark();
    }
}

/// The smallest executor there is: this thread sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark(std::thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&unpark));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

pub(crate) fn get_wait_and_ready(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    assert_eq!(pool.apply_async(square, 9)?.get()?, 81);
    let mut handle = pool.apply_async(nap, 100)?;
    if !engine.inline {
        assert!(!handle.is_ready());
        assert!(!handle.wait(Duration::from_millis(1)));
        assert_eq!(handle.get_timeout(Duration::ZERO)?, None);
    }
    assert!(handle.wait(Duration::from_secs(50)));
    assert!(handle.is_ready());
    assert!(handle.wait(Duration::ZERO));
    assert_eq!(handle.get_timeout(Duration::ZERO)?, Some(100));
    // Nobody waits, and the value is there all the same.
    let handle = pool.apply_async(square, 3)?;
    while !handle.is_ready() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(handle.get()?, 9);
    assert_eq!(
        pool.apply_async(nap, 1)?.get_timeout(Duration::MAX)?,
        Some(1)
    );
    Ok(())
}

pub(crate) fn handles_in_any_order(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let mut handles: Vec<_> = (0..600u64)
        .map(|x| Ok((x, pool.apply_async(text, x)?)))
        .collect::<mp::Result<_>>()?;
    // The last first, then from both ends.
    while let Some((x, handle)) = handles.pop() {
        assert_eq!(handle.get()?, x.to_string());
        if !handles.is_empty() {
            let (x, handle) = handles.remove(0);
            assert_eq!(handle.get()?, x.to_string());
        }
    }
    // In threads of their own.
    std::thread::scope(|scope| -> Verdict {
        let mut threads = Vec::new();
        for x in 0..12 {
            let handle = pool.apply_async(nap, x)?;
            threads.push((x, scope.spawn(move || handle.get())));
        }
        for (x, thread) in threads {
            assert_eq!(thread.join().expect("no thread panics")?, x);
        }
        Ok(())
    })
}

pub(crate) fn a_handle_is_a_future(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    assert_eq!(block_on(pool.apply_async(square, 5)?)?, 25);
    let sum = block_on(async {
        let slow = pool.apply_async(nap, 40)?;
        let quick = pool.apply_async(nap, 2)?;
        Ok::<_, mp::Error>(slow.await? + quick.await?)
    })?;
    assert_eq!(sum, 42);
    let error = block_on(pool.apply_async(fail_on, (1, 1))?).expect_err("it fails");
    assert!(error.is_task(), "{error}");
    // Many at once, each polled with a waker of its own.
    std::thread::scope(|scope| {
        for x in 0..8 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..20 {
                    let value = pool.apply_async(nap, (x + round) % 3).and_then(block_on);
                    assert_eq!(value.ok(), Some((x + round) % 3));
                }
            });
        }
    });
    Ok(())
}

pub(crate) fn a_handle_that_is_dropped(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for x in 0..50 {
        drop(pool.apply_async(nap, x % 4)?);
        drop(pool.apply_async(text, x)?);
        drop(pool.apply_async(fail_on, (x, x))?);
    }
    assert_eq!(pool.apply(square, 2)?, 4);
    Ok(())
}

pub(crate) fn a_value_can_be_taken_once(engine: Engine) -> Verdict {
    let pool = engine.pool(1)?;
    let mut handle = pool.apply_async(square, 3)?;
    assert_eq!(handle.get_timeout(Duration::from_secs(50))?, Some(9));
    assert!(
        handle
            .get_timeout(Duration::ZERO)
            .expect_err("taken")
            .is_usage()
    );
    assert!(handle.is_ready() && handle.wait(Duration::ZERO));
    assert!(block_on(&mut handle).expect_err("taken").is_usage());
    assert!(handle.get().expect_err("taken").is_usage());
    Ok(())
}

pub(crate) fn errors_come_through_handles(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let mut failing = pool.apply_async(fail_on, (4, 4))?;
    assert!(failing.wait(Duration::from_secs(50)));
    let error = failing.get_timeout(Duration::ZERO).expect_err("it fails");
    assert_eq!((error.is_task(), error.message()), (true, "4 is bad"));
    let error = pool
        .apply_async(panic_on, (4, 4))?
        .get()
        .expect_err("it panics");
    assert!(error.is_panic(), "{error}");
    assert_eq!(error.item(), None);
    Ok(())
}
