//! What happens inside a barrier; its states, and who may change what, are in the file above.

use super::{ACTING, BROKEN, Barrier, NOTES, ROUND, STATES, State};
use crate::error::{Error, Kind, Result};
use crate::heap::{Heap, Place};
use crate::session;
use crate::sync::latch::MOMENT;
use crate::sync::watch::{self, Slept, pid_of};
use crate::sys::futex::{Change, change_and_wake};
use crate::sys::memory;
use crate::sys::points::stored;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The process in the entry of a party that has given up without the latch. No slot has this name.
const WITHDRAWN: u32 = u32::MAX;

/// A round and how it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Here {
    pub(super) round: u32,
    pub(super) state: u32,
}

/// One that has arrived.
pub(super) struct Party {
    entry: u32,
    round: u32,
    epoch: u32,
    pub(super) place: usize,
}

/// A barrier, by somebody who may use it.
pub(super) struct Inside<'a> {
    pub(super) state: &'a State,
    heap: &'static Heap,
    place: Place,
}

impl<'a> Inside<'a> {
    pub(super) fn of(barrier: &'a Barrier) -> Result<Self> {
        if memory::forked() {
            return Err(session::forked());
        }
        Ok(Inside::new(barrier))
    }

    pub(super) fn new(barrier: &'a Barrier) -> Self {
        let handle = &barrier.handle;
        Inside {
            state: handle.body(),
            heap: handle.heap(),
            place: handle.place(),
        }
    }

    /// Takes the latch; `false` when the deadline passed.
    pub(super) fn enter(&self, deadline: Option<Instant>) -> Result<bool> {
        let entered = self.state.latch.enter(self.heap, deadline)?;
        Ok(entered.is_some())
    }

    pub(super) fn leave(&self) {
        self.state.latch.unlock(self.heap);
    }

    pub(super) fn round(&self, phase: u32) -> Here {
        Here {
            round: phase / ROUND,
            state: phase & STATES,
        }
    }

    pub(super) fn here(&self) -> Here {
        self.round(self.state.phase.load(Ordering::Acquire))
    }

    pub(super) fn entry(&self, round: u32) -> u64 {
        u64::from(round) << 32 | u64::from(self.heap.me().pack())
    }

    /// The processes of those who have arrived for this round.
    pub(super) fn parties_of(&self, round: u32) -> impl Iterator<Item = u32> {
        let entries = self.state.arrived.entries(self.heap, self.place);
        entries.filter_map(move |(_, entry)| {
            let word = entry.load(Ordering::Acquire);
            (word != 0 && (word >> 32) as u32 == round).then_some(word as u32)
        })
    }

    /// Arrives. Leaves the latch held.
    pub(super) fn come(&self, deadline: Option<Instant>) -> Result<Option<Party>> {
        let here = loop {
            if !self.enter(deadline)? {
                return Ok(None);
            }
            let here = self.here();
            match here.state {
                BROKEN => {
                    self.leave();
                    return Err(self.broken());
                }
                ACTING => {
                    // One more than there should be: it is of the next round.
                    let names: Vec<u32> = self.parties_of(here.round).collect();
                    let phase = here.round * ROUND + here.state;
                    self.leave();
                    let words = [(&self.state.phase, phase)];
                    match watch::sleep(self.heap, &words, names, deadline) {
                        Slept::TimedOut => return Ok(None),
                        Slept::Dead(dead) => {
                            if !self.break_by_death(here.round, dead, deadline)? {
                                return Ok(None);
                            }
                        }
                        Slept::Look => {}
                    }
                }
                _ => break here,
            }
        };
        self.clear_old(here.round);
        let dead = self
            .parties_of(here.round)
            .find(|name| watch::is_dead(self.heap, *name));
        if let Some(dead) = dead {
            self.break_by(dead);
            self.leave();
            return Err(self.broken());
        }
        let before = self.parties_of(here.round).count();
        if before > 0 {
            change_and_wake(&self.state.arrivals, Change::Add(1));
            stored("barrier: somebody comes");
        }
        let me = self.heap.me();
        let note = u64::from(me.pack()) << 32 | u64::from(self.heap.pid());
        self.state.notes[me.index as usize % NOTES].store(note, Ordering::Relaxed);
        let (mine, from) = (self.entry(here.round), me.index % 10);
        let entry = self
            .state
            .arrived
            .claim(self.heap, self.place, mine, from)
            .inspect_err(|_| self.leave())?;
        Ok(Some(Party {
            entry,
            round: here.round,
            epoch: self.state.epoch.load(Ordering::Acquire),
            place: before,
        }))
    }

    pub(super) fn go(&self, party: &Party) {
        if let Some(entry) = self.state.arrived.get(self.heap, self.place, party.entry) {
            let mine = self.entry(party.round);
            let _ = entry.compare_exchange(mine, 0, Ordering::AcqRel, Ordering::Relaxed);
            stored("barrier: a party is gone");
        }
    }

    /// With the latch held: all may go.
    pub(super) fn end_round(&self, party: &Party) {
        let here = self.here();
        if here.round == party.round && here.state != BROKEN {
            change_and_wake(
                &self.state.phase,
                Change::Add(ROUND.wrapping_sub(here.state)),
            );
            stored("barrier: all may go");
        }
    }

    /// With the latch held, which this gives back: runs the action, then lets all go.
    pub(super) fn act(&self, party: &Party, action: impl FnOnce()) -> Result<usize> {
        /// Breaks the barrier if the action panics.
        struct Breaker<'a>(&'a Inside<'a>, &'a Party);
        impl Drop for Breaker<'_> {
            fn drop(&mut self) {
                if self.0.enter(None).is_ok() {
                    self.0.break_by(0);
                    self.0.leave();
                }
                self.0.go(self.1);
            }
        }
        self.state.phase.fetch_add(ACTING, Ordering::AcqRel);
        stored("barrier: acting");
        self.leave();
        let breaker = Breaker(self, party);
        action();
        std::mem::forget(breaker);
        self.enter(None)?;
        self.end_round(party);
        self.leave();
        self.verdict(party).unwrap_or_else(|| Err(self.broken()))
    }

    /// How the round of this party has ended, if it has.
    pub(super) fn verdict(&self, party: &Party) -> Option<Result<usize>> {
        let here = self.here();
        let ended_well = || self.state.epoch.load(Ordering::Acquire) == party.epoch;
        match here.state {
            _ if here.round != party.round && ended_well() => Some(Ok(party.place)),
            _ if here.round != party.round => Some(Err(self.broken())),
            BROKEN => Some(Err(self.broken())),
            _ => None,
        }
    }

    pub(super) fn sleep(&self, party: &Party, deadline: Option<Instant>) -> Result<Option<usize>> {
        loop {
            if let Some(verdict) = self.verdict(party) {
                return verdict.map(Some);
            }
            // With the latch held, so that whoever is just arriving is seen.
            if !self.enter(deadline)? {
                return self.give_up(party);
            }
            let phase = self.state.phase.load(Ordering::Acquire);
            let arrivals = self.state.arrivals.load(Ordering::Acquire);
            let names: Vec<u32> = self.parties_of(party.round).collect();
            self.leave();
            // Over, or broken, since the look above: nobody would wake this one any more.
            let seen = self.round(phase);
            if seen.round != party.round || seen.state == BROKEN {
                continue;
            }
            let words = [(&self.state.phase, phase), (&self.state.arrivals, arrivals)];
            match watch::sleep(self.heap, &words, names, deadline) {
                Slept::Look => {}
                Slept::Dead(dead) => {
                    if !self.break_by_death(party.round, dead, deadline)? {
                        return self.give_up(party);
                    }
                }
                Slept::TimedOut => return self.give_up(party),
            }
        }
    }

    /// The time of this party is up.
    pub(super) fn give_up(&self, party: &Party) -> Result<Option<usize>> {
        if !self.enter(Some(Instant::now() + MOMENT))? {
            return self.withdraw(party);
        }
        let verdict = self.verdict(party);
        if verdict.is_none() {
            self.break_by(0);
        }
        self.leave();
        verdict.map_or(Ok(None), |verdict| verdict.map(Some))
    }

    /// Gives up while the latch is not to be had, because its holder is stopped: the entry counts as that of a dead process from now on,
    /// and whoever sees it next with the latch in its hands breaks the barrier.
    fn withdraw(&self, party: &Party) -> Result<Option<usize>> {
        if let Some(entry) = self.state.arrived.get(self.heap, self.place, party.entry) {
            let withdrawn = u64::from(party.round) << 32 | u64::from(WITHDRAWN);
            let mine = self.entry(party.round);
            let _ = entry.compare_exchange(mine, withdrawn, Ordering::SeqCst, Ordering::Relaxed);
            stored("barrier: withdrawn");
            change_and_wake(&self.state.arrivals, Change::Add(1));
            stored("barrier: told of it");
        }
        // The round may have ended in the meantime.
        self.verdict(party)
            .map_or(Ok(None), |verdict| verdict.map(Some))
    }

    /// `false` if the deadline passed before.
    fn break_by_death(&self, round: u32, dead: u32, deadline: Option<Instant>) -> Result<bool> {
        if !self.enter(deadline)? {
            return Ok(false);
        }
        let still_there = || self.parties_of(round).any(|name| name == dead);
        if self.here().round == round && still_there() {
            self.break_by(dead);
        }
        self.leave();
        Ok(true)
    }

    /// With the latch held: breaks it, if it is whole.
    pub(super) fn break_by(&self, dead: u32) {
        let here = self.here();
        if here.state == BROKEN {
            return;
        }
        let notes = self
            .state
            .notes
            .iter()
            .map(|note| note.load(Ordering::Relaxed));
        let noted = notes
            .filter(|note| dead != 0 && note >> 32 == u64::from(dead))
            .map(|note| note as u32)
            .next();
        let pid = noted.or_else(|| pid_of(self.heap, dead)).unwrap_or(0);
        self.state.culprit.store(pid, Ordering::Relaxed);
        stored("barrier: the culprit");
        change_and_wake(
            &self.state.phase,
            Change::Add(BROKEN.wrapping_sub(here.state)),
        );
        stored("barrier: broken");
    }

    /// With the latch held: the entries of those who died on their way out of earlier rounds.
    pub(super) fn clear_old(&self, round: u32) {
        for (_, entry) in self.state.arrived.entries(self.heap, self.place) {
            let word = entry.load(Ordering::Acquire);
            if word != 0 && (word >> 32) as u32 != round && watch::is_dead(self.heap, word as u32) {
                let _ = entry.compare_exchange(word, 0, Ordering::AcqRel, Ordering::Relaxed);
                stored("barrier: an old entry");
            }
        }
    }

    pub(super) fn broken(&self) -> Error {
        match self.state.culprit.load(Ordering::Acquire) {
            0 => Error::new(
                Kind::Broken,
                "the barrier is broken: it was aborted or reset, or somebody's time was up",
            ),
            pid => Error::new(
                Kind::Broken,
                "the barrier is broken: a process that had arrived has died",
            )
            .with_pid(pid),
        }
    }
}
