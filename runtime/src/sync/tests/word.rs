//! The lock word: exclusion, time-outs, and what happens when holders and waiters are killed.

use super::*;
use crate::sync::{Acquired, TimedOut, Word};

/// What the processes of these tests share.
#[repr(C)]
struct Board {
    word: Word,
    go: AtomicU32,
    held: AtomicU32,
    inside: AtomicU32,
    counter: AtomicU64,
    progress: [AtomicU64; 4],
    from_dead: AtomicU64,
}

const CLEAN: Result<Acquired, TimedOut> = Ok(Acquired { from_dead: None });

fn from(dead: SlotId) -> Result<Acquired, TimedOut> {
    Ok(Acquired {
        from_dead: Some(dead.pack()),
    })
}

fn arena() -> (&'static Heap, &'static Board, u64) {
    let heap = Heap::fresh(1 << 20);
    let (board, at) = board(heap);
    (heap, board, at)
}

#[test]
fn one_after_the_other() {
    let (heap, board, _) = arena();
    let word = &board.word;
    assert_eq!(word.owner(), None);
    assert_eq!(word.lock(heap, None), CLEAN);
    assert_eq!(word.owner(), Some(heap.me().pack()));
    assert_eq!(word.try_lock(heap), None);
    let now = Instant::now();
    let deadline = now + Duration::from_millis(20);
    assert_eq!(word.lock(heap, Some(deadline)), Err(TimedOut));
    assert!(Instant::now() >= deadline);
    assert_eq!(word.lock(heap, Some(now)), Err(TimedOut));
    word.unlock(heap);
    assert_eq!(word.owner(), None);
    assert_eq!(word.try_lock(heap), CLEAN.ok());
    word.unlock(heap);
    // Not held: nothing happens.
    word.unlock(heap);
    assert_eq!(word.lock(heap, Some(now)), CLEAN);
}

#[test]
fn threads_exclude_each_other() {
    let (heap, board, _) = arena();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    assert_eq!(board.word.lock(heap, soon()), CLEAN);
                    let seen = board.counter.load(Ordering::Relaxed);
                    board.counter.store(seen + 1, Ordering::Relaxed);
                    board.word.unlock(heap);
                }
            });
        }
    });
    assert_eq!(load(&board.counter), 80_000);
}

#[test]
fn processes_exclude_each_other() {
    let (heap, board, at) = arena();
    let members: Vec<Member> = (0..3)
        .map(|_| {
            Member::start(heap, |heap| {
                let board: &Board = at_offset(heap, at);
                for _ in 0..30_000 {
                    assert_eq!(board.word.lock(heap, soon()), CLEAN);
                    let seen = board.counter.load(Ordering::Relaxed);
                    board.counter.store(seen + 1, Ordering::Relaxed);
                    board.word.unlock(heap);
                }
            })
        })
        .collect();
    for member in members {
        assert_eq!(member.bury(heap), 0);
    }
    assert_eq!(load(&board.counter), 90_000);
}

#[test]
fn what_names_nobody_is_taken_over() {
    let (heap, ..) = arena();
    let nobody = SlotId {
        index: 7,
        generation: 3,
    };
    for written in [nobody.pack(), 5, 0xfff, 1 << 12 | 0xfff, 0x7fff_ffff] {
        for waiters in [0, 1 << 31] {
            let word = Word::held_by(written | waiters);
            let acquired = word.lock(heap, soon()).unwrap();
            assert_eq!(acquired.from_dead, Some(written));
            word.unlock(heap);
            assert_eq!(word.owner(), None);
            let word = Word::held_by(written | waiters);
            assert!(word.try_lock(heap).is_some());
        }
    }
}

#[test]
fn a_killed_holder_is_reported_once() {
    let (heap, board, at) = arena();
    for round in 0..rounds() {
        let holder = Member::start(heap, |heap| {
            let board: &Board = at_offset(heap, at);
            assert_eq!(board.word.lock(heap, soon()), CLEAN);
            raise(&board.held);
            std::thread::sleep(LONG);
        });
        until("the lock is held", || is_up(&board.held));
        board.held.store(0, Ordering::SeqCst);
        assert_eq!(board.word.try_lock(heap), None);
        let results: Vec<_> = std::thread::scope(|scope| {
            // In half of the rounds they come late.
            let early = round % 2 == 0;
            let wait = || {
                let acquired = board.word.lock(heap, soon());
                board.word.unlock(heap);
                acquired
            };
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    if !early {
                        std::thread::sleep(Duration::from_micros(20));
                    }
                    scope.spawn(wait)
                })
                .collect();
            if early {
                std::thread::sleep(Duration::from_micros(round as u64 % 7 * 50));
            }
            holder.kill();
            waiters
                .into_iter()
                .map(|waiter| waiter.join().unwrap())
                .collect()
        });
        let taken = results.iter().filter(|result| **result == from(holder.id));
        assert_eq!(taken.count(), 1, "{results:?}");
        let clean = results.iter().filter(|result| **result == CLEAN);
        assert_eq!(clean.count(), 2, "{results:?}");
        assert_eq!(holder.bury(heap), -9);
    }
}

#[test]
fn a_killed_waiter_disturbs_nobody() {
    let (heap, board, at) = arena();
    let mut random = Random(3);
    for _ in 0..rounds() {
        assert_eq!(board.word.lock(heap, soon()), CLEAN);
        let before = load(&board.counter);
        let waiters: Vec<Member> = (0..3)
            .map(|_| {
                Member::start(heap, |heap| {
                    let board: &Board = at_offset(heap, at);
                    board.progress[0].fetch_add(1, Ordering::SeqCst);
                    let acquired = board.word.lock(heap, soon()).unwrap();
                    assert_eq!(acquired.from_dead, None);
                    board.counter.fetch_add(1, Ordering::SeqCst);
                    board.word.unlock(heap);
                })
            })
            .collect();
        until("they come", || load(&board.progress[0]) == 3);
        board.progress[0].store(0, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(random.next() % 300));
        let one = random.below(3);
        waiters[one].kill();
        board.word.unlock(heap);
        for (index, waiter) in waiters.into_iter().enumerate() {
            let status = waiter.bury(heap);
            assert!(status == 0 || index == one && status == -9, "{status}");
        }
        assert_eq!(load(&board.counter), before + 2);
        assert_eq!(board.word.owner(), None);
    }
}

/// Killed just after it was woken, so that the lock may be its own already, or a wake-up lost with it.
#[test]
fn a_killed_woken_waiter_disturbs_nobody() {
    let (heap, board, at) = arena();
    let mut random = Random(77);
    let mut inherited = 0;
    for _ in 0..rounds() {
        assert_eq!(board.word.lock(heap, soon()), CLEAN);
        let waiters: Vec<Member> = (0..3)
            .map(|_| {
                Member::start(heap, |heap| {
                    let board: &Board = at_offset(heap, at);
                    board.progress[0].fetch_add(1, Ordering::SeqCst);
                    let acquired = board.word.lock(heap, soon()).unwrap();
                    let was_dead = u64::from(acquired.from_dead.is_some());
                    board.from_dead.fetch_add(was_dead, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_micros(30));
                    board.word.unlock(heap);
                })
            })
            .collect();
        until("they come", || load(&board.progress[0]) == 3);
        board.progress[0].store(0, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(200));
        board.word.unlock(heap);
        let begun = Instant::now();
        let pause = Duration::from_micros(random.next() % 120);
        while begun.elapsed() < pause {}
        let one = random.below(3);
        waiters[one].kill();
        for (index, waiter) in waiters.into_iter().enumerate() {
            let status = waiter.bury(heap);
            assert!(status == 0 || index == one && status == -9, "{status}");
        }
        let acquired = board.word.lock(heap, soon()).unwrap();
        inherited += load(&board.from_dead) + u64::from(acquired.from_dead.is_some());
        board.from_dead.store(0, Ordering::SeqCst);
        board.word.unlock(heap);
    }
    println!("{inherited} taken over in {} rounds", rounds());
}

/// Its other threads may write for a while after its main thread is marked dead: nobody gets the lock before they are gone.
#[test]
fn a_holder_with_threads_writes_no_more() {
    let (heap, board, at) = arena();
    for round in 0..rounds() {
        let holder = Member::start(heap, |heap| {
            let board: &'static Board = at_offset(heap, at);
            let work = move || {
                if board.word.try_lock(heap).is_none() {
                    return;
                }
                loop {
                    board.counter.fetch_add(1, Ordering::Relaxed);
                    raise(&board.held);
                }
            };
            for _ in 0..3 {
                crate::sys::testing::bare_thread(work);
            }
            std::thread::sleep(LONG);
        });
        until("the lock is held", || is_up(&board.held));
        holder.kill();
        if round % 2 == 0 {
            while board.word.try_lock(heap).is_none() {
                std::thread::yield_now();
            }
        } else {
            assert_eq!(board.word.lock(heap, soon()), from(holder.id));
        }
        board.held.store(0, Ordering::SeqCst);
        let seen = load(&board.counter);
        std::thread::sleep(Duration::from_micros(500));
        assert_eq!(load(&board.counter), seen, "the dead one still writes");
        assert!(!is_up(&board.held));
        board.word.unlock(heap);
        assert_eq!(holder.bury(heap), -9);
    }
}

/// It has the heap no more, though there is a process of its number.
#[test]
fn a_holder_becomes_another_program() {
    use std::os::unix::process::CommandExt;
    let (heap, board, at) = arena();
    let holder = Member::start(heap, |heap| {
        let board: &Board = at_offset(heap, at);
        assert_eq!(board.word.lock(heap, soon()), CLEAN);
        raise(&board.held);
        let error = std::process::Command::new("sleep").arg("20").exec();
        panic!("{error}");
    });
    until("the lock is held", || is_up(&board.held));
    assert_eq!(board.word.lock(heap, soon()), from(holder.id));
    board.word.unlock(heap);
    holder.kill();
    assert_eq!(holder.bury(heap), -9);
}

/// Where one can sleep on one word only.
#[test]
fn without_the_kernels_help() {
    let (heap, board, at) = arena();
    for round in 0..10 {
        let holder = Member::start(heap, |heap| {
            let board: &Board = at_offset(heap, at);
            let _ = board.word.lock(heap, soon()).unwrap();
            raise(&board.held);
            std::thread::sleep(LONG);
        });
        until("the lock is held", || is_up(&board.held));
        board.held.store(0, Ordering::SeqCst);
        let waiters = [(); 3].map(|()| {
            Member::start(heap, |heap| {
                crate::sys::futex::forbid_several();
                let board: &Board = at_offset(heap, at);
                board.progress[0].fetch_add(1, Ordering::SeqCst);
                let acquired = board.word.lock(heap, soon()).unwrap();
                let dead = u64::from(acquired.from_dead.is_some());
                board.from_dead.fetch_add(dead, Ordering::SeqCst);
                board.word.unlock(heap);
            })
        });
        until("they come", || load(&board.progress[0]) == 3 * (round + 1));
        std::thread::sleep(Duration::from_millis(3));
        holder.kill();
        for waiter in waiters {
            assert_eq!(waiter.bury(heap), 0);
        }
        assert_eq!(load(&board.from_dead), round + 1);
        assert_eq!(holder.bury(heap), -9);
    }
}

/// Three work, one of them is killed at random and not even reaped: the others go on.
#[test]
fn three_contenders() {
    let (heap, board, at) = arena();
    let work = move |number: usize, heap: &'static Heap| {
        let board: &Board = at_offset(heap, at);
        let mut random = Random(u64::from(std::process::id()) << 8 | 1);
        loop {
            let acquired = board.word.lock(heap, None).unwrap();
            if acquired.from_dead.is_some() {
                board.from_dead.fetch_add(1, Ordering::SeqCst);
                board.inside.store(0, Ordering::SeqCst);
            }
            assert_eq!(
                board.inside.fetch_add(1, Ordering::SeqCst),
                0,
                "two are inside"
            );
            if random.below(4) == 0 {
                std::thread::sleep(Duration::from_micros(random.next() % 40));
            }
            board.progress[number].fetch_add(1, Ordering::SeqCst);
            board.inside.fetch_sub(1, Ordering::SeqCst);
            board.word.unlock(heap);
            if random.below(8) == 0 {
                std::thread::sleep(Duration::from_micros(random.next() % 60));
            }
        }
    };
    let start = |number: usize| Member::start(heap, move |heap| work(number, heap));
    let mut members: Vec<Member> = (0..3).map(start).collect();
    let mut random = Random(4711);
    let kills = rounds() * 3;
    for _ in 0..kills {
        let one = random.below(3);
        std::thread::sleep(Duration::from_micros(random.next() % 400));
        members[one].kill();
        let seen: Vec<u64> = board.progress.iter().map(load).collect();
        for other in (0..3).filter(|other| *other != one) {
            until("a survivor makes progress", || {
                load(&board.progress[other]) >= seen[other] + 3
            });
        }
        let fresh = start(one);
        let dead = std::mem::replace(&mut members[one], fresh);
        assert_eq!(dead.bury(heap), -9);
    }
    for member in members {
        member.kill();
        assert_eq!(member.bury(heap), -9);
    }
    println!("{} of {kills} held it", load(&board.from_dead));
}

/// A parent is killed, and at once its children: one that holds the lock, and others that wait for it and may be the ones whom the
/// kernel wakes.
#[test]
fn a_killed_family_holds_up_nobody() {
    let (heap, board, at) = arena();
    let mut random = Random(5);
    for _ in 0..rounds() {
        board.held.store(0, Ordering::SeqCst);
        board.progress[0].store(0, Ordering::SeqCst);
        let parent = Member::start(heap, |heap| {
            let child = |holds: bool| {
                Member::start(heap, |heap| {
                    let board: &Board = at_offset(heap, at);
                    if holds {
                        assert_eq!(board.word.lock(heap, soon()), CLEAN);
                        raise(&board.held);
                    } else {
                        until("the lock is held", || is_up(&board.held));
                        board.progress[0].fetch_add(1, Ordering::SeqCst);
                        let _ = board.word.lock(heap, soon());
                    }
                    std::thread::sleep(LONG);
                })
            };
            let _children = [true, false, false, false].map(child);
            std::thread::sleep(LONG);
        });
        until("all wait", || load(&board.progress[0]) == 3);
        let children: Vec<SlotId> = heap.processes().children_of(parent.id).collect();
        let pid = |child: &SlotId| {
            let slot = heap.processes().slot(*child).unwrap();
            slot.pid.load(Ordering::SeqCst) as i32
        };
        std::thread::scope(|scope| {
            let deadline = soon();
            let taken = scope.spawn(move || board.word.lock(heap, deadline));
            std::thread::sleep(Duration::from_micros(500 + random.next() % 500));
            parent.kill();
            for child in &children {
                let pid = nix::unistd::Pid::from_raw(pid(child));
                nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
            }
            let taken = taken.join().unwrap().unwrap();
            assert!(deadline > Some(Instant::now()), "stalled: nobody was told");
            let dead = taken.from_dead.and_then(SlotId::unpack).unwrap();
            assert!(children.contains(&dead));
            board.word.unlock(heap);
        });
        for child in children {
            assert!(crate::sync::wait_gone(heap, child, soon()));
            heap.processes().mark_dead(child).unwrap();
            heap.processes().release(child).unwrap();
        }
        assert_eq!(parent.bury(heap), -9);
    }
}
