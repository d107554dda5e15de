#![allow(unsafe_code)]
//! Tests of the codec: which tag a type gets, round trips of every level, and messages that lie.

mod hostile;
mod levels;
mod round_trip;

use std::ptr::NonNull;

use serde::{Deserialize, Serialize};

use super::{Plain, Reader, Store, Tag, VecStore, Writer};
use crate::codec::plain::{Scrub, plain_value, valid_field};
use crate::error::Error;

/// The tag that expanded code would choose.
macro_rules! tag {
    ($ty:ty) => {{
        #[allow(unused_imports)]
        use $crate::codec::__private::levels::*;
        (&&&&&&$crate::codec::probe::Probe::<$ty>::NEW).tag()
    }};
}
use tag;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: u32,
    scores: Vec<f64>,
    boss: Option<Box<User>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(f64),
    Line { from: (i32, i32), to: (i32, i32) },
    Many(Vec<Shape>),
}

/// As the derive writes it, with padding: 1 + (3) + 4 + 1 + (7) + 8.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Padded {
    flag: bool,
    count: u32,
    small: Inner,
    wide: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Inner {
    kind: Kind,
    at: u16,
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
enum Kind {
    One = 1,
    Two = 2,
}

// SAFETY: every field is named, with its own type and offset.
unsafe impl Plain for Padded {
    const ANY: bool =
        <bool as Plain>::ANY && <u32 as Plain>::ANY && <Inner as Plain>::ANY && <u64 as Plain>::ANY;
    const PADDED: bool = <bool as Plain>::PADDED
        || <u32 as Plain>::PADDED
        || <Inner as Plain>::PADDED
        || <u64 as Plain>::PADDED
        || size_of::<bool>() + size_of::<u32>() + size_of::<Inner>() + size_of::<u64>()
            != size_of::<Self>();
    fn valid(bytes: &[u8]) -> bool {
        valid_field::<bool>(bytes, std::mem::offset_of!(Self, flag))
            && valid_field::<u32>(bytes, std::mem::offset_of!(Self, count))
            && valid_field::<Inner>(bytes, std::mem::offset_of!(Self, small))
            && valid_field::<u64>(bytes, std::mem::offset_of!(Self, wide))
    }
    fn scrub(at: &mut Scrub<'_>) {
        at.field::<bool>(std::mem::offset_of!(Self, flag));
        at.field::<u32>(std::mem::offset_of!(Self, count));
        at.field::<Inner>(std::mem::offset_of!(Self, small));
        at.field::<u64>(std::mem::offset_of!(Self, wide));
    }
}

// SAFETY: every field is named, with its own type and offset.
unsafe impl Plain for Inner {
    const ANY: bool = <Kind as Plain>::ANY && <u16 as Plain>::ANY;
    const PADDED: bool = <Kind as Plain>::PADDED
        || <u16 as Plain>::PADDED
        || size_of::<Kind>() + size_of::<u16>() != size_of::<Self>();
    fn valid(bytes: &[u8]) -> bool {
        valid_field::<Kind>(bytes, std::mem::offset_of!(Self, kind))
            && valid_field::<u16>(bytes, std::mem::offset_of!(Self, at))
    }
    fn scrub(at: &mut Scrub<'_>) {
        at.field::<Kind>(std::mem::offset_of!(Self, kind));
        at.field::<u16>(std::mem::offset_of!(Self, at));
    }
}

// SAFETY: one byte, one of the two.
unsafe impl Plain for Kind {
    const ANY: bool = false;
    const PADDED: bool = false;
    fn valid(bytes: &[u8]) -> bool {
        plain_value::<u8>(bytes).is_some_and(|tag| tag == Self::One as u8 || tag == Self::Two as u8)
    }
    fn scrub(_: &mut Scrub<'_>) {}
}

/// What `put` writes.
fn encoded<G: Tag>(tag: G, value: &G::Of<'_>) -> Vec<u8> {
    let mut store = VecStore::new();
    let mut out = Writer::new(&mut store);
    tag.put(value, &mut out).expect("encodes");
    let len = out.len();
    if let Some(fixed) = G::FIXED {
        assert_eq!(len, fixed);
    }
    store.bytes(len).to_vec()
}

/// Memory aligned as a block of the heap is, optionally off by some bytes.
struct Message {
    store: VecStore,
    at: usize,
    len: usize,
}

impl Message {
    fn new(bytes: &[u8], at: usize) -> Self {
        let mut store = VecStore::new();
        let mut out = Writer::new(&mut store);
        out.put_zeroes(at).unwrap();
        out.put_bytes(bytes).unwrap();
        let len = bytes.len();
        Message { store, at, len }
    }

    fn bytes(&self) -> &[u8] {
        &self.store.bytes(self.at + self.len)[self.at..]
    }

    fn reader(&self, trusted: bool) -> Reader<'_> {
        if trusted {
            Reader::from_slice(self.bytes())
        } else {
            let at = NonNull::from(self.bytes()).cast();
            // SAFETY: the bytes live as long as the message.
            unsafe { Reader::untrusted(at, self.len) }
        }
    }
}
