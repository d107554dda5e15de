#![allow(unsafe_code)]
//! The limit of a fork server: a hand-written zygote that copies itself when it is asked, and does nothing else.
//!
//! `zygote COUNT AT_ONCE` prints microseconds per process. Request and answer are futex words in shared memory; the copy is a child of the
//! process that asks (CLONE_PARENT), stores one value and ends at once; who has asked waits for it by its own descriptor. What a
//! sound copy takes beyond that is left out: thread id, robust list, lifeline, streams, exit hooks. Relies on libc only.

use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

#[repr(C, align(64))]
#[derive(Default)]
struct Line(AtomicU32);

#[repr(C)]
#[derive(Default)]
struct Desk {
    asked: Line,
    answered: Line,
    pid: AtomicU32,
    values: AtomicU32,
}

fn main() -> ExitCode {
    let mut numbers = std::env::args()
        .skip(1)
        .map_while(|text| text.parse::<u32>().ok());
    let (Some(count), Some(at_once)) = (numbers.next(), numbers.next()) else {
        eprintln!("zygote COUNT AT_ONCE");
        return ExitCode::FAILURE;
    };
    // SAFETY: alarm has no conditions; a fresh anonymous mapping is zeroed, aligned like a page, and larger than a desk, which is
    // nothing but atomics; it is never unmapped.
    let desk: &'static Desk = unsafe {
        libc::alarm(100);
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let base = libc::mmap(ptr::null_mut(), 4096, protection, flags, -1, 0);
        assert_ne!(base, libc::MAP_FAILED);
        &*base.cast::<Desk>()
    };
    // SAFETY: this program has one thread; the copy makes system calls and nothing else.
    let zygote = match unsafe { libc::fork() } {
        0 => serve(desk),
        -1 => return ExitCode::FAILURE,
        pid => pid,
    };
    end(start(desk));
    let began = Instant::now();
    let mut running = Vec::with_capacity(at_once as usize);
    for _ in 0..count {
        running.extend((0..at_once).map(|_| start(desk)));
        running.drain(..).for_each(end);
    }
    let took = began.elapsed().as_secs_f64() * 1e6 / f64::from(count * at_once);
    // SAFETY: the zygote is ours.
    unsafe { libc::kill(zygote, libc::SIGKILL) };
    // All signals of a lost child would have stopped the clock: each has stored its value.
    if desk.values.load(Ordering::Relaxed) != count * at_once + 1 {
        return ExitCode::FAILURE;
    }
    println!("{took}");
    ExitCode::SUCCESS
}

/// Asks for a child; gives a descriptor of it.
fn start(desk: &Desk) -> libc::c_int {
    let seen = desk.answered.0.load(Ordering::Relaxed);
    desk.asked.0.fetch_add(1, Ordering::Release);
    wake(&desk.asked.0);
    while desk.answered.0.load(Ordering::Acquire) == seen {
        sleep(&desk.answered.0, seen);
    }
    // SAFETY: no pointers; the child is not waited for before, so its number is its own.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, desk.pid.load(Ordering::Relaxed), 0) };
    assert!(pidfd >= 0, "no child was made");
    pidfd as libc::c_int
}

fn end(pidfd: libc::c_int) {
    // SAFETY: zeroes are a valid siginfo_t to be filled in; the descriptor is ours, and closed once.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let id = pidfd as libc::id_t;
        assert_eq!(libc::waitid(libc::P_PIDFD, id, &mut info, libc::WEXITED), 0);
        libc::close(pidfd);
    }
}

fn serve(desk: &Desk) -> ! {
    let mut seen = 0;
    loop {
        while desk.asked.0.load(Ordering::Acquire) == seen {
            sleep(&desk.asked.0, seen);
        }
        seen = seen.wrapping_add(1);
        let flags = libc::CLONE_PARENT | libc::CLONE_PARENT_SETTID;
        let told = desk.pid.as_ptr();
        // SAFETY: without CLONE_VM the copy goes on with its own copy of this stack; the one word written is there. It ends at
        // once.
        unsafe {
            if libc::syscall(libc::SYS_clone, flags, ptr::null_mut::<u8>(), told, 0, 0) == 0 {
                desk.values.fetch_add(1, Ordering::Relaxed);
                libc::_exit(0);
            }
        }
        desk.answered.0.store(seen, Ordering::Release);
        wake(&desk.answered.0);
    }
}

fn sleep(word: &AtomicU32, seen: u32) {
    let none = ptr::null::<libc::timespec>();
    // SAFETY: the word is there as long as the process.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, seen, none) };
}

fn wake(word: &AtomicU32) {
    // SAFETY: as above.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}
