//! A deterministic simulation of a pool: virtual workers on a virtual clock, who compute, fail, lie and die at random,
//! and a driver who carries out the scheduler's actions and keeps books of its own. Everything random comes from
//! `Plan::seed`. Relies on the scheduler's interface, and on its inside only for `audit`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use super::*;

mod books;
mod clock;
mod driver;

/// What is simulated. A plan that fails is printed whole; `Sim::new(plan).run()` plays it again.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) workers: u32,
    pub(super) policy: Policy,
    pub(super) calls: Vec<CallPlan>,
    /// New sizes of the pool, and when.
    pub(super) resizes: Vec<(u64, u32)>,
    /// When workers are killed from outside, whatever they do.
    pub(super) kills: Vec<u64>,
    /// When everything that is queued is dropped.
    pub(super) drop_queued_at: Option<u64>,
    pub(super) odds: Odds,
    /// How long a worker may take to start.
    pub(super) start_ns: Option<u64>,
    /// Recalls are answered at once, as over shared memory, not after a while.
    pub(super) prompt_recalls: bool,
    /// Every so many events the scheduler's books are audited (0: never).
    pub(super) audit_every: u64,
}

/// A job that never was.
pub(super) const NOBODY: JobId = JobId {
    slot: u32::MAX,
    generation: u32::MAX,
};

/// Chances in 100,000.
#[derive(Clone, Debug, Default)]
pub(super) struct Odds {
    pub(super) fail: u64,
    pub(super) die_running: u64,
    pub(super) die_between: u64,
    pub(super) die_starting: u64,
    pub(super) no_start: u64,
    pub(super) lie: u64,
    pub(super) hand_back: u64,
    /// What a dead worker had done of a part, but not reported, is lost with it.
    pub(super) perish: u64,
    /// An item that has a deadline never ends.
    pub(super) stall: u64,
    /// A worker never comes up, where the plan says by when it must.
    pub(super) hang_starting: u64,
    /// A worker that is believed to be up never takes anything, where every item has a deadline.
    pub(super) unborn: u64,
}

#[derive(Clone, Debug)]
pub(super) struct CallPlan {
    pub(super) at: u64,
    pub(super) items: u64,
    /// The caller's expectation is off by so much.
    pub(super) surprise: i64,
    pub(super) item_ns: u64,
    pub(super) cancel_at: Option<u64>,
    /// Cancelling ends what runs, too.
    pub(super) by_force: bool,
    pub(super) spec: CallSpec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Open(usize),
    Cancel(usize),
    Resize(u32),
    DropQueued,
    KillOne,
    /// For the worker in this slot, if it is still the one of that number.
    Ready(usize, u32),
    NoStart(usize, u32),
    Claim(usize, u32),
    ItemEnd(usize, u32, u64),
    Poll(usize, u32),
    Noticed(usize, u32),
    AnswerRecall(usize, u32, JobId, u32, u32),
}

#[derive(Clone, Copy, Debug)]
enum Report {
    Finished(JobId, u32, u32, u64),
    Failed(JobId, u32),
    Returned(JobId, u32, u32),
}

#[derive(Default)]
struct Virtual {
    number: u32,
    life: Life,
    // The worker's side.
    queue: VecDeque<Part>,
    running: Option<u32>,
    /// It has begun the first part of its queue.
    begun: bool,
    /// It will never take anything.
    unborn: bool,
    done_from: u32,
    /// When it began the item it is on, and how many it began before.
    since: u64,
    begun_items: u64,
    spent: u64,
    outbox: VecDeque<Report>,
    polled: bool,
    // The driver's side: whether it was reported to be up, and what the scheduler must believe it to hold.
    up: bool,
    view: VecDeque<Part>,
    asked_back: HashSet<(JobId, u32)>,
    refused: HashSet<(JobId, u32)>,
    killed: bool,
    retired: bool,
    cut: Option<(JobId, Option<u32>)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    #[default]
    None,
    Starting,
    Up,
    /// The driver does not know yet; the item it was on.
    Dead(Option<(JobId, u32)>),
}

#[derive(Clone, Copy, Default)]
struct Item {
    held_by: Option<u32>,
    resolved: bool,
    tries: u32,
}

struct BookedCall {
    plan: usize,
    id: CallId,
    items: Vec<Item>,
    cancelled: bool,
    ended_by_force: bool,
    /// What was queued of it was dropped.
    cut_short: bool,
    fed: bool,
    unresolved: u64,
    unreleased: u32,
    done: bool,
    /// The call's jobs by their first items.
    jobs: Vec<(u64, JobId)>,
}

struct BookedJob {
    call: usize,
    first: u64,
    unresolved: u32,
    views: u32,
}

/// What a run did, for tests that want to see that something happened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) events: u64,
    pub(super) finished: u64,
    pub(super) failed: u64,
    pub(super) lost: u64,
    pub(super) dropped: u64,
    pub(super) retried: u64,
    pub(super) recalled: u64,
    pub(super) refused: u64,
    pub(super) deaths: u64,
    pub(super) violations: u64,
    pub(super) sends: u64,
    pub(super) returned: u64,
    pub(super) warned: u64,
    pub(super) cut: u64,
    pub(super) late: u64,
    pub(super) overdue: u64,
    pub(super) unborn: u64,
    /// What all items took together, and when the last call was done.
    pub(super) busy: u64,
    pub(super) end: u64,
}

pub(super) struct Sim {
    plan: Plan,
    scheduler: Scheduler,
    random: u64,
    now: u64,
    order: u64,
    agenda: BinaryHeap<Reverse<(u64, u64, Event)>>,
    workers: Vec<Virtual>,
    calls: Vec<BookedCall>,
    call_index: HashMap<CallId, usize>,
    feeding: Vec<usize>,
    jobs: HashMap<JobId, BookedJob>,
    /// Items that nobody holds and that have no resolution.
    runnable: u64,
    in_flight: u64,
    recalls_open: u64,
    expected_losses: HashSet<(usize, u64)>,
    expected_kills: HashSet<usize>,
    tally: Tally,
}

impl Sim {
    pub(super) fn new(plan: Plan) -> Self {
        let mut sim = Sim {
            scheduler: Scheduler::new(plan.policy.clone()),
            random: plan.seed,
            now: 0,
            order: 0,
            agenda: BinaryHeap::new(),
            workers: Vec::new(),
            calls: Vec::new(),
            call_index: HashMap::new(),
            feeding: Vec::new(),
            jobs: HashMap::new(),
            runnable: 0,
            in_flight: 0,
            recalls_open: 0,
            expected_losses: HashSet::new(),
            expected_kills: HashSet::new(),
            tally: Tally::default(),
            plan,
        };
        for (index, call) in sim.plan.calls.clone().iter().enumerate() {
            sim.at(call.at, Event::Open(index));
        }
        for (at, size) in sim.plan.resizes.clone() {
            sim.at(at, Event::Resize(size));
        }
        if let Some(at) = sim.plan.drop_queued_at {
            sim.at(at, Event::DropQueued);
        }
        for at in sim.plan.kills.clone() {
            sim.at(at, Event::KillOne);
        }
        sim
    }

    /// Plays the plan to its end, then closes the pool and sees everybody go.
    pub(super) fn run(mut self) -> Tally {
        self.scheduler.resize(self.plan.workers);
        self.drain();
        self.play();
        assert!(self.scheduler.is_idle(), "stuck with work left");
        assert_eq!(self.calls.len(), self.plan.calls.len());
        assert!(self.calls.iter().all(|call| call.done && call.fed));
        assert!(self.jobs.is_empty() && self.runnable == 0 && self.in_flight == 0);
        self.tally.end = self.now;
        self.scheduler.close();
        self.drain();
        self.play();
        for worker in &self.workers {
            assert_eq!(worker.life, Life::None, "a worker stays behind");
        }
        assert!(self.scheduler.open_call(CallSpec::default()).is_err());
        self.tally
    }

    fn play(&mut self) {
        while let Some(time) = self.next_time() {
            if self.check_deadlines(time) {
                continue;
            }
            let Some(Reverse((time, _, event))) = self.agenda.pop() else {
                break;
            };
            self.now = time;
            self.scheduler.tick(time);
            self.tally.events += 1;
            self.happen(event);
            self.drain();
            let every = self.plan.audit_every;
            if every > 0 && self.tally.events.is_multiple_of(every) {
                self.audit();
            }
        }
    }

    // ---- chance and time

    fn roll(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn chance(&mut self, odds: u64) -> bool {
        odds > 0 && self.below(100_000) < odds
    }

    fn at(&mut self, time: u64, event: Event) {
        self.order += 1;
        self.agenda.push(Reverse((time, self.order, event)));
    }

    fn soon(&mut self, within: u64, event: Event) {
        let time = self.now + 1 + self.below(within);
        self.at(time, event);
    }

    // ---- events

    fn is_current(&self, worker: usize, number: u32) -> bool {
        self.workers[worker].number == number
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Open(plan) => self.open(plan),
            Event::Cancel(call) => self.cancel(call),
            Event::Resize(size) => self.scheduler.resize(size),
            Event::DropQueued => {
                for call in &mut self.calls {
                    call.fed = true;
                    call.cut_short = true;
                }
                self.scheduler.cancel_queued();
                assert!(!self.scheduler.has_backlog());
            }
            Event::KillOne => {
                let worker = self.below(self.workers.len() as u64) as usize;
                self.die(worker);
            }
            Event::Ready(worker, number) if self.is_current(worker, number) => {
                self.ready(worker);
            }
            Event::NoStart(worker, number) if self.is_current(worker, number) => {
                self.workers[worker].life = Life::None;
                self.scheduler.worker_cannot_start(WorkerId(worker as u32));
            }
            Event::Claim(worker, number) if self.is_current(worker, number) => self.claim(worker),
            Event::ItemEnd(worker, number, item) if self.is_current(worker, number) => {
                let w = &self.workers[worker];
                // One that was warned may have ended before its time.
                if w.begun_items == item && w.running.is_some() {
                    self.item_end(worker);
                }
            }
            Event::Poll(worker, number) if self.is_current(worker, number) => self.poll(worker),
            Event::Noticed(worker, number) if self.is_current(worker, number) => {
                self.notice(worker);
            }
            Event::AnswerRecall(worker, number, job, from, to)
                if self.is_current(worker, number) =>
            {
                self.answer_recall(worker, job, from, to);
            }
            _ => {}
        }
    }

    fn open(&mut self, plan: usize) {
        let call = self.plan.calls[plan].clone();
        let mut spec = call.spec;
        spec.items = spec
            .items
            .map(|_| call.items.saturating_add_signed(call.surprise));
        let Ok(id) = self.scheduler.open_call(spec) else {
            panic!("the pool is open");
        };
        let index = self.calls.len();
        self.calls.push(BookedCall {
            plan,
            id,
            items: Vec::new(),
            cancelled: false,
            ended_by_force: false,
            cut_short: false,
            fed: false,
            unresolved: 0,
            unreleased: 0,
            done: false,
            jobs: Vec::new(),
        });
        assert!(self.call_index.insert(id, index).is_none());
        self.feeding.push(index);
        if let Some(at) = call.cancel_at {
            self.at(call.at.max(at), Event::Cancel(index));
        }
    }

    fn cancel(&mut self, call: usize) {
        self.calls[call].cancelled |= !self.calls[call].done;
        self.calls[call].fed = true;
        let id = self.calls[call].id;
        if self.plan.calls[self.calls[call].plan].by_force {
            self.calls[call].ended_by_force = true;
            self.scheduler.end_call(id);
        } else {
            self.scheduler.cancel_call(id);
        }
        assert!(self.scheduler.submit(id, 1).is_err());
    }

    // ---- the workers

    fn ready(&mut self, worker: usize) {
        let timed = |call: &CallPlan| call.spec.timeout_ns.is_some();
        let unborn = self.plan.calls.iter().all(timed) && self.chance(self.plan.odds.unborn);
        let w = &mut self.workers[worker];
        if w.life == Life::Starting {
            w.life = Life::Up;
            w.up = true;
            w.unborn = unborn;
            self.tally.unborn += u64::from(unborn);
            self.scheduler.worker_up(WorkerId(worker as u32));
        }
    }

    fn claim(&mut self, worker: usize) {
        let w = &mut self.workers[worker];
        if w.life != Life::Up || w.begun || w.unborn {
            return;
        }
        let Some(part) = w.queue.front().copied() else {
            return;
        };
        w.running = Some(part.from);
        w.begun = true;
        w.done_from = part.from;
        self.run_item(worker, part.job);
    }

    fn run_item(&mut self, worker: usize, job: JobId) {
        let call = self.jobs[&job].call;
        let plan = &self.plan.calls[self.calls[call].plan];
        let (mean, timed) = (plan.item_ns, plan.spec.timeout_ns.is_some());
        let mut ns = mean / 4 + self.below(mean + mean / 2 + 1);
        if self.below(200) == 0 {
            ns = ns.saturating_mul(100);
        }
        self.tally.busy += ns;
        self.workers[worker].spent += ns;
        let stalls = timed && self.chance(self.plan.odds.stall);
        let w = &mut self.workers[worker];
        w.since = self.now;
        w.begun_items += 1;
        let (number, item, time) = (w.number, w.begun_items, self.now + ns);
        if !stalls {
            self.at(time, Event::ItemEnd(worker, number, item));
        }
    }

    fn item_end(&mut self, worker: usize) {
        if self.workers[worker].life != Life::Up {
            return;
        }
        if self.chance(self.plan.odds.die_running) {
            return self.die(worker);
        }
        let failed = self.chance(self.plan.odds.fail);
        let flush = self.below(8) == 0;
        let hand_back = self.chance(self.plan.odds.hand_back);
        let w = &mut self.workers[worker];
        let (Some(item), Some(part)) = (w.running.take(), w.queue.front().copied()) else {
            panic!("nothing was running");
        };
        let last = item + 1 == part.to;
        let end = if failed { item } else { item + 1 };
        if (failed || last || flush || hand_back) && w.done_from < end {
            let spent = std::mem::take(&mut w.spent);
            let done_from = w.done_from;
            w.outbox
                .push_back(Report::Finished(part.job, done_from, end, spent));
        }
        if failed {
            w.spent = 0;
            w.outbox.push_back(Report::Failed(part.job, item));
        }
        if failed || flush || hand_back {
            w.done_from = item + 1;
        }
        w.begun = !(last || hand_back);
        if last {
            w.queue.pop_front();
        } else if hand_back {
            w.queue.pop_front();
            w.outbox
                .push_back(Report::Returned(part.job, item + 1, part.to));
        }
        let number = w.number;
        if !w.outbox.is_empty() && !w.polled {
            w.polled = true;
            self.soon(3_000, Event::Poll(worker, number));
        }
        if self.chance(self.plan.odds.die_between) {
            return self.die(worker);
        }
        let w = &mut self.workers[worker];
        if last || hand_back {
            if !w.queue.is_empty() {
                self.claim(worker);
            }
        } else {
            w.running = Some(item + 1);
            self.run_item(worker, part.job);
        }
    }

    fn die(&mut self, worker: usize) {
        let w = &mut self.workers[worker];
        let number = w.number;
        match w.life {
            Life::Starting => w.life = Life::Dead(None),
            Life::Up => {
                let job = w.queue.front().map(|part| part.job);
                w.life = Life::Dead(job.zip(w.running));
            }
            _ => return,
        }
        self.tally.deaths += 1;
        self.soon(100_000, Event::Noticed(worker, number));
    }
}
