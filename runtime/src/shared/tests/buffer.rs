//! Buffers on their way: every path that a handle can take, and nothing of it left in the heap.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate as mp;
use crate::session;
use mp::{Buffer, Failure, Pool};

#[mp::task]
fn sum(values: &Buffer<u64>) -> u64 {
    values.iter().sum()
}

#[mp::task]
fn sum_owned(values: Buffer<u64>, more: u64) -> u64 {
    values.iter().sum::<u64>() + more
}

#[mp::task]
fn sum_slice(values: &[u64]) -> u64 {
    values.iter().sum()
}

/// Where the slice is: in the heap's mapping, or in a copy.
#[mp::task]
fn is_in_place(values: &[u64], whole: &Buffer<u64>) -> bool {
    whole.as_ptr_range().contains(&values.as_ptr())
}

#[mp::task]
fn make(len: u64) -> std::result::Result<Buffer<u64>, Failure> {
    Ok(Buffer::from_fn(len as usize, |index| index as u64)?)
}

#[mp::task]
fn back(values: Buffer<u64>) -> Buffer<u64> {
    values
}

#[mp::task]
fn grandchild(values: &Buffer<u64>) -> std::result::Result<u64, Failure> {
    let pool = Pool::builder().workers(1).build()?;
    Ok(pool.apply(sum, values)?)
}

#[derive(Serialize, Deserialize)]
struct Parcel {
    name: String,
    parts: Vec<Option<Buffer<u64>>>,
}

#[mp::task]
fn open(parcel: Parcel) -> Parcel {
    Parcel {
        name: format!("{}!", parcel.name),
        parts: parcel.parts.into_iter().rev().collect(),
    }
}

#[mp::task]
fn make_and_die(values: &Buffer<u64>) -> Buffer<u64> {
    let copy = values.clone();
    let _more = Buffer::copy_of(values);
    if values.len() > 3 {
        std::process::abort();
    }
    copy
}

#[mp::task]
fn flags(values: &Buffer<bool>) -> u64 {
    values.iter().map(|flag| u64::from(*flag)).sum()
}

#[mp::task]
fn slow(values: Buffer<u64>) -> Buffer<u64> {
    std::thread::sleep(Duration::from_millis(20));
    values
}

fn blocks() -> (usize, usize) {
    let heap = session::current().unwrap().heap;
    // What has died is buried when somebody looks.
    assert!(crate::process::graves::settle(
        heap,
        std::time::Instant::now() + Duration::from_secs(20)
    ));
    let stats = heap.stats();
    (stats.blocks, stats.extents)
}

/// Asserts that the heap is as it was; a thread that ends with its pool may have something in its hands for a moment.
#[track_caller]
fn assert_back_to(before: (usize, usize)) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while blocks() != before {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}, and {before:?} before",
            blocks()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

#[mp::test]
fn buffers_go_everywhere_and_leave_nothing() {
    session::current().unwrap();
    let before = blocks();
    {
        let pool = pool(2);
        let mut values = Buffer::from_fn(10_000, |index| index as u64).unwrap();
        values.get_mut().unwrap()[0] = 1;
        let total = 49_995_000 + 1;
        assert_eq!(pool.apply(sum, &values).unwrap(), total);
        assert!(values.is_frozen() && values.get_mut().is_none());
        assert_eq!(
            pool.apply(sum_owned, (values.clone(), 5)).unwrap(),
            total + 5
        );
        let sums = pool.map(sum, std::iter::repeat_n(&values, 500)).unwrap();
        assert_eq!(sums, vec![total; 500]);
        assert_eq!(pool.apply(grandchild, &values).unwrap(), total);
        let made = pool.map(make, [0u64, 1, 1000, 300_000]).unwrap();
        assert_eq!(
            made.iter().map(|made| made.len()).collect::<Vec<_>>(),
            [0, 1, 1000, 300_000]
        );
        assert_eq!(made[3][299_999], 299_999);
        assert_eq!(pool.apply(back, made[2].clone()).unwrap(), made[2]);
        let child = mp::Process::new(sum, &values).start().unwrap();
        drop(values);
        assert_eq!(child.join().unwrap(), total);
        let child = mp::Process::new(make, 77).start().unwrap();
        assert_eq!(child.join().unwrap().len(), 77);
    }
    assert_back_to(before);
}

#[mp::test]
fn buffers_travel_inside_of_other_things() {
    session::current().unwrap();
    let before = blocks();
    {
        let pool = pool(1);
        let parts = (0..40)
            .map(|index| (index % 3 != 0).then(|| Buffer::filled(index as u64, index).unwrap()));
        let parcel = Parcel {
            name: "a".repeat(5000),
            parts: parts.collect(),
        };
        let opened = pool.apply(open, parcel).unwrap();
        assert_eq!(opened.parts.len(), 40);
        assert_eq!(opened.parts[0].as_ref().map(|part| part.len()), None);
        assert_eq!(opened.parts[1].as_ref().unwrap()[..], vec![38u64; 38][..]);
    }
    assert_back_to(before);
}

#[mp::test]
fn slices_of_frozen_buffers_are_not_copied() {
    let pool = pool(1);
    let values = Buffer::from_fn(5000, |index| index as u64).unwrap();
    assert!(
        !pool.apply(is_in_place, (&values[..], &values)).unwrap(),
        "fresh when it was encoded"
    );
    assert!(values.is_frozen());
    assert!(
        pool.apply(is_in_place, (&values[100..2000], &values))
            .unwrap()
    );
    assert_eq!(
        pool.apply(sum_slice, &values[4000..]).unwrap(),
        (4000..5000).sum::<u64>()
    );
    assert!(
        !pool.apply(is_in_place, (&values[..4], &values)).unwrap(),
        "small ones are"
    );
    let sums = pool.map(sum_slice, values.chunks(1000)).unwrap();
    assert_eq!(sums.iter().sum::<u64>(), values.iter().sum::<u64>());
    let mut values = values;
    values.make_mut().unwrap()[0] = 9;
    assert!(!values.is_frozen());
}

#[mp::test]
fn what_the_dead_held_is_given_back() {
    session::current().unwrap();
    let before = blocks();
    {
        let pool = pool(2);
        for len in [2, 10, 200_000, 3] {
            let values = Buffer::filled(1u64, len).unwrap();
            let copy = pool.apply(make_and_die, &values);
            assert_eq!(copy.is_ok(), len <= 3, "{len}");
        }
        // Results that nobody reads.
        let values = Buffer::filled(1u64, 100).unwrap();
        for _ in 0..20 {
            drop(pool.apply_async(slow, values.clone()).unwrap());
        }
        let late = pool
            .on(slow)
            .timeout(Duration::from_millis(1))
            .apply(values.clone());
        assert!(late.unwrap_err().is_timeout());
        pool.terminate();
    }
    assert_back_to(before);
}

#[mp::test]
fn only_values_of_the_type_arrive() {
    let pool = pool(1);
    let values = Buffer::from_fn(100, |index| index % 2 == 0).unwrap();
    assert_eq!(pool.apply(flags, &values).unwrap(), 50);
}

#[mp::test]
fn no_other_serializer_takes_a_handle() {
    let values = Buffer::filled(1u8, 3).unwrap();
    assert!(as_text(&values).is_err());
}

/// Some other serializer than ours.
fn as_text<T: Serialize>(value: &T) -> std::result::Result<(), std::fmt::Error> {
    use std::fmt::Write as _;
    struct Null(String);
    let mut null = Null(String::new());
    // `fmt::Formatter` is a serializer of serde's own.
    struct Shown<'a, T>(&'a T);
    impl<T: Serialize> std::fmt::Display for Shown<'_, T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.serialize(f)
        }
    }
    write!(null.0, "{}", Shown(value))
}

/// A type whose two halves differ: what one writes as something else, the other reads as a handle.
enum Forger {
    Handle(Buffer<u64>),
    Number(u64),
    /// As serde's buffers hold handles: bytes inside a newtype of that name.
    Bytes(Vec<u8>),
}

/// Bytes for serde.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

impl Serialize for Forger {
    fn serialize<S: serde::Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Forger::Handle(buffer) => buffer.serialize(to),
            Forger::Number(number) => number.serialize(to),
            Forger::Bytes(bytes) => to.serialize_newtype_struct("mp handle", &Raw(bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for Forger {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        Ok(Forger::Handle(Buffer::deserialize(from)?))
    }
}

#[mp::task]
fn first_of(forged: Forger, beside: Option<Buffer<u64>>) -> u64 {
    let _ = beside;
    match forged {
        Forger::Handle(buffer) => buffer[0],
        Forger::Number(_) | Forger::Bytes(_) => 0,
    }
}

#[mp::test]
fn numbers_are_no_handles() {
    let pool = pool(1);
    let hidden = Buffer::filled(4711u64, 10).unwrap();
    let shown = Buffer::filled(1u64, 10).unwrap();
    // What is no handle is not read as one, whatever else the message holds.
    for number in [0u64, 1, 2, 63, 1 << 20, u64::MAX] {
        let bytes: Vec<u8> = [number; 3].map(u64::to_le_bytes).concat();
        for forged in [Forger::Number(number), Forger::Bytes(bytes)] {
            let result = pool.apply(first_of, (forged, None));
            assert!(result.is_err_and(|error| error.is_encode()), "{number}");
        }
        let beside = Some(shown.clone());
        let result = pool.apply(first_of, (Forger::Number(number), beside));
        assert!(result.is_err(), "{number}");
    }
    let result = pool.apply(first_of, (Forger::Handle(hidden.clone()), Some(shown)));
    assert_eq!(result.unwrap(), 4711);
}
