//! Tests of shared data on heaps of their own, by forked copies of the test process that play the other processes.

use std::sync::atomic::Ordering;

use crate::heap::{Heap, SlotId};
use crate::sys::memory;
use crate::sys::testing::{Copy, copy};

mod buffer;
mod explorer;
mod objects;
mod races;

/// One range in a vector.
fn only(range: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    std::iter::once(range).collect()
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
            memory::mark_process().unwrap();
            let heap = heap.joined(id);
            let slot = heap.processes().slot(id).unwrap();
            slot.pid.store(std::process::id(), Ordering::Release);
            assert!(heap.processes().link_liveness(id).unwrap());
            body(heap);
        });
        Member { id, copy }
    }

    /// Reaps it, gives back what it held, and lets its slot go; its status.
    fn bury(self, heap: &'static Heap) -> i32 {
        let status = self.copy.wait();
        heap.processes().mark_dead(self.id).unwrap();
        heap.adopt(self.id);
        heap.processes().release(self.id).unwrap();
        status
    }
}

/// Asserts that nothing is left in the heap.
#[track_caller]
fn assert_empty(heap: &Heap) {
    heap.trim();
    let stats = heap.stats();
    assert_eq!((stats.blocks, stats.extents, stats.unfinished), (0, 0, 0));
}
