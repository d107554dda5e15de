#![allow(unsafe_code)]
//! What to sleep on until something happens or somebody dies: words with what they hold, and who lives among those that matter.
//!
//! Relies on `heap` (who holds an object, who lives), `sync` (when the dead are gone) and `sys::futex`. Nobody is waited for
//! who is dead: the kernel flags a process's liveness word, and this is one of the words. The kernel wakes one sleeper of it,
//! so whoever sees the flag wakes all the others before anything else. The one that is woken must not be dying itself: so nobody sleeps
//! on the life of one with whom it dies, and who sleeps on the life of another sleeps on those of its parents as well (see
//! `sync::word`).
//!
//! More words than the kernel takes in one call are slept on by further threads, for as long as the sleep lasts. A process
//! that the kernel does not watch over yet, because it has only just been started, is looked at now and then.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::ring::broken;
use crate::error::Result;
use crate::heap::{Heap, Life, Party, Place, ROOT, SlotId};
use crate::sync::{ORPHAN, is_gone_unmarked, wait_gone, wait_orphan};
use crate::sys::{fence, futex, signal};

/// How often is looked at a process that the kernel does not watch over yet.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Words to sleep on.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Sleep {
    /// Of the shared heap, or kept by `kept`: in memory that stays.
    words: Vec<(NonNull<AtomicU32>, u32)>,
    kept: Vec<std::sync::Arc<AtomicU32>>,
    unwatched: bool,
    /// What was said before it may not be seen by others at once.
    unsure: bool,
}

// SAFETY: pointers to atomics in memory that stays (see `words`).
unsafe impl Send for Sleep {}

/// Who is on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// Somebody who lives, or a message that may still be read by somebody.
    Some,
    /// Nobody any more.
    None,
}

impl Sleep {
    pub(crate) fn new() -> Self {
        Sleep::default()
    }

    /// A word of the shared heap, while it holds `seen`. What is most likely woken comes first.
    pub(crate) fn on(&mut self, word: &AtomicU32, seen: u32) {
        self.words.push((NonNull::from(word), seen));
    }

    /// It was said that somebody sleeps, and that is not sure to be seen.
    pub(crate) fn unsure(&mut self) {
        self.unsure = true;
    }

    /// A word of this process.
    pub(crate) fn on_own(&mut self, word: &std::sync::Arc<AtomicU32>, seen: u32) {
        self.kept.push(std::sync::Arc::clone(word));
        self.words.push((NonNull::from(&**word), seen));
    }

    /// All of another sleep.
    pub(crate) fn on_all(&mut self, other: &Sleep) {
        self.words.extend(&other.words);
        self.kept.extend(other.kept.iter().cloned());
        self.unwatched |= other.unwatched;
        self.unsure |= other.unsure;
    }

    /// The life of a process: `false` if it is wholly gone. Waits for one that is dying, until the deadline at most; so the sleep
    /// must not last beyond that.
    pub(crate) fn on_life(
        &mut self,
        heap: &Heap,
        process: SlotId,
        deadline: Option<Instant>,
    ) -> bool {
        // Nobody outlives the root to ask.
        if process == ROOT || process == heap.me() {
            return true;
        }
        match heap.processes().life(process) {
            Life::Alive(_, 0) if is_gone_unmarked(heap, process) => false,
            Life::Alive(_, seen) => {
                self.unwatched |= seen == 0;
                self.on_family(heap, process, deadline)
            }
            Life::Dying(word) => {
                futex::wake_all(word);
                !wait_gone(heap, process, deadline)
            }
            Life::Gone => false,
        }
    }

    /// The life of a process that lives, and those of its parents, as far as this process does not die with them; the same
    /// answer.
    fn on_family(&mut self, heap: &Heap, process: SlotId, deadline: Option<Instant>) -> bool {
        let table = heap.processes();
        for one in table.lineage(heap.me(), process) {
            match table.life(one) {
                Life::Alive(word, seen) => {
                    let word = NonNull::from(word);
                    if !self.words.iter().any(|(other, _)| *other == word) {
                        self.words.push((word, seen));
                    }
                }
                // It has been marked since.
                _ if one == process => return self.on_life(heap, process, deadline),
                life => {
                    if let Life::Dying(word) = life {
                        futex::wake_all(word);
                    }
                    let until = Instant::now() + ORPHAN;
                    let until = deadline.map_or(until, |deadline| deadline.min(until));
                    if wait_orphan(heap, process, until) {
                        return false;
                    }
                    self.unwatched = true;
                    return true;
                }
            }
        }
        true
    }

    /// The lives of all who hold an object: processes, and the owners of messages that carry it.
    pub(crate) fn on_parties(
        &mut self,
        heap: &Heap,
        place: Place,
        deadline: Option<Instant>,
    ) -> Others {
        self.on_others(heap, place, false, deadline)
    }

    /// A change of who holds an object: somebody lets go of it, or takes a hold and has a life to be slept on as well. Look at
    /// the parties after this.
    ///
    /// # Errors
    /// The object, which is held, is not there: what says so was written over, and another may stand in its place by now.
    pub(crate) fn on_changes(&mut self, heap: &Heap, place: Place) -> Result<()> {
        let (word, seen) = heap
            .watch(place)
            .ok_or_else(|| broken("an object that is not there any more"))?;
        self.on(word, seen);
        Ok(())
    }

    /// The same, of all others where `alone` says that nobody in this process but the caller can do anything with it; then
    /// nobody is left only if there ever was anybody.
    pub(crate) fn on_others(
        &mut self,
        heap: &Heap,
        place: Place,
        alone: bool,
        deadline: Option<Instant>,
    ) -> Others {
        let (parties, taken) = heap.parties(place).unwrap_or_default();
        let mut others = Others::None;
        for party in parties {
            let (process, is_other) = match party {
                Party::Process(process) => (process, !alone || process != heap.me()),
                Party::Message(owner) => (owner, true),
            };
            if self.on_life(heap, process, deadline) && is_other {
                others = Others::Some;
            }
        }
        if alone && taken < 2 {
            return Others::Some;
        }
        others
    }

    /// Whether one of the words holds something else by now.
    pub(crate) fn has_changed(&self) -> bool {
        self.pairs()
            .any(|(word, seen)| word.load(Ordering::Acquire) != seen)
    }

    /// Whether a sleep may have ended for no other reason than that it is time to look again.
    pub(crate) fn looks_again(&self) -> bool {
        self.unwatched || self.unsure
    }

    fn pairs(&self) -> impl Iterator<Item = (&AtomicU32, u32)> {
        self.words.iter().map(|(word, seen)| {
            // SAFETY: in the shared heap, which is never unmapped, or kept by `kept`; an atomic in either case.
            (unsafe { word.as_ref() }, *seen)
        })
    }

    /// Sleeps until one of the words is woken or has changed, or until the deadline. Look again, whatever ended it.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) {
        let soon = match (self.unsure, self.unwatched) {
            (true, _) => Some(Instant::now() + fence::UNSURE),
            (false, true) => Some(Instant::now() + LOOK_AGAIN),
            (false, false) => None,
        };
        let until = match (deadline, soon) {
            (Some(deadline), Some(soon)) => Some(deadline.min(soon)),
            (deadline, soon) => deadline.or(soon),
        };
        let words: Vec<(&AtomicU32, u32)> = self.pairs().collect();
        if words.len() <= futex::WORDS {
            futex::wait_any(&words, until);
        } else {
            sleep_in_parts(&words, until);
        }
    }
}

/// Sleeps on more words than the kernel takes: each part by a thread of its own, the first by this one.
fn sleep_in_parts(words: &[(&AtomicU32, u32)], until: Option<Instant>) {
    let over = AtomicU32::new(0);
    let part = |words: &[(&AtomicU32, u32)]| {
        let mut all = words.to_vec();
        all.push((&over, 0));
        futex::wait_any(&all, until);
        over.store(1, Ordering::Release);
        futex::wake_all(&over);
    };
    let mut parts = words.chunks(futex::WORDS - 1);
    let first = parts.next().unwrap_or_default();
    std::thread::scope(|scope| {
        for words in parts {
            let started = signal::start_without_signals(|| {
                std::thread::Builder::new()
                    .name("mp-wait".into())
                    .stack_size(64 * 1024)
                    .spawn_scoped(scope, || part(words))
            });
            if started.is_err() {
                // No thread to be had: this part is looked at again soon.
                let soon = Instant::now() + LOOK_AGAIN;
                let until = until.map_or(soon, |until| until.min(soon));
                futex::wait_any(first, Some(until));
                over.store(1, Ordering::Release);
                futex::wake_all(&over);
                return;
            }
        }
        part(first);
    });
}

/// When a time-out from now on is over; `None` for one that never is.
pub(crate) fn deadline_in(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Whether the deadline has passed.
pub(crate) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}
