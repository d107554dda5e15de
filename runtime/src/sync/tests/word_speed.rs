//! How fast the bare lock word is; run by hand: `cargo test --release -p mp-runtime --lib word_speed -- --ignored --nocapture`.

use super::*;
use crate::sync::Word;

#[repr(C)]
struct Board {
    word: Word,
    start: AtomicU32,
    gap: [AtomicU64; 16],
    counter: AtomicU64,
}

const ROUNDS: u64 = 1_000_000;

#[test]
#[ignore = "measures, asserts nothing"]
fn word_speed() {
    let heap = Heap::fresh(1 << 20);
    let (board, at): (&'static Board, u64) = board(heap);
    for _ in 0..7 {
        let begun = Instant::now();
        for _ in 0..ROUNDS * 4 {
            let _ = board.word.lock(heap, None).unwrap();
            board.word.unlock(heap);
        }
        let alone = begun.elapsed().as_nanos() as f64 / (ROUNDS * 4) as f64;
        board.start.store(0, Ordering::SeqCst);
        let work = move |heap: &'static Heap| {
            let board: &Board = at_offset(heap, at);
            board.start.fetch_add(1, Ordering::SeqCst);
            while board.start.load(Ordering::SeqCst) < 2 {}
            for _ in 0..ROUNDS {
                let _ = board.word.lock(heap, None).unwrap();
                let seen = board.counter.load(Ordering::Relaxed);
                board.counter.store(seen + 1, Ordering::Relaxed);
                board.word.unlock(heap);
            }
        };
        let twin = Member::start(heap, work);
        until("the twin is there", || {
            board.start.load(Ordering::SeqCst) == 1
        });
        let begun = Instant::now();
        work(heap);
        assert_eq!(twin.bury(heap), 0);
        let two = begun.elapsed().as_secs_f64() * 1e3;
        println!("alone {alone:.1} ns, two processes {two:.1} ms");
    }
}
