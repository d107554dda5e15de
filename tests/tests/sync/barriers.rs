//! `Barrier`: CPython's `_TestBarrier`, by five processes each time, of which one is this one.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use mp::Failure;

use crate::{LONG, Verdict, joined, until};

const N: usize = 5;

/// Numbers that all parties count up.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Counts {
    one: mp::Semaphore,
    two: mp::Semaphore,
    three: mp::Semaphore,
}

impl Counts {
    fn new() -> mp::Result<Self> {
        Ok(Counts {
            one: mp::Semaphore::new(0)?,
            two: mp::Semaphore::new(0)?,
            three: mp::Semaphore::new(0)?,
        })
    }

    fn values(&self) -> [u32; 3] {
        [&self.one, &self.two, &self.three].map(mp::Semaphore::value)
    }
}

/// Runs the task in four processes and here; gives the results.
macro_rules! five {
    ($task:ident($($argument:expr),*)) => {{
        let children: Vec<_> = (1..N).map(|_| $task.start($($argument),*)).collect::<Result<_, _>>()?;
        let mut results = vec![$task($($argument),*)?];
        for child in children {
            results.push(child.join()?);
        }
        results
    }};
}

#[mp::task]
fn passes(barrier: &mp::Barrier, counts: &Counts, times: u32) -> Result<(), Failure> {
    for round in 0..times {
        counts.one.release()?;
        let seen = counts.two.value();
        if seen != round * N as u32 {
            return Err(Failure::new(format!("{seen} in round {round}")));
        }
        barrier.wait()?;
        counts.two.release()?;
        let seen = counts.one.value();
        if seen != (round + 1) * N as u32 {
            return Err(Failure::new(format!("{seen} in round {round}")));
        }
        barrier.wait()?;
    }
    Ok(())
}

#[mp::test]
fn in_lockstep() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    assert_eq!(barrier.parties(), N);
    let counts = Counts::new()?;
    five!(passes(&barrier, &counts, 10));
    assert_eq!(barrier.n_waiting(), 0);
    assert!(!barrier.is_broken());
    Ok(())
}

#[mp::task]
fn place(barrier: &mp::Barrier) -> Result<usize, Failure> {
    Ok(barrier.wait()?)
}

#[mp::test]
fn everybody_has_a_place() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    let mut places = five!(place(&barrier));
    places.sort();
    assert_eq!(places, [0, 1, 2, 3, 4]);
    Ok(())
}

#[mp::task]
fn acts(barrier: &mp::Barrier, counts: &Counts) -> Result<u32, Failure> {
    barrier.wait_with(|| {
        std::thread::sleep(Duration::from_millis(5));
        counts.one.release().unwrap();
    })?;
    Ok(counts.one.value())
}

#[mp::test]
fn one_acts_before_all_go() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    let counts = Counts::new()?;
    assert_eq!(five!(acts(&barrier, &counts)), [1; N]);
    Ok(())
}

#[mp::test]
fn an_action_that_panics() -> Verdict {
    let barrier = mp::Barrier::new(2)?;
    std::thread::scope(|scope| -> Verdict {
        let other = scope.spawn(|| barrier.wait());
        until("it waits", || barrier.n_waiting() == 1);
        let act = || barrier.wait_with(|| panic!("on purpose"));
        assert!(std::panic::catch_unwind(act).is_err());
        assert!(joined(other).expect_err("broken").is_broken());
        Ok(())
    })?;
    barrier.reset()?;
    assert_eq!(barrier.n_waiting(), 0);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| barrier.wait());
        let places = [barrier.wait().unwrap(), joined(other).unwrap()];
        assert_eq!(places[0] + places[1], 1);
    });
    Ok(())
}

#[mp::task]
fn aborts(barrier: &mp::Barrier, counts: &Counts) -> Result<(), Failure> {
    if barrier.wait()? == N / 2 {
        return Ok(barrier.abort()?);
    }
    match barrier.wait() {
        Ok(_) => counts.one.release()?,
        Err(error) if error.is_broken() => counts.two.release()?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

#[mp::test]
fn abort() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    let counts = Counts::new()?;
    five!(aborts(&barrier, &counts));
    assert_eq!(counts.values(), [0, N as u32 - 1, 0]);
    assert!(barrier.is_broken());
    let error = barrier.wait().expect_err("broken");
    assert!(error.is_broken() && error.pid().is_none(), "{error}");
    Ok(())
}

#[mp::task]
fn resets(barrier: &mp::Barrier, counts: &Counts) -> Result<(), Failure> {
    if barrier.wait()? == N / 2 {
        until("the others wait", || barrier.n_waiting() == N - 1);
        barrier.reset()?;
    } else {
        match barrier.wait() {
            Ok(_) => counts.one.release()?,
            Err(error) if error.is_broken() => counts.two.release()?,
            Err(error) => return Err(error.into()),
        }
    }
    barrier.wait()?;
    Ok(counts.three.release()?)
}

#[mp::test]
fn reset() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    let counts = Counts::new()?;
    five!(resets(&barrier, &counts));
    assert_eq!(counts.values(), [0, N as u32 - 1, N as u32]);
    Ok(())
}

#[mp::task]
fn aborts_and_resets(
    barrier: &mp::Barrier,
    second: &mp::Barrier,
    counts: &Counts,
) -> Result<(), Failure> {
    if barrier.wait()? == N / 2 {
        barrier.abort()?;
    } else {
        match barrier.wait() {
            Ok(_) => counts.one.release()?,
            Err(error) if error.is_broken() => counts.two.release()?,
            Err(error) => return Err(error.into()),
        }
    }
    if second.wait()? == N / 2 {
        barrier.reset()?;
    }
    second.wait()?;
    barrier.wait()?;
    Ok(counts.three.release()?)
}

#[mp::test]
fn reset_after_abort() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    let second = mp::Barrier::new(N)?;
    let counts = Counts::new()?;
    five!(aborts_and_resets(&barrier, &second, &counts));
    assert_eq!(counts.values(), [0, N as u32 - 1, N as u32]);
    Ok(())
}

/// Somebody who is alone there, and goes to sleep just as it is broken.
#[mp::test(timeout = "100s")]
fn an_abort_is_noticed_whenever_it_comes() -> Verdict {
    let rounds = 40_000_u32;
    let (barrier, turn) = (mp::Barrier::new(2)?, AtomicU32::new(0));
    let wait_for = |number: u32| {
        for look in 1.. {
            if turn.load(SeqCst) >= number {
                break;
            }
            if look % 1000 == 0 {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| -> mp::Result<u32> {
            let mut broken = 0;
            for round in 0..rounds {
                wait_for(2 * round);
                turn.store(2 * round + 1, SeqCst);
                broken += u32::from(barrier.wait().is_err_and(|error| error.is_broken()));
                barrier.reset()?;
                turn.store(2 * round + 2, SeqCst);
            }
            Ok(broken)
        });
        for round in 0..rounds {
            wait_for(2 * round + 1);
            for _ in 0..round % 100 {
                std::hint::black_box(round);
            }
            barrier.abort()?;
            wait_for(2 * round + 2);
        }
        assert_eq!(joined(waiter)?, rounds);
        Ok(())
    })
}

#[mp::task]
fn one_is_late(barrier: &mp::Barrier) -> Result<bool, Failure> {
    let is_late = barrier.wait()? == N / 2;
    if is_late {
        until("it is broken", || barrier.is_broken());
    }
    match barrier.wait_timeout(Duration::from_millis(100)) {
        Ok(None) => Ok(true),
        Ok(Some(_)) => Ok(false),
        Err(error) if error.is_broken() => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[mp::test]
fn a_time_out_breaks_it() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    assert_eq!(five!(one_is_late(&barrier)), [true; N]);
    assert!(barrier.is_broken());
    Ok(())
}

#[mp::test]
fn a_barrier_for_one() -> Verdict {
    let barrier = mp::Barrier::new(1)?;
    for _ in 0..3 {
        assert_eq!(barrier.wait()?, 0);
        assert_eq!(barrier.wait_timeout(Duration::ZERO)?, Some(0));
    }
    assert!(mp::Barrier::new(0).expect_err("for nobody").is_usage());
    assert_eq!(
        format!("{barrier:?}"),
        "Barrier { parties: 1, waiting: 0, broken: false }"
    );
    Ok(())
}

#[mp::task]
fn passes_quickly(barrier: &mp::Barrier, times: u32) -> Result<usize, Failure> {
    let mut sum = 0;
    for _ in 0..times {
        let here = barrier.wait_timeout(LONG)?;
        sum += here.ok_or_else(|| Failure::new("late"))?;
    }
    Ok(sum)
}

#[mp::test]
fn a_thousand_rounds() -> Verdict {
    let barrier = mp::Barrier::new(N)?;
    let sums = five!(passes_quickly(&barrier, 1000));
    assert_eq!(sums.iter().sum::<usize>(), 1000 * (1 + 2 + 3 + 4));
    Ok(())
}

#[mp::test]
fn more_threads_than_parties() -> Verdict {
    let barrier = mp::Barrier::new(3)?;
    std::thread::scope(|scope| -> Verdict {
        let threads: Vec<_> = (0..9)
            .map(|_| {
                scope.spawn(|| barrier.wait_with(|| std::thread::sleep(Duration::from_millis(1))))
            })
            .collect();
        let mut places = Vec::new();
        for thread in threads {
            places.push(joined(thread)?);
        }
        places.sort();
        assert_eq!(places, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
        Ok(())
    })
}

#[mp::task]
fn keep_resetting(gate: &mp::Barrier) {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let _ = gate.reset();
    }
}

#[mp::test]
fn a_time_out_passes_while_another_is_stopped_inside() {
    let gate = mp::Barrier::new(2).unwrap();
    let child = keep_resetting.start(&gate).unwrap();
    let pid = nix::unistd::Pid::from_raw(child.pid() as i32);
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(7));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        // Comes back; the watchdog sees to it.
        let _ = gate.wait_timeout(Duration::from_millis(5));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    }
    child.kill().unwrap();
    let _ = child.join();
    gate.reset().unwrap();
    assert_eq!(gate.n_waiting(), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| gate.wait().unwrap());
        gate.wait().unwrap();
    });
}
