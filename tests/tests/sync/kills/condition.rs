//! `Condition`.

use mp::{Condition, Event, Failure, Semaphore};

use super::{Pauses, killed, rounds};
use crate::{LONG, Verdict, joined};

/// Waits with the lock, and says when it has come and when it is through.
#[mp::task]
fn waits(changed: &Condition, there: &Event, through: &Event) -> Result<(), Failure> {
    let mut guard = changed.lock()?;
    there.set()?;
    changed.wait(&mut guard)?;
    Ok(through.set()?)
}

/// As `waits`, in this process; `true` if it was notified or has learned of a death.
fn waits_here(changed: &Condition) -> mp::Result<bool> {
    let mut guard = changed.lock().or_else(mp::LockError::into_guard)?;
    match changed.wait_timeout(&mut guard, LONG) {
        Err(error) if error.is_poisoned() => Ok(true),
        other => other,
    }
}

/// The first of two who wait is notified and killed: the notification is the other's, unless the first was through.
#[mp::test(timeout = "200s")]
fn woken_waiters() -> Verdict {
    let mut pauses = Pauses::new(1);
    let mut passed_on = 0;
    for _ in 0..rounds() {
        let (changed, there, through) = (Condition::new()?, Event::new()?, Event::new()?);
        let victim = waits.start(&changed, &there, &through)?;
        assert!(there.wait_timeout(LONG)?);
        // It has given the lock back: so it waits.
        drop(changed.lock()?);
        let second = Event::new()?;
        std::thread::scope(|scope| -> Verdict {
            let thread = scope.spawn(|| {
                let mut guard = changed.lock()?;
                second.set()?;
                match changed.wait_timeout(&mut guard, LONG) {
                    Err(error) if error.is_poisoned() => Ok(true),
                    other => other,
                }
            });
            assert!(second.wait_timeout(LONG)?);
            drop(changed.lock()?);
            changed.notify_one()?;
            pauses.pause();
            let in_time = killed(victim)?;
            if through.is_set() {
                // It may have been killed just after.
                changed.notify_one()?;
            } else {
                assert!(in_time);
                passed_on += 1;
            }
            assert!(joined(thread)?, "nobody passed it on");
            Ok(())
        })?;
    }
    println!("{passed_on} of {} passed on", rounds());
    Ok(())
}

/// One of three who wait is killed before they are notified: it is not counted.
#[mp::test(timeout = "200s")]
fn waiters() -> Verdict {
    let mut pauses = Pauses::new(2);
    for _ in 0..rounds() {
        let (changed, there, through) = (Condition::new()?, Event::new()?, Event::new()?);
        let victim = waits.start(&changed, &there, &through)?;
        assert!(there.wait_timeout(LONG)?);
        drop(changed.lock()?);
        std::thread::scope(|scope| -> Verdict {
            let threads = [(); 2].map(|()| scope.spawn(|| waits_here(&changed)));
            pauses.pause();
            assert!(killed(victim)?);
            // Two notifications are enough for two, whenever they come.
            let mut left = Vec::from(threads);
            while !left.is_empty() {
                changed.notify_one()?;
                std::thread::sleep(std::time::Duration::from_millis(1));
                left.retain(|thread| !thread.is_finished());
            }
            Ok(())
        })?;
        assert!(!through.is_set());
    }
    Ok(())
}

#[mp::task]
fn notifies(changed: &Condition, there: &Event) -> Result<(), Failure> {
    there.set()?;
    for _ in 0..10 {
        let guard = changed.lock()?;
        changed.notify_one()?;
        drop(guard);
        changed.notify_all()?;
    }
    Ok(())
}

/// Who notifies is killed: those who wait can be notified by others.
#[mp::test(timeout = "200s")]
fn notifiers() -> Verdict {
    let mut pauses = Pauses::new(3);
    for _ in 0..rounds() {
        let (changed, there) = (Condition::new()?, Event::new()?);
        std::thread::scope(|scope| -> Verdict {
            let threads = [(); 3].map(|()| scope.spawn(|| waits_here(&changed)));
            let child = notifies.start(&changed, &there)?;
            assert!(there.wait_timeout(LONG)?);
            pauses.pause();
            killed(child)?;
            let mut left = Vec::from(threads);
            while !left.is_empty() {
                changed.notify_all()?;
                std::thread::sleep(std::time::Duration::from_micros(100));
                left.retain(|thread| !thread.is_finished());
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Holds the lock, with other threads about.
#[mp::task]
fn keeps(changed: &Condition, there: &Event, end: &Event) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !end.is_set() {
                std::hint::spin_loop();
            }
        });
        let _guard = changed.lock()?;
        changed.notify_all()?;
        there.set()?;
        Ok(end.wait()?)
    })
}

/// Those who were notified by a process that then dies with the lock get it, and one learns of the death.
#[mp::test(timeout = "200s")]
fn holders() -> Verdict {
    let mut pauses = Pauses::new(4);
    let end = Event::new()?;
    for _ in 0..rounds() {
        let (changed, there, coming) = (Condition::new()?, Event::new()?, Semaphore::new(0)?);
        let pids = std::thread::scope(|scope| -> Result<Vec<u32>, Failure> {
            let wait = || {
                let mut guard = changed.lock()?;
                coming.release()?;
                match changed.wait_timeout(&mut guard, LONG) {
                    Err(error) if error.is_poisoned() => Ok(error.pid()),
                    Err(error) => Err(error),
                    Ok(notified) => {
                        assert!(notified);
                        Ok(None)
                    }
                }
            };
            let threads = [(); 3].map(|()| scope.spawn(wait));
            for _ in 0..3 {
                coming.acquire()?.forget();
            }
            let child = keeps.start(&changed, &there, &end)?;
            assert!(there.wait_timeout(LONG)?);
            pauses.pause();
            let pid = child.pid();
            assert!(killed(child)?);
            let mut pids = Vec::new();
            for thread in threads {
                pids.extend(joined(thread)?);
            }
            assert_eq!(pids, [pid]);
            Ok(pids)
        })?;
        assert_eq!(pids.len(), 1);
    }
    Ok(())
}
