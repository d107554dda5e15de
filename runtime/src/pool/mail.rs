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
//! All counters wrap. The parent keeps its own copies of what it wrote and checks every number a worker wrote.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::service::Place;
use crate::codec::Reader;
use crate::error::{Error, Kind};
use crate::heap::Heap;
use crate::sys::futex;
use crate::sys::points::stored;

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

/// The bell of a pool: the word its parent sleeps on.
#[derive(Clone, Copy)]
pub(crate) struct Bell {
    words: NonNull<[AtomicU32; 2]>,
}

// SAFETY: two atomics in memory that is never unmapped.
unsafe impl Send for Bell {}
// SAFETY: as above.
unsafe impl Sync for Bell {}

impl Bell {
    pub(crate) const SIZE: usize = 64;

    /// The bell in a block of the heap; zeroed first by the parent.
    pub(crate) fn at(heap: &Heap, offset: u64) -> Result<Self, Error> {
        Ok(Bell {
            words: heap.at(offset, Self::SIZE)?.cast(),
        })
    }

    fn words(&self) -> &[AtomicU32; 2] {
        // SAFETY: the block is 64-byte aligned and 64 bytes long, and all of it is atomics.
        unsafe { self.words.as_ref() }
    }

    pub(crate) fn reset(&self) {
        self.words()
            .iter()
            .for_each(|word| word.store(0, Ordering::Relaxed));
    }

    /// The parent: announces that it is about to sleep, and gives what to sleep on. Look again after this.
    pub(crate) fn listen(&self) -> u32 {
        let [bell, listening] = self.words();
        let seen = bell.load(Ordering::Acquire);
        listening.store(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        seen
    }

    pub(crate) fn stop_listening(&self) {
        self.words()[1].store(0, Ordering::Relaxed);
    }

    /// The parent: sleeps until the bell is rung, or the deadline.
    pub(crate) fn sleep(&self, seen: u32, deadline: Option<std::time::Instant>) {
        // Whatever ends the wait, the caller looks again.
        let _ = futex::wait(&self.words()[0], seen, deadline);
    }

    /// Anybody: wakes the parent if it sleeps.
    pub(crate) fn ring(&self) {
        let [bell, listening] = self.words();
        if listening.load(Ordering::SeqCst) != 0 && listening.swap(0, Ordering::SeqCst) != 0 {
            stored("listening");
            self.strike(bell);
        }
    }

    /// Wakes whoever sleeps, whatever the flag says: for news that come from no ring.
    pub(crate) fn ring_anyway(&self) {
        self.strike(&self.words()[0]);
    }

    fn strike(&self, bell: &AtomicU32) {
        bell.fetch_add(1, Ordering::SeqCst);
        stored("bell");
        let _ = futex::wake_all(bell);
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

    fn shared(&self) -> &Shared {
        // SAFETY: the block is large enough and 64-byte aligned; atomics and cells only, apart from `job`, which is reached by
        // raw pointer.
        unsafe { self.shared.as_ref() }
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

// ---- the parent's side ----

impl Mail {
    /// Writes a job into the slot of `seq`; it stands once `publish` has covered it. The parent keeps within SLOTS by its own
    /// count.
    pub(crate) fn put(&self, seq: u32, job: &Job) {
        let slot = self.job_slot(seq);
        // SAFETY: the slot is free (the worker's `head` has passed its last use), so nobody else looks at it.
        unsafe {
            (&raw mut (*slot).job).write(*job);
            (*slot).claim.store(QUEUED, Ordering::Relaxed);
        }
    }

    fn job_slot(&self, seq: u32) -> *mut JobSlot {
        // SAFETY: the index is within the array.
        unsafe {
            (&raw mut (*self.shared.as_ptr()).jobs)
                .cast::<JobSlot>()
                .add((seq % SLOTS) as usize)
        }
    }

    /// Publishes all jobs below `tail`, and wakes the worker if it sleeps.
    pub(crate) fn publish(&self, tail: u32) {
        let shared = self.shared();
        shared.to_worker.0.tail.store(tail, Ordering::Release);
        fence(Ordering::SeqCst);
        self.wake_worker();
    }

    fn wake_worker(&self) {
        let [door, asleep] = &self.shared().door.0;
        if asleep.load(Ordering::SeqCst) != 0 && asleep.swap(0, Ordering::SeqCst) != 0 {
            door.fetch_add(1, Ordering::SeqCst);
            let _ = futex::wake_all(door);
        }
    }

    /// No more jobs come: the worker ends when its ring is empty.
    pub(crate) fn stop(&self) {
        self.shared().to_worker.0.stop.store(1, Ordering::Release);
        fence(Ordering::SeqCst);
        self.wake_worker();
    }

    /// Takes a job back; `false` if the worker has begun it.
    pub(crate) fn recall(&self, seq: u32) -> bool {
        // SAFETY: the claim is an atomic; the slot is in the ring.
        let claim = unsafe { &(*self.job_slot(seq)).claim };
        claim
            .compare_exchange(QUEUED, RECALLED, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the worker has begun the job; what it wrote is not trusted beyond that.
    pub(crate) fn is_claimed(&self, seq: u32) -> bool {
        // SAFETY: as in `recall`.
        unsafe { (*self.job_slot(seq)).claim.load(Ordering::Acquire) == CLAIMED }
    }

    /// How many results there are, as the worker says.
    pub(crate) fn done(&self) -> u32 {
        self.shared().from_worker.0.done.load(Ordering::Acquire)
    }

    /// How many jobs the worker is done with, as it says.
    pub(crate) fn head(&self) -> u32 {
        self.shared().from_worker.0.head.load(Ordering::Acquire)
    }

    /// What the worker runs before its first job, and after its last.
    pub(crate) fn set_services(&self, services: [Option<Place>; 2]) {
        for (words, place) in self.shared().services.0.iter().zip(services) {
            let numbers = match place {
                Some(Place { task, block, len }) => [u64::from(task) + 1, block, len],
                None => [0; 3],
            };
            for (word, number) in words.iter().zip(numbers) {
                word.store(number, Ordering::Release);
            }
        }
    }

    /// Whether the worker takes jobs.
    pub(crate) fn is_up(&self) -> bool {
        self.shared().from_worker.0.up.load(Ordering::Acquire) != 0
    }

    /// Asks the task that runs this item of the job `seq`, or any item of it, to end.
    pub(crate) fn ask_to_end(&self, seq: u32, item: Option<u32>) {
        let item = item.unwrap_or(ANY_ITEM).min(ANY_ITEM);
        let word = ASKED | u64::from(item) << 32 | u64::from(seq);
        self.shared()
            .to_worker
            .0
            .cancel
            .store(word, Ordering::Release);
    }

    /// Of a timed job: its number, the item the worker is on, and since when; `None` while it is between two.
    pub(crate) fn began(&self) -> Option<(u32, u32, u64)> {
        let running = &self.shared().running.0;
        let version = running.version.load(Ordering::Acquire);
        let [what, since] = &running.began;
        let (what, since) = (what.load(Ordering::Relaxed), since.load(Ordering::Relaxed));
        let progress = running.progress.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let stable =
            version.is_multiple_of(2) && running.version.load(Ordering::Relaxed) == version;
        let (seq, item) = (what as u32, (what >> 32) as u32);
        (stable && progress == u64::from(item)).then_some((seq, item, since))
    }

    /// Copies a result out of its slot.
    pub(crate) fn note(&self, index: u32) -> Note {
        let slot = self.shared().results[(index % SLOTS) as usize].0.get();
        // SAFETY: inside the ring; plain numbers, copied out once. A worker that scribbles meanwhile can make them wrong, and
        // every one is checked, but not unsound.
        unsafe { slot.read_volatile() }
    }

    /// Frees the slots of all results below `read`, and wakes a worker that waits for that.
    pub(crate) fn set_read(&self, read: u32) {
        self.shared().read.0.store(read, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.shared().door.0[1].load(Ordering::SeqCst) == For::Room as u32 {
            self.wake_worker();
        }
    }

    /// The worker shall ring once `done` reaches this.
    pub(crate) fn set_wake_at(&self, at: u32) {
        self.shared()
            .to_worker
            .0
            .wake_at
            .store(at, Ordering::Relaxed);
    }

    /// What a dead worker had finished of the job it was running, and where the results stand.
    pub(crate) fn remains(&self) -> (u64, u64) {
        let running = &self.shared().running.0;
        (
            running.progress.load(Ordering::Acquire),
            running.out_block.load(Ordering::Acquire),
        )
    }
}

// ---- the worker's side ----

/// What a worker sleeps for.
#[derive(Clone, Copy)]
pub(crate) enum For {
    Job = 1,
    Room = 2,
}

/// What the worker finds in its ring.
pub(crate) enum Next {
    Job(Job),
    /// Taken back by the parent.
    Skipped,
    Empty,
    Stop,
}

impl Mail {
    pub(crate) fn bell(&self, heap: &Heap) -> Result<Bell, Error> {
        Bell::at(heap, self.shared().to_worker.0.bell.load(Ordering::Relaxed))
    }

    /// What to run before the first job, and after the last.
    pub(crate) fn services(&self) -> [Option<Place>; 2] {
        self.shared().services.0.each_ref().map(|words| {
            let [task, block, len] = words.each_ref().map(|word| word.load(Ordering::Acquire));
            let task = u32::try_from(task.checked_sub(1)?).ok()?;
            Some(Place { task, block, len })
        })
    }

    pub(crate) fn set_up(&self) {
        self.shared().from_worker.0.up.store(1, Ordering::Release);
        stored("up");
    }

    /// The worker is about to begin this item of the job `seq`.
    pub(crate) fn begin(&self, seq: u32, item: u32, now: u64) {
        let running = &self.shared().running.0;
        let version = running.version.load(Ordering::Relaxed);
        running
            .version
            .store(version.wrapping_add(1), Ordering::Relaxed);
        stored("version, odd");
        fence(Ordering::Release);
        let [what, since] = &running.began;
        what.store(u64::from(item) << 32 | u64::from(seq), Ordering::Relaxed);
        stored("began, what");
        since.store(now, Ordering::Relaxed);
        stored("began, since");
        running
            .version
            .store(version.wrapping_add(2), Ordering::Release);
        stored("version, even");
    }

    /// Whether the item that runs is asked to end.
    pub(crate) fn asks_to_end(&self) -> bool {
        let word = self.shared().to_worker.0.cancel.load(Ordering::Acquire);
        if word & ASKED == 0 || word as u32 != self.head() {
            return false;
        }
        let item = (word & !ASKED) >> 32;
        item == u64::from(ANY_ITEM) || item == self.progress().load(Ordering::Relaxed)
    }

    pub(crate) fn progress(&self) -> &AtomicU64 {
        &self.shared().running.0.progress
    }

    pub(crate) fn set_out_block(&self, offset: u64) {
        self.shared()
            .running
            .0
            .out_block
            .store(offset, Ordering::Release);
        stored("out_block");
    }

    pub(crate) fn spin_ns(&self) -> u64 {
        self.shared()
            .to_worker
            .0
            .spin
            .load(Ordering::Relaxed)
            .into()
    }

    /// Whether anything stands at `head`: a glance without a claim.
    pub(crate) fn has_job(&self, head: u32) -> bool {
        self.shared().to_worker.0.tail.load(Ordering::Acquire) != head
    }

    /// Claims the job at `head`. A full barrier stands behind a claim.
    pub(crate) fn claim(&self, head: u32) -> Next {
        if !self.has_job(head) {
            let stop = self.is_stopped();
            // Jobs published before the stop come first.
            return if stop && !self.has_job(head) {
                Next::Stop
            } else {
                Next::Empty
            };
        }
        let slot = self.job_slot(head);
        // SAFETY: published by the parent with Release, read with Acquire; the parent does not touch it until `head` passes.
        unsafe {
            self.progress()
                .store(u64::from((*slot).job.from), Ordering::Relaxed);
            stored("progress before the claim");
            self.set_out_block(0);
            let claimed = (*slot)
                .claim
                .compare_exchange(QUEUED, CLAIMED, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok();
            barrier_after_rmw();
            stored("claim");
            if claimed {
                Next::Job((&raw const (*slot).job).read())
            } else {
                Next::Skipped
            }
        }
    }

    /// The bytes of an inline message, in place: the parent leaves the slot alone until `head` passes.
    pub(crate) fn inline_args(&self, head: u32, len: u32) -> Result<Reader<'static>, Error> {
        if len as usize > INLINE {
            return Err(Error::new(
                Kind::Protocol,
                "an inline message is longer than its slot",
            ));
        }
        // SAFETY: inside the slot, written by the parent before the claim, and not touched again before `head` passes it.
        unsafe {
            let base = (&raw mut (*self.job_slot(head)).job.body).cast::<u8>();
            Ok(Reader::trusted(NonNull::new_unchecked(base), len as usize))
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.shared().to_worker.0.stop.load(Ordering::Acquire) != 0
    }

    pub(crate) fn set_head(&self, head: u32) {
        self.shared()
            .from_worker
            .0
            .head
            .store(head, Ordering::Release);
        stored("head");
    }

    /// How many results the parent has not read yet.
    pub(crate) fn unread(&self, done: u32) -> u32 {
        done.wrapping_sub(self.shared().read.0.load(Ordering::Acquire))
    }

    /// Writes a result; it stands once `set_done` has covered it. Only with room for it.
    pub(crate) fn write_note(&self, index: u32, note: &Note) {
        // SAFETY: the parent has read this slot's last use (the caller checked `unread`), and looks again only after `done`.
        unsafe {
            self.shared().results[(index % SLOTS) as usize]
                .0
                .get()
                .write(*note)
        };
        stored("note");
    }

    pub(crate) fn set_done(&self, done: u32) {
        self.shared()
            .from_worker
            .0
            .done
            .store(done, Ordering::Release);
        stored("done");
    }

    /// Whether the parent asked to be rung by now. A full barrier must stand between `set_done` and this.
    pub(crate) fn wants_ring(&self, done: u32) -> bool {
        let at = self.shared().to_worker.0.wake_at.load(Ordering::Relaxed);
        (done.wrapping_sub(at) as i32) >= 0
    }

    /// Announces that the worker is about to sleep, and gives what to sleep on. Look again after this.
    pub(crate) fn fall_asleep(&self, what: For) -> u32 {
        let [door, asleep] = &self.shared().door.0;
        let seen = door.load(Ordering::Acquire);
        asleep.store(what as u32, Ordering::SeqCst);
        stored("asleep");
        fence(Ordering::SeqCst);
        seen
    }

    pub(crate) fn stay_awake(&self) {
        self.shared().door.0[1].store(0, Ordering::Relaxed);
        stored("awake");
    }

    pub(crate) fn sleep(&self, seen: u32) {
        let _ = futex::wait(&self.shared().door.0[0], seen, None);
        self.stay_awake();
    }
}
