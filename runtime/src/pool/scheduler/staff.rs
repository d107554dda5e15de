//! How many workers there are: starting, dismissing, giving up. Relies on the slots of `Scheduler`.

use super::workers::{State, Worker};
use super::{Action, Scheduler, WorkerId};

impl Scheduler {
    /// Takes no more calls. Those that are open go on; workers retire when the last one is done.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.dismiss_if_over();
    }

    /// Wants `count` workers (at least one). Slots that were given up are tried again; where there are too many, idle
    /// ones go first and busy ones when they have done what they hold.
    pub(crate) fn resize(&mut self, count: u32) {
        if self.closed {
            return;
        }
        self.target = count.max(1);
        for worker in &mut self.workers {
            if worker.state == State::GivenUp {
                worker.state = State::Empty;
                worker.barren = 0;
            }
        }
        let mut excess = self.staff().saturating_sub(self.target);
        while excess > 0 {
            let Some(index) = self.most_dispensable() else {
                break;
            };
            self.dismiss(index);
            excess -= 1;
        }
        self.fill_up();
    }

    /// Brings the number of workers up to the target: first those that are leaving may stay, then empty slots start,
    /// then new ones.
    pub(super) fn fill_up(&mut self) {
        if self.is_over() {
            return;
        }
        let mut missing = self.target.saturating_sub(self.staff());
        for index in 0..self.workers.len() {
            if missing == 0 {
                return;
            }
            if self.workers[index].present()
                && self.workers[index].leaving
                && !self.workers[index].recycling
            {
                self.workers[index].leaving = false;
                self.note_room(index);
                missing -= 1;
            }
        }
        for index in 0..self.workers.len() {
            if missing == 0 {
                return;
            }
            if self.workers[index].state == State::Empty {
                self.start(index);
                missing -= 1;
            }
        }
        // Slots that were given up keep their place among the wanted ones, and one whose worker is about to end is
        // filled when it has: there are never more slots than workers were wanted at a time.
        for _ in self.workers.len()..self.target as usize {
            self.workers.push(Worker::new());
            self.start(self.workers.len() - 1);
        }
    }

    /// How many workers there are, or will be, that are meant to stay.
    fn staff(&self) -> u32 {
        self.workers.iter().filter(|worker| worker.stays()).count() as u32
    }

    pub(super) fn start(&mut self, index: usize) {
        self.workers[index].state = State::Starting;
        self.present += 1;
        self.actions.push_back(Action::Start {
            worker: WorkerId(index as u32),
        });
    }

    /// The slot has no process any more.
    pub(super) fn vacate(&mut self, index: usize, state: State) {
        let worker = &mut self.workers[index];
        if worker.present() {
            self.present -= 1;
        }
        if worker.state == State::Retired {
            self.retired -= 1;
            self.returning -= u32::from(worker.recycling);
        }
        worker.state = state;
        worker.leaving = false;
        worker.recycling = false;
        worker.served = 0;
        worker.condemned = false;
        worker.doom = None;
        worker.evicting = None;
        worker.unborn = None;
        worker.overdue = false;
    }

    pub(super) fn drop_if_hopeless(&mut self) {
        if self.is_hopeless() {
            self.drop_queues();
        }
    }

    /// The worker that is missed least: one that has nothing, else one that is not there yet, else the least busy.
    fn most_dispensable(&self) -> Option<usize> {
        let burden = |worker: &Worker| match worker.state {
            State::Up if worker.sent.is_empty() => (0, 0),
            State::Starting => (1, 0),
            _ => (2, worker.sent.len()),
        };
        (0..self.workers.len())
            .rev()
            .filter(|&index| self.workers[index].stays())
            .min_by_key(|&index| burden(&self.workers[index]))
    }

    /// Lets a worker go, at once if it has nothing.
    fn dismiss(&mut self, index: usize) {
        if std::mem::take(&mut self.workers[index].recycling) {
            // It is on its way already; now nobody comes after it.
            self.returning -= u32::from(self.workers[index].state == State::Retired);
            return;
        }
        self.workers[index].leaving = true;
        self.unlist_idle(index);
        if self.workers[index].state == State::Up {
            self.note_drained(index);
        }
    }

    /// Whether nothing is left to do and nothing will come.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.open_calls == 0
    }

    /// Lets everybody go when the pool is closed and the last call is done.
    pub(super) fn dismiss_if_over(&mut self) {
        if self.is_over() {
            for index in 0..self.workers.len() {
                if self.workers[index].stays() {
                    self.dismiss(index);
                }
            }
        }
    }
}
