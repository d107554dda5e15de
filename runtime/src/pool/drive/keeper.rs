//! The keeper: the thread that drives a pool while work is open that no thread waits for, and that runs callbacks.
//!
//! A callback is the user's code, and may wait: for handles, for other callbacks, for the end of the pool. All of these need a
//! keeper. So a keeper whose callback is about to wait is replaced first: another thread takes over all that it does, and the
//! first one ends with its callback. At any time one keeper is the pool's; those that were replaced touch nothing.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Lead, Leader, Shared, WATCH};
use crate::error::{Error, Result};
use crate::sys::{clock, signal};

/// Where no thread can be started to take a keeper's place, that is tried again so soon.
const TRY_AGAIN: Duration = Duration::from_millis(10);

thread_local! {
    /// The pool whose callback this thread runs, while it is the one to run the next, too.
    static CALLBACK_OF: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

/// Whether this thread runs a callback, and nobody else would run the next.
pub(super) fn is_callback() -> bool {
    CALLBACK_OF
        .try_with(|pool| pool.try_borrow().is_ok_and(|pool| pool.is_some()))
        .unwrap_or(false)
}

/// To be called, without any lock, by whoever is about to wait for what a pool does: if this is a callback, another thread
/// takes over what its thread does for the pool. Where none can be started, gives how soon to call this again.
pub(crate) fn before_waiting() -> Option<Duration> {
    if !is_callback() {
        return None;
    }
    let shared = CALLBACK_OF.take()?;
    match shared.replace_keeper() {
        Ok(()) => None,
        Err(_) => {
            CALLBACK_OF.set(Some(shared));
            Some(TRY_AGAIN)
        }
    }
}

/// Waits on `condition` until it is told, or `deadline`, or it is time to call [`before_waiting`] again; `None` once the
/// deadline has passed.
pub(crate) fn wait_on<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Option<Instant>,
    again: Option<Duration>,
) -> Option<MutexGuard<'a, T>> {
    let left = match deadline {
        Some(deadline) => Some(deadline.checked_duration_since(Instant::now())?),
        None => None,
    };
    Some(match [left, again].into_iter().flatten().min() {
        None => condition
            .wait(guard)
            .unwrap_or_else(PoisonError::into_inner),
        Some(time) => {
            let waited = condition.wait_timeout(guard, time);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    })
}

impl Shared {
    /// Starts the keeper, before work is given to the pool that no thread waits for.
    pub(crate) fn need_keeper(self: &Arc<Self>) -> Result<()> {
        if self.has_keeper() {
            return Ok(());
        }
        // Under the lock: two threads that come here at once must not start two keepers.
        let lead = self.lock();
        let started = self.start_keeper(&lead);
        self.unlock(lead);
        started.map_err(|cause| {
            Error::system("cannot start the thread that keeps a pool going", cause)
        })
    }

    pub(super) fn has_keeper(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }

    fn start_keeper(self: &Arc<Self>, lead: &Lead) -> io::Result<()> {
        if self.has_keeper() {
            return Ok(());
        }
        self.spawn_keeper(lead.keeper_number)?;
        self.kept.store(true, Ordering::Release);
        Ok(())
    }

    fn spawn_keeper(self: &Arc<Self>, number: u32) -> io::Result<()> {
        let shared = Arc::clone(self);
        let handle = signal::start_without_signals(|| {
            thread::Builder::new()
                .name("mp-keeper".into())
                .stack_size(256 * 1024)
                .spawn(move || shared.keep(number))
        })?;
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        *keeper = Some(handle.thread().clone());
        Ok(())
    }

    /// Another thread takes over from this one, which runs a callback.
    fn replace_keeper(self: &Arc<Self>) -> io::Result<()> {
        let mut lead = self.lock();
        let number = lead.keeper_number.wrapping_add(1);
        let started = self.spawn_keeper(number);
        if started.is_ok() {
            lead.keeper_number = number;
            lead.in_keeper = false;
            lead.keeper_watches = false;
        }
        self.unlock(lead);
        started
    }

    /// Gives back the lock after something that no thread will wait for was given to the pool.
    /// The keeper leads as soon as no thread does.
    pub(crate) fn leave_to_keeper(self: &Arc<Self>, mut lead: MutexGuard<'_, Lead>) {
        lead.keeper_wanted = true;
        self.leave(lead);
    }

    /// Gives back the lock after a call whose owner may come back for it was given to the pool.
    /// The keeper leads as soon as no thread has come for a moment.
    pub(crate) fn leave(self: &Arc<Self>, mut lead: MutexGuard<'_, Lead>) {
        let unattended = lead.leader == Leader::Nobody && !self.is_watched(&lead);
        // Without one the work is with the workers all the same; whoever asks for it next drives it.
        let _ = self.start_keeper(&lead);
        lead.keeper_watches |= unattended && self.has_keeper();
        let on_bell = lead.keeper_sleeps.is_some();
        let ended = lead.keeper_ended;
        self.unlock(lead);
        if ended {
            return self.unlock(self.run_callbacks(self.lock()));
        }
        if unattended {
            self.wake_keeper(on_bell);
        }
    }

    /// Runs something on the keeper thread.
    pub(crate) fn run_on_keeper(self: &Arc<Self>, run: impl FnOnce() + Send + 'static) {
        let mut lead = self.lock();
        lead.core.queue_callback(Box::new(run));
        self.leave_to_keeper(lead);
    }

    /// Runs the callbacks whose time has come, without the lock and without the lead; until one of them waits, for then
    /// another thread runs the rest.
    fn run_callbacks<'a>(
        self: &'a Arc<Self>,
        mut lead: MutexGuard<'a, Lead>,
    ) -> MutexGuard<'a, Lead> {
        let number = lead.keeper_number;
        while lead.keeper_number == number {
            let Some(callback) = lead.core.next_callback() else {
                break;
            };
            if lead.leader == Leader::Keeper {
                lead.leader = Leader::Nobody;
            }
            lead.in_keeper = true;
            self.unlock(lead);
            let outer = CALLBACK_OF.replace(Some(Arc::clone(self)));
            // It keeps its panics to itself; if one gets out all the same, the pool goes on.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(callback));
            drop(CALLBACK_OF.replace(outer));
            lead = self.lock();
            if lead.keeper_number == number {
                lead.in_keeper = false;
            }
        }
        lead
    }

    /// Wakes the keeper, which is parked or sleeps on the bell.
    pub(super) fn wake_keeper(&self, on_bell: bool) {
        if let (true, Some(bell)) = (on_bell, self.bell) {
            return bell.ring_anyway();
        }
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = &*keeper {
            self.called.store(true, Ordering::Release);
            keeper.unpark();
        }
    }

    /// The keeper's life.
    fn keep(self: &Arc<Self>, number: u32) {
        let mut lead = self.lock();
        let mut seen = lead.visits;
        loop {
            // What was given to the pool a moment ago.
            lead.core.engine.flush();
            // What ended with the pool has callbacks, too.
            let stopping = self.stopping.load(Ordering::Acquire);
            lead = self.run_callbacks(lead);
            if lead.keeper_number != number {
                return self.unlock(lead);
            }
            if stopping {
                break;
            }
            lead.keeper_watches = false;
            let visited = std::mem::replace(&mut seen, lead.visits) != lead.visits;
            if !self.is_to_lead(&mut lead, visited) {
                if lead.core.share_out() {
                    lead.core.act();
                }
                lead = self.stand_by(lead, visited);
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
            } else if lead.core.is_unattended() && !lead.core.has_callbacks() {
                lead = self.sleep(lead, Leader::Keeper, None);
            }
        }
        if lead.leader == Leader::Keeper {
            lead.leader = Leader::Nobody;
        }
        // What comes later runs on the thread that brings it.
        lead.keeper_ended = true;
        self.unlock(lead);
    }

    /// Whether the keeper leads now; it has the lead then, and has not otherwise.
    fn is_to_lead(&self, lead: &mut Lead, visited: bool) -> bool {
        if matches!(lead.leader, Leader::Thread(_)) {
            return false;
        }
        let leads = lead.leader == Leader::Keeper;
        let unattended = lead.core.is_unattended();
        let leads = unattended && (leads || !visited || !self.may_watch(lead));
        lead.leader = if leads {
            Leader::Keeper
        } else {
            Leader::Nobody
        };
        if leads || !unattended {
            lead.keeper_wanted = false;
        }
        leads
    }

    /// Sleeps without the lead: for [`WATCH`] if a thread has driven the pool since the last look,
    /// otherwise until woken.
    fn stand_by<'a>(
        &'a self,
        mut lead: MutexGuard<'a, Lead>,
        visited: bool,
    ) -> MutexGuard<'a, Lead> {
        lead.keeper_watches = visited;
        let due = lead.core.next_deadline();
        let mut wait = due.map_or(WATCH, |due| {
            Duration::from_nanos(due.saturating_sub(clock::now())).min(WATCH)
        });
        self.unlock(lead);
        loop {
            if visited {
                thread::park_timeout(wait);
            } else {
                thread::park();
            }
            if self.called.swap(false, Ordering::AcqRel) || !visited {
                return self.lock();
            }
            // A thread that has the lock drives the pool. Waiting here would cost it a wake-up.
            if let Some(lead) = self.try_lock() {
                return lead;
            }
            wait = WATCH;
        }
    }
}
