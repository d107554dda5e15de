#![allow(unsafe_code)]
//! The ring against a model, and under a hostile writer.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::*;
use crate::sys::testing::Random;

/// A ring over private memory.
fn ring(units: u32) -> Ring {
    let words = vec![0_u64; units as usize].leak();
    // SAFETY: the words are aligned, and leaked for this ring alone.
    unsafe { Ring::over(NonNull::from(words).cast(), units) }
}

fn put(ring: &Ring, head: u32, tail: &mut u32, body: &[u8]) -> bool {
    let Some(place) = place(ring.units(), head, *tail, units_for(body.len())) else {
        return false;
    };
    let at = ring.open(place, Sort::Inline, body.len());
    // SAFETY: `open` gave room for the body.
    unsafe { at.copy_from_nonoverlapping(NonNull::from(body).cast(), body.len()) };
    *tail = place.next;
    true
}

fn get(ring: &Ring, head: &mut u32, tail: u32) -> Vec<u8> {
    let record = ring.record(*head, tail).unwrap();
    assert_eq!(record.sort, Sort::Inline);
    let body = record.reader().copy_bytes(record.len()).unwrap();
    *head = record.next;
    body
}

proptest! {
    #[test]
    fn a_ring_is_a_queue_of_bytes(units in 8_u32..80, start in 0_u32..80, steps in prop::collection::vec(0_usize..200, 1..400)) {
        let ring = ring(units);
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        let (mut head, mut tail) = (start % units, start % units);
        for (number, step) in steps.into_iter().enumerate() {
            let len = step / 2;
            if step % 2 == 0 {
                let body = vec![number as u8; len];
                let fitted = put(&ring, head, &mut tail, &body);
                if fitted {
                    model.push_back(body);
                } else {
                    // Never refused without need: an empty ring takes everything up to its limit.
                    prop_assert!(!model.is_empty() || len > (units as usize / 4).saturating_sub(2) * UNIT);
                    let free = units - 1 - used(units, head, tail);
                    prop_assert!(units_for(len) > free / 2);
                }
            } else if let Some(body) = model.pop_front() {
                prop_assert!(head != tail);
                prop_assert_eq!(get(&ring, &mut head, tail), body);
            } else {
                prop_assert_eq!(head, tail);
            }
            prop_assert!(head < units && tail < units);
        }
        while let Some(body) = model.pop_front() {
            prop_assert_eq!(get(&ring, &mut head, tail), body);
        }
        prop_assert_eq!(head, tail);
    }
}

#[test]
fn a_hostile_writer_makes_errors_and_no_overread() {
    let mut random = Random(77);
    let units = 64;
    let ring = ring(units);
    let (mut good, mut bad) = (0, 0);
    for round in 0..200_000 {
        for at in 0..units {
            // Mostly almost right, so that it gets past the first check.
            let word = match random.below(3) {
                0 => random.next(),
                1 => (random.below(6) as u64) << 32 | random.below(700) as u64,
                _ => (Sort::Pad as u64) << 32,
            };
            ring.word(at).store(word, Ordering::Relaxed);
        }
        let (head, tail) = (
            random.below(units as usize) as u32,
            random.below(units as usize) as u32,
        );
        if head == tail {
            continue;
        }
        match ring.record(head, tail) {
            Ok(record) => {
                good += 1;
                let begin = (record.body.as_ptr() as usize - ring.base.as_ptr() as usize) / UNIT;
                let end = begin + record.len.div_ceil(UNIT);
                assert!(end <= units as usize, "round {round}");
                assert!(record.next < units);
                // All of it lies between head and tail.
                assert!(used(units, head, begin as u32 % units) <= used(units, head, tail));
                assert!(used(units, head, record.next) <= used(units, head, tail));
                let _ = record.words::<3>();
            }
            Err(error) => {
                bad += 1;
                assert!(error.message().contains("spoilt"), "{error}");
            }
        }
    }
    assert!(good > 1000 && bad > 1000, "{good} {bad}");
}

#[test]
fn nothing_is_written_beyond_the_room() {
    // Exactly full, exactly to the end, and one more.
    let units = 16;
    assert_eq!(place(units, 0, 0, 16), None);
    assert_eq!(place(units, 0, 0, 15).map(|place| place.next), Some(15));
    assert_eq!(place(units, 0, 1, 15), None, "tail would meet head");
    assert_eq!(place(units, 1, 1, 15).map(|place| place.next), Some(0));
    let wrapped = place(units, 9, 12, 5).unwrap();
    assert_eq!((wrapped.at, wrapped.next, wrapped.pad), (0, 5, Some(12)));
    assert_eq!(place(units, 5, 12, 5), None);
    assert_eq!(place(units, 9, 3, 6), None);
    assert_eq!(place(units, 9, 3, 5).map(|place| place.next), Some(8));
}
