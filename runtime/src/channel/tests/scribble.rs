#![allow(unsafe_code)]
//! A writer that scrawls random words over a lane, or over a whole queue, while this process reads: errors, or wrong messages, but never
//! a crash, an overread or an endless wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate as mp;
use crate::error::Kind;
use crate::heap::Heap;
use crate::session;
use crate::sys::testing::Random;
use mp::{Queue, Result};

/// All words of the objects and annexes that are large enough to be a lane or a queue.
fn targets(heap: &'static Heap) -> Vec<&'static [AtomicU64]> {
    let mut targets = Vec::new();
    let high = heap.stats().high_water;
    let mut offset = 0;
    while offset < (64 << 30) && targets.len() < 8 {
        if let Ok(size) = heap.size_of(offset)
            && size >= 16 << 10
            && let Ok(base) = heap.at(offset, size)
        {
            // SAFETY: inside the mapping, never unmapped, aligned; atomics of whatever is there.
            targets.push(unsafe { std::slice::from_raw_parts(base.cast().as_ptr(), size / 8) });
        }
        offset += 64 << 10;
        if offset > high + (1 << 30) {
            break;
        }
    }
    targets
}

fn scrawl(words: &[AtomicU64], random: &mut Random, from: usize) {
    // Not over the tail, which says whose it is: that is the heap's own test.
    let at = from + random.below(words.len() - 2 - from);
    let value = match random.below(5) {
        0 => random.next(),
        1 => (1 + random.below(4) as u64) << 32 | random.below(9000) as u64,
        2 => random.below(10_000) as u64,
        3 => 0,
        _ => random.next() >> 32,
    };
    words[at].store(value, Ordering::Relaxed);
}

#[mp::test(timeout = "300s")]
fn random_words_over_a_lane() -> Result<()> {
    let heap = session::current()?.heap;
    let mut random = Random(5);
    let (mut good, mut bad) = (0, 0);
    for round in 0..60 {
        let (to, from) = mp::pipe::<Vec<u8>>()?;
        to.send(vec![1; 10])?;
        let lane = targets(heap);
        assert!(!lane.is_empty(), "the lane was not found");
        for _ in 0..200 {
            let _ = to.try_send(vec![round as u8; random.below(2000)]);
            // From the words of the lane on, where the messages are.
            for _ in 0..20 {
                scrawl(&lane[0][..3000], &mut random, 8);
            }
            match from.recv_timeout(Duration::ZERO) {
                Ok(_) => good += 1,
                Err(error) => {
                    assert!(error.kind() != Kind::Died, "{error}");
                    bad += 1;
                }
            }
        }
    }
    println!("{good} good, {bad} bad");
    assert!(good > 100 && bad > 10);
    Ok(())
}

#[mp::test(timeout = "300s")]
fn random_words_over_the_ring_of_a_queue() -> Result<()> {
    let heap = session::current()?.heap;
    let mut random = Random(6);
    let (mut good, mut bad) = (0, 0);
    for round in 0..60 {
        let queue = Queue::<Vec<u8>>::bounded(1000)?;
        let words: Vec<&[AtomicU64]> = queue_words(heap, &queue);
        for _ in 0..200 {
            if queue
                .try_put(vec![round as u8; random.below(2000)])
                .is_err()
            {
                bad += 1;
            }
            // The ring: the last 16 KiB of the body.
            let from = words[0].len() - (16 << 10) / 8;
            for _ in 0..5 {
                scrawl(words[0], &mut random, from);
            }
            match queue.try_get() {
                Ok(_) => good += 1,
                Err(_) => bad += 1,
            }
        }
    }
    println!("{good} good, {bad} bad");
    assert!(good > 100 && bad > 10);
    Ok(())
}

/// What says which object stands there is written over: it is freed while it is held, and another may come to stand there, which is of other
/// bounds and is used by others.
#[mp::test(timeout = "100s")]
fn nobody_sleeps_on_a_queue_that_is_not_there() -> Result<()> {
    let heap = session::current()?.heap;
    let queue = Queue::<Vec<u8>>::bounded(1)?;
    queue.put(vec![1])?;
    assert_eq!(queue.get()?, [1]);
    let id = queue.place().id;
    let words = queue_words(heap, &queue)[0];
    let names: Vec<&AtomicU64> = words
        .iter()
        .filter(|word| word.load(Ordering::SeqCst) == id)
        .collect();
    assert!(!names.is_empty(), "the name of the queue was not found");
    let write = |what: u64| {
        names
            .iter()
            .for_each(|name| name.store(what, Ordering::SeqCst))
    };
    write(id + 1);
    let empty = queue.get().unwrap_err();
    queue.put(vec![2])?;
    let full = queue.put(vec![3]).unwrap_err();
    write(id);
    assert_eq!(empty.kind(), Kind::Protocol, "{empty}");
    assert_eq!(crate::Error::from(full).kind(), Kind::Protocol);
    assert_eq!(queue.get()?, [2]);
    Ok(())
}

fn queue_words(heap: &'static Heap, queue: &Queue<Vec<u8>>) -> Vec<&'static [AtomicU64]> {
    let place = queue.place();
    let size = heap.size_of(place.offset).unwrap();
    let base = heap.at(place.offset, size).unwrap();
    // SAFETY: as in `targets`.
    vec![unsafe { std::slice::from_raw_parts(base.cast().as_ptr(), size / 8) }]
}
