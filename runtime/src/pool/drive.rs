//! Who drives a pool: the thread that waits for a result.
//!
//! One thread at a time leads: it takes in results, sends work, and sleeps on the bell. Others that wait follow: they sleep
//! until the leader has something for them, or hands over. Where calls are open and no thread waits (handles, futures), the
//! pool's one keeper thread leads; any thread that waits takes over from it, so that no result passes through two threads on
//! the hot path. The keeper is started when it is first needed (`keeper`). How a pool ends is in `stop`.
//!
//! A thread that waits for handles comes and goes with every one of them. So a leader that steps
//! down does not give the lead to the keeper at once: the keeper *watches*. It looks every
//! [`WATCH`], and leads once no thread has driven the pool since its last look. Where a waker or a
//! callback waits for what comes, the keeper leads at once.
//!
//! | the keeper | `keeper_watches` | `keeper_sleeps` | woken by | it leads |
//! |---|---|---|---|---|
//! | is parked | no | – | `unpark` | – |
//! | watches | yes | – | `unpark`, or after [`WATCH`] | – |
//! | sleeps on the bell | no | yes | the bell | if no thread took over |
//! | has been woken, and looks next | yes | either | – | – |
//! | runs callbacks (`in_keeper`) | either | – | – | – |
//!
//! Work that no thread waits for is looked after if the keeper leads, a thread leads, or
//! `keeper_watches` is set. Each thread that gives up the lead, or submits while no thread leads,
//! sees to that.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread, ThreadId};
use std::time::{Duration, Instant};

use super::core::{Core, Ticket};
use super::engine::Hurry;
use super::mail::Bell;
use crate::sys::clock;

mod keeper;
mod stop;

pub(crate) use keeper::{before_waiting, wait_on};

/// How long a leader polls before it sleeps, while a processor is free for it …
const SPIN: Duration = Duration::from_micros(50);
/// … and while the workers need them all.
const SPIN_BUSY: Duration = Duration::from_micros(3);

/// Without a bell, a sleeper looks this often whether what it waits for has come without its being woken.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often a keeper that watches looks whether threads still drive the pool.
const WATCH: Duration = Duration::from_millis(1);

/// How often a leader that polls looks before it lets go of the lock.
const GLANCES: u32 = 16;

/// A pool, shared by its handles and its keeper.
pub(crate) struct Shared {
    core: Mutex<Lead>,
    bell: Option<Bell>,
    /// The keeper, to be woken; and whether there is one.
    keeper: Mutex<Option<Thread>>,
    kept: AtomicBool,
    /// The keeper was woken to do something, and has not looked since.
    called: AtomicBool,
    /// The pool has ended: the keeper has only callbacks left to run.
    stopping: AtomicBool,
    /// Told when the workers have ended.
    ended: Condvar,
}

/// The core, and who leads.
pub(crate) struct Lead {
    pub(crate) core: Core,
    leader: Leader,
    /// The keeper has gone with its pool.
    keeper_ended: bool,
    /// Which keeper it is: another takes its place while a callback waits for something.
    keeper_number: u32,
    /// Who is ending the pool, and how to make that faster.
    ending: Option<(ThreadId, Hurry)>,
    /// The workers have ended.
    over: bool,
    /// The keeper sleeps on the bell, and whether it will look again by itself: the lead can be given back to it without
    /// waking it.
    keeper_sleeps: Option<bool>,
    /// How many threads sleep on the bell, and until when in the core's time the last of them does at the most.
    asleep: u32,
    /// The keeper is at work, and will look for callbacks by itself.
    in_keeper: bool,
    /// The keeper looks again within [`WATCH`], or has been woken and looks next.
    keeper_watches: bool,
    /// The keeper is to lead as soon as no thread does.
    keeper_wanted: bool,
    /// How often threads have come to drive the pool.
    visits: u32,
    asleep_until: u64,
    /// Who sleeps as the leader will not look again by itself.
    sleeps_soundly: bool,
    /// Followers, to hand over to.
    followers: Vec<Thread>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leader {
    Nobody,
    Thread(usize),
    Keeper,
}

/// A time of the core as one to sleep until.
fn instant(ns: u64) -> Instant {
    Instant::now() + Duration::from_nanos(ns.saturating_sub(clock::now()))
}

/// A number for the running thread, cheaper than its id.
fn this_thread() -> usize {
    thread_local!(static PLACE: u8 = const { 0 });
    PLACE.with(|place| std::ptr::from_ref(place) as usize)
}

impl Shared {
    pub(crate) fn new(core: Core, bell: Option<Bell>) -> Arc<Self> {
        let core = Mutex::new(Lead {
            core,
            leader: Leader::Nobody,
            keeper_ended: false,
            keeper_number: 0,
            ending: None,
            over: false,
            keeper_sleeps: None,
            asleep: 0,
            in_keeper: false,
            keeper_watches: false,
            keeper_wanted: false,
            visits: 0,
            asleep_until: 0,
            sleeps_soundly: false,
            followers: Vec::new(),
        });
        Arc::new(Shared {
            core,
            bell,
            keeper: Mutex::new(None),
            kept: AtomicBool::new(false),
            called: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            ended: Condvar::new(),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Lead> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, unless another thread has it.
    fn try_lock(&self) -> Option<MutexGuard<'_, Lead>> {
        match self.core.try_lock() {
            Ok(lead) => Some(lead),
            Err(TryLockError::Poisoned(lead)) => Some(lead.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Drives the pool until `ready` gives something, or the deadline has passed (`None`).
    pub(crate) fn drive<R>(
        &self,
        ticket: Option<Ticket>,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut Core) -> Option<R>,
    ) -> Option<R> {
        let me = Leader::Thread(this_thread());
        let mut spinning: Option<Instant> = None;
        let mut may_be_keeper = true;
        let mut lead = self.lock();
        lead.visits = lead.visits.wrapping_add(1);
        loop {
            lead.core.pump();
            let result = ready(&mut lead.core);
            let over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if result.is_some() || over {
                self.step_down(lead, me);
                return result;
            }
            // In an engine without processes whoever waits may work, and sleeps while others do.
            if let Some(work) = lead.core.engine.work() {
                self.unlock(lead);
                let done = work.run();
                lead = self.lock();
                lead.core.engine.worked(done);
                continue;
            }
            match lead.leader {
                leader
                    if self.bell.is_none()
                        || matches!(leader, Leader::Thread(_) if leader != me) =>
                {
                    let thread = thread::current();
                    lead.core.sleep_on(ticket, thread.clone());
                    lead.followers.push(thread);
                    self.unlock(lead);
                    if std::mem::take(&mut may_be_keeper) {
                        before_waiting();
                    }
                    let backstop = self.bell.is_none().then(|| Instant::now() + LOOK_AGAIN);
                    match [deadline, backstop].into_iter().flatten().min() {
                        Some(until) => {
                            thread::park_timeout(until.saturating_duration_since(Instant::now()))
                        }
                        None => thread::park(),
                    }
                    lead = self.lock();
                    let own = thread::current().id();
                    lead.followers.retain(|follower| follower.id() != own);
                    continue;
                }
                Leader::Keeper => {
                    // Nobody need ring for a thread that is awake.
                    lead.core.engine.awake();
                    lead.leader = me;
                }
                _ => lead.leader = me,
            }
            let now = Instant::now();
            let spin = if lead.core.engine.worth_spinning() {
                SPIN
            } else {
                SPIN_BUSY
            };
            if now < *spinning.get_or_insert(now + spin) {
                // With the lock for a moment, then without it for a moment: others may want it.
                for _ in 0..GLANCES {
                    if lead.core.engine.has_news() {
                        break;
                    }
                    std::hint::spin_loop();
                }
                if !lead.core.engine.has_news() {
                    self.unlock(lead);
                    std::hint::spin_loop();
                    lead = self.lock();
                }
                continue;
            }
            spinning = None;
            if std::mem::take(&mut may_be_keeper) && keeper::is_callback() {
                self.unlock(lead);
                before_waiting();
                lead = self.lock();
                continue;
            }
            lead = self.sleep(lead, me, deadline);
        }
    }

    /// Sleeps on the bell, unless there are news.
    fn sleep<'a>(
        &'a self,
        mut lead: MutexGuard<'a, Lead>,
        me: Leader,
        deadline: Option<Instant>,
    ) -> MutexGuard<'a, Lead> {
        let Some(sleep) = lead.core.prepare_sleep() else {
            return lead;
        };
        if me == Leader::Keeper {
            lead.keeper_sleeps = Some(sleep.backstop.is_some());
        }
        let next = lead.core.next_deadline();
        lead.asleep += 1;
        lead.asleep_until = next.unwrap_or(u64::MAX);
        lead.sleeps_soundly = sleep.backstop.is_none();
        self.unlock(lead);
        let next = next.map(instant);
        let until = [deadline, sleep.backstop, next].into_iter().flatten().min();
        match self.bell {
            Some(bell) => bell.sleep(sleep.seen, until),
            None => thread::park_timeout(until.map_or(LOOK_AGAIN, |until| {
                until.saturating_duration_since(Instant::now())
            })),
        }
        let mut lead = self.lock();
        lead.asleep -= 1;
        if me == Leader::Keeper {
            lead.keeper_sleeps = None;
        }
        // Whoever took the lead meanwhile may be listening itself.
        if lead.leader == me {
            lead.core.engine.awake();
        }
        lead
    }

    /// Gives the lock back and wakes whom the core has something for.
    pub(crate) fn unlock(&self, mut lead: MutexGuard<'_, Lead>) {
        // A deadline before the end of a sleep: who sleeps must hear of it.
        if let Some(next) = lead.core.next_deadline()
            && lead.asleep > 0
            && next < lead.asleep_until
        {
            lead.asleep_until = next;
            if let Some(bell) = self.bell {
                bell.ring_anyway();
            }
        }
        // So of what is held back since: nobody may ever ring for that.
        if lead.sleeps_soundly && lead.asleep > 0 && lead.core.holds_back() {
            lead.sleeps_soundly = false;
            if let Some(bell) = self.bell {
                bell.ring_anyway();
            }
        }
        if lead.core.has_callbacks() && !lead.in_keeper {
            self.wake_keeper(lead.keeper_sleeps.is_some());
        }
        if !lead.core.has_wakes() {
            return;
        }
        let wakes = lead.core.take_wakes();
        drop(lead);
        wakes.into_iter().for_each(super::core::Wake::fire);
    }

    /// Leaves the lead, if this thread has it or was to take it, to a follower or the keeper.
    fn step_down(&self, mut lead: MutexGuard<'_, Lead>, me: Leader) {
        // Where nobody leads, this thread may have been woken to: it hands on what it has no use for.
        if lead.leader != me && lead.leader != Leader::Nobody {
            return self.unlock(lead);
        }
        lead.leader = Leader::Nobody;
        if let Some(next) = lead.followers.pop() {
            self.unlock(lead);
            return next.unpark();
        }
        if !lead.core.is_unattended() {
            return self.unlock(lead);
        }
        let watch = self.may_watch(&lead);
        if self.is_watched(&lead) {
            return self.unlock(lead);
        }
        let Some(looks_again) = lead.keeper_sleeps else {
            lead.keeper_watches = self.has_keeper();
            self.unlock(lead);
            return self.wake_keeper(false);
        };
        if watch {
            // From the bell, where it would be woken for whatever the next leader is woken for.
            lead.keeper_watches = true;
            self.unlock(lead);
            return self.wake_keeper(true);
        }
        lead.leader = Leader::Keeper;
        let sleep = lead.core.prepare_sleep();
        let timed = lead.core.next_deadline().is_some();
        let as_it_sleeps =
            !timed && sleep.is_some_and(|sleep| looks_again || sleep.backstop.is_none());
        lead.sleeps_soundly = as_it_sleeps && !looks_again;
        self.unlock(lead);
        if let (false, Some(bell)) = (as_it_sleeps, self.bell) {
            bell.ring_anyway();
        }
    }

    /// Whether the keeper looks after the pool within [`WATCH`], and may leave it alone until then.
    pub(crate) fn is_watched(&self, lead: &Lead) -> bool {
        lead.leader == Leader::Nobody
            && lead.keeper_watches
            && !lead.in_keeper
            && self.may_watch(lead)
    }

    /// Whether unattended work may wait for the keeper's next look.
    fn may_watch(&self, lead: &Lead) -> bool {
        self.bell.is_some() && !lead.keeper_wanted && !lead.core.is_awaited()
    }
}
