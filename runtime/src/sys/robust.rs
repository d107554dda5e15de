#![allow(unsafe_code)]
//! One liveness word per process, which the kernel flags when the process ends, however it ends.
//!
//! The word is an entry in the robust-futex list that glibc keeps for the main thread: when that thread ends, the kernel
//! walks the list, sets OWNER_DIED in every word that carries the thread's id and wakes a waiter. A thread can register
//! only one list, and replacing glibc's would silently break the robust pthread mutexes of the program; so our node is
//! inserted into glibc's list by hand, in the form glibc gives to its own nodes (`prev` and `next` side by side, list
//! pointers aim at `next`, the futex word stands `futex_offset` away from it).
//!
//! States of the word: 0 (never linked) → thread id | WAITERS (alive) → … | OWNER_DIED (dead) → GONE (reaped). It is held for life: nobody
//! ever unlocks it, so glibc never follows the pointers of our node; it only writes into `prev` when a robust mutex is
//! enqueued before it. The node lives in shared memory; somebody who scribbles over it spoils the kernel's walk from
//! there on, which the parent's pidfd makes good, and nothing else.

use std::io;
use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

/// Set by the kernel (or by the parent) in the word of a process that has ended.
pub(crate) const OWNER_DIED: u32 = libc::FUTEX_OWNER_DIED;

/// Stored by whoever knows that no thread of the process is left: no thread id, flag or not, looks like it.
pub(crate) const GONE: u32 = OWNER_DIED | 0x3fff_ffff;

/// The liveness word and its list node, in the layout of a pthread mutex as far as the list is concerned.
#[repr(C, align(64))]
pub(crate) struct Liveness {
    /// The futex word.
    pub(crate) word: AtomicU32,
    gap: [AtomicU32; 5],
    prev: AtomicU64,
    next: AtomicU64,
    rest: [AtomicU64; 3],
}

#[repr(C)]
struct Head {
    list: u64,
    futex_offset: libc::c_long,
    list_op_pending: u64,
}

const FUTEX_OFFSET: libc::c_long =
    offset_of!(Liveness, word) as libc::c_long - offset_of!(Liveness, next) as libc::c_long;
const _: () = assert!(offset_of!(Liveness, prev) + 8 == offset_of!(Liveness, next));

/// Links the word into the calling thread's robust list; `false` where that cannot be done: not on the main thread, a libc
/// that lays its list out differently or has none yet, a system that forbids `get_robust_list`.
pub(crate) fn link(liveness: &'static Liveness) -> io::Result<bool> {
    // SAFETY: both calls only give a number.
    let (thread, process) = unsafe { (libc::gettid(), libc::getpid()) };
    if thread != process {
        return Ok(false);
    }
    let Some(head) = head()? else {
        return Ok(false);
    };
    let entry = liveness.next.as_ptr() as u64;
    if holds(head, entry) {
        return Ok(true);
    }
    let word = thread as u32 | libc::FUTEX_WAITERS;
    liveness.word.store(word, Ordering::SeqCst);
    // SAFETY: `head` is the calling thread's own list head, given by the kernel; only this thread changes it. The first
    // entry is the head itself or the `next` field of a node with its `prev` in the eight bytes before.
    unsafe {
        let first = (&raw const (*head).list).read_volatile();
        liveness.next.store(first, Ordering::Relaxed);
        liveness.prev.store(head as u64, Ordering::Relaxed);
        // The lowest bit of an entry marks a priority-inheriting mutex and is no part of the address.
        let first = (first & !1) as *mut u64;
        if first != head.cast() {
            first.sub(1).write_volatile(entry);
        }
        // The kernel may walk the list at any instruction from here on, so the node has to be whole first.
        compiler_fence(Ordering::SeqCst);
        (&raw mut (*head).list).write_volatile(entry);
    }
    Ok(true)
}

/// The list of the calling thread, as a copy of this process has to register it again: the kernel forgets it at a fork.
pub(crate) struct List(*mut Head);

impl List {
    /// That of the calling thread; `None` where there is none that we know how to handle.
    pub(crate) fn own() -> io::Result<Option<List>> {
        Ok(head()?.map(List))
    }

    /// In a copy that was made by the thread whose list this was: registers it, and empties it before, for what the
    /// original holds is not the copy's.
    ///
    /// Whoever leaves this out has a copy whose robust mutexes, and whose liveness word, nobody flags when it dies.
    ///
    /// # Safety
    /// The calling thread is the copy of the thread that the list was taken from, and holds no robust mutex.
    pub(crate) unsafe fn register_again(&self) -> io::Result<()> {
        let List(head) = *self;
        // SAFETY: the head is the calling thread's own (its copy of it, at the same address), and nobody walks it: the kernel
        // does not know it yet. The list of one head that points to itself is empty.
        let result = unsafe {
            (&raw mut (*head).list).write_volatile(head as u64);
            (&raw mut (*head).list_op_pending).write_volatile(0);
            libc::syscall(libc::SYS_set_robust_list, head, size_of::<Head>())
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// The list head of the calling thread, if it has the form we can insert into.
fn head() -> io::Result<Option<*mut Head>> {
    let mut head: *mut Head = std::ptr::null_mut();
    let mut len: libc::size_t = 0;
    // SAFETY: both out-pointers are valid for the call; 0 means the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &mut head, &mut len) };
    if result != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EPERM) => Ok(None),
            _ => Err(error),
        };
    }
    if head.is_null() || len != size_of::<Head>() {
        return Ok(None);
    }
    // SAFETY: a registered head is valid as long as its thread lives, and this is that thread.
    let offset = unsafe { (&raw const (*head).futex_offset).read_volatile() };
    Ok((offset == FUTEX_OFFSET).then_some(head))
}

/// Whether the entry is in the list already; as far as the kernel itself would walk.
fn holds(head: *mut Head, entry: u64) -> bool {
    // SAFETY: as in `link`: the head is the calling thread's own.
    let mut at = unsafe { (&raw const (*head).list).read_volatile() } & !1;
    for _ in 0..2048 {
        if at == entry {
            return true;
        }
        if at == head as u64 || at == 0 {
            return false;
        }
        // SAFETY: every entry of the list but the head is the `next` field of a locked mutex of this thread.
        at = unsafe { (at as *const u64).read_volatile() } & !1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::{create_sealed, map_shared};
    use crate::sys::testing::copy;

    /// Shared memory with a liveness word and two robust pthread mutexes.
    #[repr(C)]
    struct Shared {
        liveness: Liveness,
        mutexes: [libc::pthread_mutex_t; 3],
    }

    fn shared() -> *mut Shared {
        let fd = create_sealed(c"test", 4096).unwrap();
        let shared = map_shared(&fd, 4096).unwrap().as_ptr().cast::<Shared>();
        // SAFETY: the memory is ours alone, zeroed and large enough; attributes and mutexes are set up as the manual says.
        unsafe {
            let mut attributes: libc::pthread_mutexattr_t = std::mem::zeroed();
            libc::pthread_mutexattr_init(&mut attributes);
            libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED);
            libc::pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST);
            for index in 0..3 {
                let mutex = &raw mut (*shared).mutexes[index];
                assert_eq!(libc::pthread_mutex_init(mutex, &attributes), 0);
            }
        }
        shared
    }

    #[test]
    fn robust_mutexes_work_beside_it() {
        for order in 0..3 {
            let shared = shared();
            // SAFETY: the mapping is never unmapped, and `Liveness` is nothing but atomics.
            let liveness: &'static Liveness = unsafe { &(*shared).liveness };
            // SAFETY: the mutexes are initialised, and locked and unlocked as the manual allows.
            let lock = move |index: usize| unsafe {
                libc::pthread_mutex_lock(&raw mut (*shared).mutexes[index])
            };
            // SAFETY: as above.
            let unlock = move |index: usize| unsafe {
                libc::pthread_mutex_unlock(&raw mut (*shared).mutexes[index])
            };
            let child = copy(|| {
                if order == 0 {
                    assert!(link(liveness).unwrap());
                }
                assert_eq!(lock(0), 0);
                assert_eq!(lock(1), 0);
                if order == 1 {
                    assert!(link(liveness).unwrap());
                }
                assert_eq!(lock(2), 0);
                if order == 2 {
                    assert!(link(liveness).unwrap());
                }
                for _ in 0..100 {
                    assert_eq!(unlock(1), 0);
                    assert_eq!(unlock(0), 0);
                    assert_eq!(lock(0), 0);
                    assert_eq!(lock(1), 0);
                }
                assert_eq!(unlock(1), 0);
                std::process::abort();
            });
            assert_eq!(child.wait(), -libc::SIGABRT);
            assert_ne!(liveness.word.load(Ordering::Acquire) & OWNER_DIED, 0);
            assert_eq!(lock(0), libc::EOWNERDEAD, "held when its holder died");
            assert_eq!(lock(1), 0, "unlocked before");
            assert_eq!(lock(2), libc::EOWNERDEAD, "held when its holder died");
        }
    }
}
