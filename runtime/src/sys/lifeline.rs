#![allow(unsafe_code)]
//! The lifeline: a pipe whose write end the parent holds and never writes to.
//!
//! Each child reopens the read end (the owner and the signal belong to the open file description, so a shared one would
//! know one owner only) and arms it: when the last write end closes, the kernel sends the child SIGKILL. No thread, and it
//! reaches a stopped process too.

use std::ffi::CStr;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::memory;

/// `F_SETSIG`, which the `libc` crate names for some targets only.
const F_SETSIG: libc::c_int = 10;

/// The two ends; the process keeps both, children inherit the read end.
pub(crate) struct Lifeline {
    pub(crate) read: OwnedFd,
    write: OwnedFd,
}

impl Lifeline {
    pub(crate) fn new() -> io::Result<Self> {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        // Never 0, 1 or 2, which a program may have closed: the child would not believe such a number.
        let (read, write) = (memory::raise(read), memory::raise(write));
        close_in_copies(write.as_raw_fd());
        Ok(Lifeline { read, write })
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        // Its number will be another descriptor's, which a copy must not close.
        let write = self.write.as_raw_fd();
        for end in &WRITE_ENDS {
            let _ = end.compare_exchange(write, -1, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// The write ends of this process: its session's, and that of a test harness.
static WRITE_ENDS: [AtomicI32; 4] = [const { AtomicI32::new(-1) }; 4];

/// A copy of this process that the user makes by `fork` must not hold the line: the children live with the parent that
/// started them.
fn close_in_copies(write: RawFd) {
    extern "C" fn in_the_copy() {
        forget_write_ends();
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only closes descriptors. A refusal (no memory) leaves the copy with the line, no more.
        unsafe { libc::pthread_atfork(None, None, Some(in_the_copy)) };
    });
    for end in &WRITE_ENDS {
        if end
            .compare_exchange(-1, write, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
        {
            return;
        }
    }
}

/// Closes the copies of the write ends; in a copy of this process, before anything else there.
fn forget_write_ends() {
    for end in &WRITE_ENDS {
        let fd = end.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            // SAFETY: the copy's own descriptor, of which nobody makes use there; close is async-signal-safe.
            unsafe { libc::close(fd) };
        }
    }
}

/// Reopens a read end, and sets up everything about it but whom the kernel is to kill: for the next copy of this process, which
/// [takes it over](adopt).
pub(crate) fn prepare(read: RawFd) -> io::Result<OwnedFd> {
    // Nothing is allocated: in a fork server that would copy pages which it shares with its last copy.
    let mut path = [0; 32];
    write!(&mut path[..], "/proc/self/fd/{read}")?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| io::ErrorKind::InvalidInput)?;
    let own = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    // SAFETY: plain fcntl calls on a descriptor of ours.
    unsafe {
        let flags = libc::O_ASYNC | libc::O_NONBLOCK;
        for (command, value) in [(F_SETSIG, libc::SIGKILL), (libc::F_SETFL, flags)] {
            if libc::fcntl(own.as_raw_fd(), command, value) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(own)
}

/// Has the kernel kill this process when the parent is gone, by a line that was prepared; gives the descriptor that must stay
/// open. Ends the process if the parent is gone already.
fn own(prepared: OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: a plain fcntl call on a descriptor of ours.
    if unsafe { libc::fcntl(prepared.as_raw_fd(), libc::F_SETOWN, libc::getpid()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // Who has gone before this was set has killed nobody.
    leave_if_orphaned(&prepared, Duration::ZERO);
    Ok(prepared)
}

/// In a copy that the fork server made of itself: arms a line of its own. `armed` is what `arm` gave the server, by its number,
/// and closed here; `prepared` is what the server has prepared of it, for this copy alone. Its end of the server's lines to
/// children of the server's is closed too.
///
/// # Safety
/// Nobody else in this process uses the descriptor.
pub(crate) unsafe fn adopt(armed: RawFd, prepared: Option<OwnedFd>) -> io::Result<OwnedFd> {
    forget_write_ends();
    // SAFETY: the caller's promise. Closing it does not disarm the server, whose own descriptor is open still.
    let armed = unsafe { OwnedFd::from_raw_fd(armed) };
    match prepared {
        Some(prepared) => own(prepared),
        None => arm(armed),
    }
}

/// Arms the inherited read end in the child; gives the descriptor that must stay open. Ends the process if the parent is
/// gone already.
pub(crate) fn arm(inherited: OwnedFd) -> io::Result<OwnedFd> {
    own(prepare(inherited.as_raw_fd())?)
}

/// Ends this process, without a word, if its parent is gone, or is seen to be within `patience`.
pub(crate) fn leave_if_orphaned(read: &OwnedFd, patience: Duration) {
    let mut poll = libc::pollfd {
        fd: read.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one pollfd of ours; nothing of this process has begun that would have to be ended in order.
    unsafe {
        if libc::poll(&mut poll, 1, patience.as_millis() as libc::c_int) > 0 {
            libc::_exit(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::copy;
    use std::os::fd::AsFd;

    #[test]
    fn copies_close_the_lines_of_today_and_nothing_that_has_their_old_numbers() {
        let line = Lifeline::new().unwrap();
        let number = line.write.as_raw_fd();
        let held = copy(move || {
            // SAFETY: asks about a number.
            assert_eq!(unsafe { libc::fcntl(number, libc::F_GETFD) }, -1);
        });
        assert_eq!(held.wait(), 0);
        drop(line);
        // Where the line was there is something else now, unless another test was faster.
        let file = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: makes a descriptor that is nobody else's.
        let other = unsafe {
            let other = libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number);
            OwnedFd::from_raw_fd(other)
        };
        let copied = copy(|| assert!(other.as_fd().try_clone_to_owned().is_ok()));
        assert_eq!(copied.wait(), 0);
    }
}
