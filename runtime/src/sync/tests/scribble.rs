#![allow(unsafe_code)]
//! Random bytes over every object, while it is used: answers and errors, no panic, and no wait beyond its time. And the one word that
//! chance does not write, and leave there: this process's own name, where none of its threads is inside.

use crate as mp;
use crate::error::Kind;
use crate::heap::Handle;
use crate::sys::testing::Random;
use mp::{Barrier, Condition, Error, Event, Failure, Lock, RLock, RwLock, Semaphore};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(1);

/// Writes random words, and small and telling ones, all over the body.
fn scribble(handle: &Handle, random: &mut Random, stop: &AtomicBool) {
    let (base, bytes) = handle.held().bytes();
    let words = bytes / 8;
    while !stop.load(Ordering::Relaxed) {
        let word = random.below(words);
        // SAFETY: inside the body, aligned, and everybody reads these words as atomics.
        let word = unsafe { base.cast::<AtomicU64>().add(word).as_ref() };
        let value = match random.below(4) {
            0 => random.next(),
            1 => random.next() % 8,
            2 => (random.next() << 32) | (random.next() % 4),
            _ => u64::MAX - random.next() % 3,
        };
        word.store(value, Ordering::Relaxed);
        if random.below(8) == 0 {
            std::thread::sleep(Duration::from_micros(20));
        }
    }
}

fn under_scribbles(seed: u64, handle: &Handle, mut use_it: impl FnMut()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| scribble(handle, &mut Random(seed), &stop));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(400) {
            use_it();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[mp::test(timeout = "100s")]
fn whatever_is_written() -> Result<(), Failure> {
    let lock = Lock::new()?;
    under_scribbles(1, &lock.handle, || {
        drop(lock.try_lock());
        drop(lock.lock_timeout(SHORT));
        let _ = lock.is_locked();
    });
    let again = RLock::new()?;
    under_scribbles(2, &again.handle, || {
        let _outer = again.lock_timeout(SHORT);
        drop(again.try_lock());
    });
    let shared = RwLock::new()?;
    under_scribbles(3, &shared.handle, || {
        drop(shared.try_read());
        drop(shared.read_timeout(SHORT));
        drop(shared.try_write());
        drop(shared.write_timeout(SHORT));
    });
    let seats = Semaphore::new(3)?;
    under_scribbles(4, &seats.handle, || {
        drop(seats.try_acquire());
        if let Ok(Some(permit)) = seats.acquire_timeout(SHORT) {
            permit.forget();
        }
        let _ = seats.release();
        let _ = seats.value();
    });
    let event = Event::new()?;
    under_scribbles(5, &event.handle, || {
        let _ = event.wait_timeout(SHORT);
        let _ = event.set();
        let _ = event.clear();
    });
    let changed = Condition::new()?;
    under_scribbles(6, &changed.waiters.handle, || {
        if let Ok(mut guard) = changed.lock() {
            let _ = changed.wait_timeout(&mut guard, SHORT);
        }
        let _ = changed.notify_one();
        let _ = changed.notify_all();
    });
    let barrier = Barrier::new(2)?;
    under_scribbles(7, &barrier.handle, || {
        let _ = barrier.wait_timeout(SHORT);
        let _ = barrier.wait_timeout_with(SHORT, || ());
        let _ = barrier.n_waiting();
        let _ = barrier.abort();
        let _ = barrier.reset();
    });
    Ok(())
}

/// The latch of an object stands first in its body: says that this process has it, for good.
fn name_us(handle: &Handle) {
    let (base, bytes) = handle.held().bytes();
    assert!(bytes >= 4);
    // SAFETY: inside the body, aligned, and everybody reads this word as an atomic.
    let word: &AtomicU32 = unsafe { base.cast().as_ref() };
    word.store(handle.heap().me().pack(), Ordering::SeqCst);
}

#[track_caller]
fn is_spoilt<T>(result: Result<T, Error>) {
    let error = result.err().unwrap();
    assert_eq!(error.kind(), Kind::Protocol, "{error}");
}

#[mp::test(timeout = "100s")]
fn a_latch_that_says_this_process_has_it() -> Result<(), Failure> {
    let seats = Semaphore::new(3)?;
    let (kept, forgotten) = (seats.acquire()?, seats.acquire()?);
    let (event, changed, barrier) = (Event::new()?, Condition::new()?, Barrier::new(2)?);
    for handle in [
        &seats.handle,
        &event.handle,
        &changed.waiters.handle,
        &barrier.handle,
    ] {
        name_us(handle);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| is_spoilt(seats.acquire()));
        scope.spawn(|| is_spoilt(seats.release()));
        scope.spawn(|| drop(kept));
        scope.spawn(|| forgotten.forget());
        scope.spawn(|| is_spoilt(event.set()));
        scope.spawn(|| is_spoilt(changed.notify_one()));
        scope.spawn(|| is_spoilt(changed.wait(&mut changed.lock().unwrap())));
        scope.spawn(|| is_spoilt(barrier.wait()));
        scope.spawn(|| is_spoilt(barrier.abort()));
        scope.spawn(|| is_spoilt(barrier.reset()));
    });
    // Who has set itself a time has no more to learn.
    assert!(seats.acquire_timeout(SHORT)?.is_none());
    assert!(!changed.wait_timeout(&mut changed.lock()?, SHORT)?);
    assert!(barrier.wait_timeout(SHORT)?.is_none());
    // What the user may hold for ever is waited for for ever: it may be another thread of ours.
    let lock = Lock::new()?;
    name_us(&lock.handle);
    assert!(lock.lock_timeout(SHORT)?.is_none());
    Ok(())
}
