//! Queues whose items are held until they are done: CPython's `test_task_done`, and deaths.

use std::time::Duration;

use mp::{Failure, JoinableQueue, OnDeath, Process, Queue};
use mp_tests::{grief::end, program};

#[mp::task]
fn work(from: &JoinableQueue<u64>, to: &Queue<(u64, u32)>) -> Result<u64, Failure> {
    let mut done = 0;
    while let Ok(job) = from.get() {
        to.put((*job, job.attempt()))?;
        job.task_done();
        done += 1;
    }
    Ok(done)
}

/// Takes so many, does all but the last, and is killed over that one.
#[mp::task]
fn die_over(from: &JoinableQueue<u64>, count: u64) -> Result<(), Failure> {
    for _ in 1..count {
        from.get()?.task_done();
    }
    let _held = from.get()?;
    end("kill");
    Ok(())
}

/// Python's `test_task_done`.
#[mp::test]
fn join_waits_for_all() -> mp::Result<()> {
    let (jobs, done) = (JoinableQueue::bounded(5)?, Queue::unbounded()?);
    jobs.join()?;
    let workers = (0..4)
        .map(|_| Process::new(work, (&jobs, &done)).start())
        .collect::<mp::Result<Vec<_>>>()?;
    for round in 0..3 {
        for item in 0..40 {
            jobs.put(item)?;
        }
        jobs.join()?;
        assert_eq!(done.len(), 40, "{round}");
        let mut items: Vec<u64> = (0..40).map(|_| done.get().unwrap().0).collect();
        items.sort_unstable();
        assert!(items.into_iter().eq(0..40));
    }
    jobs.close();
    let mut sum = 0;
    for worker in workers {
        sum += worker.join()?;
    }
    assert_eq!(sum, 120);
    Ok(())
}

#[mp::test]
fn a_job_is_done_when_it_is_dropped_and_not_before() -> mp::Result<()> {
    let jobs = JoinableQueue::unbounded()?;
    jobs.put("one".to_string())?;
    jobs.put("two".to_string())?;
    assert_eq!((jobs.len(), jobs.unfinished()), (2, 2));
    let mut job = jobs.get()?;
    job.push_str(", changed");
    assert_eq!((jobs.len(), jobs.unfinished(), job.attempt()), (1, 2, 1));
    assert!(!jobs.join_timeout(Duration::from_millis(20))?);
    assert_eq!(job.into_value(), "one, changed");
    assert_eq!(jobs.unfinished(), 1);
    drop(jobs.try_get()?);
    assert!(jobs.try_get()?.is_none());
    assert!(jobs.join_timeout(Duration::ZERO)?);
    Ok(())
}

#[mp::test]
fn what_a_dead_worker_held_comes_back() -> mp::Result<()> {
    let (jobs, done) = (JoinableQueue::unbounded()?, Queue::unbounded()?);
    for item in 0..10 {
        jobs.put(item)?;
    }
    let bad = Process::new(die_over, (&jobs, 3)).start()?;
    assert!(bad.join().unwrap_err().is_death());
    assert_eq!((jobs.len(), jobs.unfinished()), (7, 8));
    let worker = Process::new(work, (&jobs, &done)).start()?;
    jobs.join()?;
    jobs.close();
    assert_eq!(worker.join()?, 8);
    // The oldest first, and it is known that it was taken before.
    assert_eq!(done.get()?, (2, 2));
    assert_eq!(done.get()?, (3, 1));
    Ok(())
}

/// Nobody has reaped it, and the one who takes over sleeps already.
#[mp::test]
fn a_sleeping_worker_takes_over() -> mp::Result<()> {
    let (jobs, done) = (JoinableQueue::unbounded()?, Queue::unbounded()?);
    jobs.put(5)?;
    let bad = Process::new(hold_for, (&jobs, 80)).start()?;
    while !jobs.is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let worker = Process::new(work, (&jobs, &done)).start()?;
    jobs.join()?;
    assert_eq!(done.get()?, (5, 2));
    jobs.close();
    assert_eq!(worker.join()?, 1);
    assert!(bad.join().unwrap_err().is_death());
    Ok(())
}

#[mp::task]
fn hold_for(from: &JoinableQueue<u64>, milliseconds: u64) -> Result<(), Failure> {
    let _held = from.get()?;
    std::thread::sleep(Duration::from_millis(milliseconds));
    end("kill");
    Ok(())
}

#[mp::test]
fn or_is_reported() -> mp::Result<()> {
    let jobs = JoinableQueue::with(None, OnDeath::Report)?;
    for item in 0..5 {
        jobs.put(item)?;
    }
    let bad = Process::new(die_over, (&jobs, 2)).name("clumsy").start()?;
    let pid = bad.pid();
    assert!(bad.join().unwrap_err().is_death());
    let lost = jobs.lost();
    assert_eq!(lost.len(), 1);
    assert_eq!(
        (lost[0].item(), lost[0].pid(), lost[0].process()),
        (1, pid, "clumsy")
    );
    for item in 2..5 {
        assert_eq!(*jobs.get()?, item);
    }
    jobs.join()?;
    Ok(())
}

#[mp::test]
fn join_ends_when_nobody_is_left_to_do_it() -> mp::Result<()> {
    let jobs = JoinableQueue::unbounded()?;
    jobs.put(1)?;
    let bad = Process::new(hold_for, (&jobs, 50)).start()?;
    let error = jobs.join().unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert_eq!(*jobs.get()?, 1);
    jobs.join()?;
    drop(bad);
    Ok(())
}

#[mp::test]
fn small_items_are_bounded_by_their_number_alone() -> mp::Result<()> {
    // In blocks that would take more than the bytes of a bounded queue.
    const MANY: u64 = 1_200_000;
    let jobs = JoinableQueue::bounded(MANY as usize)?;
    for item in 0..MANY {
        assert!(jobs.try_put(item).is_ok(), "{item}");
    }
    assert!(jobs.is_full());
    Ok(())
}

/// How many there were that nobody had taken before.
#[mp::task]
fn count_first(from: &JoinableQueue<u64>) -> u64 {
    let jobs = std::iter::from_fn(|| from.get().ok());
    jobs.filter(|job| job.attempt() == 1).count() as u64
}

/// What a heap that is full refuses to note is not taken, nor counted as tried; and who has never taken anything can empty it.
#[mp::test(timeout = "120s")]
fn a_full_heap_can_be_emptied() -> mp::Result<()> {
    if program::again(
        "joinable::a_full_heap_can_be_emptied",
        "MP_HEAP_LIMIT",
        "48M",
    )
    .is_some()
    {
        return Ok(());
    }
    let jobs = JoinableQueue::unbounded()?;
    let mut count = 0;
    while jobs.put(count).is_ok() {
        count += 1;
    }
    assert!(count > 10_000, "{count}");
    let (mut held, mut refused) = (Vec::new(), 0);
    while refused < 5 {
        match jobs.get() {
            Ok(job) => held.push(job),
            Err(error) if error.is_heap_full() => refused += 1,
            Err(error) => return Err(error),
        }
    }
    assert!(held.iter().all(|job| job.attempt() == 1));
    drop(held.pop());
    assert_eq!(jobs.get()?.attempt(), 1);
    drop(held);
    jobs.close();
    let left = jobs.len() as u64;
    let worker = Process::new(count_first, &jobs).start()?;
    assert_eq!(worker.join()?, left);
    Ok(())
}
