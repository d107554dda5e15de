//! Which part goes to which worker, and which is taken back for one that has nothing. Relies on the lists of
//! `Scheduler`, which keep both in constant time whatever the number of workers.
//!
//! Idle workers come first, the one that was busy last before the others (its caches are warm and it may still be
//! spinning); then those with room, in turn. Calls take turns part by part, the two kinds of calls likewise. Short parts are
//! kept to as many workers as there are processors (`crowd`).

use super::workers::{Mode, Sent};
use super::{Action, Part, Scheduler, WorkerId};

/// How many crowded workers are compared in search of the longest queue.
const LOOK: usize = 8;

impl Scheduler {
    /// Sends the next part, if there is one and a worker has room for it.
    #[inline]
    pub(super) fn next_send(&mut self) -> Option<Action> {
        for kind in [self.turn, 1 - self.turn] {
            let Some(&slot) = self.rounds[kind].front() else {
                continue;
            };
            let call = self.calls.at(slot);
            let items = call.queue.front().map_or(1, |part| part.to - part.from);
            let short = self.is_short_part(call, items);
            if short {
                self.note_tiny(slot, items);
            }
            let Some(index) = self.pick(kind, short) else {
                continue;
            };
            self.turn = 1 - kind;
            return self.send(kind, slot, index, short);
        }
        None
    }

    /// A worker with room for a part of this kind.
    #[inline]
    fn pick(&mut self, kind: usize, short: bool) -> Option<usize> {
        let crowded = short && self.is_crowded();
        if let Some(&index) = self.idle.last()
            && !crowded
        {
            return Some(index as usize);
        }
        let most = self.policy.max_window.max(1) as usize;
        loop {
            let index = match crowded {
                false => *self.roomy[kind].front()?,
                true => *self.roomy[kind].back()?,
            };
            let worker = &mut self.workers[index as usize];
            if worker.usable()
                && worker.load[kind] < self.windows[kind].target
                && worker.sent.len() < most
            {
                return Some(index as usize);
            }
            worker.in_roomy[kind] = false;
            match crowded {
                false => self.roomy[kind].pop_front(),
                true => self.roomy[kind].pop_back(),
            };
        }
    }

    #[inline]
    fn send(&mut self, kind: usize, slot: u32, index: usize, short: bool) -> Option<Action> {
        let call = self.calls.at_mut(slot);
        let part = call.queue.pop_front()?;
        if call.queue.is_empty() {
            self.rounds[kind].pop_front();
        } else if self.rounds[kind].len() > 1 {
            self.rounds[kind].rotate_left(1);
        }
        let count = part.to - part.from;
        let weight = call
            .fixed_weight
            .unwrap_or_else(|| self.windows[kind].weight(&call.pace, count, self.policy.long_ns));
        call.sent += 1;
        self.jobs.at_mut(part.job.slot).out += 1;
        self.in_flight += u64::from(count);

        self.unlist_idle(index);
        let worker = &mut self.workers[index];
        // The head of the queue counts as begun: the worker may be at it before we could ask for it.
        let mode = if worker.sent.is_empty() {
            Mode::Held
        } else {
            Mode::Waiting
        };
        worker.load[kind] += weight;
        worker.sent.push_back(Sent {
            job: part.job,
            call: slot,
            from: part.from,
            to: part.to,
            attempt: part.attempt,
            weight,
            kind: kind as u8,
            short,
            mode,
        });
        if short {
            self.crowd.takes(worker);
        }
        // A worker that has served its time gets nothing more.
        worker.served = worker.served.saturating_add(count);
        if self
            .policy
            .max_items
            .is_some_and(|most| worker.served >= most)
        {
            worker.leaving = true;
            worker.recycling = true;
        }
        if mode == Mode::Waiting {
            worker.waiting += 1;
            self.waiting += 1;
            if !worker.in_crowded {
                worker.in_crowded = true;
                self.crowded.push_back(index as u32);
            }
        }
        // Workers with room take turns.
        if self.roomy[kind].front() == Some(&(index as u32)) {
            self.roomy[kind].pop_front();
            self.workers[index].in_roomy[kind] = false;
        }
        self.note_room(index);
        if mode == Mode::Held {
            self.rearm(index);
        }
        Some(Action::Send {
            worker: WorkerId(index as u32),
            part: Part {
                job: part.job,
                from: part.from,
                to: part.to,
            },
        })
    }

    /// Asks the most loaded worker for half of what it has not begun, if another has nothing to do and nothing is on
    /// its way to it. Says whether it did.
    pub(super) fn plan_recalls(&mut self) -> bool {
        if self.waiting == 0 || self.recalling as usize >= self.idle.len() {
            return false;
        }
        let Some(victim) = self.most_crowded() else {
            return false;
        };
        if self.keeps(victim) {
            return false;
        }
        let mut wanted = self.workers[victim].waiting.div_ceil(2);
        for at in (0..self.workers[victim].sent.len()).rev() {
            if wanted == 0 {
                break;
            }
            if self.recall_if_waiting(victim, at) {
                wanted -= 1;
            }
        }
        true
    }

    /// Whether what this worker has is left to it although others have nothing.
    #[inline]
    fn keeps(&self, index: usize) -> bool {
        self.workers[index].short > 0 && self.is_crowded()
    }

    fn most_crowded(&mut self) -> Option<usize> {
        let mut best: Option<usize> = None;
        let mut looked = 0;
        while looked < LOOK {
            let Some(&index) = self.crowded.front() else {
                break;
            };
            let worker = &mut self.workers[index as usize];
            if worker.waiting == 0 {
                worker.in_crowded = false;
                self.crowded.pop_front();
                continue;
            }
            let load = |index: usize| {
                let worker = &self.workers[index];
                (
                    !self.keeps(index),
                    worker.load.iter().map(|&load| u64::from(load)).sum::<u64>(),
                    worker.waiting,
                )
            };
            if best.is_none_or(|best| load(index as usize) > load(best)) {
                best = Some(index as usize);
            }
            looked += 1;
            if looked >= self.crowded.len() {
                break;
            }
            self.crowded.rotate_left(1);
        }
        best
    }

    /// Asks for a part back, if the worker has not come near it. Says whether it did.
    pub(super) fn recall_if_waiting(&mut self, index: usize, at: usize) -> bool {
        let worker = &mut self.workers[index];
        let sent = &mut worker.sent[at];
        if sent.mode != Mode::Waiting {
            return false;
        }
        sent.mode = Mode::Recalling;
        worker.waiting -= 1;
        self.waiting -= 1;
        self.recalling += 1;
        self.actions.push_back(Action::Recall {
            worker: WorkerId(index as u32),
            part: Part {
                job: sent.job,
                from: sent.from,
                to: sent.to,
            },
        });
        true
    }

    /// The part stays with its worker.
    #[inline]
    pub(super) fn hold(&mut self, index: usize, at: usize) {
        let worker = &mut self.workers[index];
        let sent = &mut worker.sent[at];
        match sent.mode {
            Mode::Waiting => {
                worker.waiting -= 1;
                self.waiting -= 1;
            }
            Mode::Recalling => self.recalling -= 1,
            Mode::Held => {}
        }
        sent.mode = Mode::Held;
    }
}
