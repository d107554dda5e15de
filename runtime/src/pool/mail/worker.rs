#![allow(unsafe_code)]
//! The worker's side of a mailbox. Who may touch which word when is said in `mail`.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::super::service::Place;
use super::{
    ANY_ITEM, ASKED, Bell, CLAIMED, INLINE, Job, Mail, Note, QUEUED, SLOTS, barrier_after_rmw,
};
use crate::codec::Reader;
use crate::error::{Error, Kind};
use crate::heap::Heap;
use crate::sys::points::stored;
use crate::sys::{advice, futex};

/// How many slots further on the next one is that is asked for beforehand.
const AHEAD: u32 = 3;

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

    #[inline]
    pub(crate) fn progress(&self) -> &AtomicU64 {
        &self.shared().running.0.progress
    }

    #[inline]
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
    #[inline]
    pub(crate) fn has_job(&self, head: u32) -> bool {
        self.shared().to_worker.0.tail.load(Ordering::Acquire) != head
    }

    /// Claims the job at `head`. A full barrier stands behind a claim.
    #[inline]
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
        advice::soon_written(self.job_slot(head.wrapping_add(AHEAD)));
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
    #[inline]
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

    #[inline]
    pub(crate) fn set_head(&self, head: u32) {
        self.shared()
            .from_worker
            .0
            .head
            .store(head, Ordering::Release);
        stored("head");
    }

    /// How many results the parent has not read yet.
    #[inline]
    pub(crate) fn unread(&self, done: u32) -> u32 {
        done.wrapping_sub(self.shared().read.0.load(Ordering::Acquire))
    }

    /// Writes a result; it stands once `set_done` has covered it. Only with room for it.
    #[inline]
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

    #[inline]
    pub(crate) fn set_done(&self, done: u32) {
        self.shared()
            .from_worker
            .0
            .done
            .store(done, Ordering::Release);
        stored("done");
    }

    /// Whether the parent asked to be rung by now. A full barrier must stand between `set_done` and this.
    #[inline]
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
