//! Locks and what stands on them, as a stranger uses them: CPython's tests of the same objects as behaviour, across threads and
//! processes; objects that travel; and processes that are killed in every role.

mod barriers;
mod conditions;
mod events;
mod forks;
mod kills;
mod locks;
mod semaphores;
mod travel;

use std::time::{Duration, Instant};

/// How a test ends.
type Verdict = Result<(), mp::Failure>;

/// No wait of these tests takes this long.
const LONG: Duration = Duration::from_secs(40);
/// Long enough for who is about to do something to have done it, most likely; nothing depends on it.
const A_WHILE: Duration = Duration::from_millis(30);

/// Looks until it is so.
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < deadline, "it never came to it: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Joins a thread of a test.
fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
