//! Several threads of two processes' worth of heap at once.

use super::*;

#[test]
fn threads_of_two_processes_share_a_heap() {
    let first = heap(48 << 20);
    let slot = first.processes().reserve(Some(first.me())).unwrap();
    let second = joined(first, slot);
    assert_eq!(second.me(), slot);
    let nobody = first.processes().reserve(Some(first.me())).unwrap();
    std::thread::scope(|scope| {
        for number in 1..=6 {
            let heap = if number % 2 == 0 { first } else { second };
            scope.spawn(move || {
                let mut calls = 0;
                churn(heap, &mut Random(number * 77), Some(nobody), || {
                    calls += 1;
                    calls < 20_000
                });
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                first.adopt(nobody);
                second.trim();
                std::thread::yield_now();
            }
        });
    });
    first.adopt(nobody);
    second.trim();
    assert_empty(first);
    // The other one's granules pass to whoever adopts it.
    let block = second.alloc(100, 8).unwrap();
    let kept = second.alloc(100, 8).unwrap();
    first.give(kept.offset, first.me()).unwrap();
    first.adopt(slot);
    assert!(first.size_of(block.offset).is_err());
    assert_eq!(first.owner(kept.offset).unwrap(), first.me());
    let next = first.alloc(100, 8).unwrap();
    let granule = |offset| first.segment.granule_of(offset).unwrap().0;
    assert_eq!(granule(next.offset), granule(kept.offset));
    first.free(next.offset).unwrap();
    first.free(kept.offset).unwrap();
    assert_empty(first);
}

#[test]
fn blocks_travel_between_threads() {
    let heap = heap(64 << 20);
    let (give, take) = std::sync::mpsc::sync_channel::<Block>(100);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for round in 0..50_000 {
                let block = heap
                    .alloc(if round % 100 == 0 { 100_000 } else { 200 }, 8)
                    .unwrap();
                stamp(heap, block, 5);
                give.send(block).unwrap();
            }
        });
        for block in take {
            assert_stamped(heap, block, 5);
            heap.free(block.offset).unwrap();
        }
    });
    assert!(heap.stats().high_water <= 16 << 20, "{:?}", heap.stats());
    assert_empty(heap);
}
