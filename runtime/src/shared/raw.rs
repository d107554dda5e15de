#![allow(unsafe_code)]
//! `RawValue` and `RawArray`: shared memory without a lock. Relies on `heap` (objects) and `bytes`.
//!
//! Whoever has a handle reads and writes at any time, word by word (see `bytes`), and never through a reference.

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::bytes;
use crate::codec::Plain;
use crate::error::{Error, Kind, Result};
use crate::heap::{Handle, Heap, ObjectKind, mark_of, shared_handle};
use crate::session;

/// A value in the shared heap without a lock. Python's `sharedctypes.RawValue`.
///
/// [`get`](Self::get) and [`set`](Self::set) go word by word (a word has the type's alignment, 8 bytes at most). What fits
/// into a word, every number for instance, is old or new; of anything larger one may find some words old and some new,
/// when another process writes it at the same time. For changes that depend on the old value take [`Value`](crate::Value) or
/// [`Atomic`](crate::Atomic).
///
/// ```
/// # mp::init().unwrap();
/// let progress = mp::RawValue::new(0.0_f32)?;
/// progress.set(0.5);
/// assert_eq!(progress.get()?, 0.5);
/// # Ok::<(), mp::Error>(())
/// ```
pub struct RawValue<T: Plain> {
    handle: Handle,
    of: PhantomData<fn() -> T>,
}

shared_handle! { RawValue<T: Plain> => ObjectKind::RawValue, mark mark_of::<T>(), bytes size_of::<T>() }

impl<T: Plain> RawValue<T> {
    /// A new one with this value.
    ///
    /// # Errors
    /// The shared heap is at its limit (`is_heap_full`), or there can be no session here (see [`init`](crate::init)).
    pub fn new(value: T) -> Result<Self> {
        RawValue::make(session::current()?.heap, value)
    }

    pub(super) fn make(heap: &'static Heap, value: T) -> Result<Self> {
        const { assert!(align_of::<T>() <= 64, "aligned to 64 bytes at most") };
        let (kind, mark) = (ObjectKind::RawValue, mark_of::<T>());
        let handle = Handle::make(heap, kind, mark, size_of::<T>(), |base| {
            // SAFETY: the body has room for a `T`, is aligned to 64, and nobody else has it yet.
            unsafe { bytes::put_racing(base, &value) };
            Ok(())
        })?;
        Ok(RawValue {
            handle,
            of: PhantomData,
        })
    }

    /// The value now.
    ///
    /// # Errors
    /// The words found are no value of the type (`is_decode`): of types for which not every pattern of bits is one, and that
    /// are larger than a word, this may happen while another process writes.
    #[inline]
    pub fn get(&self) -> Result<T> {
        // SAFETY: the body has room for a `T` (checked when the handle was made or came), is aligned to 64, and everybody
        // goes by words.
        unsafe { bytes::get_racing(self.handle.held().bytes().0) }.ok_or_else(half_written::<T>)
    }

    /// Writes the value.
    #[inline]
    pub fn set(&self, value: T) {
        // SAFETY: as in `get`.
        unsafe { bytes::put_racing(self.handle.held().bytes().0, &value) };
    }
}

#[cold]
fn half_written<T>() -> Error {
    let name = std::any::type_name::<T>();
    Error::new(
        Kind::Decode,
        format!(
            "the shared words are no `{name}`: another process is just writing them; read again, or use a value with a lock"
        ),
    )
}

/// A row of values in the shared heap without a lock. Python's `sharedctypes.RawArray`.
///
/// Elements are read and written one by one, each as [`RawValue`] does it. There are no references to the elements,
/// because others may write them at any time; for those see [`Array`](crate::Array).
///
/// ```
/// # mp::init().unwrap();
/// let counts = mp::RawArray::filled(0_u32, 4)?;
/// counts.set(2, 7);
/// assert_eq!(counts.to_vec()?, [0, 0, 7, 0]);
/// # Ok::<(), mp::Error>(())
/// ```
pub struct RawArray<T: Plain> {
    handle: Handle,
    of: PhantomData<fn() -> T>,
}

shared_handle! { RawArray<T: Plain> => ObjectKind::RawArray, mark mark_of::<T>(), bytes 0 }

impl<T: Plain> RawArray<T> {
    /// A new one with these elements.
    ///
    /// # Errors
    /// The shared heap is at its limit (`is_heap_full`), or there can be no session here (see [`init`](crate::init)).
    pub fn new(values: &[T]) -> Result<Self> {
        RawArray::from_fn(values.len(), |index| values[index])
    }

    /// A new one of `len` equal elements. Python's `RawArray(type, len)` is `RawArray::filled(0, len)`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn filled(value: T, len: usize) -> Result<Self> {
        RawArray::from_fn(len, |_| value)
    }

    /// A new one whose elements are made from their indices.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_fn(len: usize, make: impl FnMut(usize) -> T) -> Result<Self> {
        RawArray::make(session::current()?.heap, len, make)
    }

    pub(super) fn make(
        heap: &'static Heap,
        len: usize,
        mut make: impl FnMut(usize) -> T,
    ) -> Result<Self> {
        const { assert!(align_of::<T>() <= 64, "aligned to 64 bytes at most") };
        let bytes = len.checked_mul(bytes::stride::<T>()).ok_or_else(|| {
            let text = "the array is larger than any shared heap";
            Error::new(Kind::HeapFull, text)
        })?;
        // Filled in afterwards: what makes the elements is the user's, and may panic.
        let (kind, mark) = (ObjectKind::RawArray, mark_of::<T>());
        let handle = Handle::make(heap, kind, mark, bytes, |_| Ok(()))?;
        heap.warm(handle.place().offset, handle.held().bytes().1);
        let array = RawArray {
            handle,
            of: PhantomData,
        };
        for index in 0..len {
            array.set(index, make(index));
        }
        Ok(array)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.handle.held().bytes().1 / bytes::stride::<T>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index` now.
    ///
    /// # Errors
    /// As [`RawValue::get`].
    ///
    /// # Panics
    /// There is no such index, as with a slice.
    #[inline]
    #[track_caller]
    pub fn get(&self, index: usize) -> Result<T> {
        // SAFETY: the element is inside the body (checked), whose begin is aligned to 64; everybody goes by words.
        unsafe { bytes::get_racing(self.at(index)) }.ok_or_else(half_written::<T>)
    }

    /// Writes the element at `index`.
    ///
    /// # Panics
    /// There is no such index, as with a slice.
    #[inline]
    #[track_caller]
    pub fn set(&self, index: usize, value: T) {
        // SAFETY: as in `get`.
        unsafe { bytes::put_racing(self.at(index), &value) };
    }

    /// The elements one after the other, as they are found.
    ///
    /// # Errors
    /// As [`RawValue::get`].
    pub fn to_vec(&self) -> Result<Vec<T>> {
        (0..self.len()).map(|index| self.get(index)).collect()
    }

    #[inline]
    #[track_caller]
    fn at(&self, index: usize) -> NonNull<u8> {
        let len = self.len();
        assert!(index < len, "index {index} in a RawArray of {len} elements");
        // SAFETY: the index is below the length, so the element is inside the body.
        unsafe {
            self.handle
                .held()
                .bytes()
                .0
                .add(index * bytes::stride::<T>())
        }
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for RawValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Ok(value) => f.debug_tuple("RawValue").field(&value).finish(),
            Err(_) => f.write_str("RawValue(..)"),
        }
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for RawArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_vec() {
            Ok(values) => f.debug_tuple("RawArray").field(&values).finish(),
            Err(_) => write!(f, "RawArray({} elements)", self.len()),
        }
    }
}
