//! Many at once: pieces that are lent, sent, taken, given back and ended at the same time; a piece is with one at a time.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::shared::Array;
use crate::shared::chunk::Chunk;
use crate::shared::lease::Lease;
use crate::sys::testing::Random;

const PIECES: usize = 8;

/// Takes whatever piece it can guess a lease of, and sees to it that nobody else writes there.
fn grab(row: &Array<u64>, random: &mut Random, newest: u64) -> bool {
    let entry = random.below(PIECES) as u32;
    let lease = Lease {
        entry,
        number: newest.saturating_sub(random.next() % (2 * PIECES as u64)),
    };
    let piece = entry as usize * 4..entry as usize * 4 + 4;
    let Ok(mut piece) = Chunk::arrive(row.clone(), lease, piece) else {
        return false;
    };
    let mark = random.next();
    piece.fill(mark);
    for _ in 0..random.below(40) {
        std::hint::spin_loop();
    }
    assert!(piece.iter().all(|x| *x == mark), "two have the same piece");
    true
}

#[test]
fn a_piece_is_with_one_at_a_time() {
    let heap = Heap::fresh(8 << 20);
    let row = Array::make_from_fn(heap, 4 * PIECES, |_| 0_u64).unwrap();
    let members: Vec<Member> = (0..2)
        .map(|seed| {
            Member::start(heap, |heap| {
                let row = row.seen_in(heap);
                let mut random = Random(seed + 1);
                loop {
                    let newest = row.leases().newest();
                    grab(&row, &mut random, newest);
                }
            })
        })
        .collect();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(77);
            while !stop.load(Ordering::Relaxed) {
                grab(&row, &mut random, row.leases().newest());
            }
        });
        let mut random = Random(99);
        for round in 1..=2000_u64 {
            let mut guard = row.lock().unwrap();
            let pieces = guard.chunks(PIECES).unwrap();
            for piece in &pieces {
                // Sent, sent again, or worked on here.
                match random.below(3) {
                    0 => drop(piece.send()),
                    1 => drop((piece.send(), piece.send())),
                    _ => {}
                }
            }
            if round % 3 == 0 {
                drop(pieces);
            }
            guard.reclaim().unwrap();
            guard.fill(round);
            for _ in 0..20 {
                std::hint::spin_loop();
            }
            assert!(guard.iter().all(|x| *x == round), "somebody still writes");
        }
        stop.store(true, Ordering::Relaxed);
    });
    for member in members {
        member.copy.kill();
        assert_eq!(member.bury(heap), -9);
    }
    drop(row);
    assert_empty(heap);
}
