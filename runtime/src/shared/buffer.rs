#![allow(unsafe_code)]
//! `Buffer`: a vector in the shared heap that goes from process to process without a copy.
//!
//! Relies on `heap` (objects) and `codec` (plain data). States, in the first word of the body:
//!
//! | state | who may do what |
//! |---|---|
//! | 0, fresh | one process has it, and has sent it to nobody: through its only handle it may write |
//! | [`heap::FROZEN`] | nobody writes any more; whoever holds it reads in place, whatever the process |
//!
//! Fresh becomes frozen by one store, before a handle is put into a message; never back. The handle on the other side
//! refuses one that is not frozen.

use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::Plain;
use crate::error::{Error, Kind, Result};
use crate::heap::{self, Body, Handle, ObjectKind, mark_of};
use crate::session;
use crate::sys::points::stored;

/// The head of the body; the elements stand behind it.
#[repr(C, align(64))]
struct Head {
    frozen: AtomicU32,
    len: AtomicU64,
}

// SAFETY: nothing but atomics, in C layout.
unsafe impl Body for Head {}

const HEAD: usize = size_of::<Head>();

/// A vector in the shared heap: as an argument, a result or in a message it costs no copy, whatever its size.
///
/// It is made and filled by one process, and writable ([`get_mut`](Self::get_mut)) as long as there is one handle of it which has been
/// sent nowhere. From then on it is frozen, and every process that gets a handle reads the same memory, in place. It is
/// freed when the last handle, in whatever process or unread message, is dropped, or its process dies. `&[T]`
/// parameters of tasks take slices of a frozen buffer by reference, too.
///
/// Python's `shared_memory.SharedMemory`, without names and without `unlink`.
///
/// Elements are [`Plain`] and aligned to at most 64 bytes. Of types for which not every pattern of bits is a value (`bool`,
/// `char`, enums), a buffer is looked through once in every process that gets it.
///
/// ```
/// #[mp::task]
/// fn sum(values: &mp::Buffer<f64>) -> f64 {
///     values.iter().sum()
/// }
///
/// #[mp::task]
/// fn ramp(len: usize) -> Result<mp::Buffer<f64>, mp::Failure> {
///     Ok(mp::Buffer::from_fn(len, |index| index as f64)?)
/// }
///
/// mp::main! {
///     let pool = mp::Pool::builder().workers(2).build()?;
///     let values = pool.apply(ramp, 1_000_000)?; // made in a worker, not copied
///     assert_eq!(values.len(), 1_000_000);
///     assert_eq!(pool.apply(sum, &values)?, 499_999_500_000.0); // nor here
/// }
/// ```
pub struct Buffer<T: Plain> {
    handle: Handle,
    data: NonNull<T>,
    len: usize,
    of: PhantomData<T>,
}

// SAFETY: the data are written only through `&mut` of the one handle there is, and are plain.
unsafe impl<T: Plain + Send> Send for Buffer<T> {}
// SAFETY: as above.
unsafe impl<T: Plain + Sync> Sync for Buffer<T> {}

impl<T: Plain> Buffer<T> {
    /// A buffer with a copy of these elements.
    ///
    /// # Errors
    /// The shared heap is at its limit (`is_heap_full`), or the session cannot be opened.
    pub fn copy_of(values: &[T]) -> Result<Self> {
        Buffer::make(values.len(), |to| {
            // SAFETY: there is room for as many elements, which nobody else has.
            unsafe { to.copy_from_nonoverlapping(NonNull::from(values).cast(), values.len()) };
        })
    }

    /// A buffer of `len` equal elements.
    ///
    /// # Errors
    /// As [`copy_of`](Self::copy_of).
    pub fn filled(value: T, len: usize) -> Result<Self> {
        Buffer::from_fn(len, |_| value)
    }

    /// A buffer whose elements are made from their indices.
    ///
    /// # Errors
    /// As [`copy_of`](Self::copy_of).
    pub fn from_fn(len: usize, mut make: impl FnMut(usize) -> T) -> Result<Self> {
        Buffer::make(len, |to| {
            for index in 0..len {
                // SAFETY: there is room for `len` elements, which nobody else has.
                unsafe { to.add(index).write(make(index)) };
            }
        })
    }

    fn make(len: usize, fill: impl FnOnce(NonNull<T>)) -> Result<Self> {
        const {
            assert!(
                align_of::<T>() <= 64,
                "elements of a Buffer are aligned to 64 bytes at most"
            )
        };
        let heap = session::current()?.heap;
        let bytes = len
            .checked_mul(size_of::<T>())
            .and_then(|bytes| bytes.checked_add(HEAD))
            .ok_or_else(|| Error::new(Kind::HeapFull, "the buffer is larger than any heap"))?;
        // Filled in afterwards: what makes the elements is the user's, and may panic or make buffers itself.
        let handle = Handle::make(heap, ObjectKind::Buffer, mark_of::<T>(), bytes, |base| {
            // SAFETY: the body begins with the head, and is not yet anybody else's.
            unsafe { base.as_ptr().write_bytes(0, HEAD) };
            Ok(())
        })?;
        handle
            .body::<Head>()
            .len
            .store(len as u64, Ordering::Release);
        let (base, bytes) = handle.held().bytes();
        heap.warm(handle.place().offset, bytes);
        // SAFETY: the elements stand behind the head, inside the body.
        let data = unsafe { base.add(HEAD) }.cast();
        fill(data);
        Ok(Buffer {
            handle,
            data,
            len,
            of: PhantomData,
        })
    }

    /// The elements, to be written: while this is the only handle, and none was ever sent to another process.
    pub fn get_mut(&mut self) -> Option<&mut [T]> {
        let is_fresh = self.head().frozen.load(Ordering::Acquire) == 0;
        if !is_fresh || Arc::strong_count(self.handle.held()) != 1 {
            return None;
        }
        // SAFETY: not frozen, so in no message and in no other process; the only handle here, and borrowed mutably.
        Some(unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) })
    }

    /// The elements, to be written: in place where [`get_mut`](Self::get_mut) gives them, else in a copy that this handle has from
    /// now on.
    ///
    /// # Errors
    /// The copy does not fit into the shared heap.
    pub fn make_mut(&mut self) -> Result<&mut [T]> {
        if self.get_mut().is_none() {
            *self = Buffer::copy_of(self)?;
        }
        self.get_mut()
            .ok_or_else(|| Error::new(Kind::Usage, "a fresh buffer is shared already"))
    }

    /// Says that it is not written any more, in whatever process. Slices of it travel by reference from then on, as they do once
    /// it was sent.
    pub fn freeze(&self) {
        self.head().frozen.store(heap::FROZEN, Ordering::Release);
        stored("frozen");
    }

    /// Whether it was sent to another process or frozen, and is never written again.
    pub fn is_frozen(&self) -> bool {
        self.head().frozen.load(Ordering::Acquire) != 0
    }

    /// The elements as a vector of this process.
    pub fn to_vec(&self) -> Vec<T> {
        self[..].to_vec()
    }

    fn head(&self) -> &Head {
        self.handle.body()
    }
}

impl<T: Plain> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the elements were written (or validated) before this handle was there; nobody writes while it is
        // borrowed: a fresh one is written through `&mut` only, a frozen one by nobody.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl<T: Plain> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer {
            handle: self.handle.clone(),
            data: self.data,
            len: self.len,
            of: PhantomData,
        }
    }
}

impl<T: Plain + std::fmt::Debug> std::fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Plain + PartialEq> PartialEq for Buffer<T> {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl<T: Plain> Serialize for Buffer<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.freeze();
        self.handle.serialize(to)
    }
}

impl<'de, T: Plain> Deserialize<'de> for Buffer<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let mark = mark_of::<T>();
        let handle = Handle::of_kind(from, ObjectKind::Buffer, mark, HEAD)?;
        let (base, bytes) = handle.held().bytes();
        let head = handle.body::<Head>();
        if head.frozen.load(Ordering::Acquire) != heap::FROZEN {
            return Err(D::Error::custom("the buffer is still being written"));
        }
        let len = usize::try_from(head.len.load(Ordering::Acquire)).unwrap_or(usize::MAX);
        let fits = len
            .checked_mul(size_of::<T>())
            .is_some_and(|size| size <= bytes - HEAD);
        if !fits {
            return Err(D::Error::custom("the buffer is longer than its block"));
        }
        // SAFETY: behind the head, inside the body.
        let data: NonNull<T> = unsafe { base.add(HEAD) }.cast();
        if !T::ANY {
            // SAFETY: as many bytes are there (just checked), initialised like all memory of the file; nobody writes a frozen buffer.
            let raw = unsafe {
                std::slice::from_raw_parts(data.as_ptr().cast::<u8>(), len * size_of::<T>())
            };
            if len > 0 && !T::valid_all(raw) {
                return Err(D::Error::custom(
                    "the buffer holds bytes that are no values of its type",
                ));
            }
        }
        Ok(Buffer {
            handle,
            data,
            len,
            of: PhantomData,
        })
    }
}
