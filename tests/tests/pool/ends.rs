//! How pools of processes end while something runs.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use mp::{Failure, Pool};
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

/// What the finalizer below waits for, in this very process.
static ANSWERED: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

#[mp::task]
fn wait_until_answered() -> Result<(), Failure> {
    let answered = ANSWERED.lock().expect("nobody panics with it").take();
    Ok(answered.expect("it was put there").recv()?)
}

/// The end of a pool takes as long as its last task; everybody else has been answered by then.
#[mp::test(timeout = "60s")]
fn others_are_answered_before_the_workers_have_ended() -> mp::Result<()> {
    let (answer, answered) = mpsc::channel();
    *ANSWERED.lock().expect("nobody panics with it") = Some(answered);
    let pool = Pool::builder()
        .inline(true)
        .drop_grace(Duration::ZERO)
        .finalizer(wait_until_answered, ())
        .build()?;
    // The first keeps the keeper busy until the pool has been dropped.
    let running = pool.apply_async(sleep_ms, 500)?;
    std::thread::sleep(Duration::from_millis(50));
    let queued = pool.apply_async(sleep_ms, 1)?;
    let chained = pool.apply_async(sleep_ms, 1)?.on_error(|_| ());
    std::thread::scope(|scope| {
        scope.spawn(|| drop(pool));
        for handle in [queued, running] {
            if let Err(error) = handle.get() {
                assert!(error.is_cancelled(), "{error}");
            }
        }
        assert!(chained.get().is_err_and(|error| error.is_cancelled()));
        answer.send(()).expect("the finalizer waits for it");
    });
    Ok(())
}

#[mp::task]
fn finish_slowly() {
    let mut set = nix::sys::signal::SigSet::empty();
    set.add(nix::sys::signal::Signal::SIGTERM);
    let _ = set.thread_block();
    std::thread::sleep(Duration::from_secs(50));
}

/// While one thread ends a pool gently, others may call it, and may end it by force.
#[mp::test(timeout = "60s")]
fn called_and_killed_while_it_ends() -> mp::Result<()> {
    for force in [Pool::kill, Pool::terminate] {
        let pool = Pool::builder()
            .workers(2)
            .finalizer(finish_slowly, ())
            .build()?;
        assert_eq!(pool.map(sleep_ms, [1, 2])?, [1, 2]);
        pool.close();
        std::thread::scope(|scope| {
            scope.spawn(|| pool.join().expect("it is closed"));
            while !pool.worker_pids().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(
                pool.apply(sleep_ms, 1)
                    .is_err_and(|error| error.is_closed())
            );
            assert!(pool.resize(3).is_err_and(|error| error.is_closed()));
            force(&pool);
            force(&pool);
        });
    }
    Ok(())
}

/// Dropped, ended, and dropped by somebody else, with work queued by several threads.
#[mp::test(timeout = "60s")]
fn ended_by_one_thread_while_others_queue() -> mp::Result<()> {
    type End = fn(Pool);
    let ends: [End; 4] = [
        drop,
        |pool| pool.terminate(),
        |pool| pool.kill(),
        |pool| {
            pool.shutdown(Duration::from_millis(1));
        },
    ];
    for finish in ends {
        for delay in [0, 200, 2_000] {
            let pool = Pool::builder()
                .workers(2)
                .drop_grace(Duration::ZERO)
                .build()?;
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    let own = pool.clone();
                    scope.spawn(move || {
                        let mut handles = Vec::new();
                        while let Ok(handle) = own.apply_async(sleep_ms, 1)
                            && handles.len() < 2_000
                        {
                            handles.push(handle);
                        }
                        drop(own);
                        for handle in handles {
                            if let Err(error) = handle.get() {
                                assert!(error.is_cancelled(), "{error}");
                            }
                        }
                    });
                }
                std::thread::sleep(Duration::from_micros(delay));
                finish(pool);
            });
        }
    }
    Ok(())
}
