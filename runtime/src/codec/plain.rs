#![allow(unsafe_code)]
//! Plain data: values that are their bytes, and so may be copied as they lie. Relies on nothing.
//!
//! Not `bytemuck::Pod`: `bool`, `char`, `NonZero…`, enums without fields and structs with padding are welcome, because a
//! type says which bytes are a value ([`Plain::valid`]) and which belong to no field ([`Plain::scrub`]).
//!
//! # What `#[derive(mp::Plain)]` expands to
//!
//! For a `#[repr(C)]` or `#[repr(transparent)]` struct, the fields in the order they are written (tuple structs name
//! them `0`, `1`, …; a type parameter `T` gets the bound `T: Plain`):
//!
//! ```text
//! unsafe impl Plain for S {
//!     const ANY: bool = true && <A as Plain>::ANY && <B as Plain>::ANY;
//!     const PADDED: bool = false || <A as Plain>::PADDED || <B as Plain>::PADDED
//!         || 0 + size_of::<A>() + size_of::<B>() != size_of::<Self>();
//!     fn valid(bytes: &[u8]) -> bool {
//!         true && <A as Plain>::valid_at(bytes, offset_of!(Self, a)) && <B as Plain>::valid_at(bytes, offset_of!(Self, b))
//!     }
//!     fn scrub(at: &mut Scrub<'_>) {
//!         let _ = |value: Self| { let _: A = value.a; let _: B = value.b; let Self { a: _, b: _ } = value; };
//!         <A as Plain>::scrub_at(at, offset_of!(Self, a));
//!         <B as Plain>::scrub_at(at, offset_of!(Self, b));
//!     }
//! }
//! ```
//!
//! For an enum without fields and with `#[repr(u8)]` … `#[repr(isize)]` (`I` below):
//!
//! ```text
//! unsafe impl Plain for E {
//!     const ANY: bool = false;
//!     const PADDED: bool = { assert!(size_of::<Self>() == size_of::<I>()); false };
//!     fn valid(bytes: &[u8]) -> bool {
//!         match plain_value::<I>(bytes) { Some(tag) => false || tag == Self::V1 as I || tag == Self::V2 as I, None => false }
//!     }
//!     fn scrub(_: &mut Scrub<'_>) {}
//! }
//! ```
//!
//! The closure is never called, and the assertion is made where the type is: both make rustc refuse a type that an
//! attribute behind the derive has made another of.
//!
//! Refused: unions, enums with fields, without an integer `repr` or with `align`, `repr(packed)` (its fields cannot be lent),
//! structs without `repr(C)` or `repr(transparent)`, lifetime parameters. `Copy` is required by the trait and gives
//! rustc's own message.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::num::Wrapping;

/// Plain data: a value of this type is its bytes, and travels by one copy of them.
///
/// Implemented for integers, floats, `bool`, `char`, `NonZero`, `()` and arrays of plain data; `#[derive(mp::Plain)]` does it for
/// your own `#[repr(C)]` structs of such fields, and for enums without fields. A slice or a vector of plain data is
/// sent as one block, and a task's `&[T]` parameter reads it where it lies.
///
/// # Safety
///
/// - Where `valid` answers true for `size_of::<Self>()` bytes, they are a value of `Self`, wherever they come from; where
///   `ANY` is true, all bytes are. So no references, pointers or handles.
/// - `scrub` names every field; what it does not name is padding and may be overwritten with zeroes. Without
///   `PADDED` every byte of every value is initialised.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not plain data",
    label = "not plain data",
    note = "plain data are their bytes, in whatever process: no pointers, whose addresses would mean nothing there",
    note = "numbers, `bool`, `char` and arrays of them are; so are types with `#[derive(Clone, Copy, mp::Plain)]` and `#[repr(C)]`"
)]
pub unsafe trait Plain: Copy + Send + Sync + 'static {
    /// Whether every pattern of bits is a value.
    #[doc(hidden)]
    const ANY: bool;
    /// Whether there are bytes that belong to no field.
    #[doc(hidden)]
    const PADDED: bool;

    /// Whether `bytes`, as many as the type has, are a value; what lies in the padding does not matter.
    #[doc(hidden)]
    fn valid(bytes: &[u8]) -> bool;

    /// Whether `bytes` are values, one after another.
    #[doc(hidden)]
    #[inline]
    fn valid_all(bytes: &[u8]) -> bool {
        Self::ANY
            || match size_of::<Self>() {
                0 => Self::valid(&[]),
                size => bytes.chunks_exact(size).all(Self::valid),
            }
    }

    /// Whether the bytes at `offset` are a value; false beyond the end.
    #[doc(hidden)]
    #[inline]
    fn valid_at(bytes: &[u8], offset: usize) -> bool {
        valid_field::<Self>(bytes, offset)
    }

    /// Zeroes what lies between the last field and one of this type at `offset`, and its own padding.
    #[doc(hidden)]
    #[inline]
    fn scrub_at(at: &mut Scrub<'_>, offset: usize) {
        at.field::<Self>(offset);
    }

    /// Calls [`Scrub::field`] for each field, in the order of their offsets.
    #[doc(hidden)]
    fn scrub(at: &mut Scrub<'_>);
}

/// Zeroes the padding of one value in memory: everything between the fields it is told of.
#[doc(hidden)]
pub struct Scrub<'w> {
    base: *mut u8,
    size: usize,
    done: usize,
    memory: PhantomData<&'w mut [u8]>,
}

impl Scrub<'_> {
    /// A field of type `F` at `offset`: what lies between the last one and it is zeroed, and its own padding.
    pub fn field<F: Plain>(&mut self, offset: usize) {
        self.gap(offset);
        let end = offset.saturating_add(size_of::<F>());
        if F::PADDED && end <= self.size {
            // SAFETY: `offset..end` lies inside the value's own memory (just checked).
            unsafe { scrub_value::<F>(self.base.add(offset)) };
        }
        self.done = self.done.max(end);
    }

    fn gap(&mut self, to: usize) {
        let to = to.min(self.size);
        if to > self.done {
            // SAFETY: `done..to` lies inside the memory this was made for.
            unsafe { self.base.add(self.done).write_bytes(0, to - self.done) };
            self.done = to;
        }
    }
}

/// Zeroes the padding of the value at `base`.
///
/// # Safety
///
/// `size_of::<T>()` bytes at `base` are writable and hold a `T`, at any alignment.
#[inline]
pub(crate) unsafe fn scrub_value<T: Plain>(base: *mut u8) {
    if T::PADDED {
        let mut scrub = Scrub {
            base,
            size: size_of::<T>(),
            done: 0,
            memory: PhantomData,
        };
        T::scrub(&mut scrub);
        scrub.gap(size_of::<T>());
    }
}

/// Whether the bytes at `offset` are a valid `F`; false beyond the end.
#[doc(hidden)]
#[inline]
pub fn valid_field<F: Plain>(bytes: &[u8], offset: usize) -> bool {
    F::ANY
        || offset
            .checked_add(size_of::<F>())
            .and_then(|end| bytes.get(offset..end))
            .is_some_and(F::valid)
}

/// The value that `bytes` are, if they are one.
#[doc(hidden)]
#[inline]
pub fn plain_value<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() || !(T::ANY || T::valid(bytes)) {
        return None;
    }
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: both sides have `size_of::<T>()` bytes and are apart; the bytes are a valid value (just checked).
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), value.as_mut_ptr().cast(), bytes.len());
        Some(value.assume_init())
    }
}

macro_rules! any_bits {
    ($($ty:ty,)*) => {$(
        // SAFETY: every pattern of bits is a value, and there is no padding.
        unsafe impl Plain for $ty {
            const ANY: bool = true;
            const PADDED: bool = false;
            #[inline]
            fn valid(_: &[u8]) -> bool { true }
            fn scrub(_: &mut Scrub<'_>) {}
        }
    )*};
}
any_bits! { u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64, (), }

macro_rules! not_zero {
    ($($ty:ty)*) => {$(
        // SAFETY: laid out as the integer, of which zero alone is no value.
        unsafe impl Plain for NonZero<$ty> {
            const ANY: bool = false;
            const PADDED: bool = false;
            #[inline]
            fn valid(bytes: &[u8]) -> bool {
                plain_value::<$ty>(bytes).is_some_and(|value| value != 0)
            }
            fn scrub(_: &mut Scrub<'_>) {}
        }
    )*};
}
not_zero!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

// SAFETY: one byte, 0 or 1.
unsafe impl Plain for bool {
    const ANY: bool = false;
    const PADDED: bool = false;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        matches!(bytes, [0 | 1])
    }

    fn valid_all(bytes: &[u8]) -> bool {
        // Block by block without an early end, so that it becomes vector code.
        let both = |block: &[u8]| block.iter().fold(0, |all, byte| all | byte);
        bytes.chunks(4096).all(|block| both(block) <= 1)
    }

    fn scrub(_: &mut Scrub<'_>) {}
}

// SAFETY: laid out as `u32`; `from_u32` knows which are scalar values.
unsafe impl Plain for char {
    const ANY: bool = false;
    const PADDED: bool = false;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        plain_value::<u32>(bytes).is_some_and(|value| char::from_u32(value).is_some())
    }

    fn scrub(_: &mut Scrub<'_>) {}
}

// SAFETY: an array is its elements one after another, without gaps.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {
    const ANY: bool = T::ANY || N == 0;
    const PADDED: bool = T::PADDED && N > 0;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        N == 0 || T::valid_all(bytes)
    }

    #[inline]
    fn valid_all(bytes: &[u8]) -> bool {
        N == 0 || T::valid_all(bytes)
    }

    fn scrub(at: &mut Scrub<'_>) {
        for index in 0..N {
            at.field::<T>(index * size_of::<T>());
        }
    }
}

// SAFETY: transparent over its field.
unsafe impl<T: Plain> Plain for Wrapping<T> {
    const ANY: bool = T::ANY;
    const PADDED: bool = T::PADDED;

    #[inline]
    fn valid(bytes: &[u8]) -> bool {
        T::valid(bytes)
    }

    fn scrub(at: &mut Scrub<'_>) {
        T::scrub(at);
    }
}

// SAFETY: no bytes at all, and anybody may make one.
unsafe impl<T: Send + Sync + 'static> Plain for PhantomData<T> {
    const ANY: bool = true;
    const PADDED: bool = false;

    #[inline]
    fn valid(_: &[u8]) -> bool {
        true
    }

    fn scrub(_: &mut Scrub<'_>) {}
}
