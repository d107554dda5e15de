#![allow(unsafe_code)]
//! Every way in which a task or its process can come to grief: each ends `join` with an error that says which, and with
//! nothing left behind. Tests run through the second door (the constructor); `entry.rs` has the ones for `mp::main!`.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use mp::{Failure, Process, Stdio};
use mp_tests::grief;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::{ForkResult, Pid, fork};

// ---- what a task says itself ----

#[mp::task]
fn fail(number: u32) -> Result<u32, Failure> {
    let parsed: Result<u32, _> = "x".parse::<u32>();
    if number > 0 {
        parsed?;
    }
    Err(Failure::new("nothing to do"))
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the outer error")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[mp::task]
fn fail_with_cause() -> Result<(), Failure> {
    Ok("x".parse::<u32>().map(drop).map_err(Outer)?)
}

#[mp::task]
fn own_error(number: u32) -> Result<u32, String> {
    number
        .checked_sub(5)
        .ok_or_else(|| format!("{number} is below 5"))
}

#[mp::test]
fn a_failure_is_an_error_with_its_causes() -> mp::Result<()> {
    let error = fail.run(0).expect_err("it fails");
    assert!(error.is_task(), "{error}");
    assert_eq!(error.message(), "nothing to do");
    assert!(
        error
            .task()
            .is_some_and(|task| task.contains("deaths::fail"))
    );
    assert!(error.worker().is_some() && error.pid().is_some());
    assert_eq!(error.item(), None);
    let error = fail.run(1).expect_err("it fails");
    assert_eq!(error.message(), "invalid digit found in string");
    let error = fail_with_cause.run().expect_err("it fails");
    assert_eq!(error.message(), "the outer error");
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("invalid digit found in string"));
    // The exit code tells it too, as in Python.
    let mut child = Process::new(fail, 0).start()?;
    while child.is_alive() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(child.exit_code(), Some(1));
    assert!(child.join_timeout(Duration::ZERO).is_err());
    Ok(())
}

#[mp::test]
fn the_users_own_result_is_a_plain_value() -> mp::Result<()> {
    assert_eq!(own_error.run(7)?, Ok(2));
    assert_eq!(own_error.run(3)?, Err("3 is below 5".to_owned()));
    Ok(())
}

// ---- panics ----

#[mp::task]
fn panics(text: &str) -> u64 {
    panic!("a panic: {text}")
}

#[mp::task]
fn panics_strangely() {
    std::panic::panic_any(17_i32)
}

#[mp::task]
fn panics_in_a_thread() {
    let inner: std::thread::Result<()> = std::thread::spawn(|| panic!("deep down")).join();
    if let Err(payload) = inner {
        std::panic::resume_unwind(payload);
    }
}

struct DropBomb;

impl Drop for DropBomb {
    fn drop(&mut self) {
        panic!("the result panics when dropped");
    }
}

impl serde::Serialize for DropBomb {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

impl<'de> serde::Deserialize<'de> for DropBomb {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(DropBomb)
    }
}

#[mp::task]
fn give_a_bomb() -> DropBomb {
    DropBomb
}

#[mp::task]
fn panics_twice() {
    let _bomb = DropBomb;
    panic!("the first panic");
}

#[mp::test]
fn a_panic_comes_back_with_message_and_place() -> mp::Result<()> {
    let child = Process::new(panics, "öl")
        .env("RUST_BACKTRACE", "1")
        .stderr(Stdio::null());
    let error = child.start()?.join().expect_err("it panics");
    assert!(error.is_panic(), "{error}");
    assert_eq!(error.message(), "panicked: a panic: öl");
    let place = error.location().unwrap_or_default();
    assert!(place.contains("deaths.rs:"), "{place}");
    let trace = error.backtrace().unwrap_or_default();
    assert!(trace.contains("panics"), "{trace}");
    assert!(error.pid().is_some() && error.worker().is_some());
    let child = Process::new(panics, "")
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::null());
    let error = child.start()?.join().expect_err("it panics");
    assert_eq!(error.backtrace(), None);

    let error = panics_strangely.run().expect_err("it panics");
    assert!(error.is_panic(), "{error}");
    assert!(
        error
            .location()
            .is_some_and(|place| place.contains("deaths.rs:"))
    );
    let error = panics_in_a_thread.run().expect_err("it panics");
    assert_eq!(
        (error.is_panic(), error.message()),
        (true, "panicked: deep down")
    );
    assert!(
        error
            .location()
            .is_some_and(|place| place.contains("deaths.rs:"))
    );
    Ok(())
}

#[mp::test]
fn a_result_that_panics_when_dropped() -> mp::Result<()> {
    let error = give_a_bomb
        .run()
        .map(std::mem::forget)
        .expect_err("the drop panics");
    assert!(error.is_panic(), "{error}");
    assert_eq!(error.message(), "panicked: the result panics when dropped");
    Ok(())
}

#[mp::test]
fn a_panic_in_a_panic_aborts_and_is_told_all_the_same() -> mp::Result<()> {
    let child = Process::new(panics_twice, ())
        .stderr(Stdio::null())
        .start()?;
    let error = child.join().expect_err("it aborts");
    assert!(error.is_panic(), "{error}");
    assert_eq!(error.signal(), Some(6), "{error}");
    assert!(error.message().contains("panic"), "{error}");
    Ok(())
}

// ---- sudden ends ----

#[mp::test]
fn sudden_ends() -> mp::Result<()> {
    let run = |way: &str| {
        let child = Process::new(grief::end, way)
            .name(way)
            .stderr(Stdio::null())
            .start()?;
        let pid = child.pid();
        let error = child.join().expect_err("it ended before the task returned");
        assert!(error.is_death(), "{way}: {error}");
        assert_eq!(error.pid(), Some(pid), "{way}: {error}");
        assert_eq!(error.worker(), Some(way), "{error}");
        assert!(
            error
                .task()
                .is_some_and(|task| task.ends_with("grief::end")),
            "{error}"
        );
        Ok::<_, mp::Error>(error)
    };
    for (way, code) in [
        ("exit 0", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("_exit 7", 7),
    ] {
        let error = run(way)?;
        assert_eq!(
            (error.exit_code(), error.signal()),
            (Some(code), None),
            "{error}"
        );
    }
    for (way, number) in [
        ("abort", 6),
        ("kill", 9),
        ("term", 15),
        ("segfault", 11),
        ("illegal", 4),
    ] {
        let error = run(way)?;
        assert_eq!(
            (error.exit_code(), error.signal()),
            (None, Some(number)),
            "{error}"
        );
    }
    for way in ["overflow", "overflow in a thread"] {
        let error = run(way)?;
        assert!(matches!(error.signal(), Some(6 | 11)), "{error}");
        if way == "overflow" {
            assert!(
                error.to_string().contains("overflowed its stack"),
                "{error}"
            );
        }
    }
    // The whole process counts, not its first thread.
    let error = run("a thread exits 9")?;
    assert_eq!(error.exit_code(), Some(9), "{error}");
    Ok(())
}

#[mp::test]
fn a_process_that_dies_after_its_task_has_not_succeeded() -> mp::Result<()> {
    let child = Process::new(grief::die_at_exit, ())
        .stderr(Stdio::null())
        .start()?;
    let error = child.join().expect_err("it died, if late");
    assert!(error.is_death(), "{error}");
    assert_eq!(error.signal(), Some(6), "{error}");
    Ok(())
}

#[mp::test]
fn killed_before_it_begins() -> mp::Result<()> {
    for round in 0..40 {
        let child = Process::new(grief::sleep_ms, 60_000).start()?;
        std::thread::sleep(Duration::from_micros(round * 50));
        child.kill()?;
        let error = child.join().expect_err("it was killed");
        assert_eq!(error.signal(), Some(9), "{error}");
    }
    // Terminated at once, and stopped and continued at once.
    for _ in 0..10 {
        let child = Process::new(grief::sleep_ms, 60_000).start()?;
        child.terminate()?;
        assert_eq!(child.join().expect_err("terminated").signal(), Some(15));
        let child = Process::new(grief::sleep_ms, 1).start()?;
        let pid = Pid::from_raw(child.pid() as i32);
        let _ = kill(pid, Signal::SIGSTOP);
        let _ = kill(pid, Signal::SIGCONT);
        assert_eq!(child.join()?, 1);
    }
    Ok(())
}

#[mp::test]
fn a_child_that_closes_everything() -> mp::Result<()> {
    // It takes the heap's descriptor and the lifeline from itself; what it has to say still arrives.
    assert_eq!(grief::close_all.run()?, 17);
    Ok(())
}

// ---- children that start things ----

#[mp::task]
fn run_a_command() -> Result<(String, Vec<String>), Failure> {
    let output = Command::new("sh")
        .args(["-c", "echo done; ls -l /proc/self/fd"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let open = text.lines().skip(1).map(str::to_owned).collect();
    let status = Command::new("sh")
        .args(["-c", "kill -INT $$; exit 5"])
        .status()?;
    use std::os::unix::process::ExitStatusExt;
    if status.signal() != Some(2) {
        return Err(Failure::new(format!(
            "SIGINT is held back from commands: {status}"
        )));
    }
    Ok((text, open))
}

#[mp::task]
fn exec_something(command: &str) -> Result<(), Failure> {
    let error = Command::new("sh").args(["-c", command]).exec();
    Err(error.into())
}

#[mp::task]
fn fork_and_return(status: i32) -> Result<i32, Failure> {
    // SAFETY: the copy makes async-signal-safe calls only.
    match unsafe { fork() }? {
        ForkResult::Child => {
            // SAFETY: ends the copy at once.
            unsafe { nix::libc::_exit(status) }
        }
        ForkResult::Parent { child } => match nix::sys::wait::waitpid(child, None)? {
            nix::sys::wait::WaitStatus::Exited(_, code) => Ok(code),
            other => Err(Failure::new(format!("{other:?}"))),
        },
    }
}

#[mp::test]
fn a_child_that_forks_and_execs() -> Result<(), Failure> {
    let (text, open) = run_a_command.run()?;
    assert!(text.starts_with("done"), "{text}");
    assert!(!open.iter().any(|line| line.contains("memfd")), "{open:?}");
    // What a command of this very process inherits is not ours; its own output is a pipe.
    let (_, before) = run_a_command()?;
    assert_eq!(open.len(), before.len(), "{open:?}\n{before:?}");
    assert_eq!(fork_and_return.run(4)?, 4);
    let error = exec_something
        .run("exit 6")
        .expect_err("the task never returned");
    assert_eq!(
        (error.is_death(), error.exit_code()),
        (true, Some(6)),
        "{error}"
    );
    let error = exec_something
        .run("kill -9 $$")
        .expect_err("the task never returned");
    assert_eq!(
        (error.is_death(), error.signal()),
        (true, Some(9)),
        "{error}"
    );
    Ok(())
}

#[mp::task]
fn print_megabytes(lines: u32) {
    for line in 0..lines {
        println!("{line:0>1000}");
    }
}

#[mp::test]
fn a_child_that_prints_megabytes() -> Result<(), Box<dyn std::error::Error>> {
    let mut child = Process::new(print_megabytes, 4000)
        .stdout(Stdio::piped())
        .start()?;
    let mut out = child.stdout.take().ok_or("no pipe")?;
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut out, &mut text)?;
    assert_eq!(text.len(), 4000 * 1001);
    child.join()?;
    // Nobody reads: the child sees a closed pipe, and neither side hangs.
    let mut child = Process::new(print_megabytes, 4000)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .start()?;
    drop(child.stdout.take());
    let error = child.join().expect_err("println! panics");
    assert!(error.is_panic(), "{error}");
    Ok(())
}

// ---- statuses that others take ----

#[mp::test]
fn sigchld_ignored_is_no_hang() -> mp::Result<()> {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.expect("a plain call");
    // The value is there, although nobody can say how the process ended.
    assert_eq!(grief::sleep_ms.run(20)?, 20);
    let mut child = Process::new(grief::sleep_ms, 50).start()?;
    assert_eq!(child.join_timeout(Duration::from_millis(1))?, None);
    assert_eq!(child.join_timeout(Duration::from_secs(50))?, Some(50));
    assert_eq!(child.exit_code(), Some(-255));
    let error = grief::end.run("kill").expect_err("it dies");
    assert!(error.is_death(), "{error}");
    let pool = mp::Pool::builder().workers(2).build()?;
    assert_eq!(pool.map(grief::sleep_ms, [1, 2, 3])?, [1, 2, 3]);
    assert!(
        pool.apply(grief::end, "kill")
            .expect_err("it dies")
            .is_death()
    );
    assert_eq!(pool.apply(grief::sleep_ms, 4)?, 4);
    Ok(())
}

#[mp::test]
fn a_thief_of_statuses_is_no_hang() -> mp::Result<()> {
    use std::sync::atomic::{AtomicBool, Ordering};
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| -> mp::Result<()> {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
            }
        });
        let done = (|| {
            for round in 0..50 {
                assert_eq!(grief::sleep_ms.run(round % 3)?, round % 3);
                let error = grief::end.run("exit 3").expect_err("it exits");
                assert!(error.is_death(), "{error}");
                assert!(matches!(error.exit_code(), None | Some(3)), "{error}");
            }
            let pool = mp::Pool::builder().workers(2).build()?;
            for _ in 0..10 {
                assert!(
                    pool.apply(grief::end, "kill")
                        .expect_err("it dies")
                        .is_death()
                );
                assert_eq!(pool.map(grief::sleep_ms, [0, 1, 2])?, [0, 1, 2]);
            }
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        done
    })
}

// ---- a fork of the user's own ----

/// What a copy of this process finds, as its exit code.
fn in_a_copy(what: impl FnOnce() -> bool) -> bool {
    // SAFETY: the other threads of this process sleep and hold no lock that the copy needs.
    match unsafe { fork() }.expect("a plain call") {
        ForkResult::Child => {
            let fine =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).unwrap_or(false);
            // SAFETY: ends the copy at once.
            unsafe { nix::libc::_exit(if fine { 0 } else { 1 }) }
        }
        ForkResult::Parent { child } => {
            nix::sys::wait::waitpid(child, None) == Ok(nix::sys::wait::WaitStatus::Exited(child, 0))
        }
    }
}

#[mp::test]
fn a_copy_made_by_fork_is_refused_and_harms_nothing() -> mp::Result<()> {
    let pool = mp::Pool::builder().workers(2).build()?;
    assert_eq!(pool.map(grief::sleep_ms, [1, 0])?, [1, 0]);
    let child = Process::new(grief::sleep_ms, 300).start()?;
    let mut handle = pool.apply_async(grief::sleep_ms, 200)?;
    let unsent = Process::new(grief::end, "x".repeat(5000).as_str());
    let forked = |error: Option<mp::Error>| error.is_some_and(|error| error.is_forked());
    let refused = in_a_copy(|| {
        forked(Process::new(grief::sleep_ms, 1).start().err())
            && forked(pool.map(grief::sleep_ms, [1]).err())
            && forked(pool.apply(grief::sleep_ms, 1).err())
            && forked(pool.apply_async(grief::sleep_ms, 1).err())
            && forked(mp::Pool::new().err())
            && forked(mp::map(grief::sleep_ms, [1]).err())
            && forked(mp::init().err())
            && forked(child.kill().err())
            && forked(child.terminate().err())
            && child.exit_code().is_none()
            && mp::active_children().is_empty()
    });
    assert!(refused, "a call in the copy went through, or panicked");
    let refused = in_a_copy(|| {
        pool.kill();
        !pool.shutdown(Duration::ZERO)
            && forked(pool.join().err())
            && forked(pool.join_timeout(Duration::ZERO).err())
            && forked(pool.resize(1).err())
    });
    assert!(refused, "a copy joined the pool");
    let refused = in_a_copy(|| {
        let taken = forked(handle.get_timeout(Duration::ZERO).err());
        let waited = handle.wait(Duration::ZERO) || handle.is_ready();
        pool.terminate();
        pool.close();
        taken && !waited
    });
    assert!(refused, "a copy could wait for a value, or stop the pool");
    // What the copy drops stays as it is here.
    let mut all = Some((pool, child, handle, unsent));
    assert!(in_a_copy(|| {
        drop(all.take());
        true
    }));
    let Some((pool, child, handle, unsent)) = all else {
        return Ok(());
    };
    assert_eq!(handle.get()?, 200);
    assert_eq!(child.join()?, 300);
    assert_eq!(pool.map(grief::sleep_ms, [1, 0])?, [1, 0]);
    assert!(unsent.start()?.join().is_err());
    Ok(())
}
