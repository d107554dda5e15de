#![allow(unsafe_code)]
//! What carries out the scheduler's actions: worker processes (`local`), or this very thread (`inline`).
//!
//! An engine knows workers, jobs and bytes; it knows nothing of calls, and decides nothing. It reports what happened as
//! events, in the order in which each worker did it; what a worker said is checked here as far as the bytes go, and by the
//! scheduler as far as the sense goes.

pub(crate) mod inline;
pub(crate) mod local;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mail::Job;
use super::payload::Payload;
use super::scheduler::{At, JobId, Part, WorkerId};
use crate::codec::Reader;
use crate::error::Error;
use crate::heap::Heap;

/// While results may stand unread behind a low-water mark, or work is held back on the expectation that some come, the parent
/// looks this often although nobody rang.
pub(crate) const BACKSTOP: Duration = Duration::from_millis(2);

/// What happened.
pub(crate) enum Event {
    /// The values of the items `from..to`; a folded one stands for all of them.
    Values {
        worker: WorkerId,
        job: JobId,
        from: u32,
        to: u32,
        ns: u64,
        values: Payload,
        folded: bool,
    },
    /// The item failed; the payload is a report.
    Failed {
        worker: WorkerId,
        job: JobId,
        item: u32,
        report: Payload,
    },
    /// Items that were not begun are handed back.
    Returned {
        worker: WorkerId,
        job: JobId,
        from: u32,
        to: u32,
    },
    /// The worker takes jobs from now on.
    Ready { worker: WorkerId },
    /// The worker could not be initialised; the payload is a report.
    Unfit { worker: WorkerId, report: Payload },
    /// What the worker said makes no sense.
    Nonsense { worker: WorkerId },
    /// The worker's process is gone; `running` is the item it was on.
    Lost {
        worker: WorkerId,
        running: Option<(JobId, u32)>,
        /// It has never taken a job.
        unready: bool,
        error: Error,
    },
}

/// How the workers are ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// They finish what they run, then their finalizer.
    Ask,
    /// By SIGTERM.
    Terminate,
    /// By SIGKILL.
    Kill,
}

/// Workers that are being ended.
pub(crate) struct Ending {
    /// Waits until they have, and collects them; to be called without the pool's lock.
    pub(crate) wait: Box<dyn FnOnce() + Send>,
    /// Does the same in another way from now on.
    pub(crate) hurry: Hurry,
}

/// Makes an end faster.
pub(crate) type Hurry = Arc<dyn Fn(End) + Send + Sync>;

/// Who a worker is, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) pid: u32,
}

/// A way to wait for news without holding the pool's lock.
pub(crate) struct Sleep {
    pub(crate) seen: u32,
    /// Look again then at the latest, although nobody rang.
    pub(crate) backstop: Option<Instant>,
}

pub(crate) trait Engine: Send {
    /// Starts a worker. Whether it takes jobs from the moment this returns; otherwise `Ready` follows.
    fn start(&mut self, worker: WorkerId) -> Result<bool, Error>;
    /// Puts a part of a job into the worker's queue; it is seen after the next `flush`.
    fn send(&mut self, worker: WorkerId, part: Part, job: &Job);
    /// Lets the workers see what was sent.
    fn flush(&mut self);
    /// As `flush`, for the workers that may soon have nothing else to do; `flush` must follow
    /// within a moment.
    fn flush_short(&mut self) {
        self.flush();
    }
    /// Takes a part back; `false` if the worker has begun it.
    fn recall(&mut self, worker: WorkerId, part: Part) -> bool;
    /// Ends a worker at once; `Lost` follows.
    fn kill(&mut self, worker: WorkerId);
    /// Tells the task that runs this item (any of the job, where there is none) that it should end.
    fn warn(&mut self, worker: WorkerId, job: JobId, item: Option<u32>);
    /// What the worker is on.
    fn at(&self, worker: WorkerId) -> At;
    /// Whether workers can be ended one by one.
    fn can_kill(&self) -> bool;
    /// Lets a worker end when its queue is empty; `Lost` follows.
    fn retire(&mut self, worker: WorkerId);
    /// Collects what happened since the last time.
    fn poll(&mut self, events: &mut Vec<Event>);
    /// Whether `poll` would find anything; a glance.
    fn has_news(&self) -> bool;
    /// Whether a short wait for news is better spent polling than sleeping.
    fn worth_spinning(&self) -> bool;
    /// Prepares for a sleep, that is not to last for long if `look_again`; `None` when there are news already.
    fn prepare_sleep(&mut self, look_again: bool) -> Option<Sleep>;
    /// After a sleep.
    fn awake(&mut self);
    /// Who the worker is.
    fn who(&self, worker: WorkerId) -> Option<Who>;
    /// All of them.
    fn everybody(&self) -> Vec<Who>;
    /// Work for the calling thread, to be run without the lock.
    fn work(&mut self) -> Option<inline::Work> {
        None
    }
    /// Whether a task on this side still reads the block; then the engine frees it when that task is done.
    fn keep(&mut self, _block: u64) -> bool {
        false
    }
    /// What came of it.
    fn worked(&mut self, _done: inline::Done) {}
    /// The error of its initializer, with that task's name.
    fn unfit(&self, error: Error) -> Error {
        error
    }
    /// Begins to end all workers, within bounds: asks, then SIGTERM, then SIGKILL, beginning with `how`. They are the engine's no
    /// more, so no event will tell of them.
    fn stop(&mut self, how: End) -> Ending;
}

/// The arguments in a block of the pool's own process, which keeps it until every item is resolved.
pub(crate) fn args_in(
    heap: &'static Heap,
    offset: u64,
    len: usize,
) -> Result<Reader<'static>, Error> {
    let base = heap.at(offset, len)?;
    // SAFETY: inside the mapping, which is never unmapped; the block was written before the job was published, and is neither
    // written nor freed before every item of the job is resolved.
    Ok(unsafe { Reader::trusted(base, len) }.in_block(offset))
}
