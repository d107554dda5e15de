//! Sleeping on an object's own words and on the lives of those who may wake one.
//!
//! Relies on `sys::futex` and on `peers`. Whoever wakes the sleepers of an object does it in the same step as its change, or
//! is in here: so a process that is killed in between is noticed by its liveness word. The kernel wakes *one* sleeper of that
//! word; so whoever finds a process dead tells the others, and a sleep that watches others watches their parents as well, but none
//! with whom this process dies, and ends after [`BACKSTOP`] in any case (see `word`, which says why).

use super::gone;
use super::word::{BACKSTOP, FAMILY, Family, Life, ORPHAN, Peers};
use crate::heap::{Heap, SlotId};
use crate::sys::futex::{self, Wait};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// How many lives one sleep watches; beyond, they are looked at every [`BACKSTOP`].
const LIVES: usize = futex::WORDS - 4 - FAMILY;

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slept {
    /// Look again.
    Look,
    /// This process is dead, by its packed name; it may still write (see `gone`).
    Dead(u32),
    /// The deadline passed.
    TimedOut,
}

/// Sleeps until one of `words` (three at most) no longer holds what is expected of it and is woken, or one of these
/// processes dies. Does not sleep at all if one is dead already.
pub(crate) fn sleep(
    heap: &Heap,
    words: &[(&AtomicU32, u32)],
    processes: impl IntoIterator<Item = u32>,
    deadline: Option<Instant>,
) -> Slept {
    let me = heap.me().pack();
    let mut known: Vec<u32> = processes.into_iter().filter(|one| *one != me).collect();
    known.sort_unstable();
    known.dedup();
    let mut all = words.to_vec();
    for &process in &known {
        match heap.life(process) {
            Life::Alive(..) if all.len() >= words.len() + LIVES => {}
            Life::Alive(word, value) => match heap.family(process) {
                Family::Own => {}
                Family::Other(lives) => {
                    all.push((word, value));
                    for life in lives.into_iter().flatten() {
                        if !all.iter().any(|(word, _)| std::ptr::eq(*word, life.0)) {
                            all.push(life);
                        }
                    }
                }
                Family::Orphan(dead) => {
                    heap.tell(dead);
                    let until = Instant::now() + ORPHAN;
                    let until = deadline.map_or(until, |deadline| deadline.min(until));
                    if heap.wait_orphan(process, until) {
                        heap.tell(process);
                        return Slept::Dead(process);
                    }
                    all.push((word, value));
                }
            },
            Life::Dying | Life::Gone => {
                heap.tell(process);
                return Slept::Dead(process);
            }
        }
    }
    if known.is_empty() {
        return match futex::wait_any(&all, deadline) {
            Wait::TimedOut => Slept::TimedOut,
            _ => Slept::Look,
        };
    }
    let backstop = Instant::now() + BACKSTOP;
    let until = deadline.map_or(backstop, |deadline| deadline.min(backstop));
    match futex::wait_any(&all, Some(until)) {
        Wait::TimedOut if until == backstop => {
            let gone = known.iter().find(|one| heap.is_gone_unmarked(**one));
            gone.map_or(Slept::Look, |gone| Slept::Dead(*gone))
        }
        Wait::TimedOut => Slept::TimedOut,
        _ => Slept::Look,
    }
}

/// What has become of a process that is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    Yes,
    /// Look again: threads of it live on, and may give back what they have.
    NotYet,
    /// The deadline passed.
    TimedOut,
}

/// Waits until a process that is dead is wholly gone; comes back now and then.
pub(crate) fn see_off(heap: &Heap, process: u32, deadline: Option<Instant>) -> Gone {
    let Some(id) = SlotId::unpack(process) else {
        return Gone::Yes;
    };
    let until = Instant::now() + BACKSTOP;
    let until = deadline.map_or(until, |deadline| deadline.min(until));
    if gone::wait_gone(heap, id, Some(until)) {
        Gone::Yes
    } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        Gone::TimedOut
    } else {
        Gone::NotYet
    }
}

/// Whether the process is known to have died; it may still write.
pub(crate) fn is_dead(heap: &Heap, process: u32) -> bool {
    !matches!(heap.life(process), Life::Alive(..))
}

/// The process id of a process by its packed name, while its slot is still there.
pub(crate) fn pid_of(heap: &Heap, process: u32) -> Option<u32> {
    let slot = heap.processes().slot(SlotId::unpack(process)?).ok()?;
    let pid = slot.pid.load(Ordering::Relaxed);
    (pid != 0 && pid != u32::MAX).then_some(pid)
}
