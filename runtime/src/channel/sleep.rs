//! What to sleep on until something happens or somebody dies: words with what they hold, and who lives among those that matter.
//!
//! Relies on `heap` (who holds an object, who lives), `sync` (when the dead are gone) and `sys::futex`. Nobody is waited for
//! who is dead: the kernel flags a process's liveness word, and this is one of the words. The kernel wakes one sleeper of it,
//! so whoever sees the flag wakes all the others before anything else.

use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use crate::heap::{Heap, Life, Party, Place, ROOT, SlotId};
use crate::sync::{is_gone_unmarked, wait_gone};
use crate::sys::futex;

/// How often is looked at what cannot be slept on: more words than the kernel takes, a process that it does not watch yet.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Words to sleep on.
pub(crate) struct Sleep<'a> {
    words: Vec<(&'a AtomicU32, u32)>,
    /// The kernel does not watch over one of the processes yet: it has only just been started.
    unwatched: bool,
}

/// Who is on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// Somebody who lives, or a message that may still be read by somebody.
    Some,
    /// Nobody any more.
    None,
}

impl<'a> Sleep<'a> {
    pub(crate) fn new() -> Self {
        Sleep {
            words: Vec::new(),
            unwatched: false,
        }
    }

    /// Whether there is nothing to sleep on.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// A word, while it holds `seen`. What is most likely woken comes first.
    pub(crate) fn on(&mut self, word: &'a AtomicU32, seen: u32) {
        self.words.push((word, seen));
    }

    /// The life of a process: `false` if it is wholly gone. Waits for one that is dying, until the deadline at most.
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
            Life::Alive(word, seen) => {
                self.unwatched |= seen == 0;
                let known = |(other, _): &(&AtomicU32, u32)| std::ptr::eq(*other, word);
                if !self.words.iter().any(known) {
                    self.words.push((word, seen));
                }
                true
            }
            Life::Dying(word) => {
                futex::wake_all(word);
                !wait_gone(heap, process, deadline)
            }
            Life::Gone => false,
        }
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

    /// Sleeps until one of the words is woken or has changed, or until the deadline. Look again, whatever ended it.
    pub(crate) fn sleep(&self, deadline: Option<Instant>) {
        let soon = (self.unwatched || self.words.len() > futex::WORDS)
            .then(|| Instant::now() + LOOK_AGAIN);
        let until = match (deadline, soon) {
            (Some(deadline), Some(soon)) => Some(deadline.min(soon)),
            (deadline, soon) => deadline.or(soon),
        };
        futex::wait_any(&self.words, until);
    }
}

/// When a time-out from now on is over; `None` for one that never is.
pub(crate) fn deadline_in(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Whether the deadline has passed.
pub(crate) fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}
