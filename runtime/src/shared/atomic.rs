#![allow(unsafe_code)]
//! `Atomic`: a number in the shared heap that is changed without a lock. Relies on `heap` (objects) and the atomics of std.
//!
//! The body is one atomic integer of the number's size; floats are their bits, `bool` is a byte of which the lowest bit
//! counts. Nothing else stands beside it: no lock guards the same word.

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{
    AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicIsize, AtomicU8, AtomicU16, AtomicU32,
    AtomicU64, AtomicUsize, Ordering,
};

use crate::codec::Plain;
use crate::error::Result;
use crate::heap::{Body, Handle, Heap, ObjectKind, mark_of, shared_handle};
use crate::session;

/// A number that threads of any process of the session change without a lock.
///
/// The counterpart of `std::sync::atomic`, with the same operations and, as there, an [`Ordering`] for each: who
/// knows those types knows this one, and a counter that needs no ordering does not pay for one. [`Ordering::SeqCst`]
/// is never wrong. Python has no such thing; its programs take a `Value` and its lock.
///
/// A process that is killed at any moment leaves either the old value or the new one, so there is nothing to be poisoned.
/// The type has no lock on purpose: a [`Value`](crate::Value) has one and no atomic operations, so that nobody mixes the two.
///
/// `T` is an integer of up to 64 bits, `bool`, `f32` or `f64`.
///
/// ```
/// use std::sync::atomic::Ordering::Relaxed;
///
/// #[mp::task]
/// fn count(hits: &mp::Atomic<u64>, times: u64) {
///     for _ in 0..times {
///         hits.fetch_add(1, Relaxed);
///     }
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main!(run);
///
/// fn run() -> mp::Result<()> {
///     let hits = mp::Atomic::new(0_u64)?;
///     let children = [count.start(&hits, 1000)?, count.start(&hits, 500)?];
///     for child in children {
///         child.join()?;
///     }
///     assert_eq!(hits.load(Relaxed), 1500);
///     Ok(())
/// }
/// ```
pub struct Atomic<T: AtomicValue> {
    handle: Handle,
    of: PhantomData<fn() -> T>,
}

shared_handle! { Atomic<T: AtomicValue> => ObjectKind::Atomic, mark mark_of::<T>(), bytes size_of::<T::Word>() }

/// What can be an [`Atomic`]: integers of up to 64 bits, `bool`, `f32`, `f64`. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be changed atomically",
    label = "not an integer of up to 64 bits, `bool`, `f32` or `f64`",
    note = "for any other plain data use `mp::Value`, which has a lock"
)]
pub trait AtomicValue: Plain + word::Sealed {}

/// Numbers one can add and compare: [`Atomic`] integers and floats. Sealed.
#[diagnostic::on_unimplemented(message = "an `Atomic<{Self}>` has no sums and no order")]
pub trait AtomicNumber: AtomicValue + word::Number {}

/// What has bits of its own: [`Atomic`] integers and `bool`. Sealed.
#[diagnostic::on_unimplemented(message = "an `Atomic<{Self}>` has no bits to change")]
pub trait AtomicBits: AtomicValue + word::Bits {}

mod word {
    //! The words behind the numbers; unreachable from outside, so that the traits are sealed.
    use super::*;

    #[allow(missing_docs)]
    #[allow(private_bounds)] // so that nobody else has such words
    pub trait Word: Body {
        type Bits: Copy + PartialEq;
        fn load(&self, ordering: Ordering) -> Self::Bits;
        fn store(&self, bits: Self::Bits, ordering: Ordering);
        fn swap(&self, bits: Self::Bits, ordering: Ordering) -> Self::Bits;
        fn exchange(
            &self,
            current: Self::Bits,
            new: Self::Bits,
            success: Ordering,
            failure: Ordering,
        ) -> Result<Self::Bits, Self::Bits>;
    }

    #[allow(missing_docs)]
    pub trait Sealed: Copy {
        type Word: Word;
        fn to(self) -> <Self::Word as Word>::Bits;
        fn of(bits: <Self::Word as Word>::Bits) -> Self;
    }

    #[allow(missing_docs)]
    pub trait Number: Sealed {
        fn add(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
        fn sub(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
        fn max(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
        fn min(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
    }

    #[allow(missing_docs)]
    pub trait Bits: Sealed {
        fn and(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
        fn nand(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
        fn or(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
        fn xor(word: &Self::Word, value: Self, ordering: Ordering) -> Self;
    }
}

use word::{Bits, Number, Sealed, Word};

macro_rules! words {
    ($($atomic:ident $bits:ident)*) => {$(
        // SAFETY: one atomic integer.
        unsafe impl Body for $atomic {}

        impl Word for $atomic {
            type Bits = $bits;
            #[inline]
            fn load(&self, ordering: Ordering) -> $bits { $atomic::load(self, ordering) }
            #[inline]
            fn store(&self, bits: $bits, ordering: Ordering) { $atomic::store(self, bits, ordering) }
            #[inline]
            fn swap(&self, bits: $bits, ordering: Ordering) -> $bits { $atomic::swap(self, bits, ordering) }
            #[inline]
            fn exchange(&self, current: $bits, new: $bits, success: Ordering, failure: Ordering) -> Result<$bits, $bits> {
                $atomic::compare_exchange(self, current, new, success, failure)
            }
        }

        impl Sealed for $bits {
            type Word = $atomic;
            #[inline]
            fn to(self) -> $bits { self }
            #[inline]
            fn of(bits: $bits) -> $bits { bits }
        }
        impl AtomicValue for $bits {}

        impl Number for $bits {
            #[inline]
            fn add(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_add(value, ordering) }
            #[inline]
            fn sub(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_sub(value, ordering) }
            #[inline]
            fn max(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_max(value, ordering) }
            #[inline]
            fn min(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_min(value, ordering) }
        }
        impl AtomicNumber for $bits {}

        impl Bits for $bits {
            #[inline]
            fn and(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_and(value, ordering) }
            #[inline]
            fn nand(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_nand(value, ordering) }
            #[inline]
            fn or(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_or(value, ordering) }
            #[inline]
            fn xor(word: &$atomic, value: $bits, ordering: Ordering) -> $bits { word.fetch_xor(value, ordering) }
        }
        impl AtomicBits for $bits {}
    )*};
}
words! {
    AtomicU8 u8 AtomicU16 u16 AtomicU32 u32 AtomicU64 u64 AtomicUsize usize
    AtomicI8 i8 AtomicI16 i16 AtomicI32 i32 AtomicI64 i64 AtomicIsize isize
}

macro_rules! floats {
    ($($float:ident $atomic:ident)*) => {$(
        impl Sealed for $float {
            type Word = $atomic;
            #[inline]
            fn to(self) -> <$atomic as Word>::Bits { self.to_bits() }
            #[inline]
            fn of(bits: <$atomic as Word>::Bits) -> $float { $float::from_bits(bits) }
        }
        impl AtomicValue for $float {}

        impl Number for $float {
            fn add(word: &$atomic, value: $float, ordering: Ordering) -> $float {
                change::<$float>(word, ordering, |old| old + value)
            }
            fn sub(word: &$atomic, value: $float, ordering: Ordering) -> $float {
                change::<$float>(word, ordering, |old| old - value)
            }
            fn max(word: &$atomic, value: $float, ordering: Ordering) -> $float {
                change::<$float>(word, ordering, |old| old.max(value))
            }
            fn min(word: &$atomic, value: $float, ordering: Ordering) -> $float {
                change::<$float>(word, ordering, |old| old.min(value))
            }
        }
        impl AtomicNumber for $float {}
    )*};
}
floats! { f32 AtomicU32 f64 AtomicU64 }

impl Sealed for bool {
    type Word = AtomicU8;
    #[inline]
    fn to(self) -> u8 {
        u8::from(self)
    }
    #[inline]
    fn of(bits: u8) -> bool {
        bits & 1 == 1
    }
}
impl AtomicValue for bool {}

impl Bits for bool {
    fn and(word: &AtomicU8, value: bool, ordering: Ordering) -> bool {
        bool::of(word.fetch_and(value.to(), ordering))
    }
    fn nand(word: &AtomicU8, value: bool, ordering: Ordering) -> bool {
        change::<bool>(word, ordering, |old| !(old & value))
    }
    fn or(word: &AtomicU8, value: bool, ordering: Ordering) -> bool {
        bool::of(word.fetch_or(value.to(), ordering))
    }
    fn xor(word: &AtomicU8, value: bool, ordering: Ordering) -> bool {
        bool::of(word.fetch_xor(value.to(), ordering))
    }
}
impl AtomicBits for bool {}

/// Changes the word until nobody comes in between; gives what it was.
fn change<T: Sealed>(word: &T::Word, ordering: Ordering, to: impl Fn(T) -> T) -> T {
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        let new = to(T::of(seen)).to();
        match word.exchange(seen, new, ordering, Ordering::Relaxed) {
            Ok(old) => return T::of(old),
            Err(now) => seen = now,
        }
    }
}

impl<T: AtomicValue> Atomic<T> {
    /// A new one with this value.
    ///
    /// # Errors
    /// The shared heap is at its limit (`is_heap_full`), or there can be no session here (see [`init`](crate::init)).
    pub fn new(value: T) -> Result<Self> {
        Atomic::make(session::current()?.heap, value)
    }

    pub(super) fn make(heap: &'static Heap, value: T) -> Result<Self> {
        let handle =
            Handle::make_zeroed::<T::Word>(heap, ObjectKind::Atomic, mark_of::<T>(), |word| {
                word.store(value.to(), Ordering::Relaxed)
            })?;
        Ok(Atomic {
            handle,
            of: PhantomData,
        })
    }

    #[inline]
    fn word(&self) -> &T::Word {
        self.handle.body::<T::Word>()
    }

    /// The value now.
    ///
    /// # Panics
    /// `ordering` is `Release` or `AcqRel`, as with std's atomics.
    #[inline]
    pub fn load(&self, ordering: Ordering) -> T {
        T::of(self.word().load(ordering))
    }

    /// Sets the value.
    ///
    /// # Panics
    /// `ordering` is `Acquire` or `AcqRel`, as with std's atomics.
    #[inline]
    pub fn store(&self, value: T, ordering: Ordering) {
        self.word().store(value.to(), ordering);
    }

    /// Sets the value; gives what it was.
    #[inline]
    pub fn swap(&self, value: T, ordering: Ordering) -> T {
        T::of(self.word().swap(value.to(), ordering))
    }

    /// Sets the value to `new` if it is `current`. Floats are compared by their bits: `0.0` is not `-0.0`, and a NaN is itself.
    ///
    /// # Errors
    /// It was another, which is given.
    ///
    /// # Panics
    /// `failure` is `Release` or `AcqRel`, as with std's atomics.
    #[inline]
    pub fn compare_exchange(
        &self,
        current: T,
        new: T,
        success: Ordering,
        failure: Ordering,
    ) -> std::result::Result<T, T> {
        let done = self
            .word()
            .exchange(current.to(), new.to(), success, failure);
        done.map(T::of).map_err(T::of)
    }

    /// Sets the value to what `change` makes of it, as often as it takes until nobody comes in between; gives what it was.
    /// Without a lock: a `change` that panics changes nothing.
    #[inline]
    pub fn update(&self, ordering: Ordering, to: impl Fn(T) -> T) -> T {
        change::<T>(self.word(), ordering, to)
    }

    /// Adds, and gives what it was. Integers wrap around.
    #[inline]
    pub fn fetch_add(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicNumber,
    {
        T::add(self.word(), value, ordering)
    }

    /// Subtracts, and gives what it was. Integers wrap around.
    #[inline]
    pub fn fetch_sub(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicNumber,
    {
        T::sub(self.word(), value, ordering)
    }

    /// Sets it to the larger of both, and gives what it was.
    #[inline]
    pub fn fetch_max(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicNumber,
    {
        T::max(self.word(), value, ordering)
    }

    /// Sets it to the smaller of both, and gives what it was.
    #[inline]
    pub fn fetch_min(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicNumber,
    {
        T::min(self.word(), value, ordering)
    }

    /// "And" bit by bit; gives what it was.
    #[inline]
    pub fn fetch_and(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicBits,
    {
        T::and(self.word(), value, ordering)
    }

    /// "Not and" bit by bit; gives what it was.
    #[inline]
    pub fn fetch_nand(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicBits,
    {
        T::nand(self.word(), value, ordering)
    }

    /// "Or" bit by bit; gives what it was.
    #[inline]
    pub fn fetch_or(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicBits,
    {
        T::or(self.word(), value, ordering)
    }

    /// "Either or" bit by bit; gives what it was.
    #[inline]
    pub fn fetch_xor(&self, value: T, ordering: Ordering) -> T
    where
        T: AtomicBits,
    {
        T::xor(self.word(), value, ordering)
    }
}

impl<T: AtomicValue + fmt::Debug> fmt::Debug for Atomic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Atomic")
            .field(&self.load(Ordering::Relaxed))
            .finish()
    }
}
