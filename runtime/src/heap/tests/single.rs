//! One process, one thread.

use super::*;

#[test]
fn blocks_come_and_go() {
    let heap = heap(64 << 20);
    let before = heap.stats();
    assert_eq!(before, Stats::default());
    for bytes in [
        0,
        1,
        64,
        65,
        1000,
        4096,
        32704,
        32705,
        65536,
        65537,
        1 << 20,
        10 << 20,
    ] {
        let block = heap.alloc(bytes, 8).unwrap();
        assert!(block.size >= bytes && block.size > 0);
        assert_eq!(block.offset % 64, 0);
        if bytes > 32704 {
            assert_eq!(block.offset % GRANULE, 0);
        }
        assert_eq!(heap.size_of(block.offset).unwrap(), block.size);
        assert_eq!(heap.owner(block.offset).unwrap(), heap.me());
        let at = heap.at(block.offset, block.size).unwrap();
        assert_eq!(at.as_ptr() as usize % 64, 0);
        let other = SlotId {
            index: 7,
            generation: 3,
        };
        heap.give(block.offset, other).unwrap();
        assert_eq!(heap.owner(block.offset).unwrap(), other);
        assert_eq!(heap.stats().used_bytes, block.size as u64);
        heap.free(block.offset).unwrap();
        assert!(heap.free(block.offset).is_err());
        assert!(heap.free(block.offset + 8).is_err());
        assert!(heap.size_of(block.offset).is_err());
        assert_eq!(heap.stats().used_bytes, 0);
    }
    heap.trim();
    let after = heap.stats();
    assert_eq!(
        (
            after.blocks,
            after.extents,
            after.small_granules,
            after.unfinished
        ),
        (0, 0, 0, 0)
    );
}

#[test]
fn garbage_offsets_are_refused() {
    let heap = heap(16 << 20);
    let small = heap.alloc(500, 8).unwrap();
    let large = heap.alloc(300_000, 8).unwrap();
    let before = heap.stats();
    let mut random = Random(99);
    let near = [
        0,
        8,
        63,
        65,
        512,
        4096,
        GRANULE,
        2 * GRANULE,
        u64::MAX,
        u64::MAX - 7,
        1 << 63,
        1 << 40,
    ];
    for round in 0..20_000 {
        let offset = match round % 4 {
            0 => random.next(),
            1 => random.next() % (64 << 20),
            2 => small.offset.wrapping_add(near[random.below(near.len())]),
            _ => large.offset.wrapping_sub(near[random.below(near.len())]),
        };
        if offset == small.offset || offset == large.offset {
            continue;
        }
        assert!(heap.free(offset).is_err(), "{offset:#x}");
        assert!(heap.give(offset, heap.me()).is_err());
        assert!(heap.size_of(offset).is_err());
        assert!(heap.owner(offset).is_err());
    }
    assert_eq!(heap.stats(), before);
    assert!(heap.at(large.offset, large.size).is_ok());
    assert!(heap.at(large.offset, 1 << 30).is_err());
    assert!(heap.at(large.offset, usize::MAX).is_err());
    assert!(heap.at(0, 8).is_err(), "the head is not data");
    assert!(
        heap.at(heap.segment.data_at() - 8, 8).is_err(),
        "nor is the table"
    );
    assert!(heap.at(u64::MAX, 1).is_err());
    heap.free(small.offset).unwrap();
    heap.free(large.offset).unwrap();
    assert_empty(heap);
}

#[test]
fn alignment_is_kept_or_refused() {
    let heap = heap(16 << 20);
    for align in [1, 2, 8, 64, 128, 4096, 65536] {
        let block = heap.alloc(10, align).unwrap();
        let at = heap.at(block.offset, block.size).unwrap();
        assert_eq!(at.as_ptr() as usize % align.min(4096), 0);
        assert_eq!(block.offset % align as u64, 0);
        heap.free(block.offset).unwrap();
    }
    assert!(heap.alloc(10, 3).unwrap_err().is_usage());
    assert!(heap.alloc(10, 1 << 17).unwrap_err().is_usage());
    assert!(heap.alloc(10, 0).unwrap_err().is_usage());
    assert_empty(heap);
}

#[test]
fn a_full_heap_is_an_error_and_recovers() {
    let heap = heap(8 << 20);
    assert!(heap.alloc(9 << 20, 8).unwrap_err().is_heap_full());
    assert!(heap.alloc(usize::MAX, 8).unwrap_err().is_heap_full());
    for bytes in [64, 3000, 32_000, 65_536, 1 << 20] {
        let mut blocks = Vec::new();
        let error = loop {
            match heap.alloc(bytes, 8) {
                Ok(block) => blocks.push(block.offset),
                Err(error) => break error,
            }
        };
        assert!(error.is_heap_full(), "{error}");
        assert!(error.to_string().contains("8 MiB"), "{error}");
        assert!(
            heap.stats().used_bytes > (8 << 20) * 8 / 10,
            "{:?}",
            heap.stats()
        );
        for offset in blocks {
            heap.free(offset).unwrap();
        }
    }
    // What small blocks have left behind empty does not stand in the way of one large block.
    let all = heap.alloc(8 << 20, 8).unwrap();
    heap.free(all.offset).unwrap();
    assert_empty(heap);
}

#[test]
fn used_memory_is_used_again() {
    let heap = heap(1 << 30);
    let first = heap.alloc(1 << 20, 8).unwrap();
    let other = heap.alloc(1 << 20, 8).unwrap();
    heap.free(first.offset).unwrap();
    assert_eq!(heap.alloc(1 << 20, 8).unwrap(), first);
    heap.free(first.offset).unwrap();
    heap.free(other.offset).unwrap();
    let high = heap.stats().high_water;
    for _ in 0..1000 {
        let both = [
            heap.alloc(300_000, 8).unwrap(),
            heap.alloc(1 << 20, 8).unwrap(),
        ];
        for block in both {
            heap.free(block.offset).unwrap();
        }
        let block = heap.alloc(100, 8).unwrap();
        heap.free(block.offset).unwrap();
    }
    assert_eq!(heap.stats().high_water, high);
}

#[test]
fn idle_memory_is_capped_and_the_latest_stays_warm() {
    let heap = heap_with_cap(512 << 20, 16 << 20);
    let blocks: Vec<_> = (0..64).map(|_| heap.alloc(1 << 20, 8).unwrap()).collect();
    for block in &blocks {
        stamp(heap, *block, 7);
        heap.free(block.offset).unwrap();
    }
    assert_eq!(heap.stats().idle_bytes, 16 << 20);
    let again = heap.alloc(1 << 20, 8).unwrap();
    assert_eq!(again.offset, blocks[63].offset);
    assert_stamped(heap, again, 7);
    heap.free(again.offset).unwrap();
    // One that is larger than the cap gives its own memory back.
    let large = heap.alloc(64 << 20, 8).unwrap();
    heap.free(large.offset).unwrap();
    assert!(heap.stats().idle_bytes <= 16 << 20, "{:?}", heap.stats());
    assert_empty(heap);
}

#[test]
fn warm_is_harmless_everywhere() {
    let heap = heap(64 << 20);
    let block = heap.alloc(4 << 20, 8).unwrap();
    for (offset, len) in [
        (block.offset, block.size),
        (block.offset, block.size),
        (block.offset + 100, 1 << 20),
        (block.offset, 10),
        (block.offset, 1 << 30),
        (0, 1 << 20),
        (u64::MAX, usize::MAX),
    ] {
        heap.warm(offset, len);
    }
    heap.free(block.offset).unwrap();
}

#[test]
fn slots_have_generations() {
    let heap = heap(1 << 20);
    let table = heap.processes();
    let me = heap.me();
    assert_eq!((me.index, me.generation), (0, 1));
    assert_eq!(table.slot(me).unwrap().parent(), None);
    let first = table.reserve(Some(me)).unwrap();
    let slot = table.slot(first).unwrap();
    assert_eq!(slot.parent(), Some(me));
    assert_eq!(slot.mailbox().as_ptr() as usize % 64, 0);
    slot.state.store(5, Ordering::Relaxed);
    assert_eq!(table.children_of(me).collect::<Vec<_>>(), [first]);
    assert!(!table.is_marked_dead(first));
    table.mark_dead(first).unwrap();
    assert!(table.is_marked_dead(first));
    table.release(first).unwrap();
    assert!(table.is_marked_dead(first));
    assert!(table.release(first).is_err());
    assert!(table.slot(first).is_err());
    let second = table.reserve(Some(me)).unwrap();
    assert_eq!(
        second,
        SlotId {
            index: 1,
            generation: 2
        }
    );
    assert!(!table.is_marked_dead(second));
    assert!(table.is_marked_dead(first));
    assert_eq!(table.slot(second).unwrap().state.load(Ordering::Relaxed), 0);
    let more: Vec<_> = std::iter::from_fn(|| table.reserve(Some(me)).ok()).collect();
    assert_eq!(more.len(), 4094);
    for id in more {
        table.release(id).unwrap();
    }
    assert_eq!(SlotId::unpack(second.pack()), Some(second));
    assert_eq!(SlotId::unpack(0), None);
    assert_eq!(SlotId::unpack(u32::MAX), None);
}

#[test]
fn a_run_is_no_longer_than_its_tails() {
    // Nothing may lie idle here: whatever is freed loses its memory.
    let heap = heap_with_cap(8 << 20, 0);
    let dead = SlotId {
        index: 3,
        generation: 1,
    };
    let cut = heap.alloc(2 * GRANULE as usize, 8).unwrap();
    let next = heap.alloc(2 * GRANULE as usize, 8).unwrap();
    assert_eq!(next.offset, cut.offset + cut.size as u64);
    stamp(heap, next, 1);
    // As if its owner had been killed while it was taking four granules, of which two are another's by now.
    let (granule, _) = heap.segment.granule_of(cut.offset).unwrap();
    let word = super::super::word::Word::busy(dead, 4, super::super::word::Resident::Full);
    heap.segment.table()[granule].store(word.0, Ordering::Relaxed);
    heap.adopt(dead);
    assert_stamped(heap, next, 1);
    heap.free(next.offset).unwrap();
    assert_eq!(heap.stats().idle_bytes, 0);
    assert_empty(heap);
}
