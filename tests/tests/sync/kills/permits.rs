//! `Semaphore`, `BoundedSemaphore` and `Event`.

use mp::{BoundedSemaphore, Event, Failure, Semaphore};

use super::{Pauses, killed, rounds};
use crate::{LONG, Verdict, joined, until};

#[mp::task]
fn keeps(seats: &Semaphore, there: &Event, end: &Event, threads: bool) -> Result<(), Failure> {
    let busy = || {
        while threads && !end.is_set() {
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(busy);
        scope.spawn(busy);
        let _permits = (seats.acquire()?, seats.acquire()?);
        there.set()?;
        Ok(end.wait()?)
    })
}

/// All permits are out with a child that is killed, and come back.
fn holder(threads: bool) -> Verdict {
    let mut pauses = Pauses::new(1);
    let (seats, end) = (Semaphore::new(2)?, Event::new()?);
    for _ in 0..rounds() {
        let there = Event::new()?;
        let child = keeps.start(&seats, &there, &end, threads)?;
        assert!(there.wait_timeout(LONG)?);
        std::thread::scope(|scope| -> Verdict {
            let take = || Ok::<_, mp::Error>(seats.acquire_timeout(LONG)?.is_some());
            let waiters = [(); 3].map(|()| scope.spawn(take));
            pauses.pause();
            assert!(killed(child)?);
            for waiter in waiters {
                assert!(joined(waiter)?);
            }
            Ok(())
        })?;
        assert_eq!(seats.value(), 2);
    }
    Ok(())
}

#[mp::test(timeout = "200s")]
fn holders() -> Verdict {
    holder(false)
}

#[mp::test(timeout = "200s")]
fn holders_with_threads() -> Verdict {
    holder(true)
}

#[mp::task]
fn takes(seats: &Semaphore, coming: &Semaphore) -> Result<bool, Failure> {
    coming.release()?;
    Ok(seats.acquire_timeout(LONG)?.is_some())
}

/// One of three who wait is killed: before a permit comes, or just after.
fn waiter(woken: bool) -> Verdict {
    let mut pauses = Pauses::new(2);
    let (seats, coming) = (Semaphore::new(1)?, Semaphore::new(0)?);
    for _ in 0..rounds() {
        let permit = seats.acquire()?;
        let victim = takes.start(&seats, &coming)?;
        let other = takes.start(&seats, &coming)?;
        std::thread::scope(|scope| -> Verdict {
            let take = || Ok::<_, mp::Error>(seats.acquire_timeout(LONG)?.is_some());
            let thread = scope.spawn(take);
            for _ in 0..2 {
                coming.acquire()?.forget();
            }
            pauses.pause();
            if woken {
                drop(permit);
                pauses.pause();
                killed(victim)?;
            } else {
                assert!(killed(victim)?);
                drop(permit);
            }
            assert!(joined(thread)? && other.join()? && take()?);
            Ok(())
        })?;
        assert_eq!(seats.value(), 1);
    }
    Ok(())
}

#[mp::test(timeout = "200s")]
fn waiters() -> Verdict {
    waiter(false)
}

#[mp::test(timeout = "200s")]
fn woken_waiters() -> Verdict {
    waiter(true)
}

#[mp::task]
fn releases(seats: &Semaphore, there: &Event) -> Result<(), Failure> {
    there.set()?;
    for _ in 0..20 {
        seats.release()?;
    }
    Ok(())
}

/// Who releases is killed: what it has released, and no more, is there for those who wait.
#[mp::test(timeout = "200s")]
fn releasers() -> Verdict {
    let mut pauses = Pauses::new(3);
    let mut all = 0;
    for _ in 0..rounds() {
        let (seats, there) = (Semaphore::new(0)?, Event::new()?);
        let child = releases.start(&seats, &there)?;
        let taken = std::thread::scope(|scope| -> Result<u32, Failure> {
            let take = || {
                let mut taken = 0;
                loop {
                    seats.acquire()?.forget();
                    if there.is_set() {
                        taken += 1;
                    } else {
                        return Ok::<u32, mp::Error>(taken);
                    }
                }
            };
            let waiter = scope.spawn(take);
            assert!(there.wait_timeout(LONG)?);
            pauses.pause();
            killed(child)?;
            until("all is taken", || seats.value() == 0);
            there.clear()?;
            seats.release()?;
            Ok(joined(waiter)?)
        })?;
        assert!(taken <= 20, "{taken}");
        assert_eq!(seats.value(), 0);
        all += taken;
    }
    println!("{all} released in {} rounds", rounds());
    Ok(())
}

#[mp::task]
fn waits(event: &Event, coming: &Semaphore) -> Result<bool, Failure> {
    coming.release()?;
    Ok(event.wait_timeout(LONG)?)
}

#[mp::task]
fn sets(event: &Event, there: &Event) -> Result<(), Failure> {
    there.set()?;
    event.set()?;
    Ok(event.wait()?)
}

/// One of those who wait for an event is killed before or after it is set: the others are let go.
fn waiter_for_event(woken: bool) -> Verdict {
    let mut pauses = Pauses::new(4 + u64::from(woken));
    let coming = Semaphore::new(0)?;
    for _ in 0..rounds() {
        let event = Event::new()?;
        let victim = waits.start(&event, &coming)?;
        let other = waits.start(&event, &coming)?;
        std::thread::scope(|scope| -> Verdict {
            let thread = scope.spawn(|| event.wait_timeout(LONG));
            for _ in 0..2 {
                coming.acquire()?.forget();
            }
            pauses.pause();
            if woken {
                event.set()?;
                pauses.pause();
                killed(victim)?;
            } else {
                assert!(killed(victim)?);
                event.set()?;
            }
            assert!(joined(thread)? && other.join()?);
            Ok(())
        })?;
    }
    Ok(())
}

#[mp::test(timeout = "200s")]
fn waiters_for_events() -> Verdict {
    waiter_for_event(false)
}

#[mp::test(timeout = "200s")]
fn woken_waiters_for_events() -> Verdict {
    waiter_for_event(true)
}

#[mp::task]
fn keeps_bounded(seats: &BoundedSemaphore, there: &Event) -> Result<(), Failure> {
    let _permits = (seats.acquire()?, seats.acquire()?);
    there.set()?;
    loop {
        std::thread::park();
    }
}

#[mp::task]
fn takes_bounded(seats: &BoundedSemaphore, coming: &Semaphore) -> Result<bool, Failure> {
    coming.release()?;
    Ok(seats.acquire_timeout(LONG)?.is_some())
}

/// Its permits come back from a dead holder, while one that waits is killed or has just been woken; there are never more of them.
#[mp::test(timeout = "200s")]
fn bounded() -> Verdict {
    let mut pauses = Pauses::new(6);
    let (seats, coming) = (BoundedSemaphore::new(2)?, Semaphore::new(0)?);
    for round in 0..rounds() {
        let there = Event::new()?;
        let holder = keeps_bounded.start(&seats, &there)?;
        assert!(there.wait_timeout(LONG)?);
        let victim = takes_bounded.start(&seats, &coming)?;
        coming.acquire()?.forget();
        std::thread::scope(|scope| -> Verdict {
            let take = || Ok::<_, mp::Error>(seats.acquire_timeout(LONG)?.is_some());
            let waiters = [(); 2].map(|()| scope.spawn(take));
            pauses.pause();
            if round % 2 == 0 {
                assert!(killed(victim)?);
                assert!(killed(holder)?);
            } else {
                assert!(killed(holder)?);
                pauses.pause();
                killed(victim)?;
            }
            for waiter in waiters {
                assert!(joined(waiter)?);
            }
            Ok(())
        })?;
        assert_eq!(seats.value(), 2);
        let error = seats.release().expect_err("all of them are there");
        assert!(error.is_usage(), "{error}");
    }
    Ok(())
}

/// Who sets an event is killed: if it is set, all are let go.
#[mp::test(timeout = "200s")]
fn setters() -> Verdict {
    let mut pauses = Pauses::new(7);
    let mut were_set = 0;
    for _ in 0..rounds() {
        let (event, there) = (Event::new()?, Event::new()?);
        std::thread::scope(|scope| -> Verdict {
            let threads = [(); 2].map(|()| scope.spawn(|| event.wait_timeout(LONG)));
            let setter = sets.start(&event, &there)?;
            assert!(there.wait_timeout(LONG)?);
            pauses.pause();
            killed(setter)?;
            if event.is_set() {
                were_set += 1;
            } else {
                event.set()?;
            }
            for thread in threads {
                assert!(joined(thread)?);
            }
            Ok(())
        })?;
    }
    println!("{were_set} of {} were set", rounds());
    Ok(())
}
