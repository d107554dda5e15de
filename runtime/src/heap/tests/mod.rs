//! Tests of the heap as a whole, on heaps of their own beside the process's one.

use super::segment::{Config, GRANULE};
use super::{Block, Heap, SlotId, Stats};
use crate::sys::testing::Random;
use std::sync::atomic::Ordering;

mod granules;
mod limits;
mod liveness;
mod model;
mod objects;
mod processes;
mod scribble;
mod shapes;
mod single;
mod speed;
mod steps;
mod threads;

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

impl Heap {
    /// A heap of its own, for tests of what stands on heaps.
    pub(crate) fn fresh(limit: u64) -> &'static Heap {
        heap(limit)
    }

    /// This heap, as the process of that slot maps it.
    pub(crate) fn joined(&self, slot: SlotId) -> &'static Heap {
        joined(self, slot)
    }
}

/// The same heap, as another process of the session would map it.
fn joined(heap: &Heap, slot: SlotId) -> &'static Heap {
    Heap::attach(heap.fd().try_clone_to_owned().unwrap(), slot).unwrap()
}

/// Asserts that nobody has anything, and that all that was ever used can be used again.
#[track_caller]
fn assert_empty(heap: &Heap) {
    heap.trim();
    let stats = heap.stats();
    let empty = Stats {
        free_granules: (stats.high_water / GRANULE) as usize,
        high_water: stats.high_water,
        idle_bytes: stats.idle_bytes,
        ..Stats::default()
    };
    assert_eq!(stats, empty);
}

/// Writes to the first and last word of a block whose it is, to see blocks that were given out twice.
fn stamp(heap: &Heap, block: Block, stamp: u64) {
    let words = heap.segment.words(block.offset, block.size / 8).unwrap();
    words[0].store(stamp ^ block.offset, Ordering::Relaxed);
    words[words.len() - 1].store(stamp ^ block.offset, Ordering::Relaxed);
}

#[track_caller]
fn assert_stamped(heap: &Heap, block: Block, stamp: u64) {
    let words = heap.segment.words(block.offset, block.size / 8).unwrap();
    assert_eq!(words[0].load(Ordering::Relaxed), stamp ^ block.offset);
    assert_eq!(
        words[words.len() - 1].load(Ordering::Relaxed),
        stamp ^ block.offset
    );
}

/// Allocates, checks, gives and frees at random, for as long as `more` says so.
fn churn(
    heap: &Heap,
    random: &mut Random,
    gifts_to: Option<SlotId>,
    mut more: impl FnMut() -> bool,
) {
    let me = u64::from(heap.me().pack()) << 32;
    let mut mine: Vec<Block> = Vec::new();
    while more() {
        if random.below(5) < 3 && mine.len() < 40 {
            let most = [100, 1000, 5000, 40_000, 100_000, 600_000][random.below(6)];
            match heap.alloc(random.below(most), 8) {
                Ok(block) => {
                    stamp(heap, block, me);
                    mine.push(block);
                }
                Err(error) => assert!(error.is_heap_full(), "{error}"),
            }
        } else if !mine.is_empty() {
            let block = mine.swap_remove(random.below(mine.len()));
            assert_stamped(heap, block, me);
            match gifts_to {
                Some(to) if random.below(10) == 0 => heap.give(block.offset, to).unwrap(),
                _ => heap.free(block.offset).unwrap(),
            }
        }
    }
    for block in mine {
        assert_stamped(heap, block, me);
        heap.free(block.offset).unwrap();
    }
}
