//! How pools of processes end while something runs.

use std::time::{Duration, Instant};

use mp::Pool;
use mp_tests::grief::sleep_ms;

/// Cannot be asked to end: only SIGKILL helps.
#[mp::task]
fn deaf(milliseconds: u64) -> u64 {
    let mut set = nix::sys::signal::SigSet::empty();
    set.add(nix::sys::signal::Signal::SIGTERM);
    let _ = set.thread_block();
    std::thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

#[mp::test]
fn dropped_with_a_task_that_runs() -> mp::Result<()> {
    for grace in [Duration::ZERO, Duration::from_millis(30)] {
        let pool = Pool::builder().workers(2).drop_grace(grace).build()?;
        let running = pool.apply_async(sleep_ms, 50_000)?;
        let quick = pool.apply_async(sleep_ms, 1)?;
        std::thread::sleep(Duration::from_millis(50));
        drop(pool);
        let error = running.get().expect_err("its worker was ended");
        assert!(error.is_cancelled(), "{error}");
        assert_eq!(quick.get()?, 1);
    }
    // With enough grace it finishes.
    let pool = Pool::builder().workers(1).build()?;
    let running = pool.apply_async(sleep_ms, 300)?;
    std::thread::sleep(Duration::from_millis(50));
    drop(pool);
    assert_eq!(running.get()?, 300);
    Ok(())
}

#[mp::test]
fn a_worker_that_does_not_want_to_end() -> mp::Result<()> {
    let pool = Pool::builder().workers(2).build()?;
    let handles = [
        pool.apply_async(deaf, 50_000)?,
        pool.apply_async(deaf, 50_000)?,
    ];
    std::thread::sleep(Duration::from_millis(50));
    pool.terminate();
    for handle in handles {
        assert!(handle.get().expect_err("it was ended").is_cancelled());
    }
    Ok(())
}

#[mp::test]
fn terminated_by_many_threads_at_once() -> mp::Result<()> {
    for _ in 0..10 {
        let pool = Pool::builder().workers(2).build()?;
        let handles: Vec<_> = (0..20)
            .map(|_| pool.apply_async(sleep_ms, 20_000))
            .collect::<mp::Result<_>>()?;
        std::thread::scope(|scope| {
            for handle in handles {
                scope.spawn(|| assert!(handle.get().is_err_and(|error| error.is_cancelled())));
            }
            for _ in 0..4 {
                scope.spawn(|| pool.terminate());
                scope.spawn(|| {
                    pool.close();
                    pool.join()
                });
                scope.spawn(|| drop(pool.clone()));
            }
        });
    }
    Ok(())
}

#[mp::test]
fn ended_while_it_is_being_filled() -> mp::Result<()> {
    // Workers that have hardly begun to start are ended, too.
    for delay in 0..30 {
        let pool = Pool::builder().workers(3).build()?;
        std::thread::sleep(Duration::from_micros(delay * 60));
        if delay % 2 == 0 {
            pool.terminate();
        }
    }
    Ok(())
}

#[mp::test]
fn a_future_that_outlives_its_pool() -> mp::Result<()> {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};
    let pool = Pool::builder().workers(1).build()?;
    let mut handle = Box::pin(pool.apply_async(sleep_ms, 50_000)?);
    let mut context = Context::from_waker(Waker::noop());
    assert!(handle.as_mut().poll(&mut context).is_pending());
    pool.terminate();
    drop(pool);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match handle.as_mut().poll(&mut context) {
            Poll::Ready(value) => {
                assert!(value.expect_err("called off").is_cancelled());
                return Ok(());
            }
            Poll::Pending => assert!(Instant::now() < deadline, "it never becomes ready"),
        }
    }
}
