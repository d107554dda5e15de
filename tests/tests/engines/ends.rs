//! How a pool ends: closed, joined, terminated, dropped; in any order, twice, from any thread.

use std::time::Duration;

use crate::tasks::{nap, square};
use crate::{Engine, Verdict};

pub(crate) fn close_and_join(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let handles: Vec<_> = (0..20)
        .map(|x| pool.apply_async(nap, x % 5))
        .collect::<Result<_, _>>()?;
    pool.close();
    let error = pool.map(square, [1]).expect_err("it is closed");
    assert!(error.is_closed(), "{error}");
    assert!(pool.apply(square, 1).expect_err("it is closed").is_closed());
    assert!(
        pool.apply_async(square, 1)
            .expect_err("it is closed")
            .is_closed()
    );
    // What was given before is done.
    pool.join()?;
    for (x, handle) in handles.into_iter().enumerate() {
        assert!(handle.is_ready());
        assert_eq!(handle.get()?, x as u64 % 5);
    }
    assert!(pool.worker_pids().is_empty());
    Ok(())
}

pub(crate) fn join_needs_close(engine: Engine) -> Verdict {
    let pool = engine.pool(1)?;
    assert!(pool.join().expect_err("it is open").is_usage());
    assert_eq!(pool.apply(square, 2)?, 4);
    Ok(())
}

pub(crate) fn terminate_calls_everything_off(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let handles: Vec<_> = (0..50)
        .map(|_| pool.apply_async(nap, 20_000))
        .collect::<Result<_, _>>()?;
    pool.terminate();
    for handle in handles {
        let error = handle.get().expect_err("it was called off");
        assert!(error.is_cancelled(), "{error}");
    }
    assert!(pool.apply(square, 1).expect_err("it has ended").is_closed());
    assert!(pool.worker_pids().is_empty());
    Ok(())
}

pub(crate) fn ends_in_any_order_and_twice(engine: Engine) -> Verdict {
    type End = fn(&mp::Pool) -> mp::Result<()>;
    let close: End = |pool| {
        pool.close();
        Ok(())
    };
    let terminate: End = |pool| {
        pool.terminate();
        Ok(())
    };
    let join: End = mp::Pool::join;
    for ends in [
        &[close, close, join, join][..],
        &[close, join, terminate, close, join],
        &[terminate, terminate, join, close],
        &[terminate, join],
        &[],
    ] {
        let pool = engine.pool(2)?;
        let handle = pool.apply_async(square, 3)?;
        for end in ends {
            end(&pool)?;
        }
        drop(pool);
        // A handle outlives its pool.
        match handle.get() {
            Ok(value) => assert_eq!(value, 9),
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    Ok(())
}

pub(crate) fn dropped_with_work_queued(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let handles: Vec<_> = (0..300)
        .map(|_| pool.apply_async(nap, 100))
        .collect::<Result<_, _>>()?;
    if !engine.inline {
        // Something runs by now.
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(pool);
    let mut done = 0;
    for handle in handles {
        match handle.get() {
            Ok(value) => {
                assert_eq!(value, 100);
                done += 1;
            }
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    // What ran was let finish; the queue was not worked off.
    assert!(done < 300, "{done}");
    Ok(())
}

pub(crate) fn ended_from_another_thread(engine: Engine) -> Verdict {
    for terminate in [true, false] {
        let pool = engine.pool(2)?;
        std::thread::scope(|scope| {
            let call = scope.spawn(|| pool.map(nap, std::iter::repeat_n(2, 300)));
            std::thread::sleep(Duration::from_millis(40));
            if terminate {
                pool.terminate();
            } else {
                pool.close();
            }
            match call.join().expect("no panic") {
                Ok(values) => assert!(values == [2; 300]),
                Err(error) => assert!(terminate && error.is_cancelled(), "{error}"),
            }
        });
    }
    Ok(())
}

pub(crate) fn clones_are_one_pool(engine: Engine) -> Verdict {
    let pool = engine.pool(1)?;
    let clone = pool.clone();
    drop(pool);
    assert_eq!(clone.apply(square, 4)?, 16);
    let other = clone.clone();
    clone.close();
    assert!(other.apply(square, 4).expect_err("closed").is_closed());
    Ok(())
}
