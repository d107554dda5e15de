//! `Condition`: CPython's `_TestCondition`.

use std::time::{Duration, Instant};

use mp::Failure;

use crate::{A_WHILE, LONG, Verdict, joined, until};

#[mp::task]
fn sleeps(
    changed: &mp::Condition,
    sleeping: &mp::Semaphore,
    woken: &mp::Semaphore,
    time: Option<Duration>,
) -> Result<bool, Failure> {
    let mut guard = changed.lock()?;
    sleeping.release()?;
    let notified = match time {
        Some(time) => changed.wait_timeout(&mut guard, time)?,
        None => changed.wait(&mut guard).map(|()| true)?,
    };
    woken.release()?;
    Ok(notified)
}

struct Sleepers {
    changed: mp::Condition,
    sleeping: mp::Semaphore,
    woken: mp::Semaphore,
}

impl Sleepers {
    fn new() -> mp::Result<Self> {
        Ok(Sleepers {
            changed: mp::Condition::new()?,
            sleeping: mp::Semaphore::new(0)?,
            woken: mp::Semaphore::new(0)?,
        })
    }

    /// Three processes and three threads that wait, while `act` does something; then how many were notified.
    fn six(&self, time: Option<Duration>, act: impl FnOnce() -> Verdict) -> Result<usize, Failure> {
        let Sleepers {
            changed,
            sleeping,
            woken,
        } = self;
        let children = [(); 3].map(|()| sleeps.start(changed, sleeping, woken, time));
        let mut notified = 0;
        std::thread::scope(|scope| -> Verdict {
            let threads = [(); 3].map(|()| scope.spawn(|| sleeps(changed, sleeping, woken, time)));
            for _ in 0..6 {
                sleeping.acquire()?.forget();
            }
            act()?;
            for thread in threads {
                notified += usize::from(joined(thread)?);
            }
            Ok(())
        })?;
        for child in children {
            notified += usize::from(child?.join()?);
        }
        Ok(notified)
    }

    #[track_caller]
    fn are_woken(&self, count: u32) {
        until("so many are woken", || self.woken.value() >= count);
        std::thread::sleep(A_WHILE);
        assert_eq!(self.woken.value(), count);
    }

    fn notify(&self, n: usize) -> Verdict {
        let _guard = self.changed.lock()?;
        Ok(self.changed.notify(n)?)
    }
}

#[mp::test]
fn one_after_the_other() -> Verdict {
    let sleepers = Sleepers::new()?;
    let notified = sleepers.six(None, || {
        std::thread::sleep(A_WHILE);
        for count in 0..6 {
            sleepers.are_woken(count);
            let _guard = sleepers.changed.lock()?;
            sleepers.changed.notify_one()?;
        }
        sleepers.are_woken(6);
        Ok(())
    })?;
    assert_eq!(notified, 6);
    Ok(())
}

#[mp::test]
fn so_many_at_once() -> Verdict {
    let sleepers = Sleepers::new()?;
    let notified = sleepers.six(None, || {
        sleepers.are_woken(0);
        sleepers.notify(2)?;
        sleepers.are_woken(2);
        sleepers.notify(0)?;
        sleepers.are_woken(2);
        sleepers.notify(4)?;
        sleepers.are_woken(6);
        sleepers.notify(3)
    })?;
    assert_eq!(notified, 6);
    Ok(())
}

#[mp::test]
fn all_of_them() -> Verdict {
    let sleepers = Sleepers::new()?;
    // Those whose time is up leave nothing behind.
    let notified = sleepers.six(Some(Duration::from_millis(10)), || Ok(()))?;
    assert_eq!(notified, 0);
    for _ in 0..6 {
        sleepers.woken.acquire()?.forget();
    }
    let notified = sleepers.six(None, || {
        sleepers.are_woken(0);
        let _guard = sleepers.changed.lock()?;
        Ok(sleepers.changed.notify_all()?)
    })?;
    sleepers.are_woken(6);
    assert_eq!(notified, 6);
    Ok(())
}

/// Who comes after a notification is not woken by it, and who came first is.
#[mp::test]
fn in_the_order_of_coming() -> Verdict {
    let changed = mp::Condition::new()?;
    changed.notify_all()?;
    let order = std::sync::Mutex::new(Vec::new());
    let come = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| -> Verdict {
        for number in 0..5 {
            let (changed, order, come) = (&changed, &order, &come);
            scope.spawn(move || {
                let mut guard = changed.lock().unwrap();
                come.store(number + 1, std::sync::atomic::Ordering::SeqCst);
                changed.wait(&mut guard).unwrap();
                order.lock().unwrap().push(number);
            });
            until("it waits", || {
                come.load(std::sync::atomic::Ordering::SeqCst) == number + 1
            });
            drop(changed.lock()?);
        }
        for count in 1..=5 {
            changed.notify_one()?;
            until("one has gone", || order.lock().unwrap().len() == count);
        }
        Ok(())
    })?;
    assert_eq!(order.into_inner()?, [0, 1, 2, 3, 4]);
    Ok(())
}

#[mp::test]
fn time_outs() -> Verdict {
    let changed = mp::Condition::new()?;
    let mut guard = changed.lock()?;
    for time in [0, 40].map(Duration::from_millis) {
        let begun = Instant::now();
        assert!(!changed.wait_timeout(&mut guard, time)?);
        assert!(begun.elapsed() >= time);
        assert!(changed.as_lock().is_locked());
        let begun = Instant::now();
        assert!(!changed.wait_for_timeout(&mut guard, time, || false)?);
        assert!(begun.elapsed() >= time);
    }
    assert!(changed.wait_for_timeout(&mut guard, Duration::ZERO, || true)?);
    changed.wait_for(&mut guard, || true)?;
    Ok(())
}

#[mp::task]
fn waits_for_four(
    changed: &mp::Condition,
    state: &mp::Semaphore,
    begun: &mp::Event,
) -> Result<(), Failure> {
    let mut guard = changed.lock()?;
    begun.set()?;
    changed.notify_one()?;
    Ok(changed.wait_for(&mut guard, || state.value() == 4)?)
}

#[mp::task]
fn waits_for_four_in_vain(
    changed: &mp::Condition,
    state: &mp::Semaphore,
    begun: &mp::Event,
) -> Result<bool, Failure> {
    let mut guard = changed.lock()?;
    begun.set()?;
    let (begun, time) = (Instant::now(), Duration::from_millis(150));
    let came = changed.wait_for_timeout(&mut guard, time, || state.value() == 4)?;
    Ok(!came && begun.elapsed() >= time)
}

#[mp::test]
fn until_it_is_so() -> Verdict {
    let changed = mp::Condition::new()?;
    let state = mp::Semaphore::new(0)?;
    let begun = mp::Event::new()?;
    let child = waits_for_four.start(&changed, &state, &begun)?;
    let mut guard = changed.lock()?;
    changed.wait_for(&mut guard, || begun.is_set())?;
    drop(guard);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(5));
        let _guard = changed.lock()?;
        state.release()?;
        changed.notify_one()?;
    }
    Ok(child.join()?)
}

#[mp::test]
fn until_its_time_is_up() -> Verdict {
    let changed = mp::Condition::new()?;
    let state = mp::Semaphore::new(0)?;
    let begun = mp::Event::new()?;
    let child = waits_for_four_in_vain.start(&changed, &state, &begun)?;
    assert!(begun.wait_timeout(LONG)?);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(5));
        let _guard = changed.lock()?;
        state.release()?;
        changed.notify_one()?;
    }
    assert!(child.join()?);
    Ok(())
}

#[mp::test]
fn several_with_one_lock() -> Verdict {
    let lock = mp::Lock::new()?;
    let (full, empty) = (
        mp::Condition::with_lock(&lock)?,
        mp::Condition::with_lock(&lock)?,
    );
    let box_ = mp::Semaphore::new(0)?;
    let child = fills.start(&full, &empty, &box_, 500)?;
    for _ in 0..500 {
        let mut guard = lock.lock()?;
        full.wait_for(&mut guard, || box_.value() == 1)?;
        box_.acquire()?.forget();
        empty.notify_one()?;
    }
    child.join()?;
    let other = mp::Lock::new()?;
    let mut wrong = other.lock()?;
    assert!(
        full.wait(&mut wrong)
            .expect_err("of another lock")
            .is_usage()
    );
    assert!(other.is_locked());
    Ok(())
}

#[mp::task]
fn fills(
    full: &mp::Condition,
    empty: &mp::Condition,
    box_: &mp::Semaphore,
    times: u32,
) -> Result<(), Failure> {
    for _ in 0..times {
        let mut guard = full.lock()?;
        empty.wait_for(&mut guard, || box_.value() == 0)?;
        box_.release()?;
        full.notify_one()?;
    }
    Ok(())
}
