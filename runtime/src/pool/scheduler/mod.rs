//! The scheduler of a pool as a pure state machine: events in, actions out. No I/O, no clock, no threads; it imports
//! `crate::error` alone. Whoever drives it reports what happened through the methods, submits what `room` allows, and
//! then calls [`Scheduler::next_action`] until it gives `None`, carrying out each action as it comes. (Submitting comes
//! first: a worker without work makes the scheduler ask others for theirs.)
//!
//! Words. A *call* is one `map`, `apply` and so on; an *item* is an index in a call; a *job* is a run of consecutive
//! items of one call that was encoded as one message (its bytes live outside, keyed by [`JobId`]); a *part* is a range
//! of a job's items (indices relative to the job) that still has to run. A fresh job is one part; deaths, failures and
//! hand-backs cut it into several.
//!
//! States of an item: queued (in its call's queue) → sent (in a worker's queue, which the worker works through in
//! order) → resolved: finished, failed, lost with its worker, or dropped. A retry, a recall, a hand-back and a death
//! that is not its fault lead from sent back to queued. Every item resolves once.
//!
//! States of a worker's slot: empty → starting → up → empty, or given up. Flags on the way: *leaving* (it gets no new
//! parts and retires once it has none), *retired* (told so), *condemned* (it broke the protocol or is to be killed;
//! nothing it says is believed any more). A slot whose worker is lost starts again at once, unless it is not wanted any
//! more or has died too often in a row without getting anything done.
//!
//! What holds after every event, once its actions are carried out: no part waits in a queue while a worker is idle, but
//! for short ones while as many workers as there are processors have such (`crowd`); a
//! worker holds at most `max_window` parts; a job is released once, after all its items are resolved and no worker
//! holds a part of it; a call is done once, after its last release.
//!
//! Folding calls need no rule of their own: `finished` is reported for results that have *arrived*. Where the result of
//! several items is one value, it arrives whole, so a worker that dies half-way has finished none of them, and the
//! whole part but the item to blame runs again.

mod calls;
mod crowd;
mod deadlines;
mod dispatch;
mod events;
mod pace;
mod slab;
mod staff;
mod workers;

#[cfg(test)]
mod figures;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sim;

use std::collections::{BTreeSet, VecDeque};

use self::calls::{Call, Job};
use self::pace::Window;
use self::slab::Slab;
use self::workers::Worker;

pub(crate) use self::deadlines::At;
pub(crate) use self::pace::Pace;

/// Names a call; stale once the call is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CallId {
    slot: u32,
    generation: u32,
}

impl CallId {
    /// The place of the call in a table that grows to the largest number of calls open at a time.
    #[inline]
    pub(crate) fn slot(self) -> usize {
        self.slot as usize
    }
}

/// Names a job; stale once it is released. A slot is not reused before that, so payloads may be kept in a table by slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobId {
    slot: u32,
    generation: u32,
}

impl JobId {
    /// The place of the job in a table that grows to the largest number of jobs alive at a time.
    #[inline]
    pub(crate) fn slot(self) -> usize {
        self.slot as usize
    }
}

/// A worker's slot, 0 to n; the processes that succeed each other in a slot share its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WorkerId(pub(crate) u32);

/// The items `from..to` of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) job: JobId,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// The numbers that rule a pool.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// The most parts a worker holds at a time, whatever their kind.
    pub(crate) max_window: u32,
    /// How much work of single-item jobs is queued at a worker.
    pub(crate) target_ns: u64,
    /// How long a chunk should take.
    pub(crate) chunk_target_ns: u64,
    /// How short a chunk may get in order to share out the end of the input.
    pub(crate) chunk_floor_ns: u64,
    /// The most items in a chunk.
    pub(crate) max_chunk_items: u32,
    /// The most chunks a worker holds at a time.
    pub(crate) chunk_depth: u32,
    /// From this length on a part is sent only to a worker that has nothing else: the wait between two does not matter.
    pub(crate) long_ns: u64,
    /// How many workers can run at a time: processors. Short parts are given to no more of them than that, see `crowd` …
    pub(crate) hands: u32,
    /// … if they take less than this: about what it costs to have a processor go from one process to another.
    pub(crate) short_ns: u64,
    /// If they take less than this, about what it costs to send one, a processor is left to the
    /// thread that sends them.
    pub(crate) tiny_ns: u64,
    /// A slot is given up after so many deaths in a row without anything done.
    pub(crate) max_barren_deaths: u32,
    /// A worker that was sent so many items is replaced by a fresh one when it has done them.
    pub(crate) max_items: Option<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            max_window: 512,
            target_ns: 150_000,
            chunk_target_ns: 200_000,
            chunk_floor_ns: 20_000,
            max_chunk_items: 1 << 20,
            chunk_depth: 4,
            long_ns: 10_000_000,
            hands: u32::MAX,
            short_ns: 20_000,
            tiny_ns: 500,
            max_barren_deaths: 10,
            max_items: None,
        }
    }
}

/// What the scheduler is told of a call.
#[derive(Clone, Debug)]
pub(crate) struct CallSpec {
    /// How many items are expected, where that is known; used to size chunks, never relied upon.
    pub(crate) items: Option<u64>,
    /// Whether jobs hold as many items as `chunk` says; otherwise one.
    pub(crate) chunked: bool,
    /// How often an item that failed, or whose worker died on it, runs again.
    pub(crate) retries: u32,
    /// The most items in a job (by bytes, say).
    pub(crate) max_chunk: u32,
    /// The parts of this call that fit in a worker's window, in place of the measured number.
    pub(crate) window: Option<u32>,
    /// So many times longer than others its chunks may take.
    pub(crate) stretch: u32,
    /// What is known from earlier calls of the same task.
    pub(crate) pace: Pace,
    /// How long an item may run.
    pub(crate) timeout_ns: Option<u64>,
    /// How long a worker that is to be ended gets to end the item by itself.
    pub(crate) grace_ns: u64,
}

impl Default for CallSpec {
    fn default() -> Self {
        CallSpec {
            items: None,
            chunked: false,
            retries: 0,
            max_chunk: u32::MAX,
            window: None,
            stretch: 1,
            pace: Pace::default(),
            timeout_ns: None,
            grace_ns: 0,
        }
    }
}

/// What to make of results that a worker reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They count.
    Accept,
    /// The items were resolved before (their call was cancelled): throw them away.
    Discard,
    /// The worker does not hold what it speaks of. It is condemned: nothing was changed but that, a `Kill` follows.
    Violation,
}

/// What to make of an item that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It runs again; `attempt` counts from 1, so the first retry is attempt 2.
    Retry { attempt: u32 },
    /// It is resolved as failed; this was its `attempt`th run, and (`late`) its time was up already.
    Resolve { attempt: u32, late: bool },
    /// As [`Verdict::Discard`].
    Discard,
    /// As [`Verdict::Violation`].
    Violation,
}

/// Why items were dropped without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Their call was cancelled; those that were running may run on, their results are discarded.
    Cancelled,
    /// No worker is left and none can be started.
    NoWorkers,
}

/// What the driver is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Put the part in the worker's queue.
    Send { worker: WorkerId, part: Part },
    /// Take the part back, unless the worker has begun it: answer `recalled` or `claimed` (or let the part's results
    /// be the answer).
    Recall { worker: WorkerId, part: Part },
    /// Kill the process, which has broken the protocol or takes too long to start, and report `worker_lost`.
    Kill { worker: WorkerId },
    /// Tell the task that runs this item that it should end.
    Warn {
        worker: WorkerId,
        job: JobId,
        item: Option<u32>,
    },
    /// Kill the process for the sake of this item (any of the job, where there is none); what it has delivered counts.
    /// Report `worker_lost`.
    Cut {
        worker: WorkerId,
        job: JobId,
        item: Option<u32>,
    },
    /// Start a process in this slot: answer `worker_up`, `worker_cannot_start` or `worker_lost`.
    Start { worker: WorkerId },
    /// The worker holds nothing and is not wanted any more: let it end and report `worker_lost`.
    Retire { worker: WorkerId },
    /// Nothing will ask for the job's payload again.
    Release { job: JobId },
    /// The item's worker died on it, or (`late`) was killed because its time was up, for the `attempt`th and last time.
    ItemLost {
        call: CallId,
        item: u64,
        attempt: u32,
        late: bool,
    },
    /// The items `first..first + count` will have no result.
    ItemsDropped {
        call: CallId,
        first: u64,
        count: u32,
        why: Why,
    },
    /// The last word about a call.
    CallDone { call: CallId },
}

/// The two kinds of calls; each has its own window at a worker and its own round.
const SINGLES: usize = 0;
const CHUNKS: usize = 1;

/// The state machine; see the head of the file.
pub(crate) struct Scheduler {
    policy: Policy,
    windows: [Window; 2],
    calls: Slab<Call>,
    jobs: Slab<Job>,
    workers: Vec<Worker>,
    /// Actions that are decided already; sends are decided when asked for.
    actions: VecDeque<Action>,
    /// Releases that come before them: the usual end of a job, kept apart because it is so frequent.
    releases: VecDeque<JobId>,
    /// The calls that have parts queued, in the order of their turns; exact.
    rounds: [VecDeque<u32>; 2],
    /// Whose turn it is, if both rounds have something.
    turn: usize,
    /// The workers that take parts and have none, the latest last; exact.
    idle: Vec<u32>,
    /// Workers that may have room in a window (looked at again when they are chosen).
    roomy: [VecDeque<u32>; 2],
    /// Workers that may hold parts they have not begun (likewise).
    crowded: VecDeque<u32>,
    /// Parts at workers that could be recalled.
    waiting: u32,
    /// Parts whose recall was asked for and not answered.
    recalling: u32,
    in_flight: u64,
    /// Where there are more workers than processors.
    crowd: crowd::Crowd,
    /// The last `tick`.
    now: u64,
    /// The timers of the workers; exact.
    timers: BTreeSet<(u64, u32)>,
    /// How many open calls have a time for their items, or a grace.
    timed: u32,
    open_calls: u32,
    /// How many workers are wanted.
    target: u32,
    /// How many slots are starting or up.
    present: u32,
    /// How many slots hold a worker that was told to end.
    retired: u32,
    /// How many of them are replaced when they have.
    returning: u32,
    closed: bool,
}

impl Scheduler {
    /// A scheduler without workers: `resize` asks for them.
    pub(crate) fn new(policy: Policy) -> Self {
        Scheduler {
            windows: [Window::singles(&policy), Window::chunks(&policy)],
            policy,
            calls: Slab::new(),
            jobs: Slab::new(),
            workers: Vec::new(),
            actions: VecDeque::new(),
            releases: VecDeque::new(),
            rounds: [VecDeque::new(), VecDeque::new()],
            turn: SINGLES,
            idle: Vec::new(),
            roomy: [VecDeque::new(), VecDeque::new()],
            crowded: VecDeque::new(),
            waiting: 0,
            recalling: 0,
            in_flight: 0,
            crowd: crowd::Crowd::default(),
            now: 0,
            timers: BTreeSet::new(),
            timed: 0,
            open_calls: 0,
            target: 0,
            present: 0,
            retired: 0,
            returning: 0,
            closed: false,
        }
    }

    /// What to do next; `None` until something happens.
    #[inline]
    pub(crate) fn next_action(&mut self) -> Option<Action> {
        // Slots of jobs and calls are free for others only here, so that the driver may key its tables by slot.
        if let Some(job) = self.releases.pop_front() {
            self.jobs.free(job.slot, job.generation);
            return Some(Action::Release { job });
        }
        loop {
            if let Some(action) = self.actions.pop_front() {
                match action {
                    Action::Release { job } => self.jobs.free(job.slot, job.generation),
                    Action::CallDone { call } => self.calls.free(call.slot, call.generation),
                    _ => {}
                }
                return Some(action);
            }
            if let Some(send) = self.next_send() {
                return Some(send);
            }
            if !self.plan_recalls() {
                return None;
            }
        }
    }

    /// Whether there are fewer workers than were wanted.
    pub(crate) fn is_short(&self) -> bool {
        self.present < self.target
    }

    /// How many slots for workers there are, filled or not.
    pub(crate) fn workers(&self) -> u32 {
        self.workers.len() as u32
    }

    /// How many workers are wanted.
    pub(crate) fn target(&self) -> u32 {
        self.target
    }

    /// Whether a worker is up.
    pub(crate) fn has_workers(&self) -> bool {
        self.workers
            .iter()
            .any(|worker| worker.state == workers::State::Up)
    }

    /// Whether workers that were told to end have not done so yet.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.retired > 0
    }

    /// How many items are at workers.
    pub(crate) fn items_in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Whether no call is open and no worker holds anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.open_calls == 0
            && self.in_flight == 0
            && self.releases.is_empty()
            && self.actions.is_empty()
    }

    /// Whether every slot is given up: what is submitted is dropped at once.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.present == 0 && self.returning == 0 && self.target > 0
    }
}
