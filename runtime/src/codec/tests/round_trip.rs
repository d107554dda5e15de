#![allow(unsafe_code)]
//! What is put is what is got: every level, both modes, even and odd addresses, bare and in frames.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::codec::OwnedTag;

/// Puts `value` behind another parameter and before a third, and gets it back in every way there is.
fn round<G: Tag>(tag: G, value: &G::Of<'_>, same: impl for<'a> Fn(&G::Of<'a>) -> bool) {
    let alone = encoded(tag, value);
    if let Some(fixed) = G::FIXED {
        assert_eq!((alone.len(), tag.hint(value)), (fixed, fixed));
    }

    let mut store = VecStore::new();
    let mut out = Writer::new(&mut store);
    for _ in 0..2 {
        let frame = out.begin_frame().unwrap();
        out.put_plain(&7u8).unwrap();
        tag.put(value, &mut out).unwrap();
        out.put_plain(&9u16).unwrap();
        out.end_frame(frame).unwrap();
    }
    let len = out.len();
    let framed = store.bytes(len).to_vec();
    assert_eq!(framed.len() % 16, 0);

    for trusted in [true, false] {
        for at in [0, 1, 8] {
            let message = Message::new(&alone, at);
            let mut from = message.reader(trusted);
            let mut held = tag.get(&mut from).unwrap();
            from.finish().unwrap();
            assert!(same(&tag.lend(&mut held)));

            let message = Message::new(&framed, at);
            let mut frames = message.reader(trusted);
            for _ in 0..2 {
                let mut from = frames.frame().unwrap();
                assert_eq!(from.get_plain::<u8>().unwrap(), 7);
                let mut held = tag.get(&mut from).unwrap();
                assert_eq!(from.get_plain::<u16>().unwrap(), 9);
                from.finish().unwrap();
                assert!(same(&tag.lend(&mut held)));
            }
            frames.finish().unwrap();
            let mut frames = message.reader(trusted);
            frames.skip_frame().unwrap();
            frames.skip_frame().unwrap();
            frames.finish().unwrap();
        }
    }
}

macro_rules! owned {
    ($ty:ty, $value:expr) => {{
        let value: $ty = $value;
        round(tag!($ty), &value, |got| *got == value);
        round(tag!(&$ty), &&value, |got| **got == value);
    }};
}

macro_rules! view {
    ($ty:ty, $value:expr) => {{
        let value = $value;
        round(tag!($ty), &value, |got| *got == value);
    }};
}

fn user() -> impl Strategy<Value = User> {
    let flat =
        (any::<String>(), any::<u32>(), vec_of(any::<f64>())).prop_map(|(name, age, scores)| {
            User {
                name,
                age,
                scores,
                boss: None,
            }
        });
    (flat.clone(), proptest::option::of(flat)).prop_map(|(user, boss)| User {
        boss: boss.map(Box::new),
        ..user
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Dot),
        any::<f64>().prop_map(Shape::Circle),
        any::<((i32, i32), (i32, i32))>().prop_map(|(from, to)| Shape::Line { from, to }),
    ];
    leaf.prop_recursive(4, 20, 4, |shape| {
        proptest::collection::vec(shape, 0..4).prop_map(Shape::Many)
    })
}

fn padded() -> impl Strategy<Value = Padded> + Clone {
    any::<(bool, u32, bool, u16, u64)>().prop_map(|(flag, count, one, at, wide)| Padded {
        flag,
        count,
        small: Inner {
            kind: if one { Kind::One } else { Kind::Two },
            at,
        },
        wide,
    })
}

fn vec_of<T: Strategy + Clone>(of: T) -> impl Strategy<Value = Vec<T::Value>> + Clone {
    proptest::collection::vec(of, 0..40)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 3 } else { 128 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn plain(
        a: u64, b: i8, c: u128, d: bool, e: char, f in any::<f64>(), g: [i32; 3], h in padded(), i: usize,
    ) {
        owned!(u64, a);
        owned!(i8, b);
        owned!(u128, c);
        owned!(bool, d);
        owned!(char, e);
        owned!(f64, f);
        owned!([i32; 3], g);
        owned!(Padded, h);
        owned!(usize, i);
        owned!((), ());
        owned!(std::num::NonZeroU64, std::num::NonZeroU64::MIN.saturating_add(a));
    }

    #[test]
    fn blocks(
        a in vec_of(any::<f64>()), b in vec_of(any::<u8>()), c in vec_of(any::<bool>()), d in vec_of(any::<char>()),
        e in vec_of(padded()), f in vec_of(any::<[u16; 3]>()), g in vec_of(any::<u128>()),
    ) {
        view!(&[f64], &a[..]);
        view!(&[u8], &b[..]);
        view!(&[bool], &c[..]);
        view!(&[char], &d[..]);
        view!(&[Padded], &e[..]);
        view!(&[u128], &g[..]);
        view!(Cow<'_, [f64]>, Cow::Borrowed(&a[..]));
        owned!(Vec<f64>, a);
        owned!(Vec<u8>, b.clone());
        owned!(Vec<bool>, c);
        owned!(Vec<char>, d);
        owned!(Vec<Padded>, e);
        owned!(Vec<[u16; 3]>, f);
        owned!(Vec<u128>, g);
        owned!(Vec<()>, vec![(); b.len()]);
    }

    #[test]
    fn text(a: String, b in vec_of(any::<u8>())) {
        let os = OsString::from_vec(b.clone());
        view!(&str, &a[..]);
        view!(Cow<'_, str>, Cow::Borrowed(&a[..]));
        view!(&OsStr, OsStr::from_bytes(&b));
        view!(&Path, Path::new(&os));
        view!(Cow<'_, OsStr>, Cow::Borrowed(OsStr::from_bytes(&b)));
        view!(Cow<'_, Path>, Cow::Borrowed(Path::new(&os)));
        owned!(String, a);
        owned!(PathBuf, PathBuf::from(&os));
        owned!(OsString, os);
    }

    #[test]
    fn through_serde(
        a in user(), b in shape(), c: Option<u64>, d in any::<(u8, String)>(), e in vec_of(any::<String>()),
        f in proptest::collection::hash_map(any::<String>(), any::<u64>(), 0..8), g: Result<u64, String>,
    ) {
        view!(&[String], &e[..]);
        owned!(User, a);
        owned!(Shape, b);
        owned!(Option<u64>, c);
        owned!((u8, String), d);
        owned!(HashMap<String, u64>, f.clone());
        owned!(BTreeMap<String, u64>, f.into_iter().collect());
        owned!(Result<u64, String>, g);
        owned!(Vec<Vec<Option<char>>>, e.iter().map(|text| text.chars().map(Some).collect()).collect());
        owned!(Vec<String>, e);
    }

    #[test]
    fn blocks_of_results(a in vec_of(padded()), b in vec_of(any::<u64>()), trusted: bool) {
        fn block<G: OwnedTag>(tag: G, values: &[G::Value], trusted: bool) -> Vec<G::Value> {
            let mut bytes = Vec::new();
            for value in values {
                bytes.extend(encoded(tag, value));
            }
            let message = Message::new(&bytes, 0);
            let mut from = message.reader(trusted);
            let (mut out, half) = (Vec::new(), values.len() / 2);
            tag.get_block(&mut from, half, &mut out).unwrap();
            tag.get_block(&mut from, values.len() - half, &mut out).unwrap();
            from.finish().unwrap();
            tag.get_block(&mut from, 1, &mut out).unwrap_err();
            out
        }
        prop_assert_eq!(&block(tag!(Padded), &a, trusted), &a);
        prop_assert_eq!(&block(tag!(u64), &b, trusted), &b);
    }
}

/// What lies in the padding of a value never gets into a message.
#[test]
fn padding_is_zero() {
    let mut raw = std::mem::MaybeUninit::<[Padded; 2]>::uninit();
    let value = Padded {
        flag: true,
        count: !0,
        small: Inner {
            kind: Kind::Two,
            at: !0,
        },
        wide: !0,
    };
    // SAFETY: the memory is large enough; the fields of both elements are written one by one.
    let values = unsafe {
        raw.as_mut_ptr()
            .cast::<u8>()
            .write_bytes(0xAA, size_of::<[Padded; 2]>());
        for index in 0..2 {
            let at = raw.as_mut_ptr().cast::<Padded>().add(index);
            (&raw mut (*at).flag).write(value.flag);
            (&raw mut (*at).count).write(value.count);
            (&raw mut (*at).small.kind).write(value.small.kind);
            (&raw mut (*at).small.at).write(value.small.at);
            (&raw mut (*at).wide).write(value.wide);
        }
        raw.assume_init_ref()
    };
    let one = [1, 0, 0, 0, 255, 255, 255, 255, 2, 0, 255, 255, 0, 0, 0, 0];
    let one = [&one[..], &[255; 8]].concat();
    assert_eq!(encoded(tag!(Padded), &values[0]), one);
    assert_eq!(encoded(tag!(&Padded), &&values[1]), one);
    assert_eq!(
        encoded(tag!(&[Padded]), &&values[..])[8..],
        [one.clone(), one].concat()
    );
}

/// Slices and references are lent where they lie if nobody writes there, and copied if somebody may.
#[test]
fn lent_in_place() {
    let values = [1.0f64, 2.0, 3.0];
    let message = Message::new(&encoded(tag!(&[f64]), &&values[..]), 0);
    let inside = message.bytes().as_ptr_range();
    for trusted in [true, false] {
        let mut held = tag!(&[f64]).get(&mut message.reader(trusted)).unwrap();
        let lent = tag!(&[f64]).lend(&mut held);
        assert_eq!(lent, values);
        assert_eq!(inside.contains(&lent.as_ptr().cast()), trusted);
    }
    let message = Message::new(&encoded(tag!(&str), &"text"), 3);
    let inside = message.bytes().as_ptr_range();
    for trusted in [true, false] {
        let mut held = tag!(&str).get(&mut message.reader(trusted)).unwrap();
        let lent = tag!(&str).lend(&mut held);
        assert_eq!(lent, "text");
        assert_eq!(inside.contains(&lent.as_ptr()), trusted);
    }
}

/// Growing keeps what was written, a cancelled frame leaves nothing, a store's error comes back as it is.
#[test]
fn writer() {
    struct Full;
    // SAFETY: it never gives memory.
    unsafe impl Store for Full {
        fn grow(&mut self, _: usize, _: usize) -> Result<(NonNull<u8>, usize), Error> {
            Err(Error::new(crate::error::Kind::HeapFull, "full"))
        }
    }
    let mut full = Full;
    let mut out = Writer::new(&mut full);
    assert!(tag!(u64).put(&1, &mut out).unwrap_err().is_heap_full());
    assert!(
        tag!(&[u8])
            .put(&&[1u8][..], &mut out)
            .unwrap_err()
            .is_heap_full()
    );
    assert!(
        tag!(Option<u64>)
            .put(&None, &mut out)
            .unwrap_err()
            .is_heap_full()
    );
    assert_eq!(out.len(), 0);

    let mut store = VecStore::new();
    let mut out = Writer::new(&mut store);
    for index in 0..10_000u64 {
        let frame = out.begin_frame().unwrap();
        out.put_u64(index).unwrap();
        if index % 3 == 0 {
            out.cancel_frame(frame);
        } else {
            out.end_frame(frame).unwrap();
        }
    }
    let len = out.len();
    let mut from = Reader::from_slice(store.bytes(len));
    for index in (0..10_000).filter(|index| index % 3 != 0) {
        let mut frame = from.frame().unwrap();
        assert_eq!(frame.get_u64().unwrap(), index);
        frame.finish().unwrap();
    }
    from.finish().unwrap();

    // A store is used again without growing.
    let before = store.bytes(usize::MAX).len();
    for _ in 0..100 {
        Writer::new(&mut store).put_u64(1).unwrap();
    }
    assert_eq!(store.bytes(usize::MAX).len(), before);
}

/// A small value begins in memory that is there and moves to a larger one.
#[test]
fn from_a_slot_to_a_block() {
    #[repr(align(16))]
    struct Slot([u8; 48]);
    struct Moving(NonNull<u8>, VecStore);
    // SAFETY: the inner store's memory, with what was written to the slot before.
    unsafe impl Store for Moving {
        fn grow(&mut self, used: usize, need: usize) -> Result<(NonNull<u8>, usize), Error> {
            let first = self.1.bytes(1).is_empty();
            let (base, cap) = self.1.grow(used, need)?;
            if first {
                // SAFETY: both have room for `used` bytes.
                unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), base.as_ptr(), used) };
            }
            Ok((base, cap))
        }
    }
    let mut slot = Slot([0; 48]);
    let at = NonNull::from(&mut slot.0).cast::<u8>();
    let mut store = Moving(at, VecStore::new());
    // SAFETY: the slot is writable, aligned, and outlives the writer.
    let mut out = unsafe { Writer::with_memory(at, 0, 48, &mut store) };
    for index in 0..6u64 {
        out.put_plain(&index).unwrap();
    }
    assert_eq!(out.base(), at);
    out.put_plain(&6u64).unwrap();
    assert_ne!(out.base(), at);
    let len = out.len();
    let mut from = Reader::from_slice(store.1.bytes(len));
    for index in 0..7u64 {
        assert_eq!(from.get_plain::<u64>().unwrap(), index);
    }
}
