//! `Array`: CPython's `_TestArray` as behaviour, its lock, and what dead holders leave.

use std::time::Duration;

use mp::{Array, Failure, LockError, Process};
use mp_tests::grief;

use crate::common::only;
use crate::values::{HEAVY, Kind, LIGHT, Particle};

/// Python's `f`: sums up as it goes.
#[mp::task]
fn running_sum(row: &Array<i32>) -> Result<(), Failure> {
    let mut row = row.lock()?;
    for index in 1..row.len() {
        row[index] += row[index - 1];
    }
    Ok(())
}

#[mp::test]
fn test_array() {
    let mut numbers = vec![680, 626, 934, 821, 150, 233, 548, 982, 714, 831];
    let row = Array::new(&numbers).unwrap();
    assert_eq!(row.len(), numbers.len());
    assert_eq!(row.get(2).unwrap(), 934);
    assert_eq!(row.lock().unwrap()[2..7], numbers[2..7]);
    let mut guard = row.lock().unwrap();
    guard[4..8].copy_from_slice(&[1, 2, 3, 4]);
    numbers[4..8].copy_from_slice(&[1, 2, 3, 4]);
    assert_eq!(guard[..], numbers[..]);
    drop(guard);
    for index in 1..numbers.len() {
        numbers[index] += numbers[index - 1];
    }
    Process::new(running_sum, &row)
        .start()
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(row.to_vec().unwrap(), numbers);
    row.set(0, -5).unwrap();
    assert_eq!(row.get(0).unwrap(), -5);
    for index in [10, usize::MAX] {
        assert!(row.get(index).unwrap_err().is_usage());
        assert!(row.set(index, 1).unwrap_err().is_usage());
    }
}

#[mp::test]
fn test_array_from_size() {
    let size = 10;
    // Memory that was used before.
    for _ in 0..3 {
        let row = Array::<i32>::zeroed(size).unwrap();
        assert_eq!(row.to_vec().unwrap(), [0; 10]);
        row.lock().unwrap().copy_from_slice(&[7; 10]);
        assert_eq!(row.to_vec().unwrap(), [7; 10]);
    }
    assert!(Array::<i32>::zeroed(0).unwrap().is_empty());
    let error = Array::<Kind>::zeroed(3).unwrap_err();
    assert!(
        error.is_usage() && error.to_string().contains("Array::filled"),
        "{error}"
    );
    assert_eq!(
        Array::<bool>::zeroed(3).unwrap().to_vec().unwrap(),
        [false; 3]
    );
    assert_eq!(
        Array::filled(HEAVY, 3).unwrap().to_vec().unwrap(),
        [HEAVY; 3]
    );
    assert_eq!(Array::filled((), 3).unwrap().len(), 3);
    assert!(
        Array::<char>::new(&[])
            .unwrap()
            .to_vec()
            .unwrap()
            .is_empty()
    );
}

#[mp::test]
fn test_getobj_getlock_obj() {
    let row = Array::new(&[1, 2, 3]).unwrap();
    let guard = row.lock().unwrap();
    assert!(row.is_locked());
    assert!(row.try_lock().unwrap().is_none());
    assert!(
        row.lock_timeout(Duration::from_millis(5))
            .unwrap()
            .is_none()
    );
    assert_eq!(format!("{guard:?}"), "[1, 2, 3]");
    drop(guard);
    assert_eq!(format!("{row:?}"), "Array { len: 3, locked: false, .. }");
    row.try_lock().unwrap().unwrap()[0] = 5;
    assert_eq!(row.get(0).unwrap(), 5);
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C, align(64))]
struct Wide([u8; 64]);

#[mp::test]
fn elements_are_aligned() {
    for len in [1, 7, 5000, 200_000] {
        let bytes = Array::filled(1_u8, len).unwrap();
        assert_eq!(bytes.lock().unwrap().as_ptr().addr() % 64, 0);
        let floats = Array::filled(1.0_f32, len).unwrap();
        assert_eq!(floats.lock().unwrap().as_ptr().addr() % 64, 0);
    }
    let wide = Array::filled(Wide([3; 64]), 100).unwrap();
    assert!(wide.lock().unwrap().iter().all(|wide| wide.0 == [3; 64]));
}

#[mp::task]
fn add(row: &Array<u64>, times: u64) -> Result<(), Failure> {
    for _ in 0..times {
        for x in row.lock()?.iter_mut() {
            *x += 1;
        }
    }
    Ok(())
}

#[mp::test]
fn no_addition_is_lost() {
    let row = Array::filled(0, 33).unwrap();
    let children: Vec<_> = (0..3)
        .map(|_| Process::new(add, (&row, 5000)).start().unwrap())
        .collect();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(row.to_vec().unwrap(), [15_000; 33]);
}

#[mp::task]
fn die_with(row: &Array<u64>, way: &str) -> Result<(), Failure> {
    let mut guard = row.lock()?;
    guard[1] = 99;
    grief::end(way);
    Ok(())
}

#[mp::test]
fn a_dead_holder_poisons() {
    for way in ["kill", "exit 3", "abort"] {
        let row = Array::filled(0, 4).unwrap();
        let child = Process::new(die_with, (&row, way)).start().unwrap();
        let pid = child.pid();
        assert!(child.join().is_err());
        for _ in 0..2 {
            let error = row.get(0).unwrap_err();
            assert!(error.is_poisoned() && error.pid() == Some(pid), "{error}");
            assert!(row.set(0, 1).unwrap_err().is_poisoned());
            assert!(row.to_vec().unwrap_err().is_poisoned());
        }
        let Err(LockError::Poisoned(dead)) = row.lock() else {
            panic!("nobody was told")
        };
        assert_eq!(dead.pid(), Some(pid));
        let mut guard = dead.into_guard();
        assert_eq!(guard.damaged(), only(0..4));
        assert_eq!(guard[..], [0, 99, 0, 0]);
        guard[1] = 0;
        drop(guard);
        assert_eq!(row.to_vec().unwrap(), [0; 4], "told once");
        assert!(row.lock().unwrap().damaged().is_empty());
    }
}

#[mp::test]
fn a_panic_gives_the_lock_back() {
    let row = Array::filled(LIGHT, 4).unwrap();
    let panics = std::panic::catch_unwind(|| {
        let mut guard = row.lock().unwrap();
        guard[1] = HEAVY;
        panic!("in the middle");
    });
    assert!(panics.is_err());
    assert_eq!(row.to_vec().unwrap(), [LIGHT, HEAVY, LIGHT, LIGHT]);
}

/// Writes all over, in values that are half one and half another when it is killed.
#[mp::task]
fn churn(row: &Array<Particle>) -> Result<(), Failure> {
    loop {
        row.lock().or_else(LockError::into_guard)?.fill(LIGHT);
        row.lock().or_else(LockError::into_guard)?.fill(HEAVY);
    }
}

#[mp::test]
fn what_a_killed_writer_leaves_are_values() {
    let row = Array::filled(LIGHT, 3000).unwrap();
    let mut told = 0;
    for round in 0..20 {
        let child = Process::new(churn, &row).start().unwrap();
        while !row.is_locked() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(round * 50));
        child.kill().unwrap();
        let guard = match row.lock() {
            Err(LockError::Poisoned(dead)) => {
                told += 1;
                dead.into_guard()
            }
            Ok(guard) => guard,
            other => panic!("{other:?}"),
        };
        for particle in &guard[..] {
            let both = LIGHT.place.iter().zip(HEAVY.place);
            for (x, (light, heavy)) in particle.place.iter().zip(both) {
                assert!(x == light || *x == heavy);
            }
            assert!(matches!(particle.kind, Kind::Light | Kind::Heavy));
        }
        drop(guard);
        let _ = child.join();
    }
    println!("{told} of 20 held the lock");
}

#[mp::task]
fn invert(mut piece: mp::Chunk<bool>, panics: bool) {
    for flag in &mut piece[..] {
        *flag = !*flag;
    }
    assert!(!panics);
}

/// Not every byte is a `bool`: guards and pieces work on copies, which nobody notices.
#[mp::test]
fn flags_in_pieces() {
    let row = Array::from_fn(1000, |index| index % 3 == 0).unwrap();
    let pool = mp::Pool::builder().workers(2).build().unwrap();
    let mut guard = row.lock().unwrap();
    guard[1] = true;
    let pieces = guard.chunks(4).unwrap();
    pool.map(invert, pieces.iter().map(|piece| (piece, false)))
        .unwrap();
    assert!(!guard[0] && !guard[1] && guard[2] && !guard[999]);
    guard[0] = true;
    for mut piece in guard.chunks(3).unwrap() {
        piece[0] = true;
        assert_eq!(piece.iter().filter(|flag| **flag).count() / 100, 2);
    }
    drop(guard);
    let flags = row.to_vec().unwrap();
    assert!(flags[0] && flags[334] && flags[667] && !flags[1]);
    // A task that panics half-way leaves such a piece as it was; but that is said of all.
    let mut guard = row.lock().unwrap();
    let pieces = guard.chunks(1).unwrap();
    assert!(
        pool.map(invert, [(&pieces[0], true)])
            .unwrap_err()
            .is_panic()
    );
    assert!(guard.reclaim().unwrap_err().is_poisoned());
    assert_eq!(guard[..], flags[..]);
}
