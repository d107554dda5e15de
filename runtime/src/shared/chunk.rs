#![allow(unsafe_code)]
//! `Chunk`: a piece of an array that was lent. Relies on `lease`, which says who may touch the elements, and on `guard`.
//!
//! A chunk that has *begun* has its process's name in the lease, and gives references; it is the only one that does.
//! Whoever has the chunk from the guard begins at its first use; a chunk that arrives in a message has begun. It ends when it is
//! released or dropped. A chunk that has not begun may be sent: with a new number, so that of all the messages that were
//! ever made of a piece only the last one is worth anything, and that one once.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

use super::array::Array;
use super::guard::Lending;
use super::lease::{Lease, Refused};
use super::view::View;
use crate::codec::Plain;
use crate::error::{Error, Kind, Result};
use crate::heap::Heap;
use crate::session;
use crate::sync::{is_dead, pid_of};
use crate::sys::memory;

/// A piece of an [`Array`], lent by its guard ([`ArrayGuard::chunks`](crate::ArrayGuard::chunks)) to be worked on in place: a mutable slice.
///
/// Give it to a task, by value or by reference; nothing is copied, whatever its length. The array stays locked until the guard has it back.
///
/// - A piece is worked on by one process at a time, and by each that it was sent to at most once: an item that is run again (a
///   retry) is refused the piece, because nobody could tell whether it was worked on before. Send it again to have
///   that.
/// - When the process that works on it dies, or the task panics, the guard says that these elements may be half-written
///   ([`reclaim`](crate::ArrayGuard::reclaim), [`damaged`](crate::ArrayGuard::damaged)), and nobody else gets the piece.
/// - The guard ends the lease at its own end, or when it is used as a slice. Who comes later than that is refused.
/// - It can also be worked on where it was made, for instance by an ordinary call of the task. Then it cannot be sent until it is
///   [released](Self::release).
/// - A chunk that is leaked (`mem::forget`) after it was begun is out until its process ends.
pub struct Chunk<T: Plain> {
    array: Array<T>,
    entry: u32,
    number: AtomicU64,
    elements: Range<usize>,
    /// Whether this process works on it, through this chunk.
    begun: AtomicBool,
    view: View<T>,
    /// Under the lock `begun` changes.
    home: Mutex<Home<T>>,
}

/// What a chunk has of its guard, if it was made by one.
struct Home<T: Plain> {
    lending: Option<Weak<Lending<T>>>,
    /// While it is worked on here.
    keep: Option<Arc<Lending<T>>>,
    /// Whether the thread was panicking when it began.
    panicking: bool,
}

impl<T: Plain> Chunk<T> {
    pub(super) fn lent(
        array: &Array<T>,
        lease: Lease,
        elements: Range<usize>,
        lending: &Arc<Lending<T>>,
    ) -> Self {
        Chunk {
            array: array.clone(),
            entry: lease.entry,
            number: AtomicU64::new(lease.number),
            elements,
            begun: AtomicBool::new(false),
            view: View::new(),
            home: Mutex::new(Home {
                lending: Some(Arc::downgrade(lending)),
                keep: None,
                panicking: false,
            }),
        }
    }

    /// The piece that a message names.
    pub(super) fn arrive(array: Array<T>, lease: Lease, elements: Range<usize>) -> Result<Self> {
        if elements.start > elements.end || elements.end > array.len() {
            let text = format!(
                "a message names elements {elements:?} of an array of {}",
                array.len()
            );
            return Err(Error::new(Kind::Protocol, text));
        }
        let (heap, place) = (array.handle().heap(), array.handle().place());
        array
            .leases()
            .take(heap, place, lease)
            .map_err(|refused| refusal(heap, refused, &elements))?;
        let chunk = Chunk {
            array,
            entry: lease.entry,
            number: AtomicU64::new(lease.number),
            elements,
            begun: AtomicBool::new(true),
            view: View::new(),
            home: Mutex::new(Home {
                lending: None,
                keep: None,
                panicking: std::thread::panicking(),
            }),
        };
        let (offset, bytes) = chunk.array.offset_of(&chunk.elements);
        let before = offset % PAGE;
        heap.warm(offset - before, bytes + before as usize);
        Ok(chunk)
    }

    /// Which elements of the array these are.
    pub fn range(&self) -> Range<usize> {
        self.elements.clone()
    }

    /// Begins to work on the piece in this process, as the first use as a slice does; but whether it may is an answer and no panic.
    ///
    /// # Errors
    /// The lease has ended, a process works on the piece, or it came back half-written.
    pub fn begin(&self) -> Result<()> {
        if self.begun.load(Ordering::Acquire) {
            return Ok(());
        }
        if memory::forked() {
            return Err(session::forked());
        }
        let mut home = self.home();
        if self.begun.load(Ordering::Acquire) {
            return Ok(());
        }
        let heap = self.array.handle().heap();
        let refused = |refused| refusal(heap, refused, &self.elements);
        let keep = match &home.lending {
            None => None,
            Some(lending) => Some(lending.upgrade().ok_or_else(|| refused(Refused::Ended))?),
        };
        if let Some(lending) = &keep {
            lending.count_here(true);
        }
        let place = self.array.handle().place();
        if let Err(why) = self.array.leases().take_again(heap, place, self.lease()) {
            if let Some(lending) = &keep {
                lending.count_here(false);
            }
            // Not under the lock: it may be the last one, which ends the leases.
            drop(home);
            return Err(refused(why));
        }
        home.keep = keep;
        home.panicking = std::thread::panicking();
        self.begun.store(true, Ordering::Release);
        Ok(())
    }

    /// Ends the work on the piece in this process: it can be sent then, to a third process for instance. Dropping it does the same.
    pub fn release(&mut self) {
        self.end();
    }

    fn end(&mut self) {
        if memory::forked() || !*self.begun.get_mut() {
            return;
        }
        *self.begun.get_mut() = false;
        let lease = self.lease();
        let home = self.home.get_mut().unwrap_or_else(PoisonError::into_inner);
        let broken = !home.panicking && std::thread::panicking();
        if broken {
            self.view.forget();
        } else {
            self.view.write_back(&self.array, &self.elements);
        }
        let handle = self.array.handle();
        self.array
            .leases()
            .give_back(handle.heap(), handle.place(), lease, broken);
        if let Some(lending) = home.keep.take() {
            lending.count_here(false);
        }
    }

    fn lease(&self) -> Lease {
        Lease {
            entry: self.entry,
            number: self.number.load(Ordering::Acquire),
        }
    }

    fn home(&self) -> MutexGuard<'_, Home<T>> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease as a new message has it.
    pub(super) fn send(&self) -> Result<Lease> {
        if memory::forked() {
            return Err(session::forked());
        }
        let home = self.home();
        if self.begun.load(Ordering::Acquire) {
            let text = format!(
                "elements {:?} are worked on here: release the chunk before it is sent",
                self.elements
            );
            return Err(Error::new(Kind::Encode, text));
        }
        let handle = self.array.handle();
        let (heap, place) = (handle.heap(), handle.place());
        let lease = self.array.leases().renew(heap, place, self.lease());
        let lease = lease.map_err(|why| refusal(heap, why, &self.elements))?;
        self.number.store(lease.number, Ordering::Release);
        drop(home);
        Ok(lease)
    }

    #[inline]
    #[track_caller]
    fn open(&self) {
        if !self.begun.load(Ordering::Acquire)
            && let Err(error) = self.begin()
        {
            panic!("{error}");
        }
    }
}

/// To begin where the kernel can.
const PAGE: u64 = 64 << 10;

#[cold]
fn refusal(heap: &Heap, why: Refused, elements: &Range<usize>) -> Error {
    let text = match why {
        Refused::Ended => format!(
            "the lease of elements {elements:?} has ended, or they were worked on before: this message is worth nothing any more"
        ),
        Refused::Broken => format!(
            "elements {elements:?} may be half-written: the task that worked on them panicked"
        ),
        Refused::Out { owner } => {
            let who = pid_of(heap, owner).map_or_else(String::new, |pid| format!(" (pid {pid})"));
            if owner == heap.me().pack() {
                format!("elements {elements:?} are worked on in this process")
            } else if is_dead(heap, owner) {
                format!(
                    "elements {elements:?} may be half-written: the process{who} that worked on them has died"
                )
            } else {
                format!("elements {elements:?} are worked on by another process{who}")
            }
        }
    };
    Error::new(Kind::Usage, text)
}

impl<T: Plain> Deref for Chunk<T> {
    type Target = [T];

    /// # Panics
    /// The piece cannot be begun here: see [`begin`](Self::begin).
    #[inline]
    #[track_caller]
    fn deref(&self) -> &[T] {
        self.open();
        // SAFETY: the lease names this process, and this chunk is the only one that took it; the holder of the lock touches no
        // element before that has changed.
        unsafe { self.view.get(&self.array, &self.elements) }
    }
}

impl<T: Plain> DerefMut for Chunk<T> {
    /// # Panics
    /// As `deref`.
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut [T] {
        self.open();
        // SAFETY: as in `deref`.
        unsafe { self.view.get_mut(&self.array, &self.elements) }
    }
}

impl<T: Plain> Drop for Chunk<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T: Plain> Serialize for Chunk<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let Lease { entry, number } = self.send().map_err(S::Error::custom)?;
        let (begin, end) = (self.elements.start as u64, self.elements.end as u64);
        (&self.array, entry, number, begin, end).serialize(to)
    }
}

impl<'de, T: Plain> Deserialize<'de> for Chunk<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let (array, entry, number, begin, end) =
            <(Array<T>, u32, u64, u64, u64)>::deserialize(from)?;
        let index = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
        Chunk::arrive(array, Lease { entry, number }, index(begin)..index(end))
            .map_err(|error| D::Error::custom(error.message()))
    }
}

impl<T: Plain> fmt::Debug for Chunk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("elements", &self.elements)
            .field("begun", &self.begun.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}
