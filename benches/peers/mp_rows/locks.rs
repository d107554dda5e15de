//! Locks: alone (W7), by two processes at once (W7b), and how fast a sleeper is woken (W7w).

use std::sync::atomic::Ordering;
use std::time::Instant;

use mp::Failure;

use crate::frame::{Case, Measured, Scale};
use crate::limits::{Page, Pinned, middle};

pub(crate) fn alone(scale: Scale) -> Vec<Case> {
    let count = scale.of(5_000_000);
    fn row<T>(
        variant: &'static str,
        count: usize,
        make: impl Fn() -> mp::Result<T> + 'static,
        once: impl Fn(&T) -> mp::Result<()> + 'static,
    ) -> Case {
        Case::new("mp", variant, move || {
            let object = make()?;
            let began = Instant::now();
            for _ in 0..count {
                once(&object)?;
            }
            Ok(began.elapsed().as_nanos() as f64 / count as f64)
        })
    }
    vec![
        row("Lock", count, mp::Lock::new, |lock| {
            let _guard = lock.lock()?;
            Ok(())
        }),
        row("RLock", count, mp::RLock::new, |lock| {
            let _guard = lock.lock()?;
            Ok(())
        }),
        row("RwLock, read", count, mp::RwLock::new, |lock| {
            let _guard = lock.read()?;
            Ok(())
        }),
        row("RwLock, write", count, mp::RwLock::new, |lock| {
            let _guard = lock.write()?;
            Ok(())
        }),
        row(
            "Semaphore",
            count,
            || mp::Semaphore::new(1),
            |semaphore| {
                let _permit = semaphore.acquire()?;
                Ok(())
            },
        ),
    ]
}

fn count_under(lock: &mp::Lock, page: &Page, count: usize) -> mp::Result<()> {
    page.meet();
    for _ in 0..count {
        let _guard = lock.lock()?;
        page.count();
    }
    page.done.0.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

#[mp::task]
fn counts(lock: &mp::Lock, path: &str, times: usize) -> Result<(), Failure> {
    Ok(count_under(lock, Page::open(path)?, times)?)
}

pub(crate) fn two(scale: Scale) -> Vec<Case> {
    let times = scale.of(1_000_000);
    vec![Case::new("mp", "Lock", move || two_with(times))]
}

fn two_with(times: usize) -> Measured {
    let lock = mp::Lock::new()?;
    let (page, path) = Page::new()?;
    let child = counts.start(&lock, &path, times)?;
    page.meet_first();
    let began = Instant::now();
    count_under(&lock, page, times)?;
    page.wait_for_both();
    let took = began.elapsed().as_secs_f64() * 1e3;
    child.join()?;
    page.check(2 * times)?;
    Ok(took)
}

#[mp::task]
fn answer_event(question: &mp::Event, answer: &mp::Event, times: usize) -> Result<(), Failure> {
    let _pinned = Pinned::to(1);
    for _ in 0..times {
        question.wait()?;
        question.clear()?;
        answer.set()?;
    }
    Ok(())
}

#[mp::task]
fn answer_semaphore(
    question: &mp::Semaphore,
    answer: &mp::Semaphore,
    times: usize,
) -> Result<(), Failure> {
    let _pinned = Pinned::to(1);
    for _ in 0..times {
        question.acquire()?.forget();
        answer.release()?;
    }
    Ok(())
}

pub(crate) fn wake_ups(scale: Scale) -> Vec<Case> {
    let times = scale.of(10_000);
    vec![
        Case::new("mp", "Event", move || {
            let (question, answer) = (mp::Event::new()?, mp::Event::new()?);
            let child = answer_event.start(&question, &answer, times)?;
            let middle = timed(times, || {
                question.set()?;
                answer.wait()?;
                answer.clear()
            })?;
            child.join()?;
            Ok(middle)
        }),
        Case::new("mp", "Semaphore", move || {
            let (question, answer) = (mp::Semaphore::new(0)?, mp::Semaphore::new(0)?);
            let child = answer_semaphore.start(&question, &answer, times)?;
            let middle = timed(times, || {
                question.release()?;
                answer.acquire()?.forget();
                Ok(())
            })?;
            child.join()?;
            Ok(middle)
        }),
    ]
}

fn timed(times: usize, mut once: impl FnMut() -> mp::Result<()>) -> Measured {
    let _pinned = Pinned::to(0);
    let mut all = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        once()?;
        all.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(middle(all))
}
