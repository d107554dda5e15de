//! `Semaphore` and `BoundedSemaphore`: CPython's `_TestSemaphore`, permits, and permits without guards.

use std::time::{Duration, Instant};

use mp::Failure;

use crate::{A_WHILE, LONG, Verdict, joined};

#[mp::task]
fn takes_for_good(semaphore: &mp::Semaphore, times: usize) -> Result<(), Failure> {
    for _ in 0..times {
        semaphore.acquire()?.forget();
    }
    Ok(())
}

#[mp::task]
fn gives(semaphore: &mp::Semaphore, times: usize) -> Result<(), Failure> {
    for _ in 0..times {
        semaphore.release()?;
    }
    Ok(())
}

/// Ends with permits in its hands.
#[mp::task]
fn ends_with(semaphore: &mp::Semaphore, permits: usize) -> Result<(), Failure> {
    for _ in 0..permits {
        std::mem::forget(semaphore.acquire()?);
    }
    Ok(())
}

#[mp::test]
fn permits_come_and_go() -> Verdict {
    let semaphore = mp::Semaphore::new(2)?;
    assert_eq!(semaphore.value(), 2);
    let first = semaphore.acquire()?;
    assert_eq!(semaphore.value(), 1);
    let second = semaphore.acquire_timeout(LONG)?.expect("one is free");
    assert_eq!(semaphore.value(), 0);
    assert!(semaphore.try_acquire()?.is_none());
    assert_eq!(semaphore.value(), 0);
    drop(second);
    assert_eq!(semaphore.value(), 1);
    drop(first);
    assert_eq!(semaphore.value(), 2);
    semaphore.release()?;
    assert_eq!(semaphore.value(), 3);
    semaphore.release()?;
    assert_eq!(semaphore.value(), 4);
    let all: Vec<_> = (0..4)
        .map(|_| semaphore.acquire())
        .collect::<Result<_, _>>()?;
    assert!(semaphore.try_acquire()?.is_none());
    drop(all);
    assert_eq!(format!("{semaphore:?}"), "Semaphore { value: 4 }");
    Ok(())
}

#[mp::test]
fn a_bounded_one() -> Verdict {
    let semaphore = mp::BoundedSemaphore::new(2)?;
    let first = semaphore.acquire()?;
    let second = semaphore.acquire()?;
    assert!(semaphore.try_acquire()?.is_none());
    second.forget();
    assert_eq!(semaphore.value(), 0);
    semaphore.release()?;
    assert_eq!(semaphore.value(), 1);
    let error = semaphore.release().expect_err("one is out as a guard");
    assert!(error.is_usage(), "{error}");
    drop(first);
    assert_eq!(semaphore.value(), 2);
    assert!(semaphore.release().is_err());
    assert_eq!(semaphore.value(), 2);
    assert_eq!(format!("{semaphore:?}"), "BoundedSemaphore { value: 2 }");
    Ok(())
}

#[mp::test]
fn limits() -> Verdict {
    assert!(
        mp::Semaphore::new(u32::MAX)
            .expect_err("too many")
            .is_usage()
    );
    let semaphore = mp::Semaphore::new(i32::MAX as u32)?;
    assert!(semaphore.release().expect_err("too many").is_usage());
    semaphore.acquire()?.forget();
    semaphore.release()?;
    let none = mp::BoundedSemaphore::new(0)?;
    assert!(none.try_acquire()?.is_none() && none.release().is_err());
    Ok(())
}

#[mp::test]
fn time_outs() -> Verdict {
    let semaphore = mp::Semaphore::new(0)?;
    assert!(semaphore.try_acquire()?.is_none());
    for time in [0, 5, 40].map(Duration::from_millis) {
        let begun = Instant::now();
        assert!(semaphore.acquire_timeout(time)?.is_none());
        assert!(begun.elapsed() >= time);
    }
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| semaphore.acquire_timeout(Duration::MAX).unwrap().is_some());
        std::thread::sleep(A_WHILE);
        semaphore.release().unwrap();
        assert!(joined(waiter));
    });
    Ok(())
}

#[mp::test]
fn one_process_takes_what_another_gives() -> Verdict {
    let semaphore = mp::Semaphore::new(0)?;
    let takers = [(); 2].map(|()| takes_for_good.start(&semaphore, 500));
    let giver = gives.start(&semaphore, 600)?;
    gives(&semaphore, 400)?;
    for taker in takers {
        taker?.join()?;
    }
    giver.join()?;
    assert_eq!(semaphore.value(), 0);
    Ok(())
}

#[mp::test]
fn never_more_than_there_are() -> Verdict {
    let semaphore = mp::Semaphore::new(2)?;
    let inside = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    let permit = semaphore.acquire().unwrap();
                    let before = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    assert!(before < 2, "{before}");
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(semaphore.value(), 2);
    Ok(())
}

#[mp::test]
fn permits_of_a_process_that_has_ended_come_back() -> Verdict {
    let semaphore = mp::Semaphore::new(30)?;
    ends_with.run(&semaphore, 30)?;
    let all: Vec<_> = (0..30)
        .map(|_| semaphore.acquire())
        .collect::<Result<_, _>>()?;
    assert!(semaphore.try_acquire()?.is_none());
    drop(all);
    ends_with.run(&semaphore, 30)?;
    assert!(
        semaphore.try_acquire()?.is_some(),
        "who does not wait sees it too"
    );
    assert_eq!(semaphore.value(), 30);
    Ok(())
}
