//! Kills at any moment: the holder, one that waits, the lender, whoever has a piece. Nobody who lives hangs, what is told is
//! true, and nothing is left. `MP_KILL_ROUNDS` says how many kills each (100).

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use mp::{
    Array, Atomic, Buffer, Child, Chunk, Failure, LockError, Pool, Process, RawArray, RawValue,
    Value,
};

use crate::common::{Random, heap_file, number};

/// Two halves that are always equal, unless a commit was torn.
const WIDE: usize = 64;

#[mp::task]
fn hammer_value(value: &Value<[u64; WIDE]>, count: &Atomic<u64>) -> Result<(), Failure> {
    loop {
        let mut guard = value.lock().or_else(LockError::into_guard)?;
        let next = guard[0] + 1;
        assert!(guard.iter().all(|x| *x + 1 == next), "torn");
        guard.fill(next);
        drop(guard);
        count.fetch_add(1, SeqCst);
    }
}

fn rounds() -> usize {
    number("MP_KILL_ROUNDS", 100)
}

/// Waits until the others go on.
fn wait_for_progress(count: &Atomic<u64>, by: u64) {
    let from = count.load(SeqCst);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while count.load(SeqCst) < from + by {
        assert!(std::time::Instant::now() < deadline, "the survivors hang");
        std::thread::sleep(Duration::from_micros(50));
    }
}

fn start_all<R>(count: usize, start: impl Fn() -> Child<R>) -> Vec<Child<R>> {
    (0..count).map(|_| start()).collect()
}

#[mp::test(timeout = "900s")]
fn values_survive_their_users() {
    let value = Value::new([0; WIDE]).unwrap();
    let count = Atomic::new(0).unwrap();
    let start = || {
        Process::new(hammer_value, (&value, &count))
            .start()
            .unwrap()
    };
    let mut children = start_all(3, start);
    let mut random = Random(5);
    for _ in 0..rounds() {
        wait_for_progress(&count, 3);
        let child = children.swap_remove(random.below(children.len()));
        child.kill().unwrap();
        if random.below(2) == 0 {
            // Before it is reaped, too.
            value
                .update(|numbers| assert!(numbers.iter().all(|x| *x == numbers[0])))
                .unwrap();
        }
        assert!(child.join().unwrap_err().is_death());
        children.push(start());
    }
    for child in children {
        child.kill().unwrap();
        assert!(child.join().unwrap_err().is_death());
    }
    let last = value.get().unwrap();
    assert!(last.iter().all(|x| *x == last[0]) && last[0] >= count.load(SeqCst));
}

#[mp::task]
fn hammer_array(row: &Array<u64>, count: &Atomic<u64>) -> Result<(), Failure> {
    loop {
        let mut guard = match row.lock() {
            Ok(guard) => guard,
            Err(LockError::Poisoned(dead)) => {
                let mut guard = dead.into_guard();
                let most = guard.iter().copied().max().unwrap_or(0);
                guard.fill(most);
                guard
            }
            Err(error) => return Err(error.into()),
        };
        let next = guard[0] + 1;
        for x in &mut guard[..] {
            assert_eq!(*x + 1, next, "half-written, and nobody was told");
            *x = next;
        }
        drop(guard);
        count.fetch_add(1, SeqCst);
    }
}

#[mp::test(timeout = "900s")]
fn arrays_survive_their_users() {
    let row = Array::filled(0, 2000).unwrap();
    let count = Atomic::new(0).unwrap();
    let start = || Process::new(hammer_array, (&row, &count)).start().unwrap();
    let mut children = start_all(3, start);
    let mut random = Random(6);
    for _ in 0..rounds() {
        wait_for_progress(&count, 3);
        let child = children.swap_remove(random.below(children.len()));
        child.kill().unwrap();
        assert!(child.join().unwrap_err().is_death());
        children.push(start());
    }
    for child in children {
        child.kill().unwrap();
        assert!(child.join().unwrap_err().is_death());
    }
    drop(row.lock().or_else(LockError::into_guard).unwrap());
    assert!(row.lock().is_ok());
}

#[mp::task]
fn raise(mut piece: Chunk<u64>, count: &Atomic<u64>) -> u32 {
    for _ in 0..20 {
        for x in &mut piece[..] {
            *x += 1;
        }
    }
    count.fetch_add(1, SeqCst);
    std::process::id()
}

#[mp::task]
fn who(_: u32) -> u32 {
    std::process::id()
}

/// Whoever has a piece is killed, again and again: each piece is whole, or named.
#[mp::test(timeout = "900s")]
fn pieces_are_whole_or_named() {
    let row = Array::filled(0_u64, 4000).unwrap();
    let count = Atomic::new(0).unwrap();
    let pool = Pool::builder().workers(2).build().unwrap();
    let mut random = Random(7);
    let mut named = 0;
    for _ in 0..rounds() {
        let pids = pool.map(who, 0..8).unwrap_or_default();
        let mut guard = row.lock().unwrap();
        let pieces = guard.chunks(8).unwrap();
        let delay = random.below(400) as u64;
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(delay));
            if let Some(pid) = pids.first() {
                let pid = nix::unistd::Pid::from_raw(*pid as i32);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        });
        let results = pool
            .try_map(raise, pieces.iter().map(|piece| (piece, &count)))
            .unwrap();
        killer.join().unwrap();
        let _ = guard.reclaim();
        let damaged = guard.damaged();
        named += damaged.len();
        for (piece, result) in pieces.iter().zip(&results) {
            let elements = &mut guard[piece.range()];
            let first = elements[0];
            if damaged.contains(&piece.range()) {
                assert!(result.is_err(), "{:?}", piece.range());
            } else if let Err(error) = result {
                // It was killed before it began, or after it had given the piece back.
                assert!(error.is_death(), "{error}");
                assert!(elements.iter().all(|x| *x == first));
            } else {
                assert!(elements.iter().all(|x| *x == 20));
            }
            elements.fill(0);
        }
    }
    println!("{named} pieces were half-written in {} rounds", rounds());
}

#[mp::task]
fn lend_for_ever(row: &Array<u64>, count: &Atomic<u64>) -> Result<(), Failure> {
    let pool = Pool::builder().workers(2).build()?;
    loop {
        let mut guard = row.lock().or_else(LockError::into_guard)?;
        let pieces = guard.chunks(5)?;
        pool.map(raise, pieces.iter().map(|piece| (piece, count)))?;
    }
}

#[mp::test(timeout = "900s")]
fn lenders_are_survived() {
    let row = Array::filled(0_u64, 1000).unwrap();
    let count = Atomic::new(0).unwrap();
    let mut random = Random(8);
    for _ in 0..rounds() / 4 {
        let lender = Process::new(lend_for_ever, (&row, &count)).start().unwrap();
        wait_for_progress(&count, 5 + random.below(20) as u64);
        lender.kill().unwrap();
        // Its workers may have pieces still; they are waited for, and nobody writes any more after that.
        let guard = row.lock().or_else(LockError::into_guard).unwrap();
        let seen = guard.to_vec();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(seen, guard[..]);
        drop(guard);
        assert!(lender.join().unwrap_err().is_death());
    }
}

/// Everything that is done without a lock: each store is whole, and counts once.
#[mp::task]
fn hammer_words(
    words: &(Atomic<u64>, RawValue<u64>, RawArray<u64>),
    count: &Atomic<u64>,
) -> Result<(), Failure> {
    let (sum, last, row) = words;
    for round in 1_u64.. {
        // Both halves of a word are equal.
        let twice = (round & 0xffff_ffff) << 32 | (round & 0xffff_ffff);
        sum.fetch_add(1, SeqCst);
        last.set(twice);
        (0..row.len()).for_each(|index| row.set(index, twice));
        count.fetch_add(1, SeqCst);
    }
    Ok(())
}

#[mp::test(timeout = "900s")]
fn atomics_and_raw_values_survive_their_users() {
    let words = (
        Atomic::new(0).unwrap(),
        RawValue::new(0).unwrap(),
        RawArray::filled(0, 100).unwrap(),
    );
    let count = Atomic::new(0).unwrap();
    let start = || {
        Process::new(hammer_words, (&words, &count))
            .start()
            .unwrap()
    };
    let mut children = start_all(2, start);
    let mut random = Random(9);
    let is_whole = |word: u64| word >> 32 == word & 0xffff_ffff;
    for round in 1..=rounds() as u64 {
        wait_for_progress(&count, 3);
        let child = children.swap_remove(random.below(children.len()));
        child.kill().unwrap();
        assert!(child.join().unwrap_err().is_death());
        assert!(is_whole(words.1.get().unwrap()));
        assert!(words.2.to_vec().unwrap().into_iter().all(is_whole));
        children.push(start());
        // Each that was killed, or is at it, has one addition at most that it has not counted.
        let (counted, sum) = (count.load(SeqCst), words.0.load(SeqCst));
        assert!(sum >= counted, "{sum} {counted}");
        assert!(count.load(SeqCst) + round + 2 >= sum, "{sum}");
    }
    for child in children {
        child.kill().unwrap();
        assert!(child.join().unwrap_err().is_death());
    }
}

/// Reads what it is given, and makes buffers of its own, until it is killed.
#[mp::task]
fn hammer_buffer(given: Buffer<u64>, count: &Atomic<u64>) -> Result<(), Failure> {
    loop {
        assert!(given.iter().all(|x| *x == 7), "changed");
        let mut own = Buffer::copy_of(&given)?;
        own.make_mut()?.fill(8);
        drop((own, given.clone()));
        count.fetch_add(1, SeqCst);
    }
}

/// What a process has of buffers when it is killed comes back: the heap does not grow with the kills.
#[mp::test(timeout = "900s")]
fn buffers_survive_their_users() {
    const LEN: usize = 1 << 16;
    let count = Atomic::new(0).unwrap();
    let given = Buffer::filled(7_u64, LEN).unwrap();
    let start = || {
        Process::new(hammer_buffer, (given.clone(), &count))
            .start()
            .unwrap()
    };
    let mut children = start_all(2, start);
    let mut random = Random(10);
    let mut before = 0;
    for round in 0..rounds() {
        wait_for_progress(&count, 3);
        let child = children.swap_remove(random.below(children.len()));
        child.kill().unwrap();
        assert!(child.join().unwrap_err().is_death());
        assert!(given.iter().all(|x| *x == 7));
        children.push(start());
        if round == 10 {
            before = heap_file().0;
        }
    }
    for child in children {
        child.kill().unwrap();
        assert!(child.join().unwrap_err().is_death());
    }
    let after = heap_file().0;
    // A few buffers of half a MiB more or less at once; not one for each kill.
    let most = before + 16 * (LEN as u64) * 8;
    assert!(before == 0 || after <= most, "{before} {after}");
}
