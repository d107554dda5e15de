#![allow(unsafe_code)]
//! Programs that raise a family of processes and then wait to be killed: what `family` and `family_plain` run.
//!
//! Each process of the family prints one line, `pid N`; the program prints `ready` when all have.

use std::io::Write;
use std::time::Duration;

use mp::{Failure, Pool, Process};

/// Says that this process is there. One write, so that lines do not mix.
fn announce() {
    let _ = std::io::stdout().write_all(format!("pid {}\n", std::process::id()).as_bytes());
    let _ = std::io::stdout().flush();
}

/// Is there, in the way that is said.
#[mp::task]
fn be(how: &str) -> Result<(), Failure> {
    announce();
    match how {
        "busy" => loop {
            std::hint::spin_loop();
        },
        "stopped" => {
            // SAFETY: plain calls.
            unsafe { nix::libc::kill(nix::libc::getpid(), nix::libc::SIGSTOP) };
        }
        "deaf" => {
            let set = nix::sys::signal::SigSet::all();
            set.thread_set_mask()?;
        }
        "many threads" => {
            for _ in 0..8 {
                std::thread::spawn(|| {
                    loop {
                        std::hint::spin_loop();
                    }
                });
            }
        }
        "in a system call" => {
            let (mut reader, _writer) = std::io::pipe()?;
            std::io::copy(&mut reader, &mut std::io::sink())?;
        }
        _ => {}
    }
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

/// Has a child of its own, and that child has one.
#[mp::task]
fn be_a_parent(depth: u32, how: &str) -> Result<(), Failure> {
    announce();
    if depth == 0 {
        Process::new(be, how).start()?.join()?;
    } else {
        Process::new(be_a_parent, (depth - 1, how))
            .start()?
            .join()?;
    }
    Ok(())
}

/// Has a pool of its own, with a worker that does something and one that does not.
#[mp::task]
fn be_a_pool(how: &str) -> Result<(), Failure> {
    announce();
    let pool = Pool::builder().workers(2).build()?;
    pool.apply(be, how)?;
    Ok(())
}

#[mp::task]
fn here() {
    announce();
}

#[mp::task]
fn sleep_ms(milliseconds: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

extern "C" fn note(_: i32) {
    NOTED.store(true, std::sync::atomic::Ordering::Relaxed);
}

static NOTED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// What the program does; its first argument says.
pub fn run() -> mp::Result<()> {
    let how = std::env::args().nth(1).unwrap_or_default();
    let how = how.as_str();
    announce();
    match how {
        "parents" => {
            for how in ["busy", "stopped", "idle"] {
                drop(Process::new(be_a_parent, (1, how)).start()?);
            }
        }
        "pool" | "pool and exit" => {
            let pool = Pool::builder().workers(3).build()?;
            for how in ["busy", "stopped"] {
                std::mem::forget(pool.apply_async(be, how)?);
            }
            std::mem::forget(pool);
        }
        "nested" => {
            let pool = Pool::builder().workers(3).build()?;
            for how in ["busy", "stopped", "idle"] {
                std::mem::forget(pool.apply_async(be_a_pool, how)?);
            }
            std::mem::forget(pool);
        }
        "starting" => {
            say_ready();
            loop {
                let children: Vec<_> = (0..4)
                    .map(|_| Process::new(here, ()).start())
                    .collect::<mp::Result<_>>()?;
                for child in children {
                    child.join()?;
                }
            }
        }
        "handles SIGINT" => {
            // SAFETY: the handler makes one store.
            unsafe {
                let handler = nix::sys::signal::SigHandler::Handler(note);
                let _ = nix::sys::signal::signal(nix::sys::signal::Signal::SIGINT, handler);
            }
            let pool = Pool::builder().workers(2).build()?;
            let children = [
                Process::new(sleep_ms, 400).start()?,
                Process::new(sleep_ms, 400).start()?,
            ];
            let later = pool.apply_async(sleep_ms, 400)?;
            say_ready();
            for child in children {
                assert_eq!(child.join()?, 400);
            }
            assert_eq!(later.get()?, 400);
            assert_eq!(pool.map(sleep_ms, [1, 2])?, [1, 2]);
            assert!(
                NOTED.load(std::sync::atomic::Ordering::Relaxed),
                "no SIGINT came"
            );
            return Ok(());
        }
        "children at the end" => {
            // One that is waited for, and one that is ended.
            drop(Process::new(finish_late, ()).start()?);
            drop(Process::new(be, "idle").daemon(true).start()?);
            let pool = Pool::builder().workers(1).build()?;
            std::mem::forget(pool);
            return Ok(());
        }
        how => {
            let how = how.split(" and ").next().unwrap_or_default();
            drop(Process::new(be, how).start()?);
        }
    }
    say_ready();
    if how.ends_with("and exit") {
        std::thread::sleep(Duration::from_millis(100));
        std::process::exit(0);
    }
    if how.ends_with("and panic") {
        std::thread::sleep(Duration::from_millis(100));
        panic!("as it was told");
    }
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

#[mp::task]
fn finish_late() {
    announce();
    std::thread::sleep(Duration::from_millis(300));
    println!("finished");
}

fn say_ready() {
    let _ = std::io::stdout().write_all(b"ready\n");
    let _ = std::io::stdout().flush();
}
