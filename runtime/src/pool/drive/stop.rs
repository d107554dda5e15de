//! How a pool ends: what is open is called off, and answered at once; then its workers are ended, without the pool's lock, by
//! the thread that asked for it first. Who asks again meanwhile waits for that, and may make it faster.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::core::State;
use super::super::engine::End;
use super::{Lead, Shared, before_waiting};
use crate::sys::memory::forked;

impl Shared {
    /// Ends the pool: what runs may go on for `grace`, what is queued is called off, the workers are ended and collected.
    pub(crate) fn stop(&self, grace: Duration, how: End) {
        if forked() {
            // The workers are the original's.
            return;
        }
        let mut lead = self.lock();
        if lead.core.state == State::Stopped {
            return self.wait_for_end(lead, how);
        }
        lead.core.close_for(how);
        lead.core.cancel_queued();
        self.unlock(lead);
        if !grace.is_zero() {
            let deadline = Instant::now().checked_add(grace);
            self.drive(None, deadline, |core| (!core.is_running()).then_some(()));
        }
        let mut lead = self.lock();
        if lead.core.state == State::Stopped {
            return self.wait_for_end(lead, how);
        }
        let ending = lead.core.end(how);
        lead.ending = Some((thread::current().id(), ending.hurry));
        self.tell_all(lead);
        // Bounded, but long enough for others to have something to say.
        before_waiting();
        (ending.wait)();
        let mut lead = self.lock();
        lead.core.ended();
        lead.ending = None;
        lead.over = true;
        self.stopping.store(true, Ordering::Release);
        self.tell_all(lead);
        self.ended.notify_all();
    }

    /// Wakes everybody who waits for anything.
    fn tell_all(&self, mut lead: MutexGuard<'_, Lead>) {
        let followers = std::mem::take(&mut lead.followers);
        self.unlock(lead);
        followers.iter().for_each(thread::Thread::unpark);
        if let Some(bell) = self.bell {
            bell.ring_anyway();
        }
        self.wake_keeper(false);
    }

    /// Another thread is ending the pool, or has ended it.
    fn wait_for_end<'a>(&'a self, mut lead: MutexGuard<'a, Lead>, how: End) {
        let Some((ender, hurry)) = &lead.ending else {
            return self.unlock(lead);
        };
        // A finalizer in this very process, say.
        if *ender == thread::current().id() {
            return self.unlock(lead);
        }
        let hurry = Arc::clone(hurry);
        self.unlock(lead);
        hurry(how);
        before_waiting();
        lead = self.lock();
        while !lead.over {
            lead = self
                .ended
                .wait(lead)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.unlock(lead);
    }
}
