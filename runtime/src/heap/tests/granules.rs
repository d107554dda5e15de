//! Granules in which no block is used any more go back to all, whoever made the blocks and whoever freed them.

use super::*;

fn small_granules(heap: &Heap) -> usize {
    heap.stats().small_granules
}

#[test]
fn what_its_owner_frees_is_there_for_everybody() {
    let heap = heap(64 << 20);
    let mut random = Random(3);
    for order in 0..4 {
        let mut blocks: Vec<Block> = (0..5000)
            .map(|at| heap.alloc([64, 1000, 20_000][at % 3], 8).unwrap())
            .collect();
        match order {
            0 => {}
            1 => blocks.reverse(),
            _ => (1..blocks.len()).for_each(|at| blocks.swap(at, random.below(at + 1))),
        }
        for block in blocks {
            heap.free(block.offset).unwrap();
        }
        // The one of each class from which blocks are taken.
        assert!(small_granules(heap) <= 3, "{:?}", heap.stats());
    }
    assert_empty(heap);
}

#[test]
fn granules_that_go_come_again() {
    let heap = heap(64 << 20);
    let mut random = Random(5);
    for round in 0..400 {
        let mut live: Vec<Block> = Vec::new();
        // Many that are full, and behind them some that go and come.
        for count in [3 * (round % 200), random.below(100), random.below(100)] {
            for _ in 0..count {
                let block = heap.alloc(20_000, 8).unwrap();
                stamp(heap, block, 7);
                live.push(block);
            }
            for block in live.split_off(live.len() - random.below(live.len() + 1)) {
                assert_stamped(heap, block, 7);
                heap.free(block.offset).unwrap();
            }
        }
        for block in live {
            assert_stamped(heap, block, 7);
            heap.free(block.offset).unwrap();
        }
        assert!(small_granules(heap) <= 1, "{:?}", heap.stats());
    }
    assert_empty(heap);
}

#[test]
fn what_the_dead_leave_and_others_free_is_there_for_everybody() {
    let heap = heap(64 << 20);
    let table = heap.processes();
    let nobody = table.reserve(Some(heap.me())).unwrap();
    let taker = table.reserve(Some(heap.me())).unwrap();
    let taker = joined(heap, taker);
    // Freed by the one that has adopted them, by another, and before the adoption.
    for (by, early) in [(heap, false), (taker, false), (taker, true)] {
        for _ in 0..200 {
            let slot = table.reserve(Some(heap.me())).unwrap();
            let maker = joined(heap, slot);
            let blocks: Vec<Block> = (0..40).map(|_| maker.alloc(20_000, 8).unwrap()).collect();
            for block in &blocks {
                maker.give(block.offset, nobody).unwrap();
            }
            let free = || {
                for block in &blocks {
                    by.free(block.offset).unwrap();
                }
            };
            if early {
                free();
            }
            table.mark_dead(slot).unwrap();
            heap.adopt(slot);
            if !early {
                free();
            }
            table.release(slot).unwrap();
            // What another has freed of the last 14 is found at the next death; one more is that from which blocks are taken.
            assert!(small_granules(heap) <= 15, "{:?}", heap.stats());
        }
    }
    heap.adopt(nobody);
    assert_empty(heap);
}

#[test]
fn what_others_free_does_not_pile_up() {
    let heap = heap(64 << 20);
    let slot = heap.processes().reserve(Some(heap.me())).unwrap();
    let taker = joined(heap, slot);
    for _ in 0..50 {
        // A peak now and then, and little between.
        for count in [2000, 10, 10, 10] {
            let blocks: Vec<Block> = (0..count).map(|_| heap.alloc(3000, 8).unwrap()).collect();
            for block in blocks {
                taker.free(block.offset).unwrap();
            }
        }
    }
    let peak = 2000 / 20 + 1;
    let stats = heap.stats();
    assert!(stats.small_granules <= peak + 16, "{stats:?}");
    assert!(
        stats.high_water <= (2 * peak as u64 + 16) * GRANULE,
        "{stats:?}"
    );
    assert_empty(heap);
}
