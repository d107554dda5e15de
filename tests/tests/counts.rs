#![allow(unsafe_code)]
//! What the hot paths cost, in counts that do not depend on the machine: allocations, page faults, sleeps. A change that makes a
//! call allocate, copy into fresh memory or wake somebody more often than before shows here, with the count that it had.
//!
//! Counted are this process and, by tasks that count themselves, its workers. The limits are far above what was seen when they were
//! written (mostly nothing; sleeps depend on what else runs) and far below one for each call, item or page: what they keep out
//! is a cost of another order.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mp::Pool;
use nix::sys::resource::{UsageWho, getrusage};

/// The system's allocator, with a count.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What this process has had so far.
#[derive(Clone, Copy, Debug, mp::Plain)]
#[repr(C)]
struct Counts {
    allocations: u64,
    faults: u64,
    sleeps: u64,
}

impl Counts {
    fn now() -> Counts {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel counts");
        Counts {
            allocations: ALLOCATIONS.load(Ordering::Relaxed),
            faults: usage.minor_page_faults() as u64,
            sleeps: usage.voluntary_context_switches() as u64,
        }
    }

    fn since(self, before: Counts) -> Counts {
        Counts {
            allocations: self.allocations - before.allocations,
            faults: self.faults - before.faults,
            sleeps: self.sleeps - before.sleeps,
        }
    }
}

/// Fails with the reason: what was counted, over how many, and the limit.
fn at_most(what: &str, count: u64, of: u64, limit: f64) {
    let each = count as f64 / of as f64;
    println!("{what}: {count} in {of}, {each:.5} each (limit {limit})");
    assert!(
        each <= limit,
        "{what}: {count} in {of} is {each:.4} each, and the limit is {limit}"
    );
}

#[mp::task]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

#[mp::task]
fn counts() -> Counts {
    Counts::now()
}

#[mp::task]
fn total(numbers: &[f64]) -> f64 {
    numbers.iter().sum()
}

#[mp::task]
fn ends(numbers: &mp::Buffer<f64>) -> f64 {
    numbers[0] + numbers[numbers.len() - 1]
}

fn pool(workers: usize) -> mp::Result<Pool> {
    Pool::builder().workers(workers).build()
}

#[mp::test]
fn a_call_allocates_nothing_and_touches_no_fresh_page() -> mp::Result<()> {
    let (pool, calls) = (pool(1)?, 5_000);
    let call = |count: u64| (0..count).try_for_each(|x| pool.apply(square, x).map(drop));
    call(1_000)?;
    let (mine, its) = (Counts::now(), pool.apply(counts, ())?);
    call(calls)?;
    let (mine, its) = (
        Counts::now().since(mine),
        pool.apply(counts, ())?.since(its),
    );
    at_most(
        "allocations of a call, in the parent",
        mine.allocations,
        calls,
        0.01,
    );
    at_most(
        "allocations of a call, in the worker",
        its.allocations,
        calls,
        0.01,
    );
    at_most(
        "page faults of a call, in the parent",
        mine.faults,
        calls,
        0.02,
    );
    at_most(
        "page faults of a call, in the worker",
        its.faults,
        calls,
        0.02,
    );
    Ok(())
}

#[mp::test]
fn an_item_of_a_map_allocates_nothing() -> mp::Result<()> {
    let (pool, items) = (pool(1)?, 200_000);
    let numbers: Vec<u64> = (0..items).collect();
    for _ in 0..3 {
        pool.map(square, &numbers)?;
    }
    let (mine, its) = (Counts::now(), pool.apply(counts, ())?);
    pool.map(square, &numbers)?;
    let (mine, its) = (
        Counts::now().since(mine),
        pool.apply(counts, ())?.since(its),
    );
    at_most(
        "allocations of an item, in the parent",
        mine.allocations,
        items,
        0.001,
    );
    at_most(
        "allocations of an item, in the worker",
        its.allocations,
        items,
        0.001,
    );
    at_most(
        "sleeps of an item, in the parent",
        mine.sleeps,
        items,
        0.005,
    );
    Ok(())
}

#[mp::test]
fn items_that_are_sent_one_by_one_are_not_waited_for_one_by_one() -> mp::Result<()> {
    let items = 50_000;
    let pool = Pool::builder().workers(1).chunk_size(1).build()?;
    for _ in 0..2 {
        pool.map(square, 0..items)?;
    }
    let (mine, its) = (Counts::now(), pool.apply(counts, ())?);
    pool.map(square, 0..items)?;
    let (mine, its) = (
        Counts::now().since(mine),
        pool.apply(counts, ())?.since(its),
    );
    at_most(
        "allocations of a message, in the parent",
        mine.allocations,
        items,
        0.05,
    );
    at_most(
        "allocations of a message, in the worker",
        its.allocations,
        items,
        0.01,
    );
    at_most(
        "sleeps of a message, in the parent",
        mine.sleeps,
        items,
        0.05,
    );
    at_most(
        "sleeps of a message, in the worker",
        its.sleeps,
        items,
        0.05,
    );
    Ok(())
}

#[mp::test]
fn a_large_argument_is_copied_once_and_into_warm_memory() -> mp::Result<()> {
    let (pool, rounds) = (pool(1)?, 10);
    let numbers = vec![1.0_f64; 4 << 20];
    let pages = (size_of_val(&numbers[..]) / 4096) as u64;
    for _ in 0..3 {
        pool.apply(total, &numbers)?;
    }
    let (mine, its) = (Counts::now(), pool.apply(counts, ())?);
    for _ in 0..rounds {
        pool.apply(total, &numbers)?;
    }
    let (mine, its) = (
        Counts::now().since(mine),
        pool.apply(counts, ())?.since(its),
    );
    // A copy that is made on the way would be in memory of its own, and that would have to be asked for.
    at_most(
        "allocations of a large argument",
        mine.allocations + its.allocations,
        rounds,
        20.0,
    );
    at_most(
        "page faults for a page of it, in the parent",
        mine.faults,
        rounds * pages,
        0.01,
    );
    at_most(
        "page faults for a page of it, in the worker",
        its.faults,
        rounds * pages,
        0.01,
    );
    Ok(())
}

#[mp::test]
fn a_buffer_is_not_copied_at_all() -> mp::Result<()> {
    let (pool, rounds) = (pool(1)?, 100);
    let buffer = mp::Buffer::filled(1.0_f64, 4 << 20)?;
    pool.apply(ends, &buffer)?;
    let (mine, its) = (Counts::now(), pool.apply(counts, ())?);
    for _ in 0..rounds {
        pool.apply(ends, &buffer)?;
    }
    let (mine, its) = (
        Counts::now().since(mine),
        pool.apply(counts, ())?.since(its),
    );
    at_most(
        "page faults of a call with a buffer, in the parent",
        mine.faults,
        rounds,
        1.0,
    );
    at_most(
        "page faults of a call with a buffer, in the worker",
        its.faults,
        rounds,
        1.0,
    );
    Ok(())
}

#[mp::test]
fn a_message_of_a_pipe_allocates_nothing_and_wakes_nobody_who_is_awake() -> mp::Result<()> {
    let messages = 200_000;
    let (to, from) = mp::pipe::<u64>()?;
    let child = mp::Process::new(send_all, (to, messages)).start()?;
    let first = 10_000;
    for _ in 0..first {
        from.recv()?;
    }
    let mine = Counts::now();
    for _ in first..messages {
        from.recv()?;
    }
    let mine = Counts::now().since(mine);
    child.join()?;
    at_most(
        "allocations of a message received",
        mine.allocations,
        messages,
        0.01,
    );
    at_most("sleeps of a message received", mine.sleeps, messages, 0.3);
    Ok(())
}

#[mp::task]
fn send_all(to: mp::Sender<u64>, count: u64) -> Result<(), mp::Failure> {
    (0..count).try_for_each(|x| to.send(x))?;
    Ok(())
}

/// How often a process has gone to sleep of itself, all its threads together.
fn sleeps_of(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it lives");
    tasks
        .filter_map(Result::ok)
        .filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            line?.trim().parse::<u64>().ok()
        })
        .sum()
}

#[mp::test]
fn an_idle_pool_sleeps() -> mp::Result<()> {
    let pool = pool(8)?;
    pool.map(square, 0..1_000)?;
    // Whoever has still something to do comes to its end.
    std::thread::sleep(Duration::from_millis(500));
    let pids = pool.worker_pids();
    assert_eq!(pids.len(), 8);
    let before: u64 = pids.iter().map(|pid| sleeps_of(*pid)).sum();
    let mine = sleeps_of(std::process::id());
    std::thread::sleep(Duration::from_secs(2));
    let after: u64 = pids.iter().map(|pid| sleeps_of(*pid)).sum();
    // Nobody ticks: who sleeps is not woken, and so does not fall asleep again.
    at_most(
        "sleeps of an idle worker in two seconds",
        after - before,
        8,
        0.5,
    );
    // This thread's own sleep is one, and its look at the others a few.
    let mine = sleeps_of(std::process::id()) - mine;
    at_most(
        "sleeps of the parent of an idle pool in two seconds",
        mine,
        1,
        20.0,
    );
    Ok(())
}
