//! Processes that are killed in every role: who holds, who waits, who has just been woken, who wakes, who holds with other threads
//! about. The others go on: the death is reported once, permits come back, notifications are passed on.
//!
//! Each is done 100 times, or as often as `MP_KILL_ROUNDS` says.

mod barrier;
mod condition;
mod exclusive;
mod permits;

use std::time::{Duration, Instant};

use mp::Child;

/// How often the killing tests kill.
fn rounds() -> u64 {
    let told = std::env::var("MP_KILL_ROUNDS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// Pauses that are never the same, most of them as long as a wake-up takes.
struct Pauses(u64);

impl Pauses {
    fn new(seed: u64) -> Self {
        Pauses(seed << 8 | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    /// Busy, because sleeping takes longer than what is to be hit.
    fn pause(&mut self) {
        let most = [20, 100, 300][self.below(3) as usize];
        let (begun, pause) = (Instant::now(), Duration::from_micros(self.below(most)));
        while begun.elapsed() < pause {
            std::hint::spin_loop();
        }
    }
}

/// Kills it and takes its status: `true` if it was in time.
fn killed<T>(child: Child<T>) -> mp::Result<bool> {
    child.kill()?;
    match child.join() {
        Ok(_) => Ok(false),
        Err(error) if error.is_death() => Ok(true),
        Err(error) => Err(error),
    }
}

/// What became of one that wanted a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Got {
    Clean,
    /// From a dead process, by its pid.
    Inherited(Option<u32>),
    Nothing,
}

/// The lock is taken, kept for a moment and given back.
fn got<G>(taken: mp::TryLockResult<G>) -> mp::Result<Got> {
    let (got, guard) = match taken {
        Ok(Some(guard)) => (Got::Clean, guard),
        Ok(None) => return Ok(Got::Nothing),
        Err(mp::LockError::Poisoned(dead)) => (Got::Inherited(dead.pid()), dead.into_guard()),
        Err(mp::LockError::Failed(error)) => return Err(error),
    };
    std::thread::yield_now();
    drop(guard);
    Ok(got)
}
