#![allow(unsafe_code)]
//! A worker's mailbox in the shared heap: a ring of jobs towards it, a ring of results back, and the words both sleep on.
//!
//! Who writes what (nothing has two writers but the claim words and the two sleep words):
//!
//! | word | writer | meaning |
//! |---|---|---|
//! | `tail` | parent, Release | jobs published so far; slots below it stand |
//! | `wake_at` | parent | the worker rings the bell once `done` reaches it |
//! | `read` | parent, Release | results the parent has copied out; their slots are free again |
//! | `stop` | parent | no more jobs come: end when the ring is empty |
//! | `head` | worker, Release | jobs it is done with, or skipped |
//! | `done` | worker, Release | results published so far |
//! | `claim` of a slot | both, CAS | QUEUED → CLAIMED by the worker that runs it, or → RECALLED by the parent that takes it back |
//! | `up` | worker | it takes jobs |
//! | `cancel` | parent | the item (or any of the job) that should end: see `asks_to_end` |
//! | `began` | worker, between two steps of its version | of a timed job: which item it is on, and since when |
//! | `services` | parent, before the worker is there | what it runs before its first job and after its last |
//! | `progress` | worker, Release | items of the running job that are finished and stand in `out_block` |
//! | `door`, `asleep` | both | the worker sleeps on `door` while `asleep` says for what (a job, or room); whoever clears it wakes |
//! | `bell`, `listening` (of the pool) | both | the same for the parent, one for all workers |
//!
//! Sleep protocol (Dekker): the sleeper sets its flag, then a full barrier, then looks again; the other side publishes,
//! then a full barrier, then looks at the flag. On the worker's hot path the claim's CAS is that barrier.
//!
//! What each side does is in `parent` and `worker`; the parent's bell in `bell`.
//!
//! All counters wrap. The parent keeps its own copies of what it wrote and checks every number a worker wrote.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::error::Error;
use crate::heap::Heap;

mod bell;
mod parent;
mod worker;

pub(crate) use bell::Bell;
pub(crate) use worker::{For, Next};

/// Slots in each ring; a power of two.
pub(crate) const SLOTS: u32 = 512;
/// Bytes of a message that stand in the slot itself.
pub(crate) const INLINE: usize = 32;

/// The item's encoding has no frame around it.
pub(crate) const BARE: u32 = 1;
/// Items and results are frames.
pub(crate) const FRAMED: u32 = 2;
/// The message stands in a block, not in the slot.
pub(crate) const IN_BLOCK: u32 = 4;
/// The results are folded into one with the reducer.
pub(crate) const FOLD: u32 = 8;
/// The items have a deadline: the worker says when it begins each.
pub(crate) const TIMED: u32 = 16;

/// In `cancel`: it speaks of a job.
const ASKED: u64 = 1 << 63;
/// In place of an item: any of the job.
const ANY_ITEM: u32 = 0x7fff_ffff;

const QUEUED: u32 = 1;
const CLAIMED: u32 = 2;
const RECALLED: u32 = 3;

#[repr(C, align(64))]
struct Line<T>(T);

#[repr(C)]
struct Shared {
    // Written by the parent.
    to_worker: Line<ToWorker>,
    read: Line<AtomicU32>,
    services: Line<[[AtomicU64; 3]; 2]>,
    // Written by both, rarely.
    door: Line<[AtomicU32; 2]>,
    // Written by the worker.
    from_worker: Line<FromWorker>,
    running: Line<Running>,
    jobs: [JobSlot; SLOTS as usize],
    results: [ResultSlot; SLOTS as usize],
}

#[repr(C)]
struct ToWorker {
    tail: AtomicU32,
    wake_at: AtomicU32,
    stop: AtomicU32,
    /// How long an idle worker polls before it sleeps, in nanoseconds.
    spin: AtomicU32,
    bell: AtomicU64,
    cancel: AtomicU64,
}

#[repr(C)]
struct FromWorker {
    done: AtomicU32,
    head: AtomicU32,
    up: AtomicU32,
}

#[repr(C)]
struct Running {
    progress: AtomicU64,
    out_block: AtomicU64,
    /// Odd while `began` is being written.
    version: AtomicU64,
    began: [AtomicU64; 2],
}

/// A message in a slot: its bytes, or the block they stand in.
pub(crate) type Inline = [u64; INLINE / 8];

/// What a job's slot says.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Job {
    pub(crate) task: u32,
    pub(crate) flags: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) reducer: u32,
    /// Bytes of an inline message.
    pub(crate) len: u32,
    /// The bytes, or `[offset, len, 0, 0]` of a block.
    pub(crate) body: Inline,
}

impl Job {
    #[inline]
    pub(crate) fn new(task: u32, flags: u32, reducer: u32, len: u32, body: Inline) -> Self {
        Job {
            task,
            flags,
            from: 0,
            to: 0,
            reducer,
            len,
            body,
        }
    }

    #[inline]
    pub(crate) fn part(mut self, from: u32, to: u32) -> Self {
        (self.from, self.to) = (from, to);
        self
    }
}

#[repr(C, align(64))]
struct JobSlot {
    claim: AtomicU32,
    job: Job,
}

/// What kind of news a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Encoded values of the items `from..to`.
    Values,
    /// One value, folded from the items `from..to`.
    Folded,
    /// The item `from` failed; the body is a report.
    Failed,
    /// The items `from..to` were not begun and are handed back.
    Returned,
    /// The worker could not be initialised, and ends; the body is a report.
    Unfit,
}

/// What a result's slot says. Plain numbers: any pattern may be read out of it, and is checked then.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Note {
    pub(crate) seq: u32,
    pub(crate) news: u32,
    pub(crate) flags: u32,
    pub(crate) len: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) ns: u64,
    pub(crate) body: Inline,
}

impl Note {
    #[inline]
    pub(crate) fn news(&self) -> Option<News> {
        [
            News::Values,
            News::Folded,
            News::Failed,
            News::Returned,
            News::Unfit,
        ]
        .get(self.news as usize)
        .copied()
    }
}

#[repr(C, align(64))]
struct ResultSlot(std::cell::UnsafeCell<Note>);

const _: () = assert!(size_of::<JobSlot>() == 64 && size_of::<ResultSlot>() == 64);

/// How many bytes of the heap a mailbox takes.
pub(crate) const SIZE: usize = size_of::<Shared>();

/// A full barrier behind an atomic read-modify-write: on x86-64 that instruction was one already.
#[inline(always)]
fn barrier_after_rmw() {
    if cfg!(target_arch = "x86_64") {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// One mailbox, seen from either side.
#[derive(Clone, Copy)]
pub(crate) struct Mail {
    shared: NonNull<Shared>,
}

// SAFETY: shared memory that is never unmapped; every word is an atomic or follows the table above.
unsafe impl Send for Mail {}
// SAFETY: as above.
unsafe impl Sync for Mail {}

impl Mail {
    pub(crate) fn at(heap: &Heap, offset: u64) -> Result<Self, Error> {
        Ok(Mail {
            shared: heap.at(offset, SIZE)?.cast(),
        })
    }

    #[inline]
    fn shared(&self) -> &Shared {
        // SAFETY: the block is large enough and 64-byte aligned; atomics and cells only, apart from `job`, which is reached by
        // raw pointer.
        unsafe { self.shared.as_ref() }
    }

    #[inline]
    fn job_slot(&self, seq: u32) -> *mut JobSlot {
        // SAFETY: the index is within the array.
        unsafe {
            (&raw mut (*self.shared.as_ptr()).jobs)
                .cast::<JobSlot>()
                .add((seq % SLOTS) as usize)
        }
    }

    /// The parent: a fresh mailbox. The slots need no clearing: they are written before `tail` covers them.
    pub(crate) fn reset(&self, bell: u64, spin_ns: u32) {
        let shared = self.shared();
        let ToWorker {
            tail,
            wake_at,
            stop,
            spin,
            bell: place,
            cancel,
        } = &shared.to_worker.0;
        place.store(bell, Ordering::Relaxed);
        let FromWorker { done, head, up } = &shared.from_worker.0;
        spin.store(spin_ns, Ordering::Relaxed);
        cancel.store(0, Ordering::Relaxed);
        shared.running.0.version.store(0, Ordering::Relaxed);
        for word in [
            tail,
            stop,
            &shared.read.0,
            &shared.door.0[0],
            &shared.door.0[1],
            done,
            head,
            up,
        ] {
            word.store(0, Ordering::Relaxed);
        }
        wake_at.store(u32::MAX / 2, Ordering::Relaxed);
        shared.running.0.progress.store(0, Ordering::Relaxed);
        shared.running.0.out_block.store(0, Ordering::Relaxed);
    }
}
