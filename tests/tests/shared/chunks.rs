//! Chunks: disjoint pieces worked on in place by tasks, and every way in which they do not come back as they should.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use mp::{Array, Atomic, Chunk, Event, Failure, LockError, Pool, Process};
use mp_tests::grief;

use crate::common::only;

#[mp::task]
fn double(mut piece: Chunk<u64>) -> usize {
    for x in &mut piece[..] {
        *x *= 2;
    }
    piece.range().start
}

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

fn ramp(len: usize) -> Array<u64> {
    Array::from_fn(len, |index| index as u64).unwrap()
}

#[mp::test]
fn pieces_are_worked_on_in_place() {
    let pool = pool(2);
    for len in [0, 1, 5, 1000, 300_001] {
        let row = ramp(len);
        let mut guard = row.lock().unwrap();
        let starts = pool.map(double, guard.chunks(7).unwrap()).unwrap();
        assert_eq!(starts.len(), len.min(7));
        assert!(starts.is_sorted());
        // The guard is a slice again.
        assert!((0..).zip(guard.iter()).all(|(index, x)| *x == 2 * index));
        // In pieces of a length, by reference, and again without ado.
        let pieces = guard.chunks_of(100).unwrap();
        assert_eq!(pieces.len(), len.div_ceil(100));
        for _ in 0..2 {
            pool.map(double, &pieces).unwrap();
        }
        guard.reclaim().unwrap();
        assert!(guard.damaged().is_empty());
        drop(guard);
        let expected: Vec<u64> = (0..len as u64).map(|index| 8 * index).collect();
        assert_eq!(row.to_vec().unwrap(), expected);
    }
}

#[mp::test]
fn pieces_are_worked_on_here() {
    let row = ramp(10);
    let mut guard = row.lock().unwrap();
    for piece in guard.chunks(3).unwrap() {
        double(piece);
    }
    assert_eq!(guard[9], 18);
    let mut pieces = guard.chunks_of(4).unwrap();
    assert_eq!(pieces[2].range(), 8..10);
    std::thread::scope(|scope| {
        for piece in &mut pieces {
            scope.spawn(|| piece.fill(1));
        }
    });
    // They are still worked on, so the guard gives nothing out, and says why.
    let error = guard.reclaim().unwrap_err();
    assert!(
        error.is_usage() && error.to_string().contains("release"),
        "{error}"
    );
    assert!(guard.chunks(2).unwrap_err().is_usage());
    // Nor can they be sent.
    let child = Process::new(double, pieces.remove(0));
    assert!(child.start().unwrap_err().to_string().contains("release"));
    for piece in &mut pieces {
        piece.release();
    }
    pieces[0][0] = 7;
    pieces[0].release();
    guard.reclaim().unwrap();
    assert_eq!(guard[..], [1, 1, 1, 1, 7, 1, 1, 1, 1, 1]);
    // The lease has ended.
    assert!(
        pieces[0]
            .begin()
            .unwrap_err()
            .to_string()
            .contains("has ended")
    );
    let touched = std::panic::catch_unwind(|| pieces[0][0]);
    assert!(touched.is_err());
    let mut pieces = guard.chunks(2).unwrap();
    pieces[1][0] = 3;
    // The guard goes first; the lock is given back with the last piece.
    drop(guard);
    assert!(row.try_lock().unwrap().is_none());
    assert!(pieces[0].begin().is_ok());
    drop(pieces);
    assert_eq!(row.try_lock().unwrap().unwrap()[5], 3);
}

#[mp::test]
fn pieces_need_a_length() {
    let row = ramp(3);
    let mut guard = row.lock().unwrap();
    assert!(guard.chunks(0).unwrap_err().is_usage());
    assert!(guard.chunks_of(0).unwrap_err().is_usage());
    assert_eq!(guard.chunks_of(usize::MAX).unwrap().len(), 1);
}

#[mp::task]
fn hold(piece: Chunk<u64>, begun: &Event, go: &Event) -> Result<(), Failure> {
    let mut piece = piece;
    piece[0] = 77;
    begun.set()?;
    go.wait()?;
    piece[1] = 78;
    Ok(())
}

#[mp::test]
fn the_guard_waits_for_what_is_out() {
    let (begun, go) = (Event::new().unwrap(), Event::new().unwrap());
    let pool = pool(1);
    let row = ramp(6);
    let mut guard = row.lock().unwrap();
    let pieces = guard.chunks(3).unwrap();
    let work: Vec<_> = pieces
        .into_iter()
        .map(|piece| pool.apply_async(hold, (piece, &begun, &go)).unwrap())
        .collect();
    begun.wait().unwrap();
    let (other, letting_go) = (row.clone(), go.clone());
    let helper = std::thread::spawn(move || {
        assert!(
            other
                .lock_timeout(Duration::from_millis(50))
                .unwrap()
                .is_none()
        );
        letting_go.set().unwrap();
    });
    // The first piece is waited for; the others are refused to who comes late.
    assert_eq!(guard[..], [77, 78, 2, 3, 4, 5]);
    helper.join().unwrap();
    let mut work = work.into_iter();
    work.next().unwrap().get().unwrap();
    for late in work {
        let error = late.get().unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error}");
    }
}

#[mp::test]
fn a_message_is_good_once_and_the_last_one_counts() {
    let row = ramp(4);
    let pool = pool(1);
    let mut guard = row.lock().unwrap();
    let pieces = guard.chunks(1).unwrap();
    let results = pool.try_map(double, [&pieces[0], &pieces[0]]).unwrap();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert_eq!(guard[3], 6);
}

#[mp::task]
fn pass_on(mut piece: Chunk<u64>) -> Result<(), Failure> {
    piece[0] += 1;
    let pool = Pool::builder().workers(1).build()?;
    // Worked on here: not to be sent.
    assert!(pool.map(double, [&piece]).is_err());
    piece.release();
    pool.map(double, [&piece])?;
    piece[0] += 1;
    Ok(())
}

#[mp::test]
fn a_piece_goes_on_to_a_third_process() {
    let row = ramp(4);
    let mut guard = row.lock().unwrap();
    let pieces = guard.chunks(2).unwrap();
    pool(1).map(pass_on, &pieces).unwrap();
    assert_eq!(guard[..], [3, 2, 7, 6]);
}

#[mp::task]
fn half_way(mut piece: Chunk<u64>, way: &str) {
    piece[0] = 1000;
    if piece.range().start == 2 {
        grief::end(way);
    }
    piece[1] = 1001;
}

#[mp::test]
fn a_worker_that_dies_with_a_piece_is_reported() {
    for way in ["kill", "abort", "exit 4", "panic"] {
        let row = ramp(6);
        let pool = pool(2);
        let mut guard = row.lock().unwrap();
        let pieces = guard.chunks_of(2).unwrap();
        let results = pool
            .on(half_way)
            .retries(2)
            .try_map(pieces.iter().map(|piece| (piece, way)))
            .unwrap();
        assert!(results[0].is_ok() && results[2].is_ok());
        let error = results[1].as_ref().unwrap_err();
        if way == "panic" {
            assert!(error.to_string().contains("may be half-written"), "{error}");
        }
        // Nobody gets the piece any more.
        let refused = pool.map(double, [&pieces[1]]).unwrap_err();
        assert!(
            refused.to_string().contains("may be half-written"),
            "{refused}"
        );
        let error = guard.reclaim().unwrap_err();
        assert!(
            error.is_poisoned() && error.to_string().contains("[2..4]"),
            "{error}"
        );
        guard.reclaim().unwrap();
        assert_eq!(guard.damaged(), only(2..4));
        assert_eq!(guard[..], [1000, 1001, 1000, 3, 1000, 1001]);
        drop(guard);
        assert!(row.lock().is_ok(), "it was told");
    }
}

#[mp::test]
fn damage_that_nobody_asked_about_is_told_to_the_next() {
    let row = ramp(6);
    let pool = pool(1);
    let mut guard = row.lock().unwrap();
    let pieces = guard.chunks_of(2).unwrap();
    let work = pieces.iter().map(|piece| (piece, "kill"));
    assert!(pool.try_map(half_way, work).unwrap()[1].is_err());
    drop((pieces, guard));
    assert!(row.get(0).unwrap_err().is_poisoned());
    let Err(LockError::Poisoned(dead)) = row.lock() else {
        panic!("nobody was told")
    };
    assert_eq!(dead.into_guard().damaged(), only(2..4));
    assert!(row.lock().is_ok());
}

#[mp::task]
fn lend_and_die(row: &Array<u64>, begun: &Event, go: &Event) -> Result<(), Failure> {
    let mut guard = row.lock()?;
    let piece = guard.chunks(2)?.remove(0);
    let borrower = Process::new(hold, (piece, begun, go)).start()?;
    begun.wait()?;
    // The borrower outlives this process for a moment: its lifeline ends it.
    std::mem::forget(borrower);
    grief::end("kill");
    Ok(())
}

#[mp::test]
fn a_lender_that_dies_poisons_the_array() {
    let (begun, go) = (Event::new().unwrap(), Event::new().unwrap());
    let row = ramp(4);
    let child = Process::new(lend_and_die, (&row, &begun, &go))
        .start()
        .unwrap();
    let pid = child.pid();
    begun.wait().unwrap();
    let Err(LockError::Poisoned(dead)) = row.lock() else {
        panic!("nobody was told")
    };
    assert_eq!(dead.pid(), Some(pid));
    let guard = dead.into_guard();
    assert_eq!(guard.damaged(), only(0..4));
    assert_eq!(guard[..], [77, 1, 2, 3]);
    drop(guard);
    let _ = child.join();
    assert!(row.lock().is_ok());
}

#[mp::task]
fn leak(mut piece: Chunk<u64>) {
    piece[0] = 5;
    std::mem::forget(piece);
}

/// In a process of its own, which takes what it leaks with it.
#[mp::test]
fn what_is_leaked_stays_locked_while_its_process_lives() {
    let (row, other) = (ramp(4), ramp(4));
    leaks.run(&row, &other).unwrap();
    for row in [&row, &other] {
        assert!(row.lock().unwrap_err().is_poisoned());
        assert!(row.lock().is_ok());
    }
}

#[mp::task]
fn leaks(row: &Array<u64>, other: &Array<u64>) -> Result<(), Failure> {
    let moment = Duration::from_millis(30);
    let mut guard = row.lock()?;
    let pieces = guard.chunks(2)?;
    let pool = Pool::builder().workers(1).build()?;
    pool.map(leak, &pieces)?;
    let refused = pool.map(double, [&pieces[0]]).unwrap_err();
    assert!(refused.to_string().contains("are worked on"), "{refused}");
    std::mem::forget(guard);
    assert!(row.lock_timeout(moment)?.is_none());
    pool.kill();
    assert!(row.lock_timeout(moment)?.is_none());

    let mut guard = other.lock()?;
    let mut pieces = guard.chunks(2)?;
    pieces[0][0] = 1;
    std::mem::forget(pieces);
    assert!(guard.reclaim().unwrap_err().is_usage());
    drop(guard);
    assert!(other.try_lock()?.is_none());
    Ok(())
}

#[mp::task]
fn tally(piece: Chunk<u32>, sum: &Atomic<u64>) {
    let part: u64 = piece.iter().map(|x| u64::from(*x)).sum();
    sum.fetch_add(part, SeqCst);
}

#[mp::test]
fn a_thousand_pieces() {
    let row = Array::filled(3_u32, 100_000).unwrap();
    let sum = Atomic::new(0).unwrap();
    let pool = pool(2);
    let mut guard = row.lock().unwrap();
    for round in 1..=3 {
        let pieces = guard.chunks(1000).unwrap();
        pool.map(tally, pieces.iter().map(|piece| (piece, &sum)))
            .unwrap();
        assert_eq!(sum.load(SeqCst), round * 300_000);
    }
}
