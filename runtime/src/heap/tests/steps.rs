//! A kill after any instruction whatever: a process is run one instruction at a time, and after each of them a second heap
//! gets a copy of the words as they are now and adopts the process there. Nothing may be left.

use super::*;
use crate::sys::memory;
use crate::sys::testing::step;
use std::os::unix::fs::FileExt;

/// A heap with the same head and processes as this one, but a memory of its own.
pub(super) fn twin(heap: &Heap) -> &'static Heap {
    let len = heap.segment.data_at() + heap.segment.grown() as u64 * GRANULE;
    let fd = memory::create_sealed(c"twin", len).unwrap();
    let head: Vec<u8> = heap.segment.everything()[..8192]
        .iter()
        .flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes())
        .collect();
    let file = std::fs::File::from(fd.try_clone().unwrap());
    file.write_all_at(&head, 0).unwrap();
    Heap::attach(fd, heap.me()).unwrap()
}

/// Copies the table, and the first words of each granule.
pub(super) fn copy_words(heap: &Heap, twin: &Heap, words: usize) {
    let table = heap.segment.table().iter().zip(twin.segment.table());
    for (granule, (from, to)) in table.enumerate().take(heap.segment.grown()) {
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        // The words of its blocks, if it has some.
        let offset = heap.segment.offset_of(granule);
        let from = heap.segment.words(offset, words).unwrap();
        let to = twin.segment.words(offset, words).unwrap();
        for (from, to) in from.iter().zip(to) {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// What a kill now would leave behind, after the adoption of the dead.
fn after_death(heap: &Heap, twin: &Heap, dead: &[SlotId]) -> Stats {
    copy_words(heap, twin, 128);
    for dead in dead {
        twin.adopt(*dead);
    }
    twin.trim();
    Stats {
        idle_bytes: 0,
        ..twin.stats()
    }
}

fn check(heap: &Heap, dead: &[SlotId], body: impl FnOnce()) {
    // Some of the heap was used before, by others.
    let used = heap.alloc(20 * GRANULE as usize, 8).unwrap();
    heap.free(used.offset).unwrap();
    let twin = twin(heap);
    let before = heap.stats();
    let empty = Stats {
        free_granules: (before.high_water / GRANULE) as usize,
        high_water: before.high_water,
        ..Stats::default()
    };
    let mut seen = 0;
    let steps = step(body, || {
        seen += 1;
        assert_eq!(
            after_death(heap, twin, dead),
            empty,
            "after {seen} instructions"
        );
    });
    match steps {
        Some(steps) => {
            assert!(steps > 1000);
            println!("{steps} instructions");
        }
        None => eprintln!("not tested: this system forbids tracing"),
    }
}

#[test]
fn a_kill_after_any_instruction_needs_no_repair() {
    let heap = heap_with_cap(4 << 20, 1 << 20);
    let slot = heap.processes().reserve(Some(heap.me())).unwrap();
    let nobody = heap.processes().reserve(Some(heap.me())).unwrap();
    let child = joined(heap, slot);
    check(heap, &[slot, nobody], || {
        let blocks = [1000, 300_000, 1000, 100_000].map(|bytes| child.alloc(bytes, 8).unwrap());
        child.give(blocks[0].offset, nobody).unwrap();
        child.give(blocks[1].offset, nobody).unwrap();
        for block in &blocks[1..] {
            child.free(block.offset).unwrap();
        }
        child.trim();
    });
}

#[test]
fn a_kill_after_any_instruction_of_an_adoption_does_no_harm() {
    let heap = heap(4 << 20);
    let slot = heap.processes().reserve(Some(heap.me())).unwrap();
    let adopter = heap.processes().reserve(Some(heap.me())).unwrap();
    let first = joined(heap, slot);
    let child = joined(heap, adopter);
    for bytes in [1000, 1000, 300_000, 30_000] {
        first.alloc(bytes, 8).unwrap();
    }
    check(heap, &[slot, adopter], || child.adopt(slot));
}
