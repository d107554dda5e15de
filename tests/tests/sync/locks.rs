//! `Lock`, `RLock`, `RwLock`: CPython's `_TestLock`, time-outs, and what a `with` cannot say.

use std::time::{Duration, Instant};

use mp::Failure;

use crate::{A_WHILE, LONG, Verdict, joined, until};

#[mp::task]
fn tries(lock: &mp::Lock) -> Result<bool, Failure> {
    Ok(lock.try_lock()?.is_some())
}

#[mp::task]
fn tries_again(lock: &mp::RLock) -> Result<bool, Failure> {
    Ok(lock.try_lock()?.is_some())
}

/// Adds to the number in two steps, under the lock.
#[mp::task]
fn adds(lock: &mp::Lock, number: &mp::Semaphore, times: u32) -> Result<(), Failure> {
    for _ in 0..times {
        let _guard = lock.lock()?;
        let before = number.value();
        number.release()?;
        if number.value() != before + 1 {
            return Err(Failure::new("two are inside"));
        }
    }
    Ok(())
}

#[mp::test]
fn a_lock() -> Verdict {
    let lock = mp::Lock::new()?;
    assert!(!lock.is_locked());
    let guard = lock.lock()?;
    assert!(lock.is_locked());
    assert!(lock.try_lock()?.is_none());
    assert!(!tries.run(&lock)?);
    drop(guard);
    assert!(!lock.is_locked());
    assert!(tries.run(&lock)?);
    let guard = lock.try_lock()?;
    assert!(guard.is_some());
    assert!(std::thread::scope(|scope| joined(
        scope.spawn(|| lock.try_lock().unwrap().is_none())
    )));
    assert_eq!(format!("{lock:?}"), "Lock { locked: true }");
    Ok(())
}

#[mp::test]
fn a_time_out() -> Verdict {
    let lock = mp::Lock::new()?;
    let time = Duration::from_millis(40);
    assert!(lock.lock_timeout(time)?.is_some());
    let guard = lock.lock()?;
    for time in [Duration::ZERO, time] {
        let begun = Instant::now();
        assert!(lock.lock_timeout(time)?.is_none());
        assert!(begun.elapsed() >= time);
    }
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| lock.lock_timeout(Duration::MAX).unwrap().is_some());
        std::thread::sleep(A_WHILE);
        drop(guard);
        assert!(joined(waiter));
    });
    Ok(())
}

#[mp::test]
fn a_guard_is_dropped_in_another_thread() -> Verdict {
    let lock = mp::Lock::new()?;
    let guard = lock.lock()?;
    std::thread::scope(|scope| joined(scope.spawn(|| drop(guard))));
    assert!(!lock.is_locked());
    Ok(())
}

#[mp::test]
fn a_panic_gives_the_lock_back() -> Verdict {
    let lock = mp::Lock::new()?;
    let panic = std::panic::catch_unwind(|| {
        let _guard = lock.lock().unwrap();
        panic!("on purpose");
    });
    assert!(panic.is_err());
    assert!(!lock.is_locked());
    drop(lock.lock()?);
    Ok(())
}

#[mp::test]
fn threads_and_processes_take_turns() -> Verdict {
    let lock = mp::Lock::new()?;
    let number = mp::Semaphore::new(0)?;
    let children = [(); 3].map(|()| adds.start(&lock, &number, 2000));
    std::thread::scope(|scope| -> Verdict {
        let thread = scope.spawn(|| adds(&lock, &number, 2000));
        adds(&lock, &number, 2000)?;
        joined(thread)?;
        Ok(())
    })?;
    for child in children {
        child?.join()?;
    }
    assert_eq!(number.value(), 10_000);
    Ok(())
}

#[mp::test]
fn a_lock_taken_again() -> Verdict {
    let lock = mp::RLock::new()?;
    let first = lock.lock()?;
    let second = lock.try_lock()?.expect("it is ours");
    let third = lock.lock_timeout(Duration::ZERO)?.expect("it is ours");
    assert!(!tries_again.run(&lock)?);
    let other =
        || std::thread::scope(|scope| joined(scope.spawn(|| lock.try_lock().unwrap().is_some())));
    assert!(!other());
    // In any order.
    drop(second);
    drop(first);
    assert!(lock.is_locked() && !other());
    drop(third);
    assert!(!lock.is_locked() && other());
    assert!(tries_again.run(&lock)?);
    assert_eq!(format!("{lock:?}"), "RLock { locked: false }");
    Ok(())
}

#[mp::task]
fn takes_again_and_again(
    lock: &mp::RLock,
    number: &mp::Semaphore,
    times: u32,
) -> Result<(), Failure> {
    for _ in 0..times {
        let _outer = lock.lock()?;
        let before = number.value();
        let _inner = lock.lock()?;
        number.release()?;
        if number.value() != before + 1 {
            return Err(Failure::new("two are inside"));
        }
    }
    Ok(())
}

#[mp::test]
fn the_owner_of_an_rlock_is_a_thread() -> Verdict {
    let lock = mp::RLock::new()?;
    let number = mp::Semaphore::new(0)?;
    let children = [(); 2].map(|()| takes_again_and_again.start(&lock, &number, 1000));
    std::thread::scope(|scope| -> Verdict {
        let threads = [(); 3].map(|()| scope.spawn(|| takes_again_and_again(&lock, &number, 1000)));
        for thread in threads {
            joined(thread)?;
        }
        Ok(())
    })?;
    for child in children {
        child?.join()?;
    }
    assert_eq!(number.value(), 5000);
    Ok(())
}

#[mp::task]
fn reads(lock: &mp::RwLock) -> Result<bool, Failure> {
    Ok(lock.try_read()?.is_some())
}

#[mp::task]
fn writes(lock: &mp::RwLock) -> Result<bool, Failure> {
    Ok(lock.try_write()?.is_some())
}

#[mp::test]
fn many_readers_or_one_writer() -> Verdict {
    let lock = mp::RwLock::new()?;
    let readers: Vec<_> = (0..40).map(|_| lock.read()).collect::<Result<_, _>>()?;
    assert!(reads.run(&lock)? && !writes.run(&lock)?);
    assert!(lock.try_write()?.is_none());
    assert!(lock.write_timeout(Duration::from_millis(20))?.is_none());
    drop(readers);
    let writer = lock.write()?;
    assert!(!reads.run(&lock)? && !writes.run(&lock)?);
    assert!(lock.try_read()?.is_none());
    assert!(lock.read_timeout(Duration::from_millis(20))?.is_none());
    drop(writer);
    assert!(writes.run(&lock)? && reads.run(&lock)?);
    Ok(())
}

#[mp::test]
fn a_writer_is_not_put_off() -> Verdict {
    let lock = mp::RwLock::new()?;
    let reader = lock.read()?;
    std::thread::scope(|scope| -> Verdict {
        let writer = scope.spawn(|| lock.write().map(drop).is_ok());
        until("the writer waits", || lock.try_read().unwrap().is_none());
        let late = scope.spawn(|| lock.read().map(drop).is_ok());
        std::thread::sleep(A_WHILE);
        assert!(!writer.is_finished() && !late.is_finished());
        drop(reader);
        assert!(joined(writer) && joined(late));
        Ok(())
    })
}

/// Counts `inside` up while it is there: readers by 1, writers must be alone.
#[mp::task]
fn mixed(
    lock: &mp::RwLock,
    inside: &mp::Semaphore,
    times: u32,
    writer: bool,
) -> Result<(), Failure> {
    for _ in 0..times {
        if writer {
            let _guard = lock.write()?;
            if inside.value() != 0 {
                return Err(Failure::new("a writer is not alone"));
            }
        } else {
            let _guard = lock.read()?;
            inside.release()?;
            inside.acquire()?.forget();
        }
    }
    Ok(())
}

#[mp::test]
fn readers_and_writers_of_all_kinds() -> Verdict {
    let lock = mp::RwLock::new()?;
    let inside = mp::Semaphore::new(0)?;
    let children: Vec<_> = [true, false, false]
        .iter()
        .map(|writer| mixed.start(&lock, &inside, 1000, *writer))
        .collect::<Result<_, _>>()?;
    std::thread::scope(|scope| -> Verdict {
        let threads = [true, false].map(|writer| {
            let (lock, inside) = (&lock, &inside);
            scope.spawn(move || mixed(lock, inside, 1000, writer))
        });
        for thread in threads {
            joined(thread)?;
        }
        Ok(())
    })?;
    for child in children {
        child.join()?;
    }
    assert!(lock.write_timeout(LONG)?.is_some());
    Ok(())
}
