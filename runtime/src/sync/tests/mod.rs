#![allow(unsafe_code)]
//! Tests of the locks by processes of their own: forked copies that share a heap and are killed.

use crate::heap::{Heap, SlotId};
use crate::sys::testing::{Copy, Random, copy};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

mod explorer;
mod scribble;
mod word;
mod word_speed;

const LONG: Duration = Duration::from_secs(20);

fn soon() -> Option<Instant> {
    Some(Instant::now() + LONG)
}

/// How often the killing tests kill.
fn rounds() -> usize {
    let told = std::env::var("MP_KILL_ROUNDS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// A few words for tests, in a heap of their own: whatever `B` is, all zeroes is a good start for it.
fn board<B: Sync>(heap: &'static Heap) -> (&'static B, u64) {
    let block = heap.alloc(size_of::<B>(), 64).unwrap();
    let at = heap.at(block.offset, block.size).unwrap();
    // SAFETY: the block is this large, and nobody else has it yet.
    unsafe { at.write_bytes(0, block.size) };
    (at_offset(heap, block.offset), block.offset)
}

/// The same words as another process sees them.
fn at_offset<B: Sync>(heap: &'static Heap, offset: u64) -> &'static B {
    let at = heap.at(offset, size_of::<B>()).unwrap();
    // SAFETY: the boards of these tests are made of atomics, in blocks of 64-byte alignment that are never freed.
    unsafe { at.cast().as_ref() }
}

/// A process of the session, forked.
struct Member {
    id: SlotId,
    copy: Copy,
}

impl Member {
    /// Starts one; it is given the heap as it maps it itself.
    fn start(heap: &'static Heap, body: impl FnOnce(&'static Heap)) -> Member {
        let id = heap.processes().reserve(Some(heap.me())).unwrap();
        let copy = copy(|| {
            let heap = heap.joined(id);
            let slot = heap.processes().slot(id).unwrap();
            slot.pid.store(std::process::id(), Ordering::Release);
            assert!(heap.processes().link_liveness(id).unwrap());
            body(heap);
        });
        Member { id, copy }
    }

    fn kill(&self) {
        self.copy.kill();
    }

    /// Reaps it and lets its slot go; its status.
    fn bury(self, heap: &'static Heap) -> i32 {
        let status = self.copy.wait();
        heap.processes().mark_dead(self.id).unwrap();
        heap.processes().release(self.id).unwrap();
        status
    }
}

/// Looks until it is so; what else is there to do for a parent that must not touch what it tests.
#[track_caller]
fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < deadline, "stalled: {what}");
        std::thread::sleep(Duration::from_micros(20));
    }
}

fn load(word: &AtomicU64) -> u64 {
    word.load(Ordering::SeqCst)
}

fn raise(word: &AtomicU32) {
    word.store(1, Ordering::SeqCst);
}

fn is_up(word: &AtomicU32) -> bool {
    word.load(Ordering::SeqCst) != 0
}
