#![allow(unsafe_code)]
//! A copy of the process that the program makes by its own fork: guards that are dropped there give nothing back, and every call
//! is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::libc::_exit;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use crate::Verdict;

/// Runs it in a forked copy; it must not panic.
fn in_a_copy(body: impl FnOnce()) -> Verdict {
    // SAFETY: glibc leaves malloc usable in a copy; the body uses nothing that another thread could hold.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            let status = waitpid(child, None)?;
            assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
            Ok(())
        }
        ForkResult::Child => {
            let code = i32::from(catch_unwind(AssertUnwindSafe(body)).is_err());
            // SAFETY: ends the copy without running anything of the test's.
            unsafe { _exit(code) }
        }
    }
}

#[mp::test]
fn a_copy_has_and_gives_nothing() -> Verdict {
    let lock = mp::Lock::new()?;
    let again = mp::RLock::new()?;
    let shared = mp::RwLock::new()?;
    let other = mp::RwLock::new()?;
    let seats = mp::Semaphore::new(2)?;
    let event = mp::Event::new()?;
    let changed = mp::Condition::new()?;
    let barrier = mp::Barrier::new(1)?;
    let guards = (lock.lock()?, again.lock()?, shared.read()?, other.write()?);
    let permits = (seats.acquire()?, changed.lock()?);
    let mut held = Some((guards, permits));
    in_a_copy(|| {
        drop(held.take());
        assert!(matches!(lock.try_lock(), Err(mp::LockError::Failed(error)) if error.is_forked()));
        assert!(again.lock().unwrap_err().into_guard().is_err());
        assert!(shared.write().is_err() && other.read().is_err());
        assert!(seats.acquire().is_err_and(|error| error.is_forked()));
        assert!(seats.release().is_err() && event.set().is_err() && event.wait().is_err());
        assert!(changed.notify_all().is_err() && changed.lock().is_err());
        assert!(barrier.wait().is_err() && barrier.abort().is_err());
    })?;
    assert!(lock.is_locked() && again.is_locked() && changed.as_lock().is_locked());
    assert!(shared.try_write()?.is_none() && other.try_read()?.is_none());
    assert_eq!(seats.value(), 1);
    drop(held.take());
    assert!(!lock.is_locked() && !again.is_locked());
    assert!(shared.try_write()?.is_some() && other.try_read()?.is_some());
    assert_eq!(seats.value(), 2);
    assert!(!event.is_set());
    assert_eq!(barrier.wait()?, 0);
    Ok(())
}
