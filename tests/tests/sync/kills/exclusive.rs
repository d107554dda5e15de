//! `Lock`, `RLock`, `RwLock`, and what is shared with a lock of its own: `Value`, `Array`.

use mp::{Array, Event, Failure, Lock, RLock, RwLock, Semaphore, Value};

use super::{Got, Pauses, got, killed, rounds};
use crate::{LONG, Verdict, joined};

/// Something that one at a time may have.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
enum Any {
    Lock(Lock),
    RLock(RLock),
    Write(RwLock),
    Value(Value<[u64; 4]>),
    Array(Array<u64>),
}

impl Any {
    fn take(&self) -> mp::Result<Got> {
        match self {
            Any::Lock(lock) => got(lock.lock_timeout(LONG)),
            Any::RLock(lock) => got(lock.lock_timeout(LONG)),
            Any::Write(lock) => got(lock.write_timeout(LONG)),
            Any::Value(value) => got(value.lock_timeout(LONG)),
            Any::Array(array) => got(array.lock_timeout(LONG)),
        }
    }

    /// Takes it and keeps it until `end` is set.
    fn keep(&self, there: &Event, end: &Event) -> mp::Result<()> {
        let wait = || {
            there.set()?;
            end.wait()
        };
        match self {
            Any::Lock(lock) => {
                let _guard = lock.lock()?;
                wait()
            }
            Any::RLock(lock) => {
                let _guard = (lock.lock()?, lock.lock()?);
                wait()
            }
            Any::Write(lock) => {
                let _guard = lock.write()?;
                wait()
            }
            Any::Value(value) => {
                let mut guard = value.lock()?;
                guard[0] += 1;
                wait()
            }
            Any::Array(array) => {
                let mut guard = array.lock()?;
                guard[0] += 1;
                wait()
            }
        }
    }
}

#[mp::task]
fn keeps(any: &Any, there: &Event, end: &Event) -> Result<(), Failure> {
    Ok(any.keep(there, end)?)
}

/// A thread of it holds the lock, while others are busy.
#[mp::task]
fn keeps_among_threads(any: &Any, there: &Event, end: &Event) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !end.is_set() {
                    std::hint::spin_loop();
                }
            });
        }
        let keeper = scope.spawn(|| any.keep(there, end));
        Ok(joined(keeper)?)
    })
}

#[mp::task]
fn takes(any: &Any, coming: &Semaphore) -> Result<Got, Failure> {
    coming.release()?;
    Ok(any.take()?)
}

fn anys() -> mp::Result<[Any; 5]> {
    Ok([
        Any::Lock(Lock::new()?),
        Any::RLock(RLock::new()?),
        Any::Write(RwLock::new()?),
        Any::Value(Value::new([0; 4])?),
        Any::Array(Array::new(&[0; 4])?),
    ])
}

/// Two threads and a process want what the child has, which is killed: one of them inherits.
fn holder(any: &Any, seed: u64, threads: bool) -> Verdict {
    let mut pauses = Pauses::new(seed);
    let (end, coming) = (Event::new()?, Semaphore::new(0)?);
    for _ in 0..rounds() {
        let there = Event::new()?;
        let child = if threads {
            keeps_among_threads.start(any, &there, &end)?
        } else {
            keeps.start(any, &there, &end)?
        };
        assert!(there.wait_timeout(LONG)?);
        let other = takes.start(any, &coming)?;
        let pid = child.pid();
        let mut all = std::thread::scope(|scope| -> Result<Vec<Got>, Failure> {
            let threads = [(); 2].map(|()| scope.spawn(|| any.take()));
            coming.acquire()?.forget();
            pauses.pause();
            assert!(killed(child)?);
            let mut all = Vec::new();
            for thread in threads {
                all.push(joined(thread)?);
            }
            Ok(all)
        })?;
        all.push(other.join()?);
        let inherited = all.iter().filter(|got| **got == Got::Inherited(Some(pid)));
        assert_eq!(inherited.count(), 1, "{all:?}");
        let clean = all.iter().filter(|got| **got == Got::Clean);
        assert_eq!(clean.count(), 2, "{all:?}");
    }
    Ok(())
}

/// One of three who wait is killed: before the lock is given back, or just after.
fn waiter(any: &Any, seed: u64, woken: bool) -> Verdict {
    let mut pauses = Pauses::new(seed);
    let coming = Semaphore::new(0)?;
    for _ in 0..rounds() {
        let (there, end) = (Event::new()?, Event::new()?);
        std::thread::scope(|scope| -> Verdict {
            let keeper = scope.spawn(|| any.keep(&there, &end));
            assert!(there.wait_timeout(LONG)?);
            let victim = takes.start(any, &coming)?;
            let other = takes.start(any, &coming)?;
            let thread = scope.spawn(|| any.take());
            for _ in 0..2 {
                coming.acquire()?.forget();
            }
            pauses.pause();
            let pid = victim.pid();
            if woken {
                end.set()?;
                pauses.pause();
                killed(victim)?;
            } else {
                assert!(killed(victim)?);
                end.set()?;
            }
            joined(keeper)?;
            let mut all = vec![joined(thread)?, other.join()?, any.take()?];
            all.retain(|got| *got != Got::Clean);
            // If it had the lock just now, somebody has it from it.
            assert!(
                all.is_empty() || woken && all == [Got::Inherited(Some(pid))],
                "{all:?}"
            );
            Ok(())
        })?;
    }
    Ok(())
}

#[mp::test(timeout = "600s")]
fn holders() -> Verdict {
    anys()?
        .iter()
        .zip(1..)
        .try_for_each(|(any, seed)| holder(any, seed, false))
}

#[mp::test(timeout = "600s")]
fn holders_with_threads() -> Verdict {
    anys()?
        .iter()
        .zip(11..)
        .try_for_each(|(any, seed)| holder(any, seed, true))
}

#[mp::test(timeout = "600s")]
fn waiters() -> Verdict {
    anys()?
        .iter()
        .zip(21..)
        .try_for_each(|(any, seed)| waiter(any, seed, false))
}

#[mp::test(timeout = "600s")]
fn woken_waiters() -> Verdict {
    anys()?
        .iter()
        .zip(31..)
        .try_for_each(|(any, seed)| waiter(any, seed, true))
}

#[mp::task]
fn reads(lock: &RwLock, there: &Event, end: &Event) -> Result<(), Failure> {
    let _guards: Vec<_> = (0..20).map(|_| lock.read()).collect::<Result<_, _>>()?;
    there.set()?;
    Ok(end.wait()?)
}

/// A writer waits for readers that die.
#[mp::test(timeout = "300s")]
fn readers() -> Verdict {
    let lock = RwLock::new()?;
    let end = Event::new()?;
    let mut pauses = Pauses::new(43);
    for round in 0..rounds() {
        let events = [Event::new()?, Event::new()?];
        let children = [0, 1].map(|index: usize| reads.start(&lock, &events[index], &end));
        let [first, second] = children;
        for event in &events {
            assert!(event.wait_timeout(LONG)?);
        }
        let mine = lock.read()?;
        std::thread::scope(|scope| -> Verdict {
            let writer = scope.spawn(|| got(lock.write_timeout(LONG)));
            pauses.pause();
            if round % 2 == 0 {
                drop(mine);
                pauses.pause();
                assert!(killed(first?)? && killed(second?)?);
            } else {
                assert!(killed(first?)? && killed(second?)?);
                pauses.pause();
                drop(mine);
            }
            assert_eq!(joined(writer)?, Got::Clean);
            Ok(())
        })?;
        drop(lock.read()?);
    }
    Ok(())
}
