//! Who drives a pool: the thread that waits for a result.
//!
//! One thread at a time leads: it takes in results, sends work, and sleeps on the bell. Others that wait follow: they sleep
//! until the leader has something for them, or hands over. Where calls are open and no thread waits (handles, futures), the
//! pool's one keeper thread leads; any thread that waits takes over from it, so that no result passes through two threads on
//! the hot path. The keeper is started when it is first needed.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::core::{Core, State, Ticket};
use super::engine::End;
use super::mail::Bell;
use crate::error::{Error, Result};
use crate::sys::memory::forked;
use crate::sys::{clock, signal};

/// How long a leader polls before it sleeps, while a processor is free for it …
const SPIN: Duration = Duration::from_micros(50);
/// … and while the workers need them all.
const SPIN_BUSY: Duration = Duration::from_micros(3);

/// Without a bell, a sleeper looks this often whether what it waits for has come without its being woken.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often a leader that polls looks before it lets go of the lock.
const GLANCES: u32 = 16;

/// A pool, shared by its handles and its keeper.
pub(crate) struct Shared {
    core: Mutex<Lead>,
    bell: Option<Bell>,
    keeper: OnceLock<Thread>,
    stopping: AtomicBool,
}

/// The core, and who leads.
pub(crate) struct Lead {
    pub(crate) core: Core,
    leader: Leader,
    /// The keeper has gone with its pool.
    keeper_ended: bool,
    /// The keeper sleeps on the bell, and whether it will look again by itself: the lead can be given back to it without
    /// waking it.
    keeper_sleeps: Option<bool>,
    /// How many threads sleep on the bell, and until when in the core's time the last of them does at the most.
    asleep: u32,
    /// The keeper is at work, and will look for callbacks by itself.
    in_keeper: bool,
    asleep_until: u64,
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
            keeper_sleeps: None,
            asleep: 0,
            in_keeper: false,
            asleep_until: 0,
            followers: Vec::new(),
        });
        Arc::new(Shared {
            core,
            bell,
            keeper: OnceLock::new(),
            stopping: AtomicBool::new(false),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Lead> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut lead = self.lock();
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
        let Some(sleep) = lead.core.engine.prepare_sleep() else {
            return lead;
        };
        if me == Leader::Keeper {
            lead.keeper_sleeps = Some(sleep.backstop.is_some());
        }
        let next = lead.core.next_deadline();
        lead.asleep += 1;
        lead.asleep_until = next.unwrap_or(u64::MAX);
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
        if lead.core.has_callbacks() && !lead.in_keeper {
            // Whether it is parked or listens for the bell.
            if let (Some(bell), Some(_)) = (self.bell, lead.keeper_sleeps) {
                bell.ring_anyway();
            }
            self.wake_keeper();
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
        let Some(looks_again) = lead.keeper_sleeps else {
            self.unlock(lead);
            return self.wake_keeper();
        };
        lead.leader = Leader::Keeper;
        let sleep = lead.core.engine.prepare_sleep();
        let timed = lead.core.next_deadline().is_some();
        self.unlock(lead);
        let as_it_sleeps =
            !timed && sleep.is_some_and(|sleep| looks_again || sleep.backstop.is_none());
        if let (false, Some(bell)) = (as_it_sleeps, self.bell) {
            bell.ring_anyway();
        }
    }

    /// Starts the keeper, before work is given to the pool that no thread waits for.
    pub(crate) fn need_keeper(self: &Arc<Self>) -> Result<()> {
        if self.keeper.get().is_some() {
            return Ok(());
        }
        // Under the lock: two threads that come here at once must not start two keepers.
        let lead = self.lock();
        let started = self.start_keeper();
        self.unlock(lead);
        started.map_err(|cause| {
            Error::system("cannot start the thread that keeps a pool going", cause)
        })
    }

    fn start_keeper(self: &Arc<Self>) -> io::Result<()> {
        if self.keeper.get().is_none() {
            let shared = Arc::clone(self);
            let handle = signal::start_without_signals(|| {
                thread::Builder::new()
                    .name("mp-keeper".into())
                    .stack_size(256 * 1024)
                    .spawn(move || shared.keep())
            })?;
            let _ = self.keeper.set(handle.thread().clone());
        }
        Ok(())
    }

    /// After work was given to the pool that no thread waits for.
    pub(crate) fn leave_to_keeper(self: &Arc<Self>, lead: MutexGuard<'_, Lead>) {
        let unattended = lead.leader == Leader::Nobody;
        // Without one the work is with the workers all the same; whoever asks for it next drives it.
        let _ = self.start_keeper();
        let ended = lead.keeper_ended;
        self.unlock(lead);
        if ended {
            return self.unlock(self.run_callbacks(self.lock()));
        }
        if unattended {
            self.wake_keeper();
        }
    }

    /// Runs something on the keeper thread.
    pub(crate) fn run_on_keeper(self: &Arc<Self>, run: impl FnOnce() + Send + 'static) {
        let mut lead = self.lock();
        lead.core.queue_callback(Box::new(run));
        self.leave_to_keeper(lead);
    }

    /// Runs the callbacks whose time has come, without the lock and without the lead.
    fn run_callbacks<'a>(&'a self, mut lead: MutexGuard<'a, Lead>) -> MutexGuard<'a, Lead> {
        while let Some(callback) = lead.core.next_callback() {
            if lead.leader == Leader::Keeper {
                lead.leader = Leader::Nobody;
            }
            lead.in_keeper = true;
            self.unlock(lead);
            callback();
            lead = self.lock();
            lead.in_keeper = false;
        }
        lead
    }

    fn wake_keeper(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.unpark();
        }
    }

    /// The keeper's life.
    fn keep(&self) {
        let mut lead = self.lock();
        while !self.stopping.load(Ordering::Acquire) {
            lead = self.run_callbacks(lead);
            if lead.leader == Leader::Nobody {
                lead.leader = Leader::Keeper;
            }
            if lead.leader != Leader::Keeper || !lead.core.is_unattended() {
                if lead.leader == Leader::Keeper {
                    lead.leader = Leader::Nobody;
                }
                self.unlock(lead);
                thread::park();
                lead = self.lock();
                continue;
            }
            lead.core.pump();
            if let Some(work) = lead.core.engine.work() {
                self.unlock(lead);
                let done = work.run();
                lead = self.lock();
                lead.core.engine.worked(done);
            } else if lead.core.has_wakes() {
                self.unlock(lead);
                lead = self.lock();
            } else if lead.core.is_unattended() {
                lead = self.sleep(lead, Leader::Keeper, None);
            }
        }
        if lead.leader == Leader::Keeper {
            lead.leader = Leader::Nobody;
        }
        // What ended with the pool has callbacks, too.
        lead = self.run_callbacks(lead);
        // What comes later runs on the thread that brings it.
        lead.keeper_ended = true;
    }

    /// Ends the pool: what runs may go on for `grace`, what is queued is called off, the workers are ended and collected.
    pub(crate) fn stop(&self, grace: Duration, how: End) {
        if forked() {
            // The workers are the original's.
            return;
        }
        {
            let mut lead = self.lock();
            if lead.core.state == State::Stopped {
                return;
            }
            lead.core.close();
            lead.core.cancel_queued();
            self.unlock(lead);
        }
        if !grace.is_zero() {
            let deadline = Instant::now().checked_add(grace);
            self.drive(None, deadline, |core| (!core.is_running()).then_some(()));
        }
        self.stopping.store(true, Ordering::Release);
        let mut lead = self.lock();
        lead.core.end(how);
        lead.followers
            .drain(..)
            .for_each(|follower| follower.unpark());
        self.unlock(lead);
        if let Some(bell) = self.bell {
            bell.ring_anyway();
        }
        self.wake_keeper();
    }
}
