//! Tests of the heap as a whole, on heaps of their own beside the process's one.

use super::segment::{Config, GRANULE};
use super::{Heap, SlotId, Stats};

mod single;

/// A heap of its own.
fn heap(limit: u64) -> &'static Heap {
    heap_with_cap(limit, 256 << 20)
}

fn heap_with_cap(limit: u64, idle_cap: u64) -> &'static Heap {
    let reserve = (limit + (32 << 20)).next_power_of_two();
    Heap::create(Config {
        reserve: [reserve; 4],
        limit,
        idle_cap,
    })
    .unwrap()
}
