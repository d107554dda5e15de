#![allow(unsafe_code)]
//! What work costs, counted in things that do not depend on the machine: allocations, copies of large arguments, page
//! faults, system calls, wake-ups and processor time of what is idle. All of it in the steady state: what comes first is not counted.
//!
//! The limits leave room for what may differ by chance; a change that costs something for every item goes far beyond them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use mp::{Buffer, Pool};

const MIB: u64 = 1 << 20;

/// The system's allocator, with a count of requests and of bytes.
struct Counting;

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is handed on; `realloc` and `alloc_zeroed` are made of these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTS.fetch_add(1, Relaxed);
        BYTES.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a process has cost so far: allocations, their bytes, page faults.
type Costs = (u64, u64, u64);

#[mp::task]
fn costs() -> Costs {
    let faults = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.minor_page_faults());
    (REQUESTS.load(Relaxed), BYTES.load(Relaxed), faults as u64)
}

#[mp::task]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

#[mp::task]
fn last(bytes: &[u8]) -> u8 {
    bytes.last().copied().unwrap_or(0)
}

#[mp::task]
fn last_of(bytes: &Buffer<u8>) -> u8 {
    bytes.last().copied().unwrap_or(0)
}

/// What `work` cost: in this process, and in the pool's only worker.
fn cost_of(pool: &Pool, work: impl Fn() -> mp::Result<()>) -> mp::Result<(Costs, Costs)> {
    for _ in 0..3 {
        work()?;
        pool.apply(costs, ())?;
    }
    let (here, there) = (costs(), pool.apply(costs, ())?);
    work()?;
    let (here_after, there_after) = (costs(), pool.apply(costs, ())?);
    let since = |now: Costs, then: Costs| (now.0 - then.0, now.1 - then.1, now.2 - then.2);
    Ok((since(here_after, here), since(there_after, there)))
}

/// Fails if there is more of something than there may be, and says what it means.
fn at_most(limit: u64, found: u64, what: &str, because: &str) {
    assert!(
        found <= limit,
        "{what}: {found}, at most {limit} expected. {because}"
    );
}

#[mp::test]
fn calls_and_items_allocate_nothing_that_grows() -> mp::Result<()> {
    const CALLS: u64 = 1000;
    const ITEMS: u64 = 100_000;
    let pool = Pool::builder().workers(1).build()?;
    let (here, there) = cost_of(&pool, || {
        for x in 0..CALLS {
            pool.apply(square, x)?;
        }
        Ok(())
    })?;
    println!("1000 × apply: {here:?} here, {there:?} in the worker");
    at_most(
        CALLS / 10,
        here.0,
        "allocations of 1,000 × apply",
        "Something is allocated anew for each call.",
    );
    at_most(
        CALLS / 10,
        there.0,
        "allocations in the worker, 1,000 × apply",
        "A worker needs none for plain values.",
    );
    at_most(
        CALLS / 10,
        here.2,
        "page faults of 1,000 × apply",
        "Memory is not reused from call to call.",
    );
    at_most(
        CALLS / 10,
        there.2,
        "page faults in the worker, 1,000 × apply",
        "Memory is not reused from call to call.",
    );

    let items: Vec<u64> = (0..ITEMS).collect();
    let (here, there) = cost_of(&pool, || pool.map(square, &items).map(drop))?;
    println!("map of 100,000: {here:?} here, {there:?} in the worker");
    at_most(
        ITEMS / 500,
        here.0,
        "allocations of a map of 100,000",
        "A map allocates by chunk, not by item.",
    );
    at_most(
        ITEMS / 500,
        there.0,
        "allocations in the worker",
        "A worker allocates by chunk, not by item.",
    );
    at_most(
        2 * 8 * ITEMS,
        here.1,
        "bytes allocated by a map of 100,000 u64",
        "Results are kept more than once.",
    );
    Ok(())
}

/// The size of the shared heap's file, as far as there is memory behind it.
fn shared_bytes() -> u64 {
    let descriptors = fs::read_dir("/proc/self/fd").expect("the kernel lists them");
    let files = descriptors.flatten().filter(|entry| {
        fs::read_link(entry.path()).is_ok_and(|name| name.to_string_lossy().starts_with("/memfd:"))
    });
    let blocks = files.flat_map(|entry| fs::metadata(entry.path()));
    blocks.map(|file| file.blocks() * 512).sum()
}

#[mp::test]
fn a_large_slice_is_copied_once_and_a_buffer_never() -> mp::Result<()> {
    const SIZE: u64 = 100 * MIB;
    let pool = Pool::builder().workers(1).build()?;
    pool.apply(square, 1)?;
    let (before, bytes) = (shared_bytes(), vec![7_u8; SIZE as usize]);
    let (here, there) = cost_of(&pool, || {
        assert_eq!(pool.apply(last, &bytes)?, 7);
        Ok(())
    })?;
    let grown = shared_bytes() - before;
    println!("slice: {here:?} here, {there:?} in the worker, {grown} shared");
    let because =
        "The one copy of a slice is that into shared memory, which the worker reads in place.";
    at_most(
        MIB,
        here.1,
        "bytes allocated by the caller for a slice of 100 MiB",
        because,
    );
    at_most(
        MIB,
        there.1,
        "bytes allocated by the worker for a slice of 100 MiB",
        because,
    );
    at_most(
        SIZE + 8 * MIB,
        grown,
        "shared memory for a slice of 100 MiB, used four times",
        because,
    );

    let buffer = Buffer::copy_of(&bytes)?;
    let before = shared_bytes();
    let (here, there) = cost_of(&pool, || {
        assert_eq!(pool.apply(last_of, &buffer)?, 7);
        Ok(())
    })?;
    let grown = shared_bytes().saturating_sub(before);
    println!("buffer: {here:?} here, {there:?} in the worker, {grown} shared");
    let because = "A buffer is handed over by its place; nothing of it is copied.";
    at_most(
        MIB,
        here.1 + there.1 + grown,
        "bytes for a buffer of 100 MiB",
        because,
    );
    at_most(
        100,
        here.2 + there.2,
        "page faults for a buffer that was used before",
        because,
    );
    Ok(())
}

/// How often this process has gone to sleep of itself.
fn sleeps() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.voluntary_context_switches()) as u64
}

/// How often this process has called the kernel to sleep, or to wake somebody.
fn calls() -> u64 {
    mp::__private::waiting_calls()
}

/// Both.
#[mp::task]
fn waits() -> (u64, u64) {
    (sleeps(), calls())
}

#[mp::test]
fn items_that_are_sent_one_by_one_are_not_waited_for_one_by_one() -> mp::Result<()> {
    const ITEMS: u64 = 50_000;
    let pool = Pool::builder().workers(1).chunk_size(1).build()?;
    let work = || pool.map(square, 0..ITEMS).map(drop);
    let (here, there) = cost_of(&pool, work)?;
    let before = (waits(), pool.apply(waits, ())?);
    work()?;
    let after = (waits(), pool.apply(waits, ())?);
    let slept = (after.0.0 - before.0.0, after.1.0 - before.1.0);
    let called = (after.0.1 - before.0.1, after.1.1 - before.1.1);
    println!(
        "one by one: {here:?} here, {there:?} in the worker, {slept:?} times asleep, {called:?} system calls"
    );
    let because = "Something is allocated anew for each message.";
    at_most(
        ITEMS / 20,
        here.0 + there.0,
        "allocations of 50,000 messages",
        because,
    );
    let because = "Messages are sent ahead, and many results are taken at a time.";
    at_most(
        ITEMS / 3,
        slept.0.max(slept.1),
        "times asleep in 50,000 messages",
        because,
    );
    let because =
        "Whoever is awake needs no system call to be told, and who wakes does it once for many.";
    at_most(
        ITEMS / 2,
        called.0.max(called.1),
        "system calls of 50,000 messages, to sleep or to wake",
        because,
    );
    Ok(())
}

/// How often this pool's own thread has gone to sleep of itself.
fn sleeps_of_the_keeper() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("it lives").flatten();
    let read = |file: &str, task: &fs::DirEntry| fs::read_to_string(task.path().join(file));
    tasks
        .filter(|task| read("comm", task).is_ok_and(|name| name.trim() == "mp-keeper"))
        .filter_map(|task| {
            let status = read("status", &task).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            line.trim().parse::<u64>().ok()
        })
        .sum()
}

#[mp::test(timeout = "120s")]
fn a_thread_that_waits_for_handles_leaves_the_keeper_alone() -> mp::Result<()> {
    const CALLS: u64 = 10_000;
    let pool = Pool::builder().workers(2).build()?;
    for in_flight in [1, 2, 64] {
        let work = |calls: u64| -> mp::Result<()> {
            let mut handles = VecDeque::new();
            for x in 0..calls {
                if handles.len() == in_flight
                    && let Some(oldest) = handles.pop_front()
                {
                    mp::Handle::get(oldest)?;
                }
                handles.push_back(pool.apply_async(square, x)?);
            }
            handles
                .into_iter()
                .try_for_each(|handle| handle.get().map(drop))
        };
        work(CALLS / 10)?;
        let (before, begun) = ((sleeps_of_the_keeper(), waits()), Instant::now());
        work(CALLS)?;
        let (after, took) = ((sleeps_of_the_keeper(), waits()), begun.elapsed());
        let slept = after.0 - before.0;
        let all = [after.1.0 - before.1.0, after.1.1 - before.1.1];
        println!(
            "{in_flight} in flight: the keeper slept {slept} times in {took:?}, all threads {all:?} (sleeps, system calls)"
        );
        if in_flight == 64 {
            at_most(
                CALLS / 3,
                all[0].max(all[1]),
                "times asleep, or system calls to sleep or to wake, in 10,000 calls",
                "Many are given to the workers, and many results taken, at a time.",
            );
        }
        at_most(
            20 + 2 * took.as_millis() as u64,
            slept,
            "times that the keeper slept, at two a millisecond",
            "It looks once a millisecond whether a thread still drives the pool, and has no part in the calls.",
        );
    }
    Ok(())
}

#[mp::task]
fn send_all(to: mp::Sender<u64>, count: u64) -> Result<(), mp::Failure> {
    (0..count).try_for_each(|x| to.send(x))?;
    Ok(())
}

#[mp::test]
fn a_message_of_a_pipe_costs_no_memory_and_no_sleep() -> mp::Result<()> {
    const MESSAGES: u64 = 200_000;
    let (to, from) = mp::pipe::<u64>()?;
    let child = mp::Process::new(send_all, (to, MESSAGES)).start()?;
    for _ in 0..MESSAGES / 20 {
        from.recv()?;
    }
    let before = (costs(), waits());
    for _ in MESSAGES / 20..MESSAGES {
        from.recv()?;
    }
    let after = (costs(), waits());
    child.join()?;
    let allocations = after.0.0 - before.0.0;
    let (slept, called) = (after.1.0 - before.1.0, after.1.1 - before.1.1);
    println!("pipe: {allocations} allocations, {slept} times asleep, {called} system calls");
    let because = "A sleep may allocate, a message may not.";
    at_most(
        MESSAGES / 20,
        allocations,
        "allocations of 190,000 messages",
        because,
    );
    let because = "Who receives takes all that is there before it sleeps.";
    at_most(
        MESSAGES / 3,
        slept,
        "times asleep in 190,000 messages",
        because,
    );
    at_most(
        MESSAGES / 2,
        called,
        "system calls of 190,000 messages, to sleep or to wake",
        because,
    );
    Ok(())
}

/// Of all threads of a process: nanoseconds on a core, and how often one went to sleep.
fn activity(pid: u32) -> (u64, u64) {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it lives");
    let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap_or_default();
    threads.flatten().fold((0, 0), |(time, sleeps), thread| {
        let schedule = read(thread.path().join("schedstat"));
        let status = read(thread.path().join("status"));
        let on_core = schedule
            .split(' ')
            .next()
            .and_then(|text| text.parse().ok());
        let switches = status.lines().find_map(|line| {
            line.strip_prefix("voluntary_ctxt_switches:")?
                .trim()
                .parse()
                .ok()
        });
        (
            time + on_core.unwrap_or(0),
            sleeps + switches.unwrap_or(0_u64),
        )
    })
}

#[mp::test(timeout = "60s")]
fn an_idle_pool_costs_nothing() -> mp::Result<()> {
    const SECONDS: u64 = 5;
    let pool = Pool::builder().workers(4).build()?;
    pool.map(square, 0..100_000)?;
    // A future's work has the pool's own thread running, too.
    pool.apply_async(square, 3)?.then(|_| ());
    std::thread::sleep(Duration::from_millis(500));
    let all = || {
        let mut pids = pool.worker_pids();
        pids.push(std::process::id());
        pids.into_iter().map(activity).collect::<Vec<_>>()
    };
    let before = all();
    std::thread::sleep(Duration::from_secs(SECONDS));
    for (now, then) in all().iter().zip(&before) {
        let (time, sleeps) = (now.0 - then.0, now.1 - then.1);
        println!("idle: {time} ns on a core, {sleeps} times asleep");
        at_most(
            SECONDS,
            sleeps,
            "times that an idle process woke up in 5 s",
            "What is idle neither polls nor ticks.",
        );
        at_most(
            SECONDS * 1_000_000,
            time,
            "ns of an idle process on a core in 5 s",
            "That is more than 0.1 %.",
        );
    }
    Ok(())
}
