#![allow(unsafe_code)]
//! Who takes from a queue, and what it took last: so that what a killed process had taken is counted and named.
//!
//! Relies on the objects of the heap. Each handle that gets has a small annex, entered in the roll `takers` at its first get and
//! freed when it is dropped. It is written by that handle only, under the lock of the getting end, and stays when its
//! process dies: then its last item counts as lost, until somebody has taken note of that, or the queue ends. Who enters
//! or takes note gives back what the dead have left, under that lock, too.
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

#[repr(C)]
struct Words {
    process: AtomicU32,
    pid: AtomicU32,
    taking: AtomicU64,
    name: [AtomicU64; NAME / 8],
}

/// A taker of this process.
#[derive(Clone, Copy)]
pub(super) struct Taker {
    words: std::ptr::NonNull<Words>,
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

fn at(heap: &Heap, of: Place, offset: u64) -> Option<std::ptr::NonNull<Words>> {
    let annex = heap.annex_of(of, offset).ok()?;
    (annex.bytes >= size_of::<Words>()).then(|| annex.base.cast())
}

impl Taker {
    /// Enters this process.
    pub(super) fn enter(queue: &Handle) -> Result<Taker> {
        let (heap, place) = (queue.heap(), queue.place());
        let annex = heap.make_annex(place, size_of::<Words>(), |annex| {
            // SAFETY: the annex is large enough, aligned, ours alone so far, and nothing but atomics.
            let words: &Words = unsafe { annex.base.cast().as_ref() };
            words.process.store(heap.me().pack(), Ordering::Relaxed);
            words.pid.store(std::process::id(), Ordering::Relaxed);
            words.taking.store(0, Ordering::Relaxed);
            let name = session::get().map_or("", |session| &session.identity.name);
            let mut bytes = [0; NAME];
            for (to, from) in bytes.iter_mut().zip(name.bytes()) {
                *to = from;
            }
            for (word, bytes) in words.name.iter().zip(bytes.chunks_exact(8)) {
                let mut eight = [0; 8];
                eight.copy_from_slice(bytes);
                word.store(u64::from_le_bytes(eight), Ordering::Relaxed);
            }
        })?;
        let core: &Core = queue.body();
        if let Some(locked) = lock_free(&core.get, heap) {
            tidy(queue, core);
            drop(locked);
        }
        let entered = core.takers.claim(heap, place, annex.offset, 0);
        let entry = entered.inspect_err(|_| drop(heap.free_annex(place, annex.offset)))?;
        Ok(Taker {
            words: annex.base.cast(),
            offset: annex.offset,
            entry,
        })
    }

    fn words(&self) -> &Words {
        // SAFETY: inside the annex, which stands until this taker leaves; atomics only.
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
        let _ = heap.free_annex(place, self.offset);
    }
}

/// The attempt of the taker in that entry at the item before `taking` has come to nothing.
pub(super) fn take_back(queue: &Handle, entry: u32, taking: u64) {
    let (heap, place) = (queue.heap(), queue.place());
    let core: &Core = queue.body();
    let offset = core.takers.get(heap, place, entry);
    if let Some(words) = offset.and_then(|offset| at(heap, place, offset.load(Ordering::Acquire))) {
        // SAFETY: inside an annex of this queue's, which this process holds; atomics only. The taker is dead or about to
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
    for (_, entry) in core.takers.entries(heap, place) {
        let Some(words) = at(heap, place, entry.load(Ordering::Acquire)) else {
            continue;
        };
        // SAFETY: as in `take_back`.
        let words: &Words = unsafe { words.as_ref() };
        let Some(process) = SlotId::unpack(words.process.load(Ordering::Relaxed)) else {
            continue;
        };
        if process == heap.me() || matches!(heap.processes().life(process), Life::Alive(..)) {
            continue;
        }
        let Some(item) = words.taking.load(Ordering::Acquire).checked_sub(1) else {
            continue;
        };
        if item >= head.number {
            continue;
        }
        lost.push(words.lost(item));
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
    for (_, entry) in core.takers.entries(heap, place) {
        let offset = entry.load(Ordering::Acquire);
        let Some(words) = at(heap, place, offset) else {
            continue;
        };
        // SAFETY: as in `take_back`; of the dead, only who has the lock gives an annex back.
        let words: &Words = unsafe { words.as_ref() };
        let process = words.process.load(Ordering::Relaxed);
        let item = words.taking.load(Ordering::Acquire).checked_sub(1);
        if is_over(words, process, item.filter(|item| *item < head.number)) {
            entry.store(0, Ordering::Release);
            stored("queue: taker forgotten");
            let _ = heap.free_annex(place, offset);
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
        .filter_map(|(_, entry)| at(heap, place, entry.load(Ordering::Acquire)));
    let name = |words: std::ptr::NonNull<Words>| {
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
