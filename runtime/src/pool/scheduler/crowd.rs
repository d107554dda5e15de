//! More workers than processors: short parts are kept to a few of them. Relies on the lists of `Scheduler`.
//!
//! A part that takes less time than a processor needs to go from one process to another gains nothing from a worker that
//! would have to be woken while others keep all processors busy, and costs everybody the change. So workers that have short
//! parts are *hands*, and there are no more of them than processors: the others sleep, and parts wait in their queues until a
//! hand has room. Among the hands the one that was given a part last is the next, until it is full.
//!
//! A *tiny* part takes a worker less time than it takes the parent to send it and to take its
//! result. The parent then needs a processor as much as a worker does, so there is one hand less.
//!
//! That is a bet on the expected time. A hand whose item takes long after all (it sleeps, it waits for a file) keeps what is
//! queued behind it waiting although others are idle, and may wait for that itself. Who drives the scheduler sees that no short part
//! has come or gone for a while ([`Scheduler::short_moves`]), and says so ([`Scheduler::stalled`]): then the number of hands doubles, and what they have not begun is shared out, until all short
//! parts are done.

use super::calls::Call;
use super::workers::Worker;
use super::{SINGLES, Scheduler};

/// The account of it.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// How many workers have short parts.
    hands: u32,
    /// The short part that was to be sent last was tiny.
    tiny: bool,
    /// How often that was too few since it was none.
    stalls: u32,
    /// How often a short part was sent, or was gone again.
    moves: u64,
}

impl Scheduler {
    /// Whether no further worker is to get short parts.
    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        let Crowd {
            hands,
            tiny,
            stalls,
            ..
        } = self.crowd;
        let most = self.policy.hands.saturating_sub(u32::from(tiny)).max(1);
        self.present > most && u64::from(hands) >= u64::from(most) << stalls
    }

    /// Whether parts of this call are short; not known yet is not short.
    #[inline]
    pub(super) fn is_short_part(&self, call: &Call, count: u32) -> bool {
        let short = |each: f64| each * f64::from(count) < self.policy.short_ns as f64;
        call.kind == SINGLES && call.pace.each().is_some_and(short)
    }

    /// Notes whether a short part of this call is tiny.
    #[inline]
    pub(super) fn note_tiny(&mut self, slot: u32, count: u32) {
        let each = self.calls.at(slot).pace.each().unwrap_or(f64::MAX);
        self.crowd.tiny = each * f64::from(count) < self.policy.tiny_ns as f64;
    }

    /// Whether the short part that was to be sent last was tiny.
    pub(crate) fn sends_tiny(&self) -> bool {
        self.crowd.tiny
    }

    /// Whether parts wait, or could be shared out, although a worker is idle.
    pub(crate) fn holds_back(&self) -> bool {
        let waits = self.waiting > 0 || self.rounds.iter().any(|round| !round.is_empty());
        waits && !self.idle.is_empty()
    }

    /// Changes whenever a short part is sent to a worker, or is done or gone.
    pub(crate) fn short_moves(&self) -> u64 {
        self.crowd.moves
    }

    /// No short part has come or gone for a while, and parts are held back.
    pub(crate) fn stalled(&mut self) {
        if self.crowd.hands > 0 {
            self.crowd.stalls = (self.crowd.stalls + 1).min(31);
        }
    }
}

impl Crowd {
    /// The worker gets a short part.
    #[inline]
    pub(super) fn takes(&mut self, worker: &mut Worker) {
        worker.short += 1;
        self.moves += 1;
        self.hands += u32::from(worker.short == 1);
    }

    /// So many short parts are gone from the worker.
    #[inline]
    pub(super) fn gives(&mut self, worker: &mut Worker, parts: u32) {
        if parts == 0 {
            return;
        }
        worker.short -= parts;
        self.moves += 1;
        if worker.short == 0 {
            self.hands -= 1;
            if self.hands == 0 {
                self.stalls = 0;
            }
        }
    }
}
