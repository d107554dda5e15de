//! Numbers to bytes and back: the one file that names bincode. Relies on bincode.
//!
//! Fixed width, little-endian, and no head: what stands around a number is `format`'s.

use std::mem::{ManuallyDrop, forget};

use bincode::config::{Configuration, Fixint, LittleEndian};
use bincode::{Decode, Encode};

const CONFIG: Configuration<LittleEndian, Fixint> = bincode::config::legacy();

/// A number that takes `N` bytes.
pub(super) trait Primitive<const N: usize>: Encode + Decode<()> + Copy {}

macro_rules! primitives {
    ($($ty:ty)*) => {$( impl Primitive<{ size_of::<$ty>() }> for $ty {} )*};
}

primitives! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 }

/// The bytes of a number; `None` is what bincode has no cause to give.
#[inline(always)]
pub(super) fn to_bytes<T: Primitive<N>, const N: usize>(value: T) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let written = bincode::encode_into_slice(value, &mut bytes, CONFIG);
    let is_written = written.is_ok();
    // The drop of an error that never is would cost more than the number.
    forget(written);
    is_written.then_some(bytes)
}

/// The number with these bytes; `None` is what bincode has no cause to give.
#[inline(always)]
pub(super) fn from_bytes<T: Primitive<N>, const N: usize>(bytes: &[u8; N]) -> Option<T> {
    let read = ManuallyDrop::new(bincode::decode_from_slice::<T, _>(bytes, CONFIG));
    match &*read {
        Ok((value, _)) => Some(*value),
        Err(_) => None,
    }
}
