//! A process that is killed, or stopped, behind each of its stores into a shared object in turn: the others go on.
//!
//! A child is armed to end behind its n-th store (`sys::points`) and does its part of a scenario, while this process does the
//! other part; then n + 1, until there are no more stores. Each time all threads of this process come through, and the
//! object is usable afterwards.

use crate as mp;
use crate::sys::points;
use mp::{Barrier, Condition, Event, Failure, Lock, RLock, Result, RwLock, Semaphore};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(2);

/// One of each.
#[derive(Clone, Serialize, Deserialize)]
struct Kit {
    lock: Lock,
    again: RLock,
    shared: RwLock,
    seats: Semaphore,
    changed: Condition,
    event: Event,
    barrier: Barrier,
    /// Raised by the child before it waits.
    there: Event,
}

impl Kit {
    fn new() -> Result<Kit> {
        Ok(Kit {
            lock: Lock::new()?,
            again: RLock::new()?,
            shared: RwLock::new()?,
            seats: Semaphore::new(1)?,
            changed: Condition::new()?,
            event: Event::new()?,
            barrier: Barrier::new(2)?,
            there: Event::new()?,
        })
    }
}

/// One scenario: what the child does, what a thread here does until the child has ended, and how all is seen to be well.
struct Scenario {
    name: &'static str,
    child: fn(&Kit) -> Result<()>,
    here: fn(&Kit, &AtomicBool) -> Result<()>,
    after: fn(&Kit) -> Result<()>,
}

fn nap() {
    std::thread::sleep(Duration::from_micros(150));
}

/// An error that only says that somebody has died is no error here.
fn or_poisoned<G>(taken: std::result::Result<G, mp::LockError<G>>) -> Result<G> {
    taken.or_else(mp::LockError::into_guard)
}

fn got<G>(taken: mp::TryLockResult<G>) -> Result<G> {
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) => Some(error.into_guard()?),
    };
    Ok(taken.expect("nobody alive holds it for so long"))
}

fn until_done(done: &AtomicBool, mut once: impl FnMut() -> Result<()>) -> Result<()> {
    while !done.load(Ordering::SeqCst) {
        once()?;
    }
    once()
}

const SCENARIOS: [Scenario; 9] = [
    Scenario {
        name: "lock",
        child: |kit| {
            for _ in 0..3 {
                let guard = or_poisoned(kit.lock.lock())?;
                nap();
                drop(guard);
                drop(kit.lock.lock_timeout(SHORT)?);
                nap();
            }
            Ok(())
        },
        here: |kit, done| {
            until_done(done, || {
                let guard = got(kit.lock.lock_timeout(LONG))?;
                nap();
                drop(guard);
                Ok(())
            })
        },
        after: |kit| {
            drop(got(kit.lock.lock_timeout(LONG))?);
            assert!(!kit.lock.is_locked());
            Ok(())
        },
    },
    Scenario {
        name: "rlock",
        child: |kit| {
            for _ in 0..2 {
                let guard = or_poisoned(kit.again.lock())?;
                let inner = kit.again.lock()?;
                nap();
                drop(guard);
                drop(inner);
                nap();
            }
            Ok(())
        },
        here: |kit, done| {
            until_done(done, || {
                let guard = got(kit.again.lock_timeout(LONG))?;
                drop(or_poisoned(kit.again.lock())?);
                nap();
                drop(guard);
                Ok(())
            })
        },
        after: |kit| {
            drop(got(kit.again.lock_timeout(LONG))?);
            assert!(!kit.again.is_locked());
            Ok(())
        },
    },
    Scenario {
        name: "rwlock",
        child: |kit| {
            for _ in 0..2 {
                let read = or_poisoned(kit.shared.read())?;
                nap();
                drop(read);
                let write = or_poisoned(kit.shared.write())?;
                nap();
                drop(write);
                drop(kit.shared.write_timeout(SHORT)?);
                nap();
            }
            Ok(())
        },
        here: |kit, done| {
            until_done(done, || {
                let read = got(kit.shared.read_timeout(LONG))?;
                nap();
                drop(read);
                let write = got(kit.shared.write_timeout(LONG))?;
                drop(write);
                Ok(())
            })
        },
        after: |kit| {
            drop(got(kit.shared.write_timeout(LONG))?);
            drop(kit.shared.read_timeout(LONG)?.expect("free"));
            Ok(())
        },
    },
    Scenario {
        name: "permits",
        child: |kit| {
            for _ in 0..3 {
                let permit = kit.seats.acquire()?;
                nap();
                drop(permit);
                drop(kit.seats.acquire_timeout(SHORT)?);
                nap();
            }
            Ok(())
        },
        here: |kit, done| {
            until_done(done, || {
                let permit = kit.seats.acquire_timeout(LONG)?;
                nap();
                drop(permit.expect("a dead one's permit comes back"));
                nap();
                nap();
                Ok(())
            })
        },
        after: |kit| {
            drop(kit.seats.acquire_timeout(LONG)?.expect("it comes back"));
            assert_eq!(kit.seats.value(), 1);
            Ok(())
        },
    },
    Scenario {
        name: "permits without guards",
        child: |kit| {
            for _ in 0..3 {
                kit.seats.acquire()?.forget();
                nap();
                kit.seats.release()?;
                nap();
            }
            Ok(())
        },
        here: |kit, done| {
            while !done.load(Ordering::SeqCst) {
                // The child may have died with the permit forgotten.
                if let Some(permit) = kit.seats.acquire_timeout(SHORT)? {
                    drop(permit);
                }
            }
            Ok(())
        },
        after: |kit| {
            let left = kit.seats.acquire_timeout(Duration::from_millis(50))?;
            if left.is_none() {
                kit.seats.release()?;
            }
            drop(left);
            drop(kit.seats.acquire_timeout(LONG)?.expect("there it is"));
            assert_eq!(kit.seats.value(), 1);
            Ok(())
        },
    },
    Scenario {
        name: "event",
        child: |kit| {
            for _ in 0..3 {
                nap();
                kit.event.set()?;
                nap();
                kit.event.clear()?;
                kit.event.wait_timeout(SHORT)?;
            }
            Ok(())
        },
        here: |kit, done| {
            while !done.load(Ordering::SeqCst) {
                kit.event.wait_timeout(SHORT)?;
                kit.event.clear()?;
            }
            kit.event.set()?;
            kit.event.wait()
        },
        after: |kit| {
            kit.event.clear()?;
            kit.event.set()?;
            assert!(kit.event.wait_timeout(LONG)?);
            Ok(())
        },
    },
    Scenario {
        name: "notifier",
        child: |kit| {
            for _ in 0..2 {
                nap();
                let guard = or_poisoned(kit.changed.lock())?;
                kit.changed.notify_one()?;
                drop(guard);
                nap();
                kit.changed.notify_all()?;
                let mut guard = or_poisoned(kit.changed.lock())?;
                let _ = kit.changed.wait_timeout(&mut guard, SHORT);
            }
            Ok(())
        },
        here: |kit, done| {
            std::thread::scope(|scope| {
                let waiters = [(); 2].map(|()| {
                    scope.spawn(|| -> Result<()> {
                        let mut guard = or_poisoned(kit.changed.lock())?;
                        while !done.load(Ordering::SeqCst) {
                            match kit.changed.wait(&mut guard) {
                                Err(error) if !error.is_poisoned() => return Err(error),
                                _ => {}
                            }
                        }
                        Ok(())
                    })
                });
                while !done.load(Ordering::SeqCst) {
                    std::thread::sleep(SHORT);
                }
                while waiters.iter().any(|waiter| !waiter.is_finished()) {
                    kit.changed.notify_all()?;
                    std::thread::sleep(SHORT);
                }
                waiters
                    .into_iter()
                    .try_for_each(|waiter| waiter.join().unwrap())
            })
        },
        after: |kit| {
            drop(got(kit.changed.as_lock().lock_timeout(LONG))?);
            kit.changed.notify_all()
        },
    },
    Scenario {
        name: "notified",
        child: |kit| {
            let mut guard = or_poisoned(kit.changed.lock())?;
            kit.there.set()?;
            kit.changed.wait(&mut guard)?;
            kit.event.set()
        },
        // One notification for the child, which came first; if it dies before it has it, then it is ours.
        here: |kit, done| {
            while !kit.there.wait_timeout(SHORT)? {
                if done.load(Ordering::SeqCst) {
                    return Ok(());
                }
            }
            let mut guard = got(kit.changed.as_lock().lock_timeout(LONG))?;
            std::thread::scope(|scope| {
                let notifier = scope.spawn(|| -> Result<()> {
                    drop(got(kit.changed.as_lock().lock_timeout(LONG))?);
                    kit.changed.notify_one()?;
                    while !done.load(Ordering::SeqCst) {
                        std::thread::sleep(SHORT);
                    }
                    if kit.event.is_set() {
                        kit.changed.notify_one()?;
                    }
                    Ok(())
                });
                match kit.changed.wait_timeout(&mut guard, LONG) {
                    Ok(notified) => assert!(notified, "nobody passed it on"),
                    Err(error) if error.is_poisoned() => {}
                    Err(error) => return Err(error),
                }
                drop(guard);
                notifier.join().unwrap()
            })
        },
        after: |kit| {
            drop(got(kit.changed.as_lock().lock_timeout(LONG))?);
            Ok(())
        },
    },
    Scenario {
        name: "barrier",
        child: |kit| {
            for _ in 0..2 {
                kit.barrier.wait_with(nap)?;
                nap();
            }
            kit.barrier.wait_timeout(LONG)?;
            Ok(())
        },
        here: |kit, done| {
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| -> Result<()> {
                    for _ in 0..3 {
                        kit.barrier.wait()?;
                    }
                    Ok(())
                });
                while !done.load(Ordering::SeqCst) {
                    std::thread::sleep(SHORT);
                }
                // It may have died before it came, and then nobody can know.
                let begun = Instant::now();
                while !waiter.is_finished() {
                    std::thread::sleep(SHORT);
                    assert!(begun.elapsed() < LONG, "it waits for a dead party");
                    if begun.elapsed() > SHORT * 10 && kit.barrier.n_waiting() == 1 {
                        kit.barrier.abort()?;
                    }
                }
                match waiter.join().unwrap() {
                    Err(error) if !error.is_broken() => Err(error),
                    _ => Ok(()),
                }
            })
        },
        after: |kit| {
            kit.barrier.reset()?;
            assert!(!kit.barrier.is_broken() && kit.barrier.n_waiting() == 0);
            std::thread::scope(|scope| {
                let other = scope.spawn(|| kit.barrier.wait_timeout(LONG));
                let mine = kit.barrier.wait_timeout(LONG)?.expect("in time");
                let its = other.join().unwrap()?.expect("in time");
                assert_eq!(mine + its, 1);
                Ok(())
            })
        },
    },
];

#[mp::task]
fn part(
    scenario: usize,
    kit: Kit,
    count: u64,
    signal: i32,
    file: &Path,
) -> std::result::Result<(), Failure> {
    let signal = Signal::try_from(signal).unwrap_or(Signal::SIGKILL);
    points::arm(count, signal, file.to_owned());
    let result = (SCENARIOS[scenario].child)(&kit);
    // The way out has stores of its own, which are not the subject.
    points::arm(0, signal, file.to_owned());
    Ok(result?)
}

/// Where it was hit, if it was.
fn fired(file: &PathBuf) -> Option<String> {
    let told = std::fs::read_to_string(file).ok()?;
    let _ = std::fs::remove_file(file);
    Some(told.split_once(' ')?.1.to_owned())
}

fn explore(number: usize, signal: Signal) -> Result<()> {
    let scenario = &SCENARIOS[number];
    let begun = Instant::now();
    let file = std::env::temp_dir().join(format!(
        "mp-sync-explorer-{}-{number}-{}",
        std::process::id(),
        signal as i32
    ));
    let mut stores = 0;
    // How often a thread of ours makes the child take another path changes from run to run.
    let mut missed = 0;
    for count in 1.. {
        let kit = Kit::new()?;
        let child = part.start(number, kit.clone(), count, signal as i32, &file)?;
        let done = AtomicBool::new(false);
        let place = std::thread::scope(|scope| -> Result<Option<String>> {
            let here = scope.spawn(|| (scenario.here)(&kit, &done));
            let place;
            if signal == Signal::SIGSTOP {
                while child.is_alive() && !file.exists() {
                    std::thread::sleep(SHORT / 4);
                }
                // Let the others run into what it holds.
                place = fired(&file);
                if place.is_some() {
                    std::thread::sleep(SHORT);
                }
                let _ = kill(Pid::from_raw(child.pid() as i32), Signal::SIGKILL);
            } else {
                place = None;
            }
            let ended = child.join();
            done.store(true, Ordering::SeqCst);
            let place = place.or_else(|| fired(&file));
            let told = format!("{}, behind store {count} ({place:?})", scenario.name);
            if let Err(panic) = here
                .join()
                .map(|result| result.unwrap_or_else(|error| panic!("{told}: {error}")))
            {
                eprintln!("{told}");
                std::panic::resume_unwind(panic);
            }
            match ended {
                Err(error) if place.is_none() && signal == Signal::SIGKILL => {
                    panic!("{told}: {error}")
                }
                _ => {}
            }
            Ok(place)
        })?;
        (scenario.after)(&kit)?;
        match place {
            Some(_) => (stores, missed) = (stores + 1, 0),
            None => missed += 1,
        }
        if missed == 3 {
            break;
        }
    }
    println!("{}: {stores} stores, {:?}", scenario.name, begun.elapsed());
    assert!(stores > 5, "{}: only {stores} stores", scenario.name);
    Ok(())
}

fn explore_all(signal: Signal) -> Result<()> {
    (0..SCENARIOS.len()).try_for_each(|number| explore(number, signal))
}

#[mp::test(timeout = "120s")]
fn killed_behind_every_store() -> Result<()> {
    explore_all(Signal::SIGKILL)
}

#[mp::test(timeout = "120s")]
fn stopped_behind_every_store() -> Result<()> {
    explore_all(Signal::SIGSTOP)
}
