//! The server is killed before, during and after a request; the program is killed with everything that it has.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mp_tests::grief;
use mp_tests::program::{Program, wait_until_gone};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::{Verdict, double, forked, nap, server};

fn send(pid: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid as i32), signal);
}

#[mp::test]
fn the_server_is_killed_between_requests() -> Verdict {
    let mut before = None;
    for round in 0..20 {
        // Alive all the while: the server's end is not its children's.
        let child = forked(nap, 30).start()?;
        let now = server(&[child.pid()]).ok_or("there is no server")?;
        assert_ne!(before.replace(now), Some(now));
        send(now, Signal::SIGKILL);
        if round % 2 == 0 {
            // Dead for certain when the next request comes, or just dying.
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(forked(double, round).start()?.join()?, 2 * round);
        assert_eq!(child.join()?, 30);
    }
    Ok(())
}

/// Counts that it has run.
#[mp::task]
fn count(runs: &mp::Semaphore) -> Result<(), mp::Failure> {
    runs.release()?;
    Ok(())
}

/// Killed at random moments of its work, also while it is just starting: whatever `start` says is true, and what it said `Ok` to
/// has run once.
#[mp::test(timeout = "4m")]
fn the_server_is_killed_at_any_moment() -> Verdict {
    let runs = mp::Semaphore::new(0)?;
    let stop = AtomicBool::new(false);
    let (mut ran, mut hit, mut refused) = (0, 0, 0);
    std::thread::scope(|scope| -> Verdict {
        scope.spawn(|| {
            let mut random = u64::from(std::process::id()) | 1;
            while !stop.load(Ordering::Relaxed) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let pause = Duration::from_micros(
                    [300, 8000, 60_000][random as usize % 3] * (random >> 20 & 15) / 8,
                );
                let begun = Instant::now();
                while begun.elapsed() < pause {
                    std::thread::sleep(Duration::from_micros(50));
                }
                for pid in servers() {
                    send(pid, Signal::SIGKILL);
                }
            }
        });
        let begun = Instant::now();
        let mut wrong = None;
        while wrong.is_none() && begun.elapsed() < Duration::from_secs(15) {
            match forked(count, &runs).start().map(mp::Child::join) {
                Ok(Ok(())) => ran += 1,
                // A copy has the server's socket for a moment.
                Ok(Err(error)) if error.signal() == Some(9) => hit += 1,
                // Killed twice in one request.
                Err(error) if error.is_death() => refused += 1,
                Ok(Err(error)) | Err(error) => wrong = Some(error),
            }
        }
        stop.store(true, Ordering::Relaxed);
        wrong.map_or(Ok(()), |error| Err(error.into()))
    })?;
    println!("{ran} ran, {hit} were hit themselves, {refused} were refused");
    assert!(
        (ran..=ran + hit).contains(&runs.value()),
        "{}",
        runs.value()
    );
    assert!(ran > 100, "{ran} {hit} {refused}");
    Ok(())
}

/// The fork server among the children of this process: it has a socket.
fn servers() -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.collect::<Vec<u32>>()
        })
        .filter(|pid| {
            let open = std::fs::read_dir(format!("/proc/{pid}/fd"));
            open.is_ok_and(|open| {
                let mut targets = open
                    .flatten()
                    .filter_map(|fd| std::fs::read_link(fd.path()).ok());
                targets.any(|target| target.to_string_lossy().starts_with("socket:"))
            })
        })
        .collect()
}

#[mp::test]
fn a_server_that_is_stopped_goes_on_when_it_is_continued() -> Verdict {
    assert_eq!(forked(double, 1).start()?.join()?, 2);
    let stopped = server(&[]).ok_or("there is no server")?;
    send(stopped, Signal::SIGSTOP);
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| forked(double, 2).start()?.join());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!asks.is_finished());
        send(stopped, Signal::SIGCONT);
        assert_eq!(asks.join().map_err(|_| "a panic")??, 4);
        // Stopped, then killed.
        send(stopped, Signal::SIGSTOP);
        let asks = scope.spawn(|| forked(double, 3).start()?.join());
        std::thread::sleep(Duration::from_millis(20));
        send(stopped, Signal::SIGKILL);
        assert_eq!(asks.join().map_err(|_| "a panic")??, 6);
        Ok(())
    })
}

#[mp::test]
fn how_children_end_is_seen_as_ever() -> Verdict {
    for (way, code, signal) in [
        ("exit 3", Some(3), None),
        ("_exit 0", Some(0), None),
        ("kill", None, Some(9)),
        ("term", None, Some(15)),
        ("abort", None, Some(6)),
        ("segfault", None, Some(11)),
    ] {
        let error = forked(grief::end, way).start()?.join().expect_err(way);
        assert!(error.is_death(), "{way}: {error}");
        assert_eq!(
            (error.exit_code(), error.signal()),
            (code, signal),
            "{way}: {error}"
        );
    }
    let error = forked(grief::end, "overflow")
        .start()?
        .join()
        .expect_err("it overflows");
    assert!(
        error.to_string().contains("overflowed its stack"),
        "{error}"
    );
    let error = forked(grief::end, "panic")
        .start()?
        .join()
        .expect_err("it panics");
    assert!(
        error.is_panic() && error.to_string().contains("grief.rs"),
        "{error}"
    );
    Ok(())
}

/// Every process of the family stops, the servers among them; then the program is killed.
#[test]
fn the_program_is_killed_while_all_else_is_stopped() {
    for (how, processes) in [("idle", 2), ("parents", 10), ("nested", 7)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_family"));
        command.arg(how).env("MP_START_METHOD", "forkserver");
        let mut family = Program::start(command);
        family.read_until(|lines| {
            let pids = lines.iter().filter(|line| line.starts_with("pid ")).count();
            pids >= processes && lines.iter().any(|line| line == "ready")
        });
        let group = Pid::from_raw(family.pid());
        let all: Vec<i32> = std::fs::read_dir("/proc")
            .expect("it is mounted")
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| nix::unistd::getpgid(Some(Pid::from_raw(*pid))) == Ok(group))
            .collect();
        assert!(all.len() > processes, "a server is among them: {all:?}");
        killpg(group, Signal::SIGSTOP).expect("they are there");
        kill(group, Signal::SIGKILL).expect("it is there");
        family.wait();
        wait_until_gone(&all);
    }
}
