#![allow(unsafe_code)]
//! The parent's side of a mailbox. Who may touch which word when is said in `mail`.

use std::sync::atomic::{Ordering, fence};

use super::super::service::Place;
use super::{ANY_ITEM, ASKED, CLAIMED, For, Job, Mail, Note, QUEUED, RECALLED, SLOTS};
use crate::sys::{advice, futex};

/// How many slots further on the next one is that is asked for beforehand.
const AHEAD: u32 = 3;

impl Mail {
    /// Writes a job into the slot of `seq`; it stands once `publish` has covered it. The parent keeps within SLOTS by its own
    /// count.
    #[inline]
    pub(crate) fn put(&self, seq: u32, job: &Job) {
        let slot = self.job_slot(seq);
        // SAFETY: the slot is free (the worker's `head` has passed its last use), so nobody else looks at it.
        unsafe {
            (&raw mut (*slot).job).write(*job);
            (*slot).claim.store(QUEUED, Ordering::Relaxed);
        }
    }

    /// Publishes all jobs below `tail`, and wakes the worker if it sleeps.
    #[inline]
    pub(crate) fn publish(&self, tail: u32) {
        let shared = self.shared();
        shared.to_worker.0.tail.store(tail, Ordering::Release);
        fence(Ordering::SeqCst);
        self.wake_worker();
    }

    #[inline]
    pub(super) fn wake_worker(&self) {
        let [door, asleep] = &self.shared().door.0;
        if asleep.load(Ordering::SeqCst) != 0 && asleep.swap(0, Ordering::SeqCst) != 0 {
            door.fetch_add(1, Ordering::SeqCst);
            let _ = futex::wake_all(door);
        }
    }

    /// How long the worker polls before it sleeps, from its next idle moment on.
    pub(crate) fn set_spin(&self, spin_ns: u32) {
        let spin = &self.shared().to_worker.0.spin;
        if spin.load(Ordering::Relaxed) != spin_ns {
            spin.store(spin_ns, Ordering::Relaxed);
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
    #[inline]
    pub(crate) fn done(&self) -> u32 {
        self.shared().from_worker.0.done.load(Ordering::Acquire)
    }

    /// How many jobs the worker is done with, as it says.
    #[inline]
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
    #[inline]
    pub(crate) fn note(&self, index: u32) -> Note {
        let slot = self.shared().results[(index % SLOTS) as usize].0.get();
        let later = index.wrapping_add(AHEAD) % SLOTS;
        advice::soon_read(&self.shared().results[later as usize]);
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
