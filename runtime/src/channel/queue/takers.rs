#![allow(unsafe_code)]
//! Who takes from a queue, and what it took last: so that what a killed process had taken is counted and named.
//!
//! Relies on the objects of the heap. Each handle that gets has a few words, entered in the roll `takers` at its first get and
//! given back when it is dropped: the first ones in the queue itself, so that a full heap can be emptied, the others in an annex
//! each. They are written by that handle only, under the lock of the getting end, and stay when its
//! process dies: then its last item counts as lost, until somebody has taken note of that, or the queue ends. Who enters
//! or takes note gives back what the dead have left, under that lock, too.
//!
//! An entry of the roll is the offset of an annex (a multiple of 64), or for the words in the queue that have its index, whose they
//! are ([`made`]), or before they are made, who is about to make them ([`maker`]).
//!
//! | word | meaning |
//! |---|---|
//! | `process` | the packed slot of the process |
//! | `pid`, `name` | for people |
//! | `taking` | 1 + the number of the item that was taken last, or is about to be; 0 for none |
//!
//! An item is about to be taken from the store of `taking` on, and was with the commit of the count; `pending` in the queue says
//! which attempt is the last. Who takes the lock and finds that attempt at the item that comes next, and the item in its
//! place, takes it back.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use super::core::Core;
use super::ends::lock_free;
use super::held::{self, is_gone};
use crate::error::Result;
use crate::heap::{Handle, Heap, Life, Place, SlotId};
use crate::session;
use crate::sys::points::stored;

const NAME: usize = 40;

/// So many have their words in the queue itself.
pub(super) const SPARE: usize = 8;
const MADE: u64 = 1;
const MAKES: u64 = 2;

/// The entry of words in the queue that are this process's, by its packed slot.
fn made(process: u32) -> u64 {
    u64::from(process) << 8 | MADE
}

/// The entry of words in the queue that this process, by its packed slot, is about to make.
fn maker(process: u32) -> u64 {
    u64::from(process) << 8 | MAKES
}

#[repr(C)]
pub(super) struct Words {
    process: AtomicU32,
    pid: AtomicU32,
    taking: AtomicU64,
    name: [AtomicU64; NAME / 8],
}

/// A taker of this process.
#[derive(Clone, Copy)]
pub(super) struct Taker {
    words: NonNull<Words>,
    /// Of its annex; 0 if it has none.
    offset: u64,
    /// Its entry in the roll.
    pub(super) entry: u32,
}

// SAFETY: atomics in memory that is never unmapped.
unsafe impl Send for Taker {}
// SAFETY: as above.
unsafe impl Sync for Taker {}

/// An item that a process had taken last when it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    item: u64,
    pid: u32,
    process: String,
}

impl Lost {
    /// Which item of the queue, counted from 0 in the order in which they were put.
    pub fn item(&self) -> u64 {
        self.item
    }

    /// The process id of the process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The name of the process.
    pub fn process(&self) -> &str {
        &self.process
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Lost { item, pid, process } = self;
        write!(
            f,
            "item {item} was taken by process {process} (pid {pid}), which has ended"
        )
    }
}

impl Words {
    /// This process has taken nothing yet.
    fn enter(&self, heap: &Heap) {
        self.process.store(heap.me().pack(), Ordering::Relaxed);
        self.taking.store(0, Ordering::Release);
        self.pid.store(std::process::id(), Ordering::Relaxed);
        let name = session::get().map_or("", |session| &session.identity.name);
        let mut bytes = [0; NAME];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        for (word, bytes) in self.name.iter().zip(bytes.chunks_exact(8)) {
            let mut eight = [0; 8];
            eight.copy_from_slice(bytes);
            word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
        }
    }

    fn lost(&self, item: u64) -> Lost {
        let bytes: Vec<u8> = self
            .name
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .take_while(|byte| *byte != 0)
            .collect();
        Lost {
            item,
            pid: self.pid.load(Ordering::Relaxed),
            process: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// The words that an entry stands for.
fn at(heap: &Heap, of: Place, core: &Core, index: u32, entry: u64) -> Option<NonNull<Words>> {
    if entry % 64 == MADE {
        return core.spare.get(index as usize).map(NonNull::from);
    }
    let offset = Some(entry).filter(|entry| entry % 64 == 0)?;
    let annex = heap.annex_of(of, offset).ok()?;
    (annex.bytes >= size_of::<Words>()).then(|| annex.base.cast())
}

impl Taker {
    /// Enters this process.
    pub(super) fn enter(queue: &Handle) -> Result<Taker> {
        let (heap, place) = (queue.heap(), queue.place());
        let core: &Core = queue.body();
        if let Some(locked) = lock_free(&core.get, heap) {
            tidy(queue, core);
            drop(locked);
        }
        let me = maker(heap.me().pack());
        for (index, words) in core.spare.iter().enumerate() {
            let Some(entry) = core.takers.get(heap, place, index as u32) else {
                break;
            };
            if entry.load(Ordering::Relaxed) == 0
                && entry
                    .compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                stored("queue: makes a taker");
                words.enter(heap);
                entry.store(made(heap.me().pack()), Ordering::Release);
                stored("queue: taker");
                return Ok(Taker {
                    words: NonNull::from(words),
                    offset: 0,
                    entry: index as u32,
                });
            }
        }
        let annex = heap.make_annex(place, size_of::<Words>(), |annex| {
            // SAFETY: the annex is large enough, aligned, ours alone so far, and nothing but atomics.
            let words: &Words = unsafe { annex.base.cast().as_ref() };
            words.enter(heap);
        })?;
        let entered = core.takers.claim(heap, place, annex.offset, SPARE as u32);
        let entry = entered.inspect_err(|_| drop(heap.free_annex(place, annex.offset)))?;
        Ok(Taker {
            words: annex.base.cast(),
            offset: annex.offset,
            entry,
        })
    }

    fn words(&self) -> &Words {
        // SAFETY: inside the queue, which whoever takes from it holds, or the annex, which stands until this taker leaves; atomics only.
        unsafe { self.words.as_ref() }
    }

    /// What it takes now: 1 + the number.
    #[inline]
    pub(super) fn take(&self, taking: u64) {
        self.words().taking.store(taking, Ordering::Release);
        stored("queue: taking");
    }

    /// It will take nothing more.
    pub(super) fn leave(&self, queue: &Handle) {
        let (heap, place) = (queue.heap(), queue.place());
        let core: &Core = queue.body();
        if let Some(entry) = core.takers.get(heap, place, self.entry) {
            entry.store(0, Ordering::Release);
            stored("queue: taker left");
        }
        if self.offset != 0 {
            let _ = heap.free_annex(place, self.offset);
        }
    }
}

/// The attempt of the taker in that entry at the item before `taking` has come to nothing.
pub(super) fn take_back(queue: &Handle, entry: u32, taking: u64) {
    let (heap, place) = (queue.heap(), queue.place());
    let core: &Core = queue.body();
    let word = core.takers.get(heap, place, entry);
    let words = word.and_then(|word| at(heap, place, core, entry, word.load(Ordering::Acquire)));
    if let Some(words) = words {
        // SAFETY: inside this queue or an annex of its, which this process holds; atomics only. The taker is dead or about to
        // take something else, and both under the lock that this process has.
        let words: &Words = unsafe { words.as_ref() };
        let _ = words
            .taking
            .compare_exchange(taking, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// What the dead have taken last, in the order of the items.
pub(super) fn lost(queue: &Handle) -> Vec<Lost> {
    let (heap, place) = (queue.heap(), queue.place());
    let core: &Core = queue.body();
    let (_, head) = core.get.look();
    let mut lost = Vec::new();
    for (index, entry) in core.takers.entries(heap, place) {
        let word = entry.load(Ordering::Acquire);
        let Some(words) = at(heap, place, core, index, word) else {
            continue;
        };
        // SAFETY: as in `take_back`.
        let words: &Words = unsafe { words.as_ref() };
        let packed = words.process.load(Ordering::Relaxed);
        let Some(process) = SlotId::unpack(packed) else {
            continue;
        };
        if process == heap.me() || matches!(heap.processes().life(process), Life::Alive(..)) {
            continue;
        }
        let Some(item) = words.taking.load(Ordering::Acquire).checked_sub(1) else {
            continue;
        };
        let named = words.lost(item);
        // They may be another's by now, or nobody's.
        if item < head.number && entry.load(Ordering::Acquire) == word {
            lost.push(named);
        }
    }
    lost.sort_by_key(|lost| lost.item);
    lost
}

/// What the dead have taken last, in the order of the items: it is named this once. What they have left here is given back. By who
/// has the lock.
pub(super) fn take_lost(queue: &Handle, core: &Core, until: Option<Instant>) -> Vec<Lost> {
    let mut lost = Vec::new();
    clear(queue, core, |words, process, item| {
        let is_over = is_gone(queue.heap(), process, Some(until));
        if is_over {
            lost.extend(item.map(|item| words.lost(item)));
        }
        is_over
    });
    lost.sort_by_key(|lost| lost.item);
    lost
}

/// Gives back what those of the dead have left who had nothing: that counts, and of a joinable queue, that is still held. By who
/// has the lock.
fn tidy(queue: &Handle, core: &Core) {
    let joinable = core.joinable.load(Ordering::Relaxed) != 0;
    let heap = queue.heap();
    clear(queue, core, |_, process, item| {
        item.is_none()
            && is_gone(heap, process, None)
            && !(joinable && held::holds(queue, core, process))
    });
}

/// Clears the entries of those of whom `is_over` says so: it is told the packed slot, and the item that was taken last.
fn clear(queue: &Handle, core: &Core, mut is_over: impl FnMut(&Words, u32, Option<u64>) -> bool) {
    let (heap, place) = (queue.heap(), queue.place());
    let (_, head) = core.get.look();
    for (index, entry) in core.takers.entries(heap, place) {
        let word = entry.load(Ordering::Acquire);
        if word & 63 == MAKES {
            // Killed before it had made its words.
            if is_gone(heap, (word >> 8) as u32, None) {
                let _ = entry.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
            continue;
        }
        let Some(words) = at(heap, place, core, index, word) else {
            continue;
        };
        // SAFETY: as in `take_back`; of the dead, only who has the lock gives an annex back.
        let words: &Words = unsafe { words.as_ref() };
        let process = words.process.load(Ordering::Relaxed);
        let item = words.taking.load(Ordering::Acquire).checked_sub(1);
        if is_over(words, process, item.filter(|item| *item < head.number)) {
            // It may be another's by now.
            let cleared = entry.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed);
            stored("queue: taker forgotten");
            if cleared.is_ok() && word % 64 != MADE {
                let _ = heap.free_annex(place, word);
            }
        }
    }
}

/// Who the processes are that hold these items.
pub(super) fn name(queue: &Handle, held: Vec<(u64, u32)>) -> Vec<Lost> {
    names(queue).name(held)
}

/// Who has taken anything, by packed slot.
pub(super) struct Names(Vec<(u32, Lost)>);

/// Looks up who they are.
pub(super) fn names(queue: &Handle) -> Names {
    let (heap, place) = (queue.heap(), queue.place());
    let core: &Core = queue.body();
    let words = core
        .takers
        .entries(heap, place)
        .filter_map(|(index, entry)| at(heap, place, core, index, entry.load(Ordering::Acquire)));
    let name = |words: NonNull<Words>| {
        // SAFETY: as in `take_back`.
        let words: &Words = unsafe { words.as_ref() };
        (words.process.load(Ordering::Relaxed), words.lost(0))
    };
    Names(words.map(name).collect())
}

impl Names {
    pub(super) fn name(&self, held: Vec<(u64, u32)>) -> Vec<Lost> {
        let name = |(item, process): (u64, u32)| {
            let known = self.0.iter().find(|(taker, _)| *taker == process);
            let (pid, process) = known.map_or((0, String::new()), |(_, lost)| {
                (lost.pid, lost.process.clone())
            });
            Lost { item, pid, process }
        };
        let mut lost: Vec<Lost> = held.into_iter().map(name).collect();
        lost.sort_by_key(|lost| lost.item);
        lost
    }
}
