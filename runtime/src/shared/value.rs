#![allow(unsafe_code)]
//! `Value`: a value in the shared heap with a lock. Relies on `heap` (objects), `sync` (the lock inside) and `bytes`.
//!
//! The body: the lock, the word `current`, two slots. Whoever holds the lock reads the slot that `current` names into a
//! private copy, works on the copy, writes it to the *other* slot, and flips `current` by one store, which is the commit. Only the
//! holder of the lock touches any of it, so a holder that dies leaves the old value whole, or the new one.
//!
//! Orderings: all under the lock, whose taking is Acquire and whose giving back is Release; those of the flip are said in `flip`.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::bytes;
use super::flip::Flip;
use crate::codec::Plain;
use crate::error::{Error, Kind, Result};
use crate::heap::{Body, Handle, Heap, ObjectKind, mark_of, shared_handle};
use crate::session;
use crate::sync::{Dead, Latch, LockResult, TimedOut, TryLockResult, outcome, without_deadline};
use crate::sys::memory;
use crate::sys::points::stored;

const NAME: &str = "value";

/// The begin of the body; the slots stand behind it.
#[repr(C)]
pub(super) struct Head {
    latch: Latch,
    current: Flip,
    /// Whether a holder died and no `lock` has said so yet. By the holder of the lock.
    poisoned: AtomicU32,
    /// The process id of that holder, if it is known.
    culprit: AtomicU32,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a free lock and slot 0.
unsafe impl Body for Head {}

/// A value in the shared heap, with a lock. Python's `Value`.
///
/// [`lock`](Self::lock) gives a guard with a private copy of the value; what was changed is committed in one step when the
/// guard is dropped. [`get`](Self::get), [`set`](Self::set) and [`update`](Self::update) take the lock for you.
///
/// **If a holder dies**, or panics with the guard in its hands, the value is as it was before: never half-written. The next
/// [`lock`](Self::lock) says that a holder died, in case the value is one of several that belong together; `get`, `set` and `update`
/// do not mind, and leave the news to the next `lock`, `try_lock` or `lock_timeout`.
///
/// A handle, as all shared objects are: clones are of the same value, and so is what arrives in another process, by value or
/// by reference, in a struct, a result or a message. It lives as long as some process or message has a handle. Order, fairness
/// and leaked guards are as with [`Lock`](crate::Lock).
///
/// `T` is [`Plain`]: no pointers, which would mean nothing in another process.
///
/// ```
/// #[mp::task]
/// fn tally(hits: &mp::Value<u64>, times: u64) -> mp::Result<(), mp::Failure> {
///     for _ in 0..times {
///         *hits.lock()? += 1;
///     }
///     Ok(())
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main!(run);
///
/// fn run() -> mp::Result<()> {
///     let hits = mp::Value::new(0_u64)?;
///     let children = [tally.start(&hits, 1000)?, tally.start(&hits, 500)?];
///     for child in children {
///         child.join()?;
///     }
///     assert_eq!(hits.get()?, 1500);
///     Ok(())
/// }
/// ```
pub struct Value<T: Plain> {
    handle: Handle,
    of: PhantomData<fn() -> T>,
}

shared_handle! { Value<T: Plain> => ObjectKind::Value, mark mark_of::<T>(), bytes Value::<T>::BYTES }

/// The value of a [`Value`], while its lock is held: a private copy, committed when this is dropped.
///
/// When it is dropped by a panic, nothing is committed.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ValueGuard<'a, T: Plain> {
    of: &'a Value<T>,
    value: T,
    changed: bool,
    /// Whether the thread was panicking when it took the lock.
    panicking: bool,
}

impl<T: Plain> Value<T> {
    const ALIGN: usize = if align_of::<T>() > 8 {
        align_of::<T>()
    } else {
        8
    };
    const FIRST: usize = bytes::round_up(size_of::<Head>(), Self::ALIGN);
    const STEP: usize = bytes::round_up(size_of::<T>(), Self::ALIGN);
    const BYTES: usize = Self::FIRST + 2 * Self::STEP;

    /// A new one with this value.
    ///
    /// # Errors
    /// The shared heap is at its limit (`is_heap_full`), or there can be no session here (see [`init`](crate::init)).
    pub fn new(value: T) -> Result<Self> {
        Value::make(session::current()?.heap, value)
    }

    pub(super) fn make(heap: &'static Heap, value: T) -> Result<Self> {
        const { assert!(align_of::<T>() <= 64, "aligned to 64 bytes at most") };
        let (kind, mark) = (ObjectKind::Value, mark_of::<T>());
        let handle = Handle::make(heap, kind, mark, Self::BYTES, |base| {
            // SAFETY: the body has room for the head and two slots, and nobody else has it yet.
            unsafe {
                base.as_ptr().write_bytes(0, Self::FIRST);
                bytes::put(base.add(Self::FIRST), &value);
            }
            Ok(())
        })?;
        Ok(Value {
            handle,
            of: PhantomData,
        })
    }

    /// The same as another process of a test has it.
    #[cfg(test)]
    pub(super) fn seen_in(&self, heap: &'static Heap) -> Self {
        Value {
            handle: Handle::attach(heap, self.handle.place()).unwrap(),
            of: PhantomData,
        }
    }

    /// Waits until the lock is free, and takes it. Python's `with value.get_lock():`.
    ///
    /// # Errors
    /// [`LockError::Poisoned`](crate::LockError::Poisoned), with the guard, if a holder died; the value is whole. [`LockError::Failed`](crate::LockError::Failed) in a copy of the
    /// process made by the program's own `fork`, and when the bytes in the heap are no `T` any more because some process writes
    /// wildly.
    #[inline]
    pub fn lock(&self) -> LockResult<ValueGuard<'_, T>> {
        without_deadline(self.take(None))
    }

    /// Takes the lock if nobody holds it; `None` if somebody does.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> TryLockResult<ValueGuard<'_, T>> {
        let (head, heap) = self.parts()?;
        self.guard(head.latch.try_lock(heap))
    }

    /// As [`lock`](Self::lock); `None` if that takes longer than `timeout`.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> TryLockResult<ValueGuard<'_, T>> {
        self.take(Instant::now().checked_add(timeout))
    }

    /// The value, under the lock.
    ///
    /// # Errors
    /// As [`lock`](Self::lock), except that the death of a holder is none.
    #[inline]
    pub fn get(&self) -> Result<T> {
        self.whole().map(|guard| *guard)
    }

    /// Sets the value, under the lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn set(&self, value: T) -> Result<()> {
        let (head, heap) = self.parts()?;
        // What is there does not matter, not even whether it is a value.
        self.keep_news(without_end(head, heap));
        self.commit(&value);
        head.latch.unlock(heap);
        Ok(())
    }

    /// Changes the value, under the lock, which other processes wait for meanwhile; gives what `change` gives. When `change`
    /// panics, the value stays as it was.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let mut guard = self.whole()?;
        Ok(change(&mut guard))
    }

    /// Whether some process holds the lock (or died holding it), at the moment of the call.
    pub fn is_locked(&self) -> bool {
        self.head().latch.is_locked()
    }

    /// The guard, without the news of a dead holder, which stays for others.
    fn whole(&self) -> Result<ValueGuard<'_, T>> {
        let (head, heap) = self.parts()?;
        self.keep_news(without_end(head, heap));
        self.open()
    }

    /// Notes that a holder died. By the holder of the lock.
    #[inline]
    fn keep_news(&self, dead: Option<Dead>) {
        if let Some(dead) = dead {
            let head = self.head();
            head.culprit.store(dead.pid.unwrap_or(0), Ordering::Relaxed);
            head.poisoned.store(1, Ordering::Release);
            stored("value: poisoned");
        }
    }

    /// The news of a dead holder, to be told now.
    #[inline]
    fn take_news(&self) -> Option<Dead> {
        let head = self.head();
        if head.poisoned.load(Ordering::Acquire) == 0 {
            return None;
        }
        head.poisoned.store(0, Ordering::Release);
        stored("value: told");
        let pid = head.culprit.load(Ordering::Relaxed);
        Some(Dead {
            pid: (pid != 0).then_some(pid),
        })
    }

    #[inline]
    fn take(&self, deadline: Option<Instant>) -> TryLockResult<ValueGuard<'_, T>> {
        let (head, heap) = self.parts()?;
        self.guard(head.latch.lock(heap, deadline))
    }

    #[inline]
    fn guard(
        &self,
        taken: std::result::Result<Option<Dead>, TimedOut>,
    ) -> TryLockResult<ValueGuard<'_, T>> {
        let Ok(dead) = taken else {
            return Ok(None);
        };
        self.keep_news(dead);
        let guard = self.open()?;
        outcome(Ok(self.take_news()), NAME, || guard)
    }

    /// The guard of whoever has just taken the lock, which is given back if there is no value.
    #[inline]
    fn open(&self) -> Result<ValueGuard<'_, T>> {
        let head = self.head();
        let current = head.current.current();
        // SAFETY: the slot is inside the body, and under the lock nobody of good will writes there.
        let Some(value) = (unsafe { bytes::get(self.slot(current)) }) else {
            head.latch.unlock(self.handle.heap());
            return Err(overwritten::<T>());
        };
        Ok(ValueGuard {
            of: self,
            value,
            changed: false,
            panicking: std::thread::panicking(),
        })
    }

    /// Writes the value; by the holder of the lock.
    #[inline]
    fn commit(&self, value: &T) {
        let head = self.head();
        let next = head.current.other();
        // SAFETY: the slot is inside the body, and under the lock nobody else touches it.
        unsafe { bytes::put(self.slot(next), value) };
        stored("value: written");
        head.current.commit(next);
        stored("value: committed");
    }

    #[inline]
    fn slot(&self, index: u32) -> NonNull<u8> {
        let at = Self::FIRST + (index & 1) as usize * Self::STEP;
        // SAFETY: inside the body, whose size was checked when the handle was made or came.
        unsafe { self.handle.held().bytes().0.add(at) }
    }

    #[inline]
    fn head(&self) -> &Head {
        self.handle.body()
    }

    /// The head and the heap it is in, if this process may use them.
    #[inline]
    fn parts(&self) -> Result<(&Head, &'static Heap)> {
        if memory::forked() {
            return Err(session::forked());
        }
        Ok((self.head(), self.handle.heap()))
    }
}

#[inline]
fn without_end(head: &Head, heap: &Heap) -> Option<Dead> {
    loop {
        // Without a deadline none can pass.
        if let Ok(dead) = head.latch.lock(heap, None) {
            return dead;
        }
    }
}

#[cold]
pub(super) fn overwritten<T>() -> Error {
    let name = std::any::type_name::<T>();
    Error::new(
        Kind::Protocol,
        format!(
            "the shared bytes are no `{name}` any more: some process of the session writes wildly"
        ),
    )
}

impl<T: Plain> Deref for ValueGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Plain> DerefMut for ValueGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.value
    }
}

impl<T: Plain> Drop for ValueGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let Ok((head, heap)) = self.of.parts() else {
            return;
        };
        if self.changed && (self.panicking || !std::thread::panicking()) {
            self.of.commit(&self.value);
        }
        head.latch.unlock(heap);
    }
}

impl<T: Plain> fmt::Debug for Value<T> {
    /// Without the lock, and so without the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value")
            .field("locked", &self.is_locked())
            .finish_non_exhaustive()
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for ValueGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
