#![allow(unsafe_code)]
//! What tasks of a pool do to their processes: forking, becoming another program, printing without end, leaving hooks behind,
//! taking all memory there is.

use std::cell::RefCell;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mp::{Failure, Pool};
use mp_tests::grief::sleep_ms;
use mp_tests::program;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

fn pool(workers: usize) -> mp::Result<Pool> {
    Pool::builder().workers(workers).build()
}

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mp-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("there is a folder for temporary files");
        Folder(path)
    }

    fn count(&self, kind: &str) -> usize {
        let names = std::fs::read_dir(&self.0).expect("it is there");
        names
            .filter_map(Result::ok)
            .filter(|name| name.file_name().to_string_lossy().starts_with(kind))
            .count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

// ---- forks ----

/// Forks, and waits for the copy, which ends at once.
#[mp::task]
fn fork_and_wait(status: i32) -> Result<i32, Failure> {
    // SAFETY: the copy makes async-signal-safe calls only.
    match unsafe { fork() }? {
        ForkResult::Child => {
            // SAFETY: ends the copy at once.
            unsafe { nix::libc::_exit(status) }
        }
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, code) => Ok(code),
            other => Err(Failure::new(format!("{other:?}"))),
        },
    }
}

/// Forks, and both come back from the task: the worker with one value, the copy with another, or a panic.
#[mp::task]
fn fork_and_both_return(x: u64) -> Result<u64, Failure> {
    // SAFETY: a worker has one thread; what the copy runs is its own affair, and that is what is tried.
    match unsafe { fork() }? {
        ForkResult::Child if x.is_multiple_of(3) => panic!("the copy panics"),
        ForkResult::Child => Ok(1_000_000),
        ForkResult::Parent { child } => {
            waitpid(child, None)?;
            Ok(x + 1)
        }
    }
}

/// Leaves a copy behind that lives a little longer than the task.
#[mp::task]
fn fork_and_leave(milliseconds: u64) -> Result<i32, Failure> {
    // SAFETY: the copy makes async-signal-safe calls only.
    match unsafe { fork() }? {
        ForkResult::Child => {
            std::thread::sleep(Duration::from_millis(milliseconds));
            // SAFETY: ends the copy at once.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => Ok(child.as_raw()),
    }
}

#[mp::test(timeout = "60s")]
fn tasks_that_fork() -> mp::Result<()> {
    let pool = pool(2)?;
    let codes = pool.on(fork_and_wait).chunk_size(3).map(0..20)?;
    assert_eq!(codes, (0..20).collect::<Vec<_>>());
    for chunk in [1, 5] {
        let values = pool.on(fork_and_both_return).chunk_size(chunk).map(0..30)?;
        assert_eq!(values, (1..31).collect::<Vec<_>>());
        let values: Vec<u64> = pool
            .on(fork_and_both_return)
            .chunk_size(chunk)
            .imap(0..30)?
            .collect::<mp::Result<_>>()?;
        assert_eq!(values, (1..31).collect::<Vec<_>>());
    }
    assert_eq!(pool.apply_async(fork_and_both_return, 5)?.get()?, 6);
    // Copies that outlive the worker do not hold up its pool.
    let copies = pool.map(fork_and_leave, [300; 4])?;
    pool.close();
    pool.join()?;
    program::wait_until_gone(&copies);
    Ok(())
}

// ---- other programs ----

#[mp::task]
fn run_command(command: &str) -> Result<i32, Failure> {
    let status = Command::new("sh").args(["-c", command]).status()?;
    Ok(status.code().unwrap_or(-1))
}

#[mp::task]
fn become_program(command: &str) -> Result<(), Failure> {
    Err(Command::new("sh").args(["-c", command]).exec().into())
}

#[mp::test(timeout = "60s")]
fn tasks_that_run_and_become_other_programs() -> mp::Result<()> {
    let pool = pool(2)?;
    let codes = pool.map(run_command, ["exit 0", "exit 3", "kill -9 $$"])?;
    assert_eq!(codes, [0, 3, -1]);
    for (command, code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 5", Some(5), None),
        ("kill -9 $$", None, Some(9)),
        ("kill -TERM $$", None, Some(15)),
    ] {
        let error = pool
            .apply(become_program, command)
            .expect_err("no task ever returns");
        assert!(error.is_death(), "{error}");
        let end = (error.exit_code(), error.signal());
        assert_eq!(end, (code, signal), "{error}");
    }
    // One that goes on has a deadline, can be cancelled, and does not outlive its pool.
    let endless = "exec sleep 1000";
    let timed = pool.on(become_program).timeout(Duration::from_millis(200));
    let error = timed.apply(endless).expect_err("it never returns");
    assert!(error.is_timeout(), "{error}");
    let handle = pool.apply_async(become_program, endless)?;
    std::thread::sleep(Duration::from_millis(50));
    assert!(handle.cancel());
    assert!(handle.get().is_err_and(|error| error.is_cancelled()));
    let handle = pool.apply_async(become_program, endless)?;
    assert_eq!(pool.apply(run_command, "exit 7")?, 7);
    pool.terminate();
    assert!(handle.get().is_err_and(|error| error.is_cancelled()));
    Ok(())
}

// ---- output ----

#[mp::task]
fn print_lines(lines: u32) -> u32 {
    for line in 0..lines {
        println!("out {line:0>1000}");
        eprintln!("err {line:0>1000}");
    }
    lines
}

#[mp::test(timeout = "60s")]
fn workers_print_megabytes() -> mp::Result<()> {
    let Some((_, out, _)) =
        program::again("oddities::workers_print_megabytes", "MP_TEST_PRINTS", "1")
    else {
        let pool = pool(2)?;
        assert_eq!(pool.map(print_lines, [2_000, 2_000])?, [2_000, 2_000]);
        let handle = pool.apply_async(print_lines, 1_000)?;
        drop(pool);
        assert_eq!(handle.get()?, 1_000);
        return Ok(());
    };
    // Lines of two workers may get mixed, but nothing of them is lost. What goes to stderr the judge keeps to itself.
    let zeros = out.bytes().filter(|byte| *byte == b'0').count();
    assert!(zeros >= 5_000 * 990, "{zeros}");
    Ok(())
}

// ---- hooks and destructors ----

thread_local! {
    static LEGACY: RefCell<Option<Legacy>> = const { RefCell::new(None) };
}

/// Where the hook writes.
static HOOKED: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();

extern "C" fn hook() {
    if let Some(folder) = HOOKED.get() {
        let _ = std::fs::write(folder.join(format!("hook-{}", std::process::id())), "");
    }
}

/// Leaves a note when it is dropped.
struct Legacy(PathBuf);

impl Drop for Legacy {
    fn drop(&mut self) {
        let name = format!("drop-{}", std::process::id());
        let _ = std::fs::write(self.0.join(name), "");
    }
}

/// Once in each worker: something that is to happen at its end.
#[mp::task]
fn bequeath(folder: &Path) {
    if HOOKED.set(folder.to_owned()).is_ok() {
        // SAFETY: registers a function that lives as long as the program.
        unsafe { nix::libc::atexit(hook) };
        LEGACY.set(Some(Legacy(folder.to_owned())));
        let _ = std::fs::write(folder.join(format!("up-{}", std::process::id())), "");
    }
}

#[mp::test(timeout = "60s")]
fn hooks_and_destructors_run_at_an_orderly_end() -> mp::Result<()> {
    type End = fn(Pool);
    let orderly: [(&str, End); 4] = [
        ("close, join", |pool| {
            pool.close();
            pool.join().expect("it is closed");
        }),
        ("shutdown", |pool| {
            assert!(pool.shutdown(Duration::from_secs(30)));
        }),
        ("drop", drop),
        ("smaller", |pool| {
            pool.resize(1).expect("it is open");
            while pool.worker_pids().len() > 1 {
                // Somebody has to look.
                let _ = pool.apply(sleep_ms, 1);
            }
            pool.close();
            pool.join().expect("it is closed");
        }),
    ];
    for (name, finish) in orderly {
        let folder = Folder::new("hooks");
        let pool = Pool::builder()
            .workers(3)
            .initializer(bequeath, &folder.0)
            .build()?;
        // All three have done it, not only the first.
        while folder.count("up-") < 3 {
            assert_eq!(pool.apply(sleep_ms, 1)?, 1);
        }
        assert_eq!(pool.on(sleep_ms).chunk_size(1).map([20; 9])?.len(), 9);
        finish(pool);
        assert_eq!(folder.count("hook-"), 3, "{name}");
        assert_eq!(folder.count("drop-"), 3, "{name}");
    }
    // A worker that has served its time ends in an orderly way, too.
    let folder = Folder::new("served");
    let pool = Pool::builder().workers(1).tasks_per_worker(1).build()?;
    for _ in 0..5 {
        pool.apply(bequeath, &folder.0)?;
    }
    pool.close();
    pool.join()?;
    assert_eq!((folder.count("hook-"), folder.count("drop-")), (5, 5));
    // By force nothing runs.
    let folder = Folder::new("forced");
    for force in [Pool::terminate, Pool::kill] {
        let pool = Pool::builder().workers(2).build()?;
        pool.apply(bequeath, &folder.0)?;
        force(&pool);
    }
    assert_eq!((folder.count("hook-"), folder.count("drop-")), (0, 0));
    Ok(())
}

// ---- memory ----

/// A control group with a limit of memory, gone with this.
struct Group(PathBuf);

impl Group {
    /// Where the kernel lets us have one: below our own in version 2, anywhere in version 1.
    fn new(bytes: usize) -> Result<Self, String> {
        let name = format!("mp-test-{}", std::process::id());
        let own =
            std::fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::"));
        let places = [
            ("/sys/fs/cgroup/memory".to_owned(), "memory.limit_in_bytes"),
            (
                format!("/sys/fs/cgroup{}", path.unwrap_or_default()),
                "memory.max",
            ),
        ];
        let mut reasons = String::new();
        for (place, limit) in places {
            let group = Group(Path::new(&place).join(&name));
            let made = std::fs::create_dir(&group.0)
                .and_then(|()| std::fs::write(group.0.join(limit), bytes.to_string()));
            match made {
                Ok(()) => return Ok(group),
                Err(error) => reasons += &format!("{}: {error}; ", group.0.display()),
            }
        }
        Err(reasons)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its last process may still be on its way out.
        for _ in 0..1000 {
            if std::fs::remove_dir(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Joins the group, and takes so much memory.
#[mp::task]
fn devour(mib: usize, group: &Path) -> Result<usize, Failure> {
    std::fs::write(group.join("cgroup.procs"), std::process::id().to_string())?;
    let memory = std::hint::black_box(vec![1u8; mib << 20]);
    Ok(memory.iter().map(|byte| usize::from(*byte)).sum())
}

/// The kernel kills a worker for want of memory: the item is named, the cause is told, everything else is done.
#[mp::test(timeout = "120s")]
fn a_worker_is_killed_for_want_of_memory() -> mp::Result<()> {
    let group = match Group::new(64 << 20) {
        Ok(group) => group,
        Err(reasons) => {
            println!("left out: no control group can be had here: {reasons}");
            return Ok(());
        }
    };
    let pool = pool(2)?;
    let items = [1, 2, 600, 3].map(|mib| (mib, group.0.as_path()));
    let results = pool.on(devour).chunk_size(1).try_map(items)?;
    for (item, result) in results.into_iter().enumerate() {
        match result {
            Ok(bytes) => assert_eq!(bytes, [1, 2, 600, 3][item] << 20),
            Err(error) => {
                assert_eq!((item, error.item()), (2, Some(2)), "{error}");
                assert!(error.is_death() && error.signal() == Some(9), "{error}");
                assert!(error.is_out_of_memory_likely(), "{error}");
                assert!(error.message().contains("want of memory"), "{error}");
            }
        }
    }
    let error = pool
        .on(devour)
        .retries(1)
        .apply((600, &group.0))
        .expect_err("there is not so much");
    assert!(error.is_out_of_memory_likely(), "{error}");
    assert_eq!(error.attempt(), Some(2), "{error}");
    assert_eq!(pool.apply(sleep_ms, 1)?, 1);
    Ok(())
}
