#![allow(unsafe_code)]
//! The kill explorer over values, arrays and leases: a process is killed behind each of its stores in turn, or stopped there and
//! killed a little later, while others wait. Whoever lives goes on, finds old or new, and is told what may be neither.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate as mp;
use crate::shared::chunk::Chunk;
use crate::shared::lease::Lease;
use crate::shared::{Array, ArrayGuard, Value};
use crate::sys::points;
use mp::{LockError, LockResult};

const MODES: [Signal; 2] = [Signal::SIGKILL, Signal::SIGSTOP];

/// The file in which a stopped process says who and where it is.
fn file() -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("mp-shared-{}-{number}", std::process::id()))
}

/// Kills, in a while, whoever says in the file that it is stopped there; or ends when it is told to.
struct Killer {
    file: PathBuf,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Killer {
    fn start(file: PathBuf, signal: Signal) -> Killer {
        let thread = (signal == Signal::SIGSTOP).then(|| {
            let file = file.clone();
            std::thread::spawn(move || {
                let deadline = Instant::now() + Duration::from_secs(20);
                while Instant::now() < deadline {
                    match std::fs::read_to_string(&file) {
                        Ok(text) if text == "over" => return,
                        Ok(text) => {
                            let pid = text.split(' ').next().unwrap().parse().unwrap();
                            // Whoever waits is asleep by now.
                            std::thread::sleep(Duration::from_millis(2));
                            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
                            return;
                        }
                        Err(_) => std::thread::sleep(Duration::from_micros(200)),
                    }
                }
            })
        });
        Killer { file, thread }
    }

    fn end(self) {
        let told = self.file.exists();
        if let Some(thread) = self.thread {
            if !told {
                let draft = self.file.with_extension("over");
                std::fs::write(&draft, "over").unwrap();
                std::fs::rename(&draft, &self.file).unwrap();
            }
            thread.join().unwrap();
        }
        let _ = std::fs::remove_file(&self.file);
    }
}

/// For each of the stores of `act`: a process does it and ends there, while this one does `meanwhile`; then `check`.
fn explore<S>(
    least: u64,
    heap: &'static Heap,
    set_up: impl Fn() -> S,
    act: impl Fn(&'static Heap, &S, &dyn Fn()),
    meanwhile: impl Fn(&mut S),
    check: impl Fn(S, bool),
) {
    for signal in MODES {
        for count in 1.. {
            assert!(count < 300, "it never ends");
            let mut state = set_up();
            let file = file();
            let killer = Killer::start(file.clone(), signal);
            let member = Member::start(heap, |heap| {
                act(heap, &state, &|| points::arm(count, signal, file.clone()));
            });
            meanwhile(&mut state);
            let status = member.bury(heap);
            killer.end();
            check(state, status == 0);
            assert_empty(heap);
            if status == 0 {
                assert!(count > least, "only {count} stores");
                break;
            }
            assert_eq!(status, -9, "at store {count}");
        }
    }
}

fn told<G>(taken: LockResult<G>) -> (G, bool) {
    match taken {
        Ok(guard) => (guard, false),
        Err(LockError::Poisoned(dead)) => (dead.into_guard(), true),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_value_is_old_or_new() {
    let heap = Heap::fresh(8 << 20);
    explore(
        4,
        heap,
        || Value::make(heap, [1_u64; 40]).unwrap(),
        |heap, value, arm| {
            let value = value.seen_in(heap);
            arm();
            value.lock().unwrap().fill(2);
        },
        // Somebody who comes at the same time.
        |value| drop(told(value.lock())),
        |value, ended| {
            let (guard, _) = told(value.lock());
            assert!(*guard == [1; 40] && !ended || *guard == [2; 40]);
            drop(guard);
            value.set([3; 40]).unwrap();
            assert_eq!(value.get().unwrap(), [3; 40]);
        },
    );
}

#[test]
fn an_array_is_whole_or_it_is_told() {
    let heap = Heap::fresh(8 << 20);
    explore(
        2,
        heap,
        || Array::make_from_fn(heap, 50, |_| true).unwrap(),
        |heap, row, arm| {
            let row = row.seen_in(heap);
            arm();
            let mut guard = row.lock().unwrap();
            guard.fill(false);
        },
        |_| (),
        |row, ended| {
            let (guard, was_told) = told(row.lock());
            assert!(!(was_told && ended));
            if was_told {
                assert_eq!(guard.damaged(), only(0..50));
            } else {
                assert!(guard.iter().all(|x| *x == guard[0]));
                assert!(guard.damaged().is_empty());
            }
        },
    );
}

/// A guard of an array and of a piece that was sent.
struct Lent {
    row: &'static Array<u64>,
    guard: Option<ArrayGuard<'static, u64>>,
    piece: Option<Chunk<u64>>,
    lease: Lease,
}

const PIECE: Range<usize> = 10..20;

fn lent(heap: &'static Heap) -> Lent {
    let row = Array::make_from_fn(heap, 100, |_| 1_u64).unwrap();
    let row: &'static Array<u64> = Box::leak(Box::new(row));
    let mut guard = row.lock().unwrap();
    let piece = guard.chunks(10).unwrap().remove(1);
    let lease = piece.send().unwrap();
    Lent {
        row,
        guard: Some(guard),
        piece: Some(piece),
        lease,
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.guard = None;
        self.piece = None;
        // SAFETY: made by `Box::leak`, and nobody has a reference any more.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.row).cast_mut()) });
    }
}

fn work(heap: &'static Heap, lent: &Lent, arm: &dyn Fn()) {
    let row = lent.row.seen_in(heap);
    arm();
    let mut piece = Chunk::arrive(row, lent.lease, PIECE).unwrap();
    piece.fill(2);
}

fn check_piece(mut lent: Lent, ended: bool) {
    let guard = lent.guard.as_mut().unwrap();
    let result = guard.reclaim();
    let piece = &guard[PIECE];
    match result {
        Ok(()) => assert!(piece.iter().all(|x| *x == piece[0])),
        Err(error) => {
            assert!(error.is_poisoned() && !ended, "{error}");
            assert_eq!(guard.damaged(), only(PIECE));
        }
    }
    assert!(!ended || guard[PIECE] == [2; 10]);
    assert!(guard[..10].iter().chain(&guard[20..]).all(|x| *x == 1));
    // The lease is over, whatever became of it.
    let row = lent.row.clone();
    assert!(Chunk::arrive(row, lent.lease, PIECE).is_err());
    lent.guard = None;
    assert!(lent.row.lock().is_ok());
}

#[test]
fn a_piece_is_whole_or_it_is_told() {
    let heap = Heap::fresh(8 << 20);
    explore(1, heap, || lent(heap), work, |_| (), check_piece);
}

#[test]
fn who_waits_for_a_piece_goes_on() {
    let heap = Heap::fresh(8 << 20);
    explore(
        2,
        heap,
        || lent(heap),
        |heap, lent, arm| {
            let row = lent.row.seen_in(heap);
            let mut piece = Chunk::arrive(row, lent.lease, PIECE).unwrap();
            piece.fill(2);
            while !lent.row.leases().is_awaited() {
                std::thread::yield_now();
            }
            arm();
            drop(piece);
        },
        |lent| {
            // Until the piece is out.
            let deadline = Instant::now() + Duration::from_secs(20);
            while lent
                .row
                .leases()
                .is_lent(heap, lent.row.handle().place(), lent.lease)
            {
                assert!(Instant::now() < deadline);
                std::thread::yield_now();
            }
            let _ = lent.guard.as_mut().unwrap().reclaim();
        },
        |lent, ended| {
            let mut lent = lent;
            let guard = lent.guard.as_mut().unwrap();
            assert!(guard.damaged().is_empty() || !ended);
            assert_eq!(guard[PIECE], [2; 10]);
        },
    );
}

#[test]
fn a_lender_is_taken_over() {
    let heap = Heap::fresh(8 << 20);
    explore(
        20,
        heap,
        || Array::make_from_fn(heap, 100, |_| 1_u64).unwrap(),
        |heap, row, arm| {
            let row = row.seen_in(heap);
            arm();
            let mut guard = row.lock().unwrap();
            let mut pieces = guard.chunks(10).unwrap();
            for piece in &mut pieces[..2] {
                piece.fill(2);
            }
            drop(pieces);
            guard.reclaim().unwrap();
            assert_eq!(guard[..20], [2; 20]);
        },
        // Somebody who comes at the same time.
        |row| drop(told(row.lock())),
        |row, ended| {
            let (mut guard, was_told) = told(row.lock());
            assert!(!(was_told && ended));
            assert!(!ended || guard[..20] == [2; 20]);
            assert!(guard[20..].iter().all(|x| *x == 1));
            // All leases are over, and new ones can be had.
            for mut piece in guard.chunks(10).unwrap() {
                piece.fill(5);
            }
            assert_eq!(guard[..], [5; 100]);
        },
    );
}

#[test]
fn who_takes_over_may_die_too() {
    let heap = Heap::fresh(8 << 20);
    explore(
        10,
        heap,
        || {
            let row = Array::make_from_fn(heap, 100, |_| true).unwrap();
            let lender = Member::start(heap, |heap| {
                let row = row.seen_in(heap);
                let mut guard = row.lock().unwrap();
                let pieces = guard.chunks(10).unwrap();
                assert!(pieces[3].begin().is_ok());
                std::process::abort();
            });
            assert_eq!(lender.bury(heap), -6);
            row
        },
        |heap, row, arm| {
            let row = row.seen_in(heap);
            arm();
            let (guard, was_told) = told(row.lock());
            assert!(was_told);
            drop(guard);
        },
        |_| (),
        |row, ended| {
            let (mut guard, was_told) = told(row.lock());
            // Killed between giving the lock back and its end, it was told and had done with it.
            assert!(was_told || guard.damaged().is_empty());
            assert!(!ended || !was_told);
            assert_eq!(guard.chunks(100).unwrap().len(), 100);
        },
    );
}
