#![allow(unsafe_code)]
//! Plain values in and out of shared memory. Relies on `codec` (what plain data are).
//!
//! Two ways. *Whole* copies are for who has the memory to itself, by a lock or because nobody else knows of it yet. *Racing*
//! copies are for memory that others write at any time: word by word, each word an atomic with Relaxed, so that a value
//! larger than a word may be found half old and half new, but nothing is undefined. What was copied out is believed only
//! after a look at the private copy.

use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use crate::codec::{Plain, scrub_value};

/// The next multiple of `align`, a power of two.
pub(super) const fn round_up(bytes: usize, align: usize) -> usize {
    bytes.saturating_add(align - 1) & !(align - 1)
}

/// The bytes of one element in a row of them; at least one, so that a row has a length.
pub(super) const fn stride<T>() -> usize {
    match size_of::<T>() {
        0 => 1,
        size => size,
    }
}

/// A copy of the value whose padding is zeroes: all its bytes may be seen by others.
fn scrubbed<T: Plain>(value: &T) -> MaybeUninit<T> {
    let mut copy = MaybeUninit::new(*value);
    // SAFETY: the copy holds a `T`, and is this function's own.
    unsafe { scrub_value::<T>(copy.as_mut_ptr().cast()) };
    copy
}

/// The value that a private copy is, if it is one.
fn checked<T: Plain>(copy: MaybeUninit<T>) -> Option<T> {
    // SAFETY: the copy was filled from shared memory, every byte of which the kernel, or whoever wrote it, has initialised.
    let bytes = unsafe { std::slice::from_raw_parts(copy.as_ptr().cast(), size_of::<T>()) };
    // SAFETY: the bytes are a value (just checked, or all are).
    (T::ANY || T::valid(bytes)).then(|| unsafe { copy.assume_init() })
}

/// Writes a value.
///
/// # Safety
/// `to` has room for a `T`, at any alignment, and nobody else touches it now.
#[inline]
pub(super) unsafe fn put<T: Plain>(to: NonNull<u8>, value: &T) {
    let copy = scrubbed(value);
    // SAFETY: by the caller's word; the copy is apart from it.
    unsafe { to.as_ptr().cast::<MaybeUninit<T>>().write_unaligned(copy) };
}

/// Reads a value; `None` where the bytes are none.
///
/// # Safety
/// `from` has the bytes of a `T`, at any alignment, and nobody of good will writes there now.
#[inline]
pub(super) unsafe fn get<T: Plain>(from: NonNull<u8>) -> Option<T> {
    // SAFETY: by the caller's word; anything is a `MaybeUninit`.
    checked(unsafe { from.as_ptr().cast::<MaybeUninit<T>>().read_unaligned() })
}

macro_rules! by_words {
    ($bytes:expr, $align:expr, |$at:ident, $Atomic:ident, $Word:ident| $each:expr) => {
        match $align {
            1 => by_words!(@one $bytes, |$at, $Atomic = AtomicU8, $Word = u8| $each),
            2 => by_words!(@one $bytes, |$at, $Atomic = AtomicU16, $Word = u16| $each),
            4 => by_words!(@one $bytes, |$at, $Atomic = AtomicU32, $Word = u32| $each),
            _ => by_words!(@one $bytes, |$at, $Atomic = AtomicU64, $Word = u64| $each),
        }
    };
    (@one $bytes:expr, |$at:ident, $Atomic:ident = $atomic:ty, $Word:ident = $word:ty| $each:expr) => {{
        type $Atomic = $atomic;
        type $Word = $word;
        for $at in (0..$bytes).step_by(size_of::<$word>()) {
            $each
        }
    }};
}

/// Writes a value word by word, while others may read or write it. The words of a type are always of the same size.
///
/// # Safety
/// `to` has room for a `T`, is aligned for it, and is written by others in the same way only.
#[inline]
pub(super) unsafe fn put_racing<T: Plain>(to: NonNull<u8>, value: &T) {
    let copy = scrubbed(value);
    let from = copy.as_ptr().cast::<u8>();
    by_words!(size_of::<T>(), align_of::<T>(), |at, Atomic, Word| {
        // SAFETY: both have as many bytes as the type, a multiple of its alignment, and are aligned for it; so each word is
        // inside and aligned.
        unsafe {
            let word = from.add(at).cast::<Word>().read();
            Atomic::from_ptr(to.as_ptr().add(at).cast()).store(word, Ordering::Relaxed);
        }
    });
}

/// Reads a value word by word, while others may write it; `None` where the bytes are none.
///
/// # Safety
/// `from` has the bytes of a `T`, is aligned for it, and is written by others by [`put_racing`] only.
#[inline]
pub(super) unsafe fn get_racing<T: Plain>(from: NonNull<u8>) -> Option<T> {
    let mut copy = MaybeUninit::<T>::uninit();
    let to = copy.as_mut_ptr().cast::<u8>();
    by_words!(size_of::<T>(), align_of::<T>(), |at, Atomic, Word| {
        // SAFETY: as in `put_racing`.
        unsafe {
            let word = Atomic::from_ptr(from.as_ptr().add(at).cast()).load(Ordering::Relaxed);
            to.add(at).cast::<Word>().write(word);
        }
    });
    checked(copy)
}

/// Writes the same byte all over, as a process does that writes wildly.
#[cfg(test)]
pub(super) fn spoil(at: NonNull<u8>, bytes: usize, byte: u8) {
    // SAFETY: the tests give it bytes of the heap that nobody uses just now.
    unsafe { at.as_ptr().write_bytes(byte, bytes) };
}
