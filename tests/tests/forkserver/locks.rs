#![allow(unsafe_code)]
//! A copy that dies while it holds a lock. A copy made without care has the thread id of its original, and no list of robust locks:
//! then nobody is told, and the next one waits for ever.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use nix::libc;

use crate::{Verdict, forked};

/// Takes the lock, says so, and keeps it.
#[mp::task]
fn hold(lock: &mp::Lock, taken: &mp::Event) -> Result<(), mp::Failure> {
    let _guard = lock.lock()?;
    taken.set()?;
    std::thread::sleep(Duration::from_secs(1000));
    Ok(())
}

#[mp::task]
fn take(lock: &mp::Lock) -> Result<bool, mp::Failure> {
    let poisoned = lock.lock().is_err_and(|error| error.is_poisoned());
    Ok(poisoned)
}

/// Nobody reaps the dead before the next has the lock: it is the kernel's word that counts.
#[mp::test(timeout = "2m")]
fn a_lock_of_ours() -> Verdict {
    for _ in 0..50 {
        let lock = mp::Lock::new()?;
        let taken = mp::Event::new()?;
        let holder = forked(hold, (&lock, &taken)).start()?;
        taken.wait()?;
        let next = forked(take, &lock).start()?;
        std::thread::sleep(Duration::from_millis(2));
        holder.kill()?;
        assert!(next.join()?);
        assert!(holder.join().is_err());
    }
    Ok(())
}

/// A robust mutex of the C library's, in memory that the server shares with its children.
static MUTEX: AtomicPtr<libc::pthread_mutex_t> = AtomicPtr::new(std::ptr::null_mut());

#[mp::task]
fn make_mutex() -> Result<(), mp::Failure> {
    // SAFETY: a new mapping, large enough for a mutex, which is set up as the manual says.
    unsafe {
        let memory = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        let mutex = NonNull::new(memory).filter(|_| memory != libc::MAP_FAILED);
        let mutex = mutex.ok_or_else(|| mp::Failure::new("no memory"))?.cast();
        let mut attributes: libc::pthread_mutexattr_t = std::mem::zeroed();
        libc::pthread_mutexattr_init(&mut attributes);
        libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED);
        libc::pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST);
        libc::pthread_mutex_init(mutex.as_ptr(), &attributes);
        MUTEX.store(mutex.as_ptr(), Ordering::Release);
    }
    Ok(())
}

/// What the lock call says; the lock is kept for so long.
#[mp::task]
fn lock_mutex(taken: &mp::Event, milliseconds: u64) -> Result<i32, mp::Failure> {
    // SAFETY: the mutex was made before this process was, and is never unmapped.
    let said = unsafe { libc::pthread_mutex_lock(MUTEX.load(Ordering::Acquire)) };
    if said == libc::EOWNERDEAD {
        // SAFETY: as above.
        unsafe { libc::pthread_mutex_consistent(MUTEX.load(Ordering::Acquire)) };
    }
    taken.set()?;
    std::thread::sleep(Duration::from_millis(milliseconds));
    // SAFETY: as above.
    unsafe { libc::pthread_mutex_unlock(MUTEX.load(Ordering::Acquire)) };
    Ok(said)
}

#[mp::test(timeout = "2m")]
fn a_robust_mutex_of_the_c_library() -> Verdict {
    mp::set_forkserver_preload(make_mutex, ())?;
    for _ in 0..30 {
        let taken = mp::Event::new()?;
        let holder = forked(lock_mutex, (&taken, 1_000_000)).start()?;
        taken.wait()?;
        let next = forked(lock_mutex, (&mp::Event::new()?, 0)).start()?;
        std::thread::sleep(Duration::from_millis(2));
        holder.kill()?;
        assert_eq!(next.join()?, libc::EOWNERDEAD);
        assert!(holder.join().is_err());
    }
    Ok(())
}
