//! Numbers to bytes and back: the one file that names bincode. Relies on bincode.
//!
//! Fixed width, little-endian, and no head: what stands around a number is `format`'s.

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
    match bincode::encode_into_slice(value, &mut bytes, CONFIG) {
        Ok(_) => Some(bytes),
        Err(_) => None,
    }
}

/// The number with these bytes; `None` is what bincode has no cause to give.
#[inline(always)]
pub(super) fn from_bytes<T: Primitive<N>, const N: usize>(bytes: &[u8; N]) -> Option<T> {
    match bincode::decode_from_slice(bytes, CONFIG) {
        Ok((value, _)) => Some(value),
        Err(_) => None,
    }
}
