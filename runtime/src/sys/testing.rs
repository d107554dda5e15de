#![allow(unsafe_code)]
//! For tests only: a forked copy of the test process that does one thing and can be killed while it does.

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A forked copy; killed and reaped when dropped.
pub(crate) struct Copy(Option<Pid>);

/// Forks. The copy runs `body` and ends: with code 0, or 101 if `body` panicked. Its only thread is its main thread.
pub(crate) fn copy(body: impl FnOnce()) -> Copy {
    // SAFETY: glibc leaves malloc usable in a forked copy, and the bodies of our tests use nothing else that another
    // thread of the test process could hold.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => Copy(Some(child)),
        ForkResult::Child => {
            let code = if catch_unwind(AssertUnwindSafe(body)).is_ok() {
                0
            } else {
                101
            };
            // SAFETY: ends the process without running anything of the test harness.
            unsafe { libc::_exit(code) }
        }
    }
}

/// A thread in a forked copy. std's own would take a lock that some other thread of the test process may have held at the fork.
pub(crate) fn bare_thread(body: impl FnOnce() + Send + 'static) {
    extern "C" fn run(body: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: it is the box that `bare_thread` has let go.
        let body = unsafe { Box::from_raw(body.cast::<Box<dyn FnOnce() + Send>>()) };
        body();
        std::ptr::null_mut()
    }
    let body: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(body));
    // SAFETY: all zeroes is room for a thread's name, which pthread_create fills in; the box is the new thread's.
    unsafe {
        let mut thread: libc::pthread_t = std::mem::zeroed();
        let body = Box::into_raw(body).cast();
        let rc = libc::pthread_create(&mut thread, std::ptr::null(), run, body);
        assert_eq!(rc, 0);
        libc::pthread_detach(thread);
    }
}

impl Copy {
    pub(crate) fn pid(&self) -> u32 {
        self.0.map_or(0, |pid| pid.as_raw() as u32)
    }

    pub(crate) fn kill(&self) {
        if let Some(pid) = self.0 {
            kill(pid, Signal::SIGKILL).unwrap();
        }
    }

    /// Reaps it: its exit code, or the signal as a negative number.
    pub(crate) fn wait(mut self) -> i32 {
        match waitpid(self.0.take().unwrap(), None).unwrap() {
            WaitStatus::Exited(_, code) => code,
            WaitStatus::Signaled(_, signal, _) => -(signal as i32),
            other => panic!("{other:?}"),
        }
    }
}

/// Runs `body` in a forked copy and stops it after every instruction to call `look`; gives how many instructions there
/// were, or `None` where tracing is forbidden.
pub(crate) fn step(body: impl FnOnce(), mut look: impl FnMut()) -> Option<usize> {
    const FORBIDDEN: i32 = 77;
    let child = copy(|| {
        if ptrace::traceme().is_err() {
            // SAFETY: as in `copy`.
            unsafe { libc::_exit(FORBIDDEN) }
        }
        raise(Signal::SIGSTOP).unwrap();
        body();
    });
    let pid = child.0.unwrap();
    for steps in 0.. {
        match waitpid(pid, None).unwrap() {
            WaitStatus::Stopped(_, Signal::SIGTRAP | Signal::SIGSTOP) => {}
            WaitStatus::Exited(_, FORBIDDEN) => return None,
            WaitStatus::Exited(_, 0) => {
                std::mem::forget(child);
                return Some(steps);
            }
            other => panic!("{other:?}"),
        }
        look();
        ptrace::step(pid, None).unwrap();
    }
    None
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
    }
}

/// Small random numbers for tests (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end.max(1)
    }
}
