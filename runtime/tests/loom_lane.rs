#![allow(unsafe_code)]
//! The orderings of a lane, in all interleavings that loom can think of: `cargo test --release -p mp-runtime --test loom_lane`.
//!
//! The lane and its arithmetic are the library's own files; under them, in place of std's, are loom's atomics. What the ring
//! would hold stands in cells that loom watches: a record that is read before it is written, or written while it is read,
//! is found.

#[allow(dead_code)]
#[path = "../src/channel/lane.rs"]
mod lane;
#[allow(dead_code)]
#[path = "../src/channel/room.rs"]
mod room;

/// The same names as the library's.
mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

    // One of the two runs a full barrier for both.
    pub(crate) fn light() {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn heavy() -> bool {
        fence(Ordering::SeqCst);
        true
    }
}

/// Of the ring, only what it says when something is wrong.
mod ring {
    pub(crate) fn broken(what: &str) -> crate::error::Error {
        crate::error::Error(what.to_owned())
    }
}

mod error {
    #[derive(Debug)]
    #[allow(dead_code)]
    pub(crate) struct Error(pub(crate) String);
}

use atomic::{AtomicU32, Ordering, fence};
use lane::{GetEnd, PutEnd, Words};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// Of a ring of so few units, a record of 2 is shown at once.
const UNITS: u32 = 6;
const NEED: u32 = 2;

struct Shared {
    words: Words,
    cells: [UnsafeCell<u64>; UNITS as usize],
    asleep: AtomicU32,
}

impl Shared {
    fn new() -> Arc<Shared> {
        Arc::new(Shared {
            words: Words::new(),
            cells: std::array::from_fn(|_| UnsafeCell::new(0)),
            asleep: AtomicU32::new(0),
        })
    }

    /// Puts a record, if there is room.
    fn put(&self, end: &mut PutEnd, value: u64) -> bool {
        let Some(place) = end.place(&self.words, NEED).unwrap() else {
            return false;
        };
        assert_eq!(place.pad, None);
        self.cells[place.at as usize].with_mut(|cell| {
            // SAFETY: loom finds out if anybody else is at it.
            unsafe {
                *cell = value;
            }
        });
        end.commit(&self.words, place.next);
        true
    }

    /// Gets a record, if there is one, and whether who puts must be woken.
    fn get(&self, end: &mut GetEnd) -> Option<(u64, bool)> {
        let (head, _) = end.next(&self.words).unwrap()?;
        let value = self.cells[head as usize].with(|cell| {
            // SAFETY: as above.
            unsafe { *cell }
        });
        let next = (head + NEED) % UNITS;
        Some((value, end.advance(&self.words, next)))
    }
}

#[test]
fn records_arrive_whole_once_and_in_order() {
    loom::model(|| {
        let shared = Shared::new();
        let there = Arc::clone(&shared);
        let putter = thread::spawn(move || {
            let mut end = PutEnd::new(UNITS);
            for value in 1..=3 {
                while !there.put(&mut end, value) {
                    thread::yield_now();
                }
            }
        });
        let mut end = GetEnd::new(&shared.words, UNITS).unwrap();
        for expected in 1..=3 {
            let value = loop {
                match shared.get(&mut end) {
                    Some((value, _)) => break value,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(value, expected);
        }
        putter.join().unwrap();
    });
}

/// Who puts finds no room and goes to sleep, who gets makes room: one of them sees the other.
#[test]
fn nobody_sleeps_beside_room() {
    loom::model(|| {
        let shared = Shared::new();
        let mut put = PutEnd::new(UNITS);
        assert!(shared.put(&mut put, 1) && shared.put(&mut put, 2));
        let there = Arc::clone(&shared);
        let putter = thread::spawn(move || {
            if there.put(&mut put, 3) {
                return false;
            }
            there.words.want_room(NEED);
            // It sleeps if there is no room now.
            !there.put(&mut put, 3)
        });
        let mut end = GetEnd::new(&shared.words, UNITS).unwrap();
        let mut woken = false;
        for _ in 0..2 {
            woken |= shared.get(&mut end).is_some_and(|(_, wake)| wake);
        }
        let slept = putter.join().unwrap();
        assert!(!slept || woken);
    });
}

/// Who gets finds nothing and goes to sleep, who puts puts: one of them sees the other.
#[test]
fn nobody_sleeps_beside_a_message() {
    loom::model(|| {
        let shared = Shared::new();
        let there = Arc::clone(&shared);
        let putter = thread::spawn(move || {
            let mut end = PutEnd::new(UNITS);
            assert!(there.put(&mut end, 1));
            // As the bell of a pipe.
            there.asleep.load(Ordering::SeqCst) != 0
        });
        let end = GetEnd::new(&shared.words, UNITS).unwrap();
        shared.asleep.store(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let sleeps = !end.is_ready(&shared.words);
        let woken = putter.join().unwrap();
        assert!(!sleeps || woken);
    });
}
