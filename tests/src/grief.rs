#![allow(unsafe_code)]
//! Tasks that end badly, for the tests of every kind of process.

use std::time::Duration;

/// Sleeps for so long.
#[mp::task]
pub fn sleep_ms(milliseconds: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

/// Ends this process in the way that is said.
#[mp::task]
pub fn end(way: &str) {
    let number = || {
        way.rsplit(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    match way {
        "abort" => std::process::abort(),
        "kill" => raise(9),
        "term" => raise(15),
        "illegal" => raise(4),
        "segfault" => segfault(),
        "overflow" => drop(std::hint::black_box(overflow(1))),
        "overflow in a thread" => {
            let _ = std::thread::spawn(|| std::hint::black_box(overflow(1))).join();
        }
        "panic" => panic!("a panic was asked for"),
        _ if way.starts_with("a thread exits") => {
            let code = number();
            std::thread::spawn(move || std::process::exit(code));
            std::thread::sleep(Duration::from_secs(100));
        }
        _ if way.starts_with("exit") => std::process::exit(number()),
        // SAFETY: ends the process and touches nothing.
        _ if way.starts_with("_exit") => unsafe { nix::libc::_exit(number()) },
        _ => panic!("no such way to end: {way}"),
    }
}

fn raise(signal: i32) {
    // SAFETY: plain calls; a handler is none of ours.
    unsafe {
        nix::libc::kill(nix::libc::getpid(), signal);
    }
    std::thread::sleep(Duration::from_secs(100));
}

fn segfault() {
    // SAFETY: none at all: address 8 belongs to nobody, and the kernel ends this process, which is what was asked for.
    unsafe { std::ptr::without_provenance_mut::<u64>(8).write_volatile(1) };
}

#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 512]);
    overflow(depth + 1) + room[depth as usize % 512]
}

extern "C" fn abort_now() {
    std::process::abort();
}

/// Returns, and aborts the process while it ends.
#[mp::task]
pub fn die_at_exit() -> u64 {
    // SAFETY: registers a function that lives as long as the program.
    unsafe { nix::libc::atexit(abort_now) };
    5
}

/// Closes every descriptor above the standard ones, ours among them.
#[mp::task]
pub fn close_all() -> u64 {
    // SAFETY: whoever owns them is not in this function, and this process is about to end; it is an unkind thing to do.
    unsafe { nix::libc::syscall(nix::libc::SYS_close_range, 3, u32::MAX, 0) };
    17
}
