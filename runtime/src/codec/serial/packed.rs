#![allow(unsafe_code)]
//! Lists of numbers of one type, which stand without a kind each. Relies on `encoder` and the crate
//! typeid.
//!
//! A sequence's serializer sees the type of each element, so it knows a number before it is
//! written. The comparisons of types are made when the program is compiled with optimisation.

use std::marker::PhantomData;

use super::encoder::{Encoder, Room, too_long};
use super::fault::Fault;
use super::format::{kind, wide};
use super::primitive;

macro_rules! leaves {
    ($($ty:ty)*) => {
        /// Whether values of a type have nothing inside. Found out when the program is compiled
        /// with optimisation; never without, where it would cost more than it saves.
        #[inline(always)]
        pub(super) fn is_leaf<T: ?Sized>() -> bool {
            let id = typeid::of::<T>();
            !cfg!(debug_assertions) && (false $( || id == typeid::of::<$ty>() )*)
        }

        /// Whether a seed reads such a value, and in the usual way.
        #[inline(always)]
        pub(super) fn is_leaf_seed<S>() -> bool {
            let id = typeid::of::<S>();
            !cfg!(debug_assertions) && (false $( || id == typeid::of::<PhantomData<$ty>>() )*)
        }
    };
}

leaves! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 bool char String }

macro_rules! numbers {
    ($($kind:ident $ty:ident;)*) => {
        /// A number that stands in a packed list.
        pub(super) enum Number {
            $( $kind($ty), )*
            Other,
        }

        /// The kind of a type of numbers, or of references to such.
        #[inline(always)]
        pub(super) fn kind_of<T: ?Sized>() -> Option<u8> {
            let id = typeid::of::<T>();
            $(
                if id == typeid::of::<$ty>() || id == typeid::of::<&$ty>() {
                    return Some(kind::$kind);
                }
            )*
            None
        }

        impl Number {
            /// The value as a number, where [`kind_of`] has a kind for it.
            #[inline(always)]
            pub(super) fn of<T: ?Sized>(value: &T) -> Number {
                let id = typeid::of::<T>();
                let at = std::ptr::from_ref(value);
                $(
                    if id == typeid::of::<$ty>() {
                        // SAFETY: `T` is this type, which has no lifetimes.
                        return Number::$kind(unsafe { *at.cast::<$ty>() });
                    }
                    if id == typeid::of::<&$ty>() {
                        // SAFETY: `T` is a reference to this type, and lives as long as `value`.
                        return Number::$kind(unsafe { **at.cast::<&$ty>() });
                    }
                )*
                Number::Other
            }

            #[inline(always)]
            fn put_into(self, room: &mut Room<'_>) -> bool {
                match self {
                    $( Number::$kind(value) => {
                        primitive::to_bytes(value).is_some_and(|bytes| room.put(bytes))
                    } )*
                    Number::Other => false,
                }
            }

            #[inline(always)]
            pub(super) fn put(self, to: &mut Encoder<'_, '_>) -> Result<(), Fault> {
                match self {
                    $( Number::$kind(value) => to.bare(value), )*
                    Number::Other => Err(Fault::new("no number")),
                }
            }
        }
    };
}

/// Writes `count` numbers of one kind.
#[inline]
pub(super) fn put_all<T>(
    to: &mut Encoder<'_, '_>,
    number: u8,
    count: usize,
    all: impl Iterator<Item = T>,
) -> Result<(), Fault> {
    let width = kind::width(number).unwrap_or(1);
    to.put(wide(kind::PACKED + number, count as u64))?;
    let bytes = count.checked_mul(width).ok_or_else(too_long)?;
    let mut room = to.room_for(bytes)?;
    let mut fits = true;
    for value in all {
        fits &= Number::of(&value).put_into(&mut room);
    }
    if !fits || !room.is_full() {
        return Err(wrong_count(to));
    }
    to.filled();
    Ok(())
}

#[cold]
fn wrong_count(to: &mut Encoder<'_, '_>) -> Fault {
    to.broken(Fault::new(
        "an iterator gave another number of elements than it said",
    ))
}

numbers! {
    U8 u8;
    U16 u16;
    U32 u32;
    U64 u64;
    I8 i8;
    I16 i16;
    I32 i32;
    I64 i64;
    F32 f32;
    F64 f64;
}
