//! Where handles can be: parameters by value and by reference, structs, results, messages, each other's company; in the
//! third generation of processes; made in one process and used in another after the first is gone.

use std::sync::atomic::Ordering::SeqCst;

use mp::{Array, Atomic, Failure, Pool, Process, RawArray, RawValue, Value};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Board {
    name: String,
    score: Value<i64>,
    row: Option<Array<u16>>,
    more: Vec<(Atomic<u32>, RawValue<f32>, RawArray<u8>)>,
}

fn board() -> Board {
    Board {
        name: "one".into(),
        score: Value::new(1).unwrap(),
        row: Some(Array::filled(2, 3).unwrap()),
        more: vec![(
            Atomic::new(3).unwrap(),
            RawValue::new(4.0).unwrap(),
            RawArray::new(b"five").unwrap(),
        )],
    }
}

#[mp::task]
fn play(board: Board) -> Result<Board, Failure> {
    board.score.update(|score| *score += 10)?;
    if let Some(row) = &board.row {
        row.lock()?[1] += 10;
    }
    for (count, level, text) in &board.more {
        count.fetch_add(10, SeqCst);
        level.set(level.get()? + 10.0);
        text.set(0, b'F');
    }
    Ok(board)
}

#[mp::task]
fn play_by_reference(board: &Board) -> Result<(), Failure> {
    play(board.clone())?;
    Ok(())
}

/// Has its own child do it, and that one its own.
#[mp::task]
fn pass_down(board: Board, levels: u32) -> Result<Board, Failure> {
    if levels == 0 {
        return play(board);
    }
    Ok(Process::new(pass_down, (board, levels - 1))
        .start()?
        .join()?)
}

fn check(board: &Board, times: i64) {
    assert_eq!(board.score.get().unwrap(), 1 + 10 * times);
    let row = board.row.as_ref().unwrap().to_vec().unwrap();
    assert_eq!(row, [2, 2 + 10 * times as u16, 2]);
    let (count, level, text) = &board.more[0];
    assert_eq!(count.load(SeqCst), 3 + 10 * times as u32);
    assert_eq!(level.get().unwrap(), 4.0 + 10.0 * times as f32);
    assert_eq!(text.to_vec().unwrap(), b"Five");
}

#[mp::test]
fn everywhere() {
    let board = board();
    let back = Process::new(play, board.clone())
        .start()
        .unwrap()
        .join()
        .unwrap();
    check(&back, 1);
    check(&board, 1);
    drop(board);
    let pool = Pool::builder().workers(2).build().unwrap();
    pool.apply(play_by_reference, &back).unwrap();
    check(&back, 2);
    let boards = pool.map(play, [&back, &back, &back]).unwrap();
    check(&boards[2], 5);
    let deep = pool.apply(pass_down, (back, 2)).unwrap();
    check(&deep, 6);
}

#[mp::task]
fn make() -> Result<Board, Failure> {
    Ok(board())
}

#[mp::test]
fn made_in_a_child_that_is_gone() {
    let board = make.run().unwrap();
    check_fresh(&board);
    let pool = Pool::builder().workers(1).build().unwrap();
    let boards = pool.map(make, [(); 5]).unwrap();
    drop(pool);
    for board in &boards {
        check_fresh(board);
        Process::new(play, board.clone())
            .start()
            .unwrap()
            .join()
            .unwrap();
        check(board, 1);
    }
}

fn check_fresh(board: &Board) {
    assert_eq!(board.score.get().unwrap(), 1);
    assert_eq!(board.row.as_ref().unwrap().to_vec().unwrap(), [2; 3]);
    assert_eq!(board.more[0].2.to_vec().unwrap(), b"five");
}

#[mp::task]
fn wants_u32(value: &Value<u32>) -> u32 {
    value.get().unwrap()
}

#[derive(Serialize, Deserialize)]
struct Lie(Value<i32>);

#[mp::test]
fn a_handle_is_of_its_type() {
    // Only the type system stands between the two, because a handle travels only as itself.
    let value = Value::new(7_u32).unwrap();
    assert_eq!(wants_u32(&value), 7);
    let same = value.clone();
    same.set(8).unwrap();
    assert_eq!(
        Process::new(wants_u32, &value)
            .start()
            .unwrap()
            .join()
            .unwrap(),
        8
    );
    let lie = Lie(Value::new(1).unwrap());
    assert_eq!(lie.0.get().unwrap(), 1);
}

/// Each object is held once by its message, however often and in whatever order the message names it.
#[mp::test]
fn a_message_names_few_or_many() {
    let queue = mp::Queue::unbounded().unwrap();
    for count in [1, 2, 15, 16, 17, 18, 33, 1000] {
        let values: Vec<_> = (0..count).map(|n| Value::new(n).unwrap()).collect();
        let order = (0..count)
            .chain((0..count).rev())
            .chain((0..count).map(|n| n * 7 % count));
        let named: Vec<_> = order.map(|n| (n, values[n].clone())).collect();
        let direct = sum.run(&named).unwrap();
        assert_eq!(direct, named.iter().map(|(n, _)| *n).sum());
        queue.put(named).unwrap();
        drop(values);
        let named: Vec<(usize, Value<usize>)> = queue.get().unwrap();
        assert_eq!(named.len(), 3 * count);
        for (n, value) in &named {
            assert_eq!(value.get().unwrap(), *n);
            value.set(n + 1).unwrap();
            assert_eq!(named[*n].1.get().unwrap(), n + 1, "the same");
            value.set(*n).unwrap();
        }
    }
}

#[mp::task]
fn sum(named: &[(usize, Value<usize>)]) -> Result<usize, Failure> {
    named
        .iter()
        .try_fold(0, |sum, (_, value)| Ok(sum + value.get()?))
}
