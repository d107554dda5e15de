//! A process that writes anything anywhere: no call crashes, hangs, or leaves the mapping; and there are no promises beyond.

use super::*;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Overwrites some words that matter with what might hurt most.
fn scribble(heap: &Heap, random: &mut Random, blocks: &[Block]) {
    let words = heap.segment.everything();
    let table = heap.segment.table();
    for _ in 0..1 + random.below(40) {
        let grown = heap.segment.grown().max(1);
        let value = match random.below(8) {
            0 => 0,
            1 => u64::MAX,
            2 => random.next(),
            3 => random.next() & 7 | 1 << 5,
            4 => table[random.below(grown)].load(Ordering::Relaxed) ^ 1 << random.below(64),
            5 => table[random.below(grown)].load(Ordering::Relaxed),
            6 => u64::from(heap.me().pack()) << 32 | random.next() & 0xffff_ffff,
            _ => {
                u64::from(heap.me().pack()) << 32
                    | (random.below(grown) as u64) << 5
                    | random.next() & 31
            }
        };
        let word = match random.below(6) {
            // The head, whose counts a process goes on using.
            0 => &words[random.below(80)],
            // The pages of the first few processes.
            1 => &words[512 + random.below(6 * 512)],
            // A word of a block, or what was one.
            2 => {
                let at = heap.segment.offset_of(random.below(grown)) / 8;
                &words[(at as usize + random.below(20)).min(words.len() - 1)]
            }
            3 if !blocks.is_empty() => {
                let block = blocks[random.below(blocks.len())];
                match heap.segment.granule_of(block.offset) {
                    Some((granule, _)) => &table[granule],
                    None => continue,
                }
            }
            _ => &table[random.below(grown)],
        };
        word.store(value, Ordering::Relaxed);
    }
}

/// Calls everything there is, and looks at nothing but whether it comes back.
fn use_all(heap: &Heap, random: &mut Random, blocks: &mut Vec<Block>) {
    let strange = SlotId {
        index: random.below(6000) as u32,
        generation: random.next() as u32,
    };
    for _ in 0..30 {
        match random.below(8) {
            0..3 => {
                let most = [200, 5000, 300_000][random.below(3)];
                let bytes = random.below(most);
                if let Ok(block) = heap.alloc(bytes, 8) {
                    blocks.push(block);
                    // What the parent would do with it.
                    if heap.at(block.offset, block.size).is_ok() {
                        stamp(heap, block, 1);
                    }
                }
            }
            3..6 if !blocks.is_empty() => {
                let block = blocks.swap_remove(random.below(blocks.len()));
                let _ = heap.free(block.offset);
            }
            6 if !blocks.is_empty() => {
                let block = blocks[random.below(blocks.len())];
                let _ = heap.give(block.offset, strange);
                let _ = heap.owner(block.offset);
                if let Ok(size) = heap.size_of(block.offset) {
                    heap.at(block.offset, size).unwrap();
                    heap.warm(block.offset, size);
                    // Inside the file, so this does not fault.
                    let last = heap
                        .segment
                        .words(block.offset + size as u64 - 8, 1)
                        .unwrap();
                    last[0].load(Ordering::Relaxed);
                }
            }
            _ => {
                let _ = heap.free(random.next() % (40 << 20));
            }
        }
    }
    heap.adopt(strange);
    heap.adopt(SlotId {
        index: 1,
        generation: 1,
    });
    heap.trim();
    heap.stats();
    let table = heap.processes();
    if let Ok(id) = table.reserve(Some(strange)) {
        let _ = table.slot(id).map(|slot| slot.parent());
        let _ = table.mark_dead(id);
        table.is_marked_dead(strange);
        let _ = table.release(id);
    }
    assert!(table.children_of(heap.me()).count() <= 4096);
}

#[test]
fn scribbled_metadata_is_survived() {
    let heap = heap_with_cap(16 << 20, 2 << 20);
    let mut random = Random(20_260_101);
    let start = Instant::now();
    for _ in 0..400 {
        // A clean table, so that there is something left to spoil.
        for word in heap.segment.table() {
            word.store(0, Ordering::Relaxed);
        }
        heap.segment.set_idle(0);
        let mut blocks = Vec::new();
        use_all(heap, &mut random, &mut blocks);
        for _ in 0..5 {
            scribble(heap, &mut random, &blocks);
            use_all(heap, &mut random, &mut blocks);
        }
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn scribbling_meanwhile_is_survived() {
    let heap = heap_with_cap(16 << 20, 2 << 20);
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(3);
            while !stop.load(Ordering::Relaxed) {
                scribble(heap, &mut random, &[]);
                if random.below(50) == 0 {
                    for word in heap.segment.table() {
                        word.store(0, Ordering::Relaxed);
                    }
                }
                std::thread::yield_now();
            }
        });
        let mut random = Random(8);
        let mut blocks = Vec::new();
        for _ in 0..1000 {
            blocks.truncate(500);
            use_all(heap, &mut random, &mut blocks);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(start.elapsed() < Duration::from_secs(60));
}
