#![allow(unsafe_code)]
//! `Array`: a row of plain values in the shared heap with a lock, worked on in place. Relies on `heap` (objects), `sync` (the
//! lock inside), `lease` (pieces that are lent) and `bytes`.
//!
//! The body: the head, room for one element (`spare`, of types that need it), the elements. **Who may touch the elements**: the holder of
//! the lock, while no lease is open; and whoever a lease says works on a piece, that piece. Nobody else, not even to read.
//! So references to them are sound as long as every process of the session is safe Rust.
//!
//! `poison` says that a process died and left elements `from..to` half-written, and that nobody was told. It is written by
//! the holder of the lock before anything else, so that one that is killed meanwhile leaves either the word of the lock
//! or this one to tell of it; and cleared when a guard with the news is given out.
//!
//! Of types for which not every pattern of bits is a value, what a killed process leaves may be none. The elements it had
//! are looked through, and such as are no value are replaced by the spare one. (Arrays up to [`SMALL`] are looked through
//! whenever they are locked: that also finds what a wild writer has done.) References to such elements are to private copies
//! (see `view`).
//!
//! Orderings: everything under the lock, or handed over with a lease (see there).

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::bytes;
use super::guard::ArrayGuard;
use super::lease::Leases;
use crate::codec::Plain;
use crate::error::{Error, Kind, Result};
use crate::heap::{Body, Handle, Heap, ObjectKind, mark_of};
use crate::session;
use crate::sync::{
    Dead, Latch, LockError, LockResult, Poisoned, TimedOut, TryLockResult, poisoned,
    without_deadline,
};
use crate::sys::memory;
use crate::sys::points::stored;

const NAME: &str = "array";
/// Arrays of so many bytes are looked through at every lock, if there is anything to look for.
const SMALL: usize = 64 << 10;
/// In the word `poison`: there is something; the lower half is the process id, if it is known.
const POISONED: u64 = 1 << 63;

/// The begin of the body.
#[repr(C, align(64))]
pub(super) struct Head {
    latch: Latch,
    poison: AtomicU64,
    from: AtomicU64,
    to: AtomicU64,
    leases: Leases,
}

// SAFETY: nothing but atomics, in C layout; zeroes are a free lock, no poison, no leases.
unsafe impl Body for Head {}

const HEAD: usize = size_of::<Head>();
const _: () = assert!(HEAD == 128);

/// A row of values in the shared heap, with a lock, worked on in place. Python's `Array`.
///
/// [`lock`](Self::lock) gives a guard that is a slice of the elements, where they lie. (Of `bool`, `char`, enums and structs of them, of
/// which not every pattern of bits is a value, it is a checked copy, written back at the end; so are pieces.) From the guard, [`chunks`](ArrayGuard::chunks)
/// lends disjoint pieces to tasks in other processes, which work on them at the same time without a copy. For one element at
/// a time there are [`get`](Self::get) and [`set`](Self::set).
///
/// **If a holder dies**, or a process with a piece, elements may be half-written. The next [`lock`](Self::lock) says so, with
/// the guard inside, whose [`damaged`](ArrayGuard::damaged) says which; `get`, `set` and `to_vec` fail until somebody was
/// told. A guard that is dropped by a panic gives the lock back like any other.
///
/// A handle, as all shared objects are: clones are of the same array, and so is what arrives in another process, by value or
/// by reference, in a struct, a result or a message. It lives as long as some process or message has a handle. Order and
/// fairness are as with [`Lock`](crate::Lock). **A guard that is leaked** (`mem::forget`) keeps the array locked until its
/// process ends, and so does a leaked [`Chunk`](crate::Chunk).
///
/// `T` is [`Plain`]: no pointers, which would mean nothing in another process. Elements are aligned to 64 bytes at most; the
/// first one always is.
///
/// ```
/// #[mp::task]
/// fn double(mut piece: mp::Chunk<f64>) {
///     for x in &mut piece[..] {
///         *x *= 2.0;
///     }
/// }
///
/// mp::main! {
///     let pool = mp::Pool::builder().workers(2).build()?;
///     let data = mp::Array::from_fn(1000, |index| index as f64)?;
///     let mut guard = data.lock()?;
///     pool.map(double, guard.chunks(4)?)?; // in place, in two processes
///     assert_eq!(guard[999], 1998.0);
/// }
/// ```
pub struct Array<T: Plain> {
    handle: Handle,
    /// What stands in for elements that are no value; this process's own copy. `None` if every pattern is one, or there are none.
    spare: Option<T>,
    of: PhantomData<T>,
}

impl<T: Plain> Array<T> {
    /// Where the elements begin.
    const DATA: usize = HEAD
        + if T::ANY {
            0
        } else {
            bytes::round_up(size_of::<T>(), 64)
        };

    /// A new one with a copy of these elements.
    ///
    /// # Errors
    /// The shared heap is at its limit (`is_heap_full`), or there can be no session here (see [`init`](crate::init)).
    pub fn new(values: &[T]) -> Result<Self> {
        let array = Array::make(session::current()?.heap, values.len())?;
        array.write(&(0..values.len()), values);
        Ok(array.with_spare(values.first().copied()))
    }

    /// A new one of `len` equal elements.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn filled(value: T, len: usize) -> Result<Self> {
        Array::from_fn(len, |_| value)
    }

    /// A new one of `len` elements that are all zeroes, as in Python's `Array(type, len)`.
    ///
    /// # Errors
    /// As [`new`](Self::new); or zeroes are no value of the type (`is_usage`).
    pub fn zeroed(len: usize) -> Result<Self> {
        let zeroes = vec![0; size_of::<T>()];
        if !T::ANY && !T::valid(&zeroes) {
            let name = std::any::type_name::<T>();
            let text =
                format!("zeroes are no `{name}`: use `Array::filled` with the value to begin with");
            return Err(Error::new(Kind::Usage, text));
        }
        let array = Array::make(session::current()?.heap, len)?;
        // SAFETY: there is room for as many elements, which nobody else has; zeroes are a value (just checked).
        let spare = unsafe {
            array.data().write_bytes(0, len);
            std::mem::zeroed()
        };
        Ok(array.with_spare((len > 0).then_some(spare)))
    }

    /// A new one whose elements are made from their indices.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_fn(len: usize, make: impl FnMut(usize) -> T) -> Result<Self> {
        Array::make_from_fn(session::current()?.heap, len, make)
    }

    pub(super) fn make_from_fn(
        heap: &'static Heap,
        len: usize,
        mut make: impl FnMut(usize) -> T,
    ) -> Result<Self> {
        let array = Array::make(heap, len)?;
        let mut first = None;
        for index in 0..len {
            let value = make(index);
            first.get_or_insert(value);
            // SAFETY: there is room for `len` elements, which nobody else has.
            unsafe { bytes::put(array.data().add(index).cast(), &value) };
        }
        Ok(array.with_spare(first))
    }

    /// One whose elements are still to be written: by the user's code perhaps, which may panic.
    fn make(heap: &'static Heap, len: usize) -> Result<Self> {
        const { assert!(align_of::<T>() <= 64, "aligned to 64 bytes at most") };
        let bytes = len
            .checked_mul(bytes::stride::<T>())
            .and_then(|bytes| bytes.checked_add(Self::DATA))
            .ok_or_else(|| {
                Error::new(
                    Kind::HeapFull,
                    "the array is larger than any shared heap can be",
                )
            })?;
        let (kind, mark) = (ObjectKind::Array, mark_of::<T>());
        let handle = Handle::make(heap, kind, mark, bytes, |base| {
            // SAFETY: the body has room for the head and the spare element, and nobody else has it yet.
            unsafe { base.as_ptr().write_bytes(0, Self::DATA) };
            Ok(())
        })?;
        heap.warm(handle.place().offset, bytes);
        Ok(Array {
            handle,
            spare: None,
            of: PhantomData,
        })
    }

    fn with_spare(mut self, spare: Option<T>) -> Self {
        if !T::ANY {
            self.spare = spare;
            if let Some(spare) = &self.spare {
                // SAFETY: there is room for it behind the head, and nobody else has the array yet.
                unsafe { bytes::put(self.handle.held().bytes().0.add(HEAD), spare) };
            }
        }
        self
    }

    /// The same as another process of a test has it.
    #[cfg(test)]
    pub(super) fn seen_in(&self, heap: &'static Heap) -> Self {
        Array::of(Handle::attach(heap, self.handle.place()).unwrap()).unwrap()
    }

    /// How many elements there are.
    #[inline]
    pub fn len(&self) -> usize {
        (self.handle.held().bytes().1 - Self::DATA) / bytes::stride::<T>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until the lock is free, and takes it. Python's `with array.get_lock():`.
    ///
    /// # Errors
    /// [`LockError::Poisoned`], with the guard, if a process died and left elements half-written: one that held the lock, or one with a
    /// piece. (Pieces of a dead holder that are still worked on are waited for.) [`LockError::Failed`] in a copy of the process
    /// made by the program's own `fork`.
    #[inline]
    pub fn lock(&self) -> LockResult<ArrayGuard<'_, T>> {
        without_deadline(self.lock_until(None))
    }

    /// Takes the lock if nobody holds it; `None` if somebody does.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> TryLockResult<ArrayGuard<'_, T>> {
        let (head, heap) = self.parts()?;
        self.guard(head.latch.try_lock(heap), Some(Instant::now()))
    }

    /// As [`lock`](Self::lock); `None` if that takes longer than `timeout`.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_timeout(&self, timeout: Duration) -> TryLockResult<ArrayGuard<'_, T>> {
        self.lock_until(Instant::now().checked_add(timeout))
    }

    /// The element at `index`, under the lock.
    ///
    /// # Errors
    /// There is no such index (`is_usage`). A process died and left elements half-written (`is_poisoned`), until [`lock`](Self::lock) has
    /// told somebody. Otherwise as [`lock`](Self::lock).
    pub fn get(&self, index: usize) -> Result<T> {
        self.check(index)?;
        self.within(|array| {
            // SAFETY: inside the array, under the lock.
            unsafe { bytes::get(array.data().add(index).cast()) }
                .ok_or_else(super::value::overwritten::<T>)
        })
    }

    /// Sets the element at `index`, under the lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn set(&self, index: usize, value: T) -> Result<()> {
        self.check(index)?;
        self.within(|array| {
            // SAFETY: inside the array, under the lock.
            unsafe { bytes::put(array.data().add(index).cast(), &value) };
            Ok(())
        })
    }

    /// A copy of all elements, made under the lock.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.within(|array| Ok(array.read(&(0..array.len()))))
    }

    /// Whether some process holds the lock (or died holding it), at the moment of the call.
    pub fn is_locked(&self) -> bool {
        self.head().latch.is_locked()
    }

    fn check(&self, index: usize) -> Result<()> {
        let len = self.len();
        if index < len {
            return Ok(());
        }
        let text = format!("index {index} in an array of {len} elements");
        Err(Error::new(Kind::Usage, text))
    }

    /// Does something under the lock, unless the array is poisoned.
    fn within<R>(&self, act: impl FnOnce(&Self) -> Result<R>) -> Result<R> {
        let (head, heap) = self.parts()?;
        let dead = loop {
            // Without a deadline none can pass.
            if let Ok(dead) = head.latch.lock(heap, None) {
                break dead;
            }
        };
        if let Some(dead) = dead {
            self.poison(0..self.len(), dead.pid);
        }
        let done = match self.poison_pid() {
            None => act(self),
            Some(pid) => Err(poisoned(NAME, pid)),
        };
        head.latch.unlock(heap);
        done
    }

    #[inline]
    fn lock_until(&self, deadline: Option<Instant>) -> TryLockResult<ArrayGuard<'_, T>> {
        let (head, heap) = self.parts()?;
        self.guard(head.latch.lock(heap, deadline), deadline)
    }

    #[inline]
    fn guard(
        &self,
        taken: Result<Option<Dead>, TimedOut>,
        deadline: Option<Instant>,
    ) -> TryLockResult<ArrayGuard<'_, T>> {
        let Ok(dead) = taken else {
            return Ok(None);
        };
        if let Some(dead) = dead {
            self.poison(0..self.len(), dead.pid);
        }
        let is_fine = self.head().poison.load(Ordering::Acquire) == 0;
        if is_fine && (T::ANY || self.handle.held().bytes().1 > SMALL) {
            return Ok(Some(ArrayGuard::new(self, Vec::new())));
        }
        self.recover(is_fine, deadline)
    }

    /// Puts in order what can be, and tells the rest.
    #[cold]
    fn recover(
        &self,
        is_fine: bool,
        deadline: Option<Instant>,
    ) -> TryLockResult<ArrayGuard<'_, T>> {
        let (head, heap) = self.parts()?;
        if !is_fine
            && self
                .leases()
                .end_all(heap, self.handle.place(), deadline)
                .is_err()
        {
            // Whoever is next hears of it.
            head.latch.unlock(heap);
            return Ok(None);
        }
        let mended = self.mend(0..self.len());
        let pid = self.poison_pid();
        let damaged = match (pid, mended) {
            (None, None) => return Ok(Some(ArrayGuard::new(self, Vec::new()))),
            (None, Some(mended)) => mended,
            (Some(_), _) => {
                let clamp = |word: &AtomicU64| {
                    let index = usize::try_from(word.load(Ordering::Relaxed));
                    index.unwrap_or(usize::MAX).min(self.len())
                };
                clamp(&head.from)..clamp(&head.to)
            }
        };
        head.poison.store(0, Ordering::Release);
        stored("array: told");
        let guard = ArrayGuard::new(self, vec![damaged]);
        Err(LockError::Poisoned(Poisoned::new(
            guard,
            NAME,
            pid.flatten(),
        )))
    }

    /// Notes that elements may be half-written, and that nobody knows. By the holder of the lock.
    pub(super) fn poison(&self, elements: Range<usize>, pid: Option<u32>) {
        let head = self.head();
        let (mut from, mut to) = (elements.start as u64, elements.end as u64);
        if head.poison.load(Ordering::Relaxed) != 0 {
            from = from.min(head.from.load(Ordering::Relaxed));
            to = to.max(head.to.load(Ordering::Relaxed));
        }
        head.from.store(from, Ordering::Relaxed);
        head.to.store(to, Ordering::Relaxed);
        let pid = u64::from(pid.unwrap_or(0));
        head.poison.store(POISONED | pid, Ordering::Release);
        stored("array: poisoned");
    }

    /// Whose death nobody was told of yet, if there is such a one and if it is known.
    fn poison_pid(&self) -> Option<Option<u32>> {
        let poison = self.head().poison.load(Ordering::Acquire);
        (poison != 0).then_some(match poison as u32 {
            0 => None,
            pid => Some(pid),
        })
    }

    /// Replaces elements that are no value; gives the first and the last of them. By whoever has these elements.
    pub(super) fn mend(&self, elements: Range<usize>) -> Option<Range<usize>> {
        let spare = self.spare.as_ref()?;
        let mut mended: Option<Range<usize>> = None;
        for index in elements {
            // SAFETY: the index is below the length; the elements are the caller's alone.
            unsafe {
                let at = self.data().add(index).cast();
                if bytes::get::<T>(at).is_none() {
                    bytes::put(at, spare);
                    mended.get_or_insert(index..index).end = index + 1;
                }
            }
        }
        mended
    }

    /// Gives the lock back.
    pub(super) fn unlock(&self) {
        if let Ok((head, heap)) = self.parts() {
            head.latch.unlock(heap);
        }
    }

    #[inline]
    fn data(&self) -> NonNull<T> {
        // SAFETY: inside the body, whose size was checked when the handle was made or came.
        unsafe { self.handle.held().bytes().0.add(Self::DATA) }.cast()
    }

    /// A copy of these elements; what is no value is replaced by the spare one. By whoever has them.
    pub(super) fn read(&self, elements: &Range<usize>) -> Vec<T> {
        let mut values = Vec::with_capacity(elements.len());
        let at = self.at(elements);
        if T::ANY {
            // SAFETY: inside the array (checked), the caller's alone, and any bytes are values. The vector has room.
            unsafe {
                at.as_ptr()
                    .copy_to_nonoverlapping(values.as_mut_ptr(), elements.len());
                values.set_len(elements.len());
            }
        } else if let Some(spare) = self.spare {
            values.extend((0..elements.len()).map(|index| {
                // SAFETY: as above; looked at in a private copy.
                unsafe { bytes::get(at.add(index).cast()) }.unwrap_or(spare)
            }));
        }
        values
    }

    /// Writes as many elements as there are. By whoever has them.
    pub(super) fn write(&self, elements: &Range<usize>, values: &[T]) {
        let count = elements.len().min(values.len());
        let at = self.at(elements);
        if T::PADDED {
            for (index, value) in values[..count].iter().enumerate() {
                // SAFETY: inside the array (checked), and the caller's alone.
                unsafe { bytes::put(at.add(index).cast(), value) };
            }
        } else {
            // SAFETY: as above; the values are apart from it.
            unsafe { at.copy_from_nonoverlapping(NonNull::from(values).cast(), count) };
        }
    }

    /// The address of these elements.
    #[inline]
    pub(super) fn at(&self, elements: &Range<usize>) -> NonNull<T> {
        assert!(elements.start <= elements.end && elements.end <= self.len());
        // SAFETY: inside the body (just checked).
        unsafe { self.data().add(elements.start) }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn leases(&self) -> &Leases {
        &self.head().leases
    }

    /// Where in the heap these elements are.
    pub(super) fn offset_of(&self, elements: &Range<usize>) -> (u64, usize) {
        let size = bytes::stride::<T>();
        let before = crate::heap::HEAD + Self::DATA + elements.start * size;
        let offset = self.handle.place().offset + before as u64;
        (offset, elements.len() * size)
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

impl<T: Plain> Clone for Array<T> {
    fn clone(&self) -> Self {
        Array {
            handle: self.handle.clone(),
            spare: self.spare,
            of: PhantomData,
        }
    }
}

impl<T: Plain> Serialize for Array<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.handle.serialize(to)
    }
}

impl<'de, T: Plain> Deserialize<'de> for Array<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let handle = Handle::of_kind(from, ObjectKind::Array, mark_of::<T>(), Self::DATA)?;
        Array::of(handle).ok_or_else(|| D::Error::custom(super::value::overwritten::<T>()))
    }
}

impl<T: Plain> Array<T> {
    /// This process's view of an array; `None` if its spare element is no value.
    pub(super) fn of(handle: Handle) -> Option<Self> {
        let mut array = Array {
            handle,
            spare: None,
            of: PhantomData,
        };
        if !T::ANY && !array.is_empty() {
            // SAFETY: the body has room for it behind the head, and it is written no more.
            let spare = unsafe { bytes::get(array.handle.held().bytes().0.add(HEAD)) }?;
            array.spare = Some(spare);
        }
        Some(array)
    }
}

impl<T: Plain> fmt::Debug for Array<T> {
    /// Without the lock, and so without the elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array")
            .field("len", &self.len())
            .field("locked", &self.is_locked())
            .finish_non_exhaustive()
    }
}
