//! How long things take; run by hand: `cargo test --release -p mp-runtime --lib heap::tests::speed -- --ignored --nocapture`.

use super::*;
use std::time::Instant;

fn report(what: &str, rounds: u32, mut body: impl FnMut()) {
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..rounds {
                body();
            }
            start.elapsed().as_nanos() as f64 / f64::from(rounds)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{what:<44} {:>9.1} {:>9.1} {:>9.1} ns",
        times[0], times[3], times[6]
    );
}

#[test]
#[ignore = "measures, asserts nothing"]
fn speed() {
    let heap = heap(4 << 30);
    for bytes in [64, 1000, 4096, 32 << 10, 256 << 10, 1 << 20, 16 << 20] {
        let rounds = if bytes > 1 << 20 { 2_000 } else { 200_000 };
        report(&format!("alloc + free {bytes}"), rounds, || {
            let block = heap.alloc(bytes, 8).unwrap();
            heap.free(block.offset).unwrap();
        });
    }
    let mut live = std::collections::VecDeque::new();
    for bytes in [64, 1000, 256 << 10] {
        report(
            &format!("alloc + free {bytes}, 64 live, oldest first"),
            100_000,
            || {
                live.push_back(heap.alloc(bytes, 8).unwrap().offset);
                if live.len() > 64 {
                    heap.free(live.pop_front().unwrap()).unwrap();
                }
            },
        );
        for offset in live.drain(..) {
            heap.free(offset).unwrap();
        }
    }
    let mut many = Vec::new();
    report("alloc 64, a million live", 140_000, || {
        many.push(heap.alloc(64, 8).unwrap().offset);
    });
    report("give", 100_000, || heap.give(many[7], heap.me()).unwrap());
    report("at", 100_000, || {
        std::hint::black_box(heap.at(many[7], 64).unwrap());
    });
    let dead = SlotId {
        index: 9,
        generation: 9,
    };
    report("adopt, a million small blocks live", 10, || {
        heap.adopt(dead)
    });
    for offset in many.drain(..) {
        heap.free(offset).unwrap();
    }
    let mut large = Vec::new();
    report("alloc 64 KiB, 14,000 live, fresh", 2_000, || {
        large.push(heap.alloc(64 << 10, 8).unwrap().offset);
    });
    report("alloc + free 128 KiB among them", 1_000, || {
        let block = heap.alloc(128 << 10, 8).unwrap();
        heap.free(block.offset).unwrap();
    });
    report("adopt, 14,000 large blocks live", 10, || heap.adopt(dead));
    for offset in large.drain(..) {
        heap.free(offset).unwrap();
    }
    heap.trim();
    report("adopt, empty heap grown to 1 GiB", 10, || heap.adopt(dead));
    let block = heap.alloc(100 << 20, 8).unwrap();
    report("warm 100 MiB again", 1_000, || {
        heap.warm(block.offset, block.size)
    });
    report("reserve + release a slot", 10_000, || {
        let id = heap.processes().reserve(Some(heap.me())).unwrap();
        heap.processes().release(id).unwrap();
    });
    report("create a heap", 20, || {
        super::heap(1 << 30);
    });
}
