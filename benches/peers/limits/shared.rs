#![allow(unsafe_code)]
//! Two processes and the memory they share: a fork that is bounded in time, futexes, and a ring for one producer and one
//! consumer.
//!
//! The ring: `tail` is written by the producer only, `head` by the consumer only; a slot belongs to the producer until
//! the store of `tail` (release, paired with the consumer's acquire), and to the consumer until the store of `head`
//! (release, paired with the producer's acquire). Memory is fresh from the kernel, and all-zero is a valid start.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const SLOTS: usize = 1024;
/// The child ends after this many seconds whatever happens.
const CHILD_LIMIT: u32 = 160;

/// What stands in the shared page; all of it may be zero at the start.
#[repr(C, align(64))]
pub(crate) struct Ring {
    head: Line<AtomicU64>,
    tail: Line<AtomicU64>,
    slots: [Line<AtomicU64>; SLOTS],
}

#[repr(C, align(64))]
pub(crate) struct Line<T>(pub(crate) T);

/// A pair of rings and a pair of futex words: enough for all cases.
#[repr(C)]
pub(crate) struct Shared {
    pub(crate) there: Ring,
    pub(crate) back: Ring,
    pub(crate) question: Line<AtomicU32>,
    pub(crate) answer: Line<AtomicU32>,
}

impl Shared {
    /// Fresh shared memory. It is never given back: the bench needs a few pages of it in all.
    pub(crate) fn new() -> io::Result<&'static Shared> {
        let size = size_of::<Shared>();
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new mapping, at an address the kernel chooses.
        let memory = unsafe { libc::mmap(ptr::null_mut(), size, access, kind, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping is page-aligned, large enough, zeroed (valid for atomics) and never unmapped.
        Ok(unsafe { &*memory.cast::<Shared>() })
    }
}

impl Ring {
    /// Puts a value, if there is room. By the one producer.
    pub(crate) fn put(&self, value: u64) -> bool {
        let tail = self.tail.0.load(Ordering::Relaxed);
        if tail - self.head.0.load(Ordering::Acquire) == SLOTS as u64 {
            return false;
        }
        self.slots[tail as usize % SLOTS]
            .0
            .store(value, Ordering::Relaxed);
        self.tail.0.store(tail + 1, Ordering::Release);
        true
    }

    /// Takes a value, if there is one. By the one consumer.
    pub(crate) fn take(&self) -> Option<u64> {
        let head = self.head.0.load(Ordering::Relaxed);
        if head == self.tail.0.load(Ordering::Acquire) {
            return None;
        }
        let value = self.slots[head as usize % SLOTS].0.load(Ordering::Relaxed);
        self.head.0.store(head + 1, Ordering::Release);
        Some(value)
    }

    pub(crate) fn take_spinning(&self) -> u64 {
        loop {
            match self.take() {
                Some(value) => return value,
                None => std::hint::spin_loop(),
            }
        }
    }
}

/// Sleeps while `word` is `value`.
pub(crate) fn wait_while(word: &AtomicU32, value: u32) {
    while word.load(Ordering::Acquire) == value {
        // SAFETY: the word outlives the call; no time-out is given.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT,
                value,
                ptr::null::<libc::timespec>(),
            )
        };
    }
}

/// Sets `word` and wakes who sleeps on it.
pub(crate) fn set(word: &AtomicU32, value: u32) {
    word.store(value, Ordering::Release);
    // SAFETY: the word outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// A forked copy of this process that runs one function and ends; killed and reaped when this is dropped.
pub(crate) struct Twin(libc::pid_t);

impl Twin {
    /// `work` must not allocate or lock: another thread of this process may have held a lock while it was copied.
    pub(crate) fn start(work: impl FnOnce()) -> io::Result<Twin> {
        // SAFETY: the copy runs `work`, which keeps to atomics and futexes, and ends by _exit.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                // SAFETY: bounds the copy in time, and ends it with its parent.
                unsafe {
                    libc::alarm(CHILD_LIMIT);
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                }
                work();
                // SAFETY: ends the copy without running anything of the original's.
                unsafe { libc::_exit(0) }
            }
            pid => Ok(Twin(pid)),
        }
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        // SAFETY: the child is ours and not reaped yet, so the number is still its.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, ptr::null_mut(), 0);
        }
    }
}
