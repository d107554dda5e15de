//! `Atomic`: the operations are those of std, and none is lost between processes.

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

use mp::{Atomic, Process};

#[mp::task]
fn count(hits: &Atomic<u64>, sum: &Atomic<f64>, most: &Atomic<i32>, times: u64) {
    for round in 0..times {
        hits.fetch_add(1, Relaxed);
        sum.fetch_add(0.5, Relaxed);
        most.fetch_max(round as i32, Relaxed);
    }
}

#[mp::test]
fn nothing_is_lost_between_processes() {
    let hits = Atomic::new(0_u64).unwrap();
    let sum = Atomic::new(0.0_f64).unwrap();
    let most = Atomic::new(-1_i32).unwrap();
    let children: Vec<_> = (0..3)
        .map(|_| {
            let input = (&hits, &sum, &most, 20_000);
            Process::new(count, input).start().unwrap()
        })
        .collect();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(hits.load(SeqCst), 60_000);
    assert_eq!(sum.load(SeqCst), 30_000.0);
    assert_eq!(most.load(SeqCst), 19_999);
}

#[mp::test]
fn integers_do_what_stds_do() {
    macro_rules! each {
        ($($of:ident $std:ident)*) => {$({
            let mine = Atomic::new(5 as $of).unwrap();
            let theirs = std::sync::atomic::$std::new(5);
            for value in [0, 1, 7, 100, $of::MAX, $of::MIN] {
                macro_rules! same {
                    ($call:ident $argument:expr) => {
                        assert_eq!(mine.$call($argument, SeqCst), theirs.$call($argument, SeqCst));
                        assert_eq!(mine.load(Acquire), theirs.load(Acquire));
                    };
                }
                same!(fetch_add value);
                same!(fetch_sub 3);
                same!(fetch_max value);
                same!(fetch_min value / 2);
                same!(fetch_or value);
                same!(fetch_xor 9);
                same!(fetch_and value);
                same!(fetch_nand value);
                same!(swap value);
                for current in [value, value ^ 1] {
                    let (new, order) = (value / 3, Relaxed);
                    assert_eq!(
                        mine.compare_exchange(current, new, AcqRel, order),
                        theirs.compare_exchange(current, new, AcqRel, order)
                    );
                }
                mine.store(value, Release);
                assert_eq!(mine.update(SeqCst, |old| old ^ 1), value);
                theirs.store(value ^ 1, Release);
            }
        })*};
    }
    each! {
        u8 AtomicU8 u16 AtomicU16 u32 AtomicU32 u64 AtomicU64 usize AtomicUsize
        i8 AtomicI8 i16 AtomicI16 i32 AtomicI32 i64 AtomicI64 isize AtomicIsize
    }
}

#[mp::test]
fn truth_and_floats() {
    let flag = Atomic::new(false).unwrap();
    assert!(!flag.fetch_or(true, SeqCst));
    assert!(flag.fetch_and(true, SeqCst));
    assert!(flag.fetch_xor(true, SeqCst));
    assert!(!flag.fetch_nand(true, SeqCst));
    assert!(flag.swap(false, SeqCst));
    assert_eq!(
        flag.compare_exchange(true, true, SeqCst, SeqCst),
        Err(false)
    );
    assert!(!flag.load(SeqCst));
    let small = Atomic::new(1.5_f32).unwrap();
    assert_eq!(small.fetch_sub(0.5, SeqCst), 1.5);
    assert_eq!(small.fetch_min(-2.0, SeqCst), 1.0);
    assert_eq!(small.fetch_max(f32::NAN, SeqCst), -2.0);
    assert_eq!(small.compare_exchange(-2.0, 4.0, SeqCst, SeqCst), Ok(-2.0));
    assert_eq!(format!("{small:?}"), "Atomic(4.0)");
    let same = small.clone();
    same.store(0.0, SeqCst);
    assert_eq!(small.compare_exchange(-0.0, 4.0, SeqCst, SeqCst), Err(0.0));
}
