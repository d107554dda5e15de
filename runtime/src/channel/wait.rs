//! Waiting for several things at once. Relies on `sleep`.
//!
//! Each thing says whether it is ready, and prepares a sleep: says in the heap that somebody sleeps, and names the words and
//! lives to sleep on. Then everything is looked at again, and one `futex_waitv` sleeps on all of it. Descriptors are the one thing
//! a futex cannot wait for: while a call waits that has some among its things, a thread `mp-wait` polls them and wakes it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::sleep::{Sleep, deadline_in, is_over};
use crate::error::{Error, Result};
use crate::sync::{BoundedSemaphore, Event, Semaphore};
use crate::sys::{futex, signal};

/// What [`wait`] can wait for. Implemented by what there is; not for others to implement.
///
/// | | ready when |
/// |---|---|
/// | [`Receiver`](crate::Receiver), [`Duplex`](crate::Duplex) | a message can be received, or the stream is at its end |
/// | [`Queue`](crate::Queue), [`JoinableQueue`](crate::JoinableQueue) | an item can be taken, or none will ever come |
/// | [`Event`](crate::Event) | it is set |
/// | [`Semaphore`](crate::Semaphore), [`BoundedSemaphore`](crate::BoundedSemaphore) | a permit is free |
/// | [`Child`](crate::Child) | the process has ended |
/// | [`Handle`](crate::Handle) of a pool | its value is there |
/// | [`Readable`], a raw descriptor | it can be read |
pub trait Waitable: Source {}

impl<S: Source + ?Sized> Waitable for S {}

/// What a thing that can be waited for can do.
#[doc(hidden)]
pub trait Source {
    /// Whether it is ready now.
    fn is_ready(&self) -> bool;

    /// Prepares to sleep until it is ready; `true` if it may be ready already, and there should be no sleep.
    fn prepare(&self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool;

    /// A descriptor that is readable when it is ready, where there is nothing else to sleep on.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Waits until one of several things is ready, whatever they are; gives the places of all that are ready, none if the time-out
/// has passed. `None` waits for ever. As Python's `multiprocessing.connection.wait`.
///
/// Ready means that a call will not wait, as long as nobody else takes what is there. An idle wait costs no time of the
/// processor, and ends when somebody dies whose death makes something ready.
///
/// # Errors
/// The system has no thread or descriptor for a wait with descriptors among the things (`is_system`).
///
/// ```
/// #[mp::task]
/// fn hello(to: mp::Sender<String>) -> Result<(), mp::Failure> {
///     Ok(to.send("hello".to_string())?)
/// }
///
/// mp::main! {
///     let (to, from) = mp::pipe::<String>()?;
///     let stop = mp::Event::new()?;
///     let child = mp::Process::new(hello, to).start()?;
///     let ready = mp::wait(&[&stop, &from], None)?;
///     assert_eq!(ready, [1]);
///     assert_eq!(from.recv()?, "hello");
///     mp::wait(&[&child], None)?;
///     child.join()?;
/// }
/// ```
pub fn wait(things: &[&dyn Waitable], timeout: Option<Duration>) -> Result<Vec<usize>> {
    let deadline = timeout.and_then(deadline_in);
    let ready = || -> Vec<usize> {
        let all = things.iter().enumerate();
        all.filter(|(_, thing)| thing.is_ready())
            .map(|(at, _)| at)
            .collect()
    };
    loop {
        let found = ready();
        if !found.is_empty() || is_over(deadline) {
            return Ok(found);
        }
        let mut sleep = Sleep::new();
        let mut hasty = false;
        for thing in things {
            hasty |= thing.prepare(&mut sleep, deadline);
        }
        if hasty {
            continue;
        }
        let descriptors: Vec<BorrowedFd<'_>> = things
            .iter()
            .filter_map(|thing| thing.descriptor())
            .collect();
        if descriptors.is_empty() {
            sleep.sleep(deadline);
        } else {
            sleep_with(&mut sleep, &descriptors, deadline)?;
        }
    }
}

/// Sleeps on words and descriptors.
fn sleep_with(
    sleep: &mut Sleep,
    descriptors: &[BorrowedFd<'_>],
    deadline: Option<Instant>,
) -> Result<()> {
    let none = |cause| Error::system("cannot wait for a descriptor", cause);
    let over = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).map_err(none)?;
    let readable = Arc::new(AtomicU32::new(0));
    sleep.on_own(&readable, 0);
    std::thread::scope(|scope| {
        signal::start_without_signals(|| {
            std::thread::Builder::new()
                .name("mp-wait".into())
                .stack_size(64 * 1024)
                .spawn_scoped(scope, || {
                    let mut all: Vec<PollFd<'_>> = descriptors
                        .iter()
                        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
                        .collect();
                    all.push(PollFd::new(over.as_fd(), PollFlags::POLLIN));
                    // Whatever ends it, everything is looked at again.
                    let _ = poll(&mut all, PollTimeout::NONE);
                    readable.store(1, Ordering::Release);
                    futex::wake_all(&readable);
                })
        })
        .map_err(|cause| {
            Error::system("cannot start a thread that waits for descriptors", cause)
        })?;
        sleep.sleep(deadline);
        over.write(1).map_err(none)?;
        Ok(())
    })
}

/// A raw descriptor, for [`wait`]: ready when it can be read, or is at its end.
#[derive(Debug)]
pub struct Readable<F: AsFd>(pub F);

impl<F: AsFd> Source for Readable<F> {
    fn is_ready(&self) -> bool {
        let mut one = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        // One that cannot be polled will not wait either.
        !matches!(poll(&mut one, PollTimeout::ZERO), Ok(0))
    }

    fn prepare(&self, _: &mut Sleep, _: Option<Instant>) -> bool {
        false
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.as_fd())
    }
}

impl Source for Event {
    fn is_ready(&self) -> bool {
        self.is_set()
    }

    fn prepare(&self, sleep: &mut Sleep, _: Option<Instant>) -> bool {
        match self.wait_word() {
            None => true,
            Some((word, seen)) => {
                sleep.on(word, seen);
                false
            }
        }
    }
}

macro_rules! semaphore {
    ($name:ident) => {
        impl Source for $name {
            fn is_ready(&self) -> bool {
                self.value() > 0
            }

            fn prepare(&self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
                let Some((words, holders)) = self.wait_words() else {
                    return true;
                };
                for (word, seen) in words {
                    sleep.on(word, seen);
                }
                let Some(heap) = crate::heap::current() else {
                    return true;
                };
                let lives = |holder| {
                    crate::heap::SlotId::unpack(holder)
                        .is_some_and(|holder| sleep.on_life(heap, holder, deadline))
                };
                // A dead holder's permit is free when it is looked for.
                !holders.into_iter().all(lives)
            }
        }
    };
}

semaphore!(Semaphore);
semaphore!(BoundedSemaphore);
