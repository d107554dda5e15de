//! What shared data leave in the heap, and what they make of bytes that are no values.

use super::*;
use crate as mp;
use crate::shared::{Array, RawArray, RawValue, Value};
use mp::LockError;

#[derive(Clone, Copy, Debug, PartialEq, mp::Plain)]
#[repr(C)]
struct Padded {
    flag: bool,
    number: u64,
    letter: char,
}

const ONE: Padded = Padded {
    flag: true,
    number: 7,
    letter: 'x',
};

#[test]
fn everything_is_given_back() {
    let heap = Heap::fresh(64 << 20);
    let rounds = if cfg!(debug_assertions) {
        5_000
    } else {
        250_000
    };
    for round in 0..rounds {
        let value = Value::make(heap, ONE).unwrap();
        let row = Array::make_from_fn(heap, round % 300, |_| ONE).unwrap();
        if let Ok(mut guard) = row.lock() {
            drop(guard.chunks(12).unwrap());
        }
        let raw = (
            RawValue::make(heap, ONE).unwrap(),
            RawArray::make(heap, 3, |_| ONE).unwrap(),
        );
        assert_eq!(value.get().unwrap(), ONE);
        drop((value.clone(), row.clone(), raw));
    }
    assert_empty(heap);
    assert!(heap.stats().high_water <= 2 << 20);
    // What makes the elements may panic.
    let panics = std::panic::catch_unwind(|| {
        Array::make_from_fn(heap, 10, |index| assert!(index < 5)).unwrap();
    });
    assert!(panics.is_err());
    assert_empty(heap);
}

/// Overwrites an element.
fn spoil<T: crate::codec::Plain>(row: &Array<T>, index: usize, byte: u8) {
    let (offset, bytes) = row.offset_of(&(index..index + 1));
    let at = row.handle().heap().at(offset, bytes).unwrap();
    crate::shared::bytes::spoil(at, bytes, byte);
}

#[test]
fn what_is_no_value_is_replaced_and_told() {
    let heap = Heap::fresh(8 << 20);
    for len in [100, 50_000] {
        let row = Array::make_from_fn(heap, len, |index| index % 2 == 0).unwrap();
        spoil(&row, 31, 77);
        spoil(&row, 40, 2);
        assert!(row.get(31).unwrap_err().to_string().contains("wildly"));
        match row.lock() {
            Err(LockError::Poisoned(dead)) => {
                let guard = dead.into_guard();
                assert_eq!(guard.damaged(), only(31..41));
                assert!(guard[31] && guard[40] && !guard[33]);
            }
            other => panic!("{other:?}"),
        }
        assert!(row.lock().is_ok());
    }
    // Larger ones are looked through when somebody has died.
    let row = Array::make_from_fn(heap, 100_000, |_| 'x').unwrap();
    let member = Member::start(heap, |heap| {
        let row = row.seen_in(heap);
        std::mem::forget(row.lock());
        spoil(&row, 99_999, 0xff);
    });
    assert_eq!(member.bury(heap), 0);
    match row.lock() {
        Err(LockError::Poisoned(dead)) => assert_eq!(dead.into_guard()[99_999], 'x'),
        other => panic!("{other:?}"),
    }
    drop(row);
    assert_empty(heap);
}
