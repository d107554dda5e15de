#![allow(unsafe_code)]
//! A copy of this process that is a child of this process's parent: what the fork server makes.
//!
//! Relies on `robust` and on glibc's layout of a thread, which is checked. `clone` with CLONE_PARENT, as a raw call, because no
//! function of the C library makes such a copy. Two things that `fork` does for its copy are therefore done here, and without
//! either of them robust locks hang for ever when the copy dies:
//!
//! - the thread id that the C library keeps: the kernel writes it there (CLONE_CHILD_SETTID; CLONE_CHILD_CLEARTID as for any main
//!   thread), at the address that it knows from the thread's start (PR_GET_TID_ADDRESS);
//! - the robust list: registered again, emptied.
//!
//! What else `fork` does is not needed where there is one thread: nobody holds a lock of malloc's or of a stream's.
//!
//! The old `clone` and not `clone3`: it can do all that is wanted, and filters that know no `clone3` let it pass.

use std::ffi::c_int;
use std::io;
use std::sync::atomic::AtomicU32;

use super::robust;

/// What is needed for a copy that is a whole process; there is none of it under other C libraries than glibc, or where the kernel
/// gives no account (CONFIG_CHECKPOINT_RESTORE, a filter).
pub(crate) struct Means {
    tid: *mut c_int,
    list: robust::List,
}

/// Which side this is.
#[derive(Debug)]
pub(crate) enum Side {
    Original,
    Copy,
}

impl Means {
    /// Finds out whether the calling thread, the only one of this process, can be copied.
    pub(crate) fn find() -> Option<Means> {
        if !cfg!(target_env = "gnu") {
            return None;
        }
        let mut tid: *mut c_int = std::ptr::null_mut();
        // SAFETY: the kernel writes one pointer.
        let known = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut tid) } == 0;
        // SAFETY: takes no arguments.
        let own = unsafe { libc::gettid() };
        // SAFETY: where the kernel clears it at this thread's end, it can be read as long as the thread lives.
        if !known || tid.is_null() || unsafe { tid.read_volatile() } != own {
            return None;
        }
        let list = robust::List::own().ok()??;
        Some(Means { tid, list })
    }

    /// Makes the copy. Its process id is in `told` before its first instruction runs, and stays there whatever becomes of this
    /// process: 0 there means that there never was one.
    ///
    /// In the copy all signals are blocked, until it opens the mask.
    ///
    /// # Safety
    /// The calling thread is the only one there is, and holds no lock.
    pub(crate) unsafe fn copy(&self, told: &AtomicU32) -> io::Result<Side> {
        let flags = libc::CLONE_PARENT
            | libc::CLONE_PARENT_SETTID
            | libc::CLONE_CHILD_SETTID
            | libc::CLONE_CHILD_CLEARTID;
        // SAFETY: initialised sets; without CLONE_VM the copy goes on with its own copy of this stack; both addresses are of words
        // that are there. The mask is put back on this side only.
        let (pid, error) = unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            let pid = clone(flags, told.as_ptr().cast(), self.tid);
            let error = io::Error::last_os_error();
            if pid != 0 {
                libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
            }
            (pid, error)
        };
        match pid {
            0 => {
                // SAFETY: this is the copy of the thread that `find` looked at, and it holds no lock (the caller's promise). A copy
                // whose death nobody would be told of must not be.
                unsafe {
                    if self.list.register_again().is_err() {
                        libc::_exit(70);
                    }
                }
                Ok(Side::Copy)
            }
            1.. => Ok(Side::Original),
            _ => Err(error),
        }
    }
}

/// The raw call; the order of its arguments differs.
unsafe fn clone(flags: c_int, parent_tid: *mut c_int, child_tid: *mut c_int) -> libc::c_long {
    let stack = std::ptr::null_mut::<u8>();
    let tls = 0usize;
    // SAFETY: the caller's: see `copy`.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        return libc::syscall(libc::SYS_clone, flags, stack, parent_tid, child_tid, tls);
        #[cfg(not(target_arch = "x86_64"))]
        return libc::syscall(libc::SYS_clone, flags, stack, parent_tid, tls, child_tid);
    }
}

/// Takes the status of a child that nobody has a descriptor of.
pub(crate) fn reap(pid: u32) {
    // SAFETY: an all-zero siginfo_t is a valid value to be filled in.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: `info` is ours.
        let result = unsafe { libc::waitid(libc::P_PID, pid, &mut info, libc::WEXITED) };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}
