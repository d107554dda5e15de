//! The format of what goes through serde: each value says what it is, so that a reader can ask, skip or buffer it.
//!
//! All numbers are little-endian and unaligned; each value ends by itself. A head is a *byte* (the kind), a *word* (`u32`: kind,
//! and a number above it) or *wide* (`u64`: kind, and a length above it).
//!
//! | kind | head, then |
//! |---|---|
//! | unit, none, false, true | byte |
//! | some | byte, the value; a newtype struct adds nothing |
//! | an integer or a float | byte, its bytes |
//! | char | word with the scalar value |
//! | str, bytes, path | wide with the length, the bytes |
//! | seq, map | wide with the count, the elements, or keys and values by turns |
//! | packed: a seq of numbers of one type | wide with the count, the bytes of each |
//! | tuple | word with the count, the elements |
//! | struct | word with its shape, the values in the order of the shape's names |
//! | unit, newtype, tuple, struct variant | word with its shape, whose first name is the variant's; nothing, the value, a tuple, the values of the other names |
//! | handle | byte, the number of the object in the message |
//!
//! A *shape* is the list of names that were really written: a skipped field is not in it. Shapes stand in a table of the session
//! and are named by their number there ([`shapes`](super::shapes)). Where the table has no room, the number is [`INLINE`], and the
//! names stand between the head and the values: their length in bytes (`u32`), then each name's length (`u32`) and its bytes.

/// What a value is.
pub(super) mod kind {
    // 0 is none, so that memory that was never written is no value.
    pub(in super::super) const UNIT: u8 = 1;
    pub(in super::super) const NONE: u8 = 2;
    pub(in super::super) const SOME: u8 = 3;
    pub(in super::super) const FALSE: u8 = 4;
    pub(in super::super) const TRUE: u8 = 5;
    pub(in super::super) const CHAR: u8 = 6;
    pub(in super::super) const STR: u8 = 7;
    pub(in super::super) const BYTES: u8 = 8;
    pub(in super::super) const PATH: u8 = 9;
    pub(in super::super) const SEQ: u8 = 10;
    pub(in super::super) const MAP: u8 = 11;
    pub(in super::super) const TUPLE: u8 = 12;
    pub(in super::super) const STRUCT: u8 = 13;
    pub(in super::super) const UNIT_VARIANT: u8 = 14;
    pub(in super::super) const NEWTYPE_VARIANT: u8 = 15;
    pub(in super::super) const TUPLE_VARIANT: u8 = 16;
    pub(in super::super) const STRUCT_VARIANT: u8 = 17;
    pub(in super::super) const HANDLE: u8 = 18;

    /// The kinds of numbers, in this order.
    pub(in super::super) const U8: u8 = 32;
    pub(in super::super) const U16: u8 = 33;
    pub(in super::super) const U32: u8 = 34;
    pub(in super::super) const U64: u8 = 35;
    pub(in super::super) const U128: u8 = 36;
    pub(in super::super) const I8: u8 = 37;
    pub(in super::super) const I16: u8 = 38;
    pub(in super::super) const I32: u8 = 39;
    pub(in super::super) const I64: u8 = 40;
    pub(in super::super) const I128: u8 = 41;
    pub(in super::super) const F32: u8 = 42;
    pub(in super::super) const F64: u8 = 43;

    /// Added to a number's kind: a seq of such numbers.
    pub(in super::super) const PACKED: u8 = 32;

    /// How many bytes a number of this kind has.
    #[inline]
    pub(in super::super) const fn width(number: u8) -> Option<usize> {
        Some(match number {
            U8 | I8 => 1,
            U16 | I16 => 2,
            U32 | I32 | F32 => 4,
            U64 | I64 | F64 => 8,
            U128 | I128 => 16,
            _ => return None,
        })
    }
}

/// The shape of which the names stand in the message.
pub(super) const INLINE: u32 = (1 << 24) - 1;
/// The longest text, or most elements, that a head can tell.
pub(super) const LONGEST: u64 = (1 << 56) - 1;

/// A head of four bytes; `number` has 24 bits.
#[inline(always)]
pub(super) const fn word(kind: u8, number: u32) -> [u8; 4] {
    (number << 8 | kind as u32).to_le_bytes()
}

/// A head of eight bytes; `length` has 56 bits.
#[inline(always)]
pub(super) const fn wide(kind: u8, length: u64) -> [u8; 8] {
    (length << 8 | kind as u64).to_le_bytes()
}
