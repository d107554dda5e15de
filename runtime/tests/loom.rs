#![allow(unsafe_code)]
//! The orderings of the lock word, and of the flip of a `Value` under it, in all interleavings that loom can think of:
//! `cargo test --release -p mp-runtime --test loom`.
//!
//! The word is the library's own file; under it, in place of `sync::seam`, are loom's atomics and a model of the kernel's futexes:
//! a waiter sleeps if all its words are as expected, and is woken by whoever wakes one of them.

#[allow(dead_code)]
#[path = "../src/sync/word.rs"]
mod word;

#[allow(dead_code)]
#[path = "../src/shared/flip.rs"]
mod flip;

/// What the flip stands on; the same names as the library's.
mod words {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
}

/// What the word stands on; the same names as the library's `sync::seam`.
mod seam {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
    use loom::sync::{Condvar, Mutex};
    use std::time::Instant;

    #[derive(PartialEq)]
    pub(crate) enum Wait {
        Woken,
        TimedOut,
    }

    pub(crate) enum Change {
        Set(u32),
    }

    /// Who sleeps, on which words.
    #[derive(Default)]
    struct Sleepers {
        next: u64,
        asleep: Vec<(u64, Vec<usize>)>,
    }

    loom::lazy_static! {
        static ref SLEEPERS: Mutex<Sleepers> = Mutex::new(Sleepers::default());
        static ref WOKEN: Condvar = Condvar::new();
    }

    fn name(word: &AtomicU32) -> usize {
        std::ptr::from_ref(word) as usize
    }

    /// Time does not pass here.
    pub(crate) fn wait_any(words: &[(&AtomicU32, u32)], _: Option<Instant>) -> Wait {
        let mut sleepers = SLEEPERS.lock().unwrap();
        let same = |(word, expected): &(&AtomicU32, u32)| word.load(Ordering::SeqCst) == *expected;
        if !words.iter().all(same) {
            return Wait::Woken;
        }
        let me = sleepers.next;
        sleepers.next += 1;
        let names = words.iter().map(|(word, _)| name(word)).collect();
        sleepers.asleep.push((me, names));
        while sleepers.asleep.iter().any(|(who, _)| *who == me) {
            sleepers = WOKEN.wait(sleepers).unwrap();
        }
        Wait::Woken
    }

    fn wake(sleepers: &mut Sleepers, word: &AtomicU32, most: usize) {
        let name = name(word);
        let mut left = most;
        sleepers.asleep.retain(|(_, names)| {
            let woken = left > 0 && names.contains(&name);
            left -= usize::from(woken);
            !woken
        });
        WOKEN.notify_all();
    }

    pub(crate) fn wake_all(word: &AtomicU32) {
        wake(&mut SLEEPERS.lock().unwrap(), word, usize::MAX);
    }

    pub(crate) fn change_and_wake(word: &AtomicU32, Change::Set(value): Change) {
        let mut sleepers = SLEEPERS.lock().unwrap();
        word.store(value, Ordering::SeqCst);
        wake(&mut sleepers, word, usize::MAX);
    }

    /// The kernel's mark of a death, which wakes one.
    pub(crate) fn mark_dead(word: &AtomicU32, value: u32) {
        let mut sleepers = SLEEPERS.lock().unwrap();
        word.store(value, Ordering::SeqCst);
        wake(&mut sleepers, word, 1);
    }

    pub(crate) fn stored(_: &'static str) {}

    pub(crate) struct Spin;

    impl Spin {
        pub(crate) fn new() -> Self {
            Spin
        }

        pub(crate) fn none() -> Self {
            Spin
        }

        pub(crate) fn again(&mut self) -> bool {
            false
        }
    }
}

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use seam::{AtomicU32, Ordering};
use std::time::Instant;
use word::{FAMILY, Family, Life, Peers, Word};

const DEAD: u32 = 9;
const ALIVE: u32 = 1;
const MARKED: u32 = 2;

/// The process that a thread of the model stands for, and the word of the one that dies.
struct Process<'a> {
    me: u32,
    mark: &'a AtomicU32,
}

impl Peers for Process<'_> {
    fn me(&self) -> u32 {
        self.me
    }

    fn life(&self, owner: u32) -> Life<'_> {
        match self.mark.load(Ordering::Acquire) {
            MARKED if owner == DEAD => Life::Dying,
            value => Life::Alive(self.mark, value),
        }
    }

    fn family(&self, _: u32) -> Family<'_> {
        Family::Other([None; FAMILY])
    }

    fn wait_orphan(&self, _: u32, _: Instant) -> bool {
        false
    }

    fn tell(&self, _: u32) {
        seam::wake_all(self.mark);
    }

    fn wait_gone(&self, _: u32, _: Option<Instant>) -> bool {
        true
    }

    fn is_gone_unmarked(&self, _: u32) -> bool {
        false
    }
}

struct Shared {
    word: Word,
    mark: AtomicU32,
    /// What the lock protects; loom finds out whether two have it at once.
    count: UnsafeCell<u32>,
}

impl Shared {
    fn new(owner: u32) -> Arc<Shared> {
        Arc::new(Shared {
            word: Word::held_by(owner),
            mark: AtomicU32::new(ALIVE),
            count: UnsafeCell::new(0),
        })
    }

    /// Takes the lock, counts, gives it back; whether it was taken over from the dead one.
    fn count(&self, me: u32) -> bool {
        let process = Process {
            me,
            mark: &self.mark,
        };
        let acquired = self.word.lock(&process, None).unwrap();
        // SAFETY: the lock is held.
        self.count.with_mut(|count| unsafe { *count += 1 });
        self.word.unlock(&process);
        acquired.from_dead.is_some()
    }

    fn counted(&self) -> u32 {
        // SAFETY: all others have been joined.
        self.count.with(|count| unsafe { *count })
    }
}

// SAFETY: the cell is touched with the lock held, which is what is tested.
unsafe impl Sync for Shared {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Shared {}

fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

#[test]
fn two_exclude_each_other() {
    model(3, || {
        let shared = Shared::new(0);
        let other = thread::spawn({
            let shared = shared.clone();
            move || shared.count(1) || shared.count(1)
        });
        assert!(!shared.count(2));
        assert!(!other.join().unwrap());
        assert_eq!(shared.counted(), 3);
        assert_eq!(shared.word.owner(), None);
    });
}

#[test]
fn three_exclude_each_other() {
    model(2, || {
        let shared = Shared::new(0);
        let others = [1, 2].map(|me| {
            let shared = shared.clone();
            thread::spawn(move || shared.count(me))
        });
        assert!(!shared.count(3));
        for other in others {
            assert!(!other.join().unwrap());
        }
        assert_eq!(shared.counted(), 3);
    });
}

/// Two threads of one process, which the word does not tell apart.
#[test]
fn threads_of_one_process_exclude_each_other() {
    model(3, || {
        let shared = Shared::new(0);
        let other = thread::spawn({
            let shared = shared.clone();
            move || shared.count(1)
        });
        shared.count(1);
        other.join().unwrap();
        assert_eq!(shared.counted(), 2);
    });
}

/// The holder dies at some time; of the two who want the lock, one takes it over, and both get it.
#[test]
fn the_dead_are_inherited_from_once() {
    model(3, || {
        let shared = Shared::new(DEAD);
        let other = thread::spawn({
            let shared = shared.clone();
            move || shared.count(1)
        });
        let kernel = thread::spawn({
            let shared = shared.clone();
            move || seam::mark_dead(&shared.mark, MARKED)
        });
        let mine = shared.count(2);
        let its = other.join().unwrap();
        kernel.join().unwrap();
        assert!(mine != its, "one of us, once");
        assert_eq!(shared.counted(), 2);
    });
}

/// A value as it is in the heap: two slots of two halves, which must be seen together.
struct Slots {
    shared: Arc<Shared>,
    flip: flip::Flip,
    slots: [UnsafeCell<[u32; 2]>; 2],
}

// SAFETY: the slots are touched with the lock held, which is what is tested.
unsafe impl Sync for Slots {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Slots {}

impl Slots {
    fn new(owner: u32) -> Arc<Slots> {
        Arc::new(Slots {
            shared: Shared::new(owner),
            flip: flip::Flip::new(),
            slots: [UnsafeCell::new([0; 2]), UnsafeCell::new([0; 2])],
        })
    }

    fn write(&self, value: u32) -> u32 {
        let other = self.flip.other();
        // SAFETY: the lock is held.
        self.slots[other as usize].with_mut(|slot| unsafe { *slot = [value; 2] });
        other
    }

    /// Takes the lock, reads a whole value, commits the next one, gives the lock back; what it read.
    fn add(&self, me: u32) -> u32 {
        let process = Process {
            me,
            mark: &self.shared.mark,
        };
        let _ = self.shared.word.lock(&process, None).unwrap();
        let slot = &self.slots[self.flip.current() as usize];
        // SAFETY: the lock is held.
        let [one, other] = slot.with(|slot| unsafe { *slot });
        assert_eq!(one, other, "a value that is half of two");
        self.flip.commit(self.write(one + 1));
        self.shared.word.unlock(&process);
        one
    }
}

#[test]
fn a_value_is_whole_under_its_lock() {
    model(2, || {
        let value = Slots::new(0);
        let other = thread::spawn({
            let value = value.clone();
            move || value.add(1)
        });
        let seen = [value.add(2), other.join().unwrap()];
        assert!(seen == [0, 1] || seen == [1, 0]);
        assert_eq!(value.add(2), 2);
    });
}

/// The holder dies before it has written, before the flip, or behind it: whoever takes over sees the old value or the new one.
#[test]
fn a_value_is_old_or_new_after_its_holder() {
    for steps in 0..3 {
        model(2, move || {
            let value = Slots::new(DEAD);
            let dying = thread::spawn({
                let value = value.clone();
                move || {
                    let written = (steps > 0).then(|| value.write(7));
                    if let (2, Some(written)) = (steps, written) {
                        value.flip.commit(written);
                    }
                    seam::mark_dead(&value.shared.mark, MARKED);
                }
            });
            let seen = value.add(1);
            dying.join().unwrap();
            assert_eq!(seen, if steps == 2 { 7 } else { 0 });
        });
    }
}
