//! The judge of `#[mp::test]` itself: it must see what it is there to see. Each of these tests fails in one way, and says so.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use mp::{Pool, Process};
use mp_tests::grief::{end, sleep_ms};

#[mp::test]
#[should_panic(expected = "the reason it gives")]
fn a_panic() {
    panic!("the reason it gives");
}

#[mp::test]
#[should_panic(expected = "InvalidDigit")]
fn an_error() -> Result<(), std::num::ParseIntError> {
    "x".parse::<u8>().map(drop)
}

#[mp::test(timeout = "300ms")]
#[should_panic(expected = "has not ended within 300ms")]
fn a_test_without_end() -> mp::Result<()> {
    Process::new(sleep_ms, 100_000).start()?.join().map(drop)
}

#[mp::test]
#[should_panic(expected = "exited with code 0 before the test had ended")]
fn an_early_exit() {
    std::process::exit(0);
}

#[mp::test]
#[should_panic(expected = "exited with code 5")]
fn an_exit_with_a_code() {
    std::process::exit(5);
}

#[mp::test]
#[should_panic(expected = "SIGABRT")]
fn an_abort() {
    std::process::abort();
}

#[mp::test]
#[should_panic(expected = "SIGSEGV")]
fn a_crash() {
    end("segfault");
}

#[mp::test]
#[should_panic(expected = "children of it have not: Process-1")]
fn a_child_that_still_runs() -> mp::Result<()> {
    drop(Process::new(sleep_ms, 100_000).start()?);
    Ok(())
}

#[mp::test]
#[should_panic(expected = "PoolWorker-1")]
fn a_pool_that_was_forgotten() -> mp::Result<()> {
    std::mem::forget(Pool::builder().workers(1).build()?);
    Ok(())
}

#[mp::test]
#[should_panic(expected = "left children or zombies behind")]
fn a_zombie() -> std::io::Result<()> {
    Command::new("true").spawn()?;
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

#[mp::test]
#[should_panic(expected = "left processes behind")]
fn a_grandchild_of_a_command() -> std::io::Result<()> {
    Command::new("sh")
        .args(["-c", "sleep 100 & exit 0"])
        .status()?;
    Ok(())
}

#[mp::test]
#[should_panic(expected = "still holds its output")]
fn a_process_that_left_the_session() -> std::io::Result<()> {
    Command::new("sh")
        .args(["-c", "setsid sleep 8 & exit 0"])
        .status()?;
    Ok(())
}

#[mp::test]
#[should_panic(expected = "descriptors were open before")]
fn an_open_file() -> std::io::Result<()> {
    std::mem::forget(std::fs::File::open("/proc/self/status")?);
    Ok(())
}

#[mp::test]
#[should_panic(expected = "bytes of the shared heap are not given back")]
fn heap_that_is_not_given_back() {
    let long = "x".repeat(5000);
    std::mem::forget(Process::new(end, long.as_str()));
}

#[mp::test]
fn what_a_test_prints_is_passed_on() {
    println!("seen with --nocapture");
    eprintln!("and so is this");
}

/// A command that a test replaces itself by cannot pass for it.
#[mp::test]
#[should_panic(expected = "exited with code 0 before the test had ended")]
fn an_exec() {
    let error = Command::new("true").exec();
    panic!("{error}");
}
