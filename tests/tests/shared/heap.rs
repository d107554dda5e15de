//! The heap under shared data: CPython's `_TestHeap` as behaviour, endless making and dropping, and its limit.

use mp::{Array, Atomic, Failure, Process, RawValue, Value};

use crate::common::{Random, heap_file, number};

/// Python's `test_heap`: blocks of all sizes, dropped in any order; nothing overlaps, and all of it can be used again.
#[mp::test]
fn test_heap() {
    let mut random = Random(7);
    let mut rows: Vec<(u64, Array<u64>)> = Vec::new();
    let mut reached = 0;
    for round in 0..5000_u64 {
        // A log-normal distribution in Python; here powers of two, small ones more often.
        let most = 1 << random.below(17);
        let len = 1 + random.below(most);
        rows.push((round, Array::filled(round, len).unwrap()));
        if rows.len() > 100 {
            let (mark, row) = rows.swap_remove(random.below(rows.len()));
            assert!(row.lock().unwrap().iter().all(|x| *x == mark));
        }
        if round == 2500 {
            reached = heap_file().0;
        }
    }
    for (mark, row) in &rows {
        assert!(row.to_vec().unwrap().iter().all(|x| x == mark));
    }
    // It was warmed up half-way; gaps are used again.
    assert!(
        heap_file().0 <= reached * 3 / 2,
        "{} after {reached}",
        heap_file().0
    );
}

#[mp::task]
fn churn(times: usize, shared: &Value<u64>) -> Result<(), Failure> {
    cycles(times)?;
    shared.update(|count| *count += times as u64)?;
    Ok(())
}

fn cycles(times: usize) -> mp::Result<()> {
    for round in 0..times as u64 {
        let value = Value::new(round)?;
        let row = Array::filled(round, (round % 50) as usize)?;
        let count = Atomic::new(round)?;
        let raw = RawValue::new([round; 9])?;
        drop((value.clone(), count.clone()));
        assert_eq!(value.get()?, round);
        drop((row, raw));
    }
    Ok(())
}

/// `MP_CYCLES` says how many (100,000).
#[mp::test(timeout = "600s")]
fn cycles_leave_the_heap_as_it_was() {
    let times = number("MP_CYCLES", 100_000) / 4;
    let shared = Value::new(0).unwrap();
    let child = Process::new(churn, (100, &shared)).start().unwrap();
    cycles(100).unwrap();
    child.join().unwrap();
    let before = heap_file();
    let children = [(); 2].map(|()| Process::new(churn, (times, &shared)).start().unwrap());
    cycles(times).unwrap();
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(shared.get().unwrap(), 100 + 2 * times as u64);
    let after = heap_file();
    // A process takes a granule or two for itself; nothing grows with the number of cycles.
    assert!(after.0 <= before.0 + (1 << 20), "{before:?} {after:?}");
}

#[mp::task]
fn exhaust() -> u64 {
    let mut kept = Vec::new();
    let error = loop {
        match Array::filled(1_u8, 1 << 20) {
            Ok(row) => kept.push(row),
            Err(error) => break error,
        }
    };
    assert!(error.is_heap_full(), "{error}");
    let mut small = Vec::new();
    let error = loop {
        match Value::new([0_u64; 100]) {
            Ok(value) => small.push(value),
            Err(error) => break error,
        }
    };
    assert!(error.is_heap_full(), "{error}");
    assert!(RawValue::new([0_u64; 1 << 14]).unwrap_err().is_heap_full());
    let huge = Array::<u64>::zeroed(usize::MAX / 4).unwrap_err();
    assert!(huge.is_heap_full(), "{huge}");
    // What there is works on, and what is dropped can be had again.
    kept[0].lock().unwrap()[0] = 7;
    small.truncate(10);
    let count = kept.len() as u64;
    kept.truncate(3);
    Array::filled(1_u8, 5 << 20).unwrap();
    count
}

#[test]
fn exhaustion_is_an_error() {
    // The limit is read when the session is opened: a process of its own, which becomes a root.
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "heap::exhaust_in_a_small_heap",
            "--nocapture",
            "--ignored",
        ])
        .env("MP_HEAP_LIMIT", "32M");
    let (status, out, errors) = mp_tests::program::output(command);
    assert!(status.success(), "{out}\n{errors}");
}

#[mp::test]
#[ignore = "run by exhaustion_is_an_error, in a heap of 32 MiB"]
fn exhaust_in_a_small_heap() {
    let here = exhaust();
    assert!((20..32).contains(&here), "{here}");
    // And in a child, which has the whole heap again: what this process had is gone.
    let there = Process::new(exhaust, ()).start().unwrap().join().unwrap();
    assert!(there + 2 >= here, "{there} {here}");
}
