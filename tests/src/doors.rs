//! What the programs of `entry.rs` do: one program for each way to write `main`, all with the same work.

use std::path::Path;

use mp::{Pool, Process};

use crate::grief::{self, sleep_ms};

/// Says that a statement of `main` has run; only the program itself may say so.
pub fn main_runs() {
    println!("main runs");
}

#[mp::task]
fn role() -> String {
    let me = mp::current_process();
    let thread = std::thread::current();
    format!(
        "{} {:?} {:?}",
        me.name(),
        thread.name(),
        std::env::args().nth(1)
    )
}

#[mp::task]
fn below(depth: u32) -> Result<u32, mp::Failure> {
    if depth == 0 {
        return Ok(0);
    }
    Ok(1 + Process::new(below, depth - 1).start()?.join()?)
}

/// Processes, a pool, the shared pool, children of children, deaths: a little of everything.
pub fn work() -> mp::Result<()> {
    let told = Process::new(role, ()).start()?.join()?;
    println!("child: {told}");
    assert_eq!(Process::new(below, 3).start()?.join()?, 3);
    let pool = Pool::builder().workers(2).build()?;
    assert_eq!(pool.map(sleep_ms, [1, 2, 3])?, [1, 2, 3]);
    assert_eq!(mp::map(sleep_ms, [3, 2, 1])?, [3, 2, 1]);
    for (way, text) in [
        ("exit 3", "exit code 3"),
        ("kill", "SIGKILL"),
        ("abort", "SIGABRT"),
        ("segfault", "SIGSEGV"),
        ("overflow", "overflowed its stack"),
        ("panic", "a panic was asked for at "),
    ] {
        let error = Process::new(grief::end, way)
            .start()?
            .join()
            .expect_err("it dies")
            .to_string();
        assert!(error.contains(text), "{way}: {error}");
        let error = pool
            .apply(grief::end, way)
            .expect_err("it dies")
            .to_string();
        assert!(error.contains(text), "{way}: {error}");
    }
    println!("all done");
    Ok(())
}

/// The work that the first argument names.
pub fn named() -> mp::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None | Some("work") => work(),
        Some("replace") => {
            // The file this program was started from is gone, and something else stands in its place.
            let own = std::env::args_os().next().unwrap_or_default();
            std::fs::remove_file(&own).expect("a copy of our own");
            work()?;
            std::fs::write(&own, "#!/bin/sh\necho wrong\n").expect("a place of our own");
            work()?;
            std::fs::remove_file(&own).expect("it was just written");
            Ok(())
        }
        Some("close") => {
            // Closed by the program itself, after the session was opened.
            mp::init()?;
            for stream in 0..3 {
                let _ = nix::unistd::close(stream);
            }
            work_quietly()
        }
        Some("quiet") => work_quietly(),
        Some("nproc") => without_processes(),
        Some("heap") => with_a_small_heap(),
        Some("file size") => with_small_files(),
        Some(other) => panic!("no such work: {other}"),
    }
}

/// Says by its exit code alone, and in a file, whether everything works: there may be no output.
fn work_quietly() -> mp::Result<()> {
    assert_eq!(Process::new(below, 2).start()?.join()?, 2);
    let pool = Pool::builder().workers(2).build()?;
    assert_eq!(pool.map(sleep_ms, [1, 2, 3])?, [1, 2, 3]);
    assert!(
        pool.apply(grief::end, "panic")
            .expect_err("it panics")
            .is_panic()
    );
    assert!(pool.apply(streams_are_there, ())?);
    assert!(Process::new(streams_are_there, ()).start()?.join()?);
    Ok(())
}

/// Whether 0, 1 and 2 are open, and none of them is anything of ours.
#[mp::task]
fn streams_are_there() -> bool {
    (0..3).all(|stream| {
        let target = std::fs::read_link(format!("/proc/self/fd/{stream}"));
        target.is_ok_and(|target| target == Path::new("/dev/null"))
    })
}

fn without_processes() -> mp::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let pool = Pool::builder().workers(2).build()?;
    assert_eq!(pool.map(sleep_ms, [1, 2])?, [1, 2]);
    let (_, hard) = getrlimit(Resource::RLIMIT_NPROC).expect("a plain call");
    setrlimit(Resource::RLIMIT_NPROC, 0, hard).expect("lower is allowed");
    let error = Process::new(sleep_ms, 1)
        .start()
        .expect_err("no process is to be had");
    assert!(error.is_system(), "{error}");
    assert!(error.to_string().contains("ulimit -u"), "{error}");
    let error = Pool::builder().workers(2).build().expect_err("nor a pool");
    assert!(error.is_system(), "{error}");
    // The pool that is there works on, with fewer and fewer workers, and then says so.
    assert!(
        pool.apply(grief::end, "kill")
            .expect_err("it dies")
            .is_death()
    );
    assert_eq!(pool.map(sleep_ms, [1, 2])?, [1, 2]);
    assert!(
        pool.apply(grief::end, "kill")
            .expect_err("it dies")
            .is_death()
    );
    let error = pool.map(sleep_ms, [1, 2]).expect_err("nobody is left");
    assert!(error.is_death(), "{error}");
    assert!(error.to_string().contains("ulimit -u"), "{error}");
    // With processes to be had again, it is whole again.
    setrlimit(Resource::RLIMIT_NPROC, hard, hard).expect("up to the hard limit");
    assert_eq!(pool.map(sleep_ms, [1, 2])?, [1, 2]);
    assert_eq!(Process::new(sleep_ms, 1).start()?.join()?, 1);
    println!("all done");
    Ok(())
}

#[mp::task]
fn give_bytes(count: usize) -> Vec<u8> {
    vec![1; count]
}

#[mp::task]
fn take_bytes(bytes: Vec<u8>) -> usize {
    bytes.len()
}

/// Run with `MP_HEAP_LIMIT=64M`.
fn with_a_small_heap() -> mp::Result<()> {
    let large = vec![1; 100 << 20];
    let pool = Pool::builder().workers(2).build()?;
    for _ in 0..3 {
        let error = Process::new(take_bytes, large.clone())
            .start()
            .expect_err("too large");
        assert!(error.is_heap_full(), "{error}");
        let error = pool
            .apply(take_bytes, large.clone())
            .expect_err("too large");
        assert!(error.is_heap_full(), "{error}");
        let error = pool
            .map(take_bytes, [large.clone()])
            .expect_err("too large");
        assert!(error.is_heap_full(), "{error}");
        // On the other side, too.
        let error = Process::new(give_bytes, 100 << 20)
            .start()?
            .join()
            .expect_err("too large");
        assert!(error.to_string().contains("limit"), "{error}");
        let error = pool.apply(give_bytes, 100 << 20).expect_err("too large");
        assert!(error.to_string().contains("limit"), "{error}");
        // Nothing was used up by it.
        assert_eq!(pool.apply(take_bytes, vec![1; 20 << 20])?, 20 << 20);
        assert_eq!(pool.apply(give_bytes, 20 << 20)?.len(), 20 << 20);
    }
    println!("all done");
    Ok(())
}

/// Run under a limit on the size of files: the kernel would answer with a deadly signal.
fn with_small_files() -> mp::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, 1 << 20).expect("lower is allowed");
    match Process::new(sleep_ms, 1).start() {
        Ok(child) => assert_eq!(child.join()?, 1),
        Err(error) => assert!(error.is_system() || error.is_heap_full(), "{error}"),
    }
    println!("all done");
    Ok(())
}
