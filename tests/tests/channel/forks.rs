#![allow(unsafe_code)]
//! Copies that the program makes by its own `fork`: they use nothing of the session's, and what they drop stays whole.

use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// Runs this in a copy, which says by its status whether all was well.
fn in_a_copy(run: impl FnOnce() -> bool) {
    // SAFETY: what the copy runs is its own affair, and that is what is tried; it takes no lock of std's.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let status = if run() { 0 } else { 1 };
            // SAFETY: ends the copy at once.
            unsafe { nix::libc::_exit(status) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).unwrap();
            assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
}

#[mp::test(timeout = "60s")]
fn both_ends_of_a_pipe_dropped_in_copies() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u64>()?;
    to.send(1)?;
    assert_eq!(from.recv()?, 1);
    let mut to = Some(to);
    let mut from = Some(from);
    in_a_copy(|| {
        let sender = to.take().unwrap();
        let refused = sender
            .send(9)
            .is_err_and(|refused| refused.error().is_forked());
        drop(sender);
        refused
    });
    let (sender, receiver) = (to.take().unwrap(), from.as_ref().unwrap());
    // The lane is not over.
    assert!(receiver.try_recv()?.is_none());
    sender.send(2)?;
    assert_eq!(receiver.recv()?, 2);
    sender.send(3)?;
    in_a_copy(|| {
        let receiver = from.take().unwrap();
        let refused = receiver.try_recv().is_err_and(|error| error.is_forked())
            && receiver.recv().is_err_and(|error| error.is_forked());
        drop(receiver);
        refused
    });
    // And what was in it is there.
    let receiver = from.take().unwrap();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(20))?, Some(3));
    assert!(!sender.is_closed());
    Ok(())
}

#[mp::test(timeout = "60s")]
fn queues_in_copies() -> mp::Result<()> {
    let queue = mp::Queue::<u64>::unbounded()?;
    let jobs = mp::JoinableQueue::<u64>::unbounded()?;
    queue.put(1)?;
    jobs.put(1)?;
    in_a_copy(|| {
        queue
            .put(2)
            .is_err_and(|refused| refused.error().is_forked())
            && queue.try_get().is_err_and(|error| error.is_forked())
            && jobs.get().is_err_and(|error| error.is_forked())
    });
    assert_eq!((queue.len(), jobs.len()), (1, 1));
    assert_eq!(queue.get()?, 1);
    drop(jobs.get()?);
    jobs.join()
}
