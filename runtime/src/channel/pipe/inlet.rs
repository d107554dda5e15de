//! What a receiver does with the lanes that lead to it. Relies on `core` and `lane`.
//!
//! It takes up to [`TURN`] messages from a lane before it looks into the next, so a sender that is never out of messages
//! delays the others by that much and no more. Which lanes there are is looked up when the word `changes` says that they
//! are others than before.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::core::{Core, Lane, MOST_LANES, SENDERS_GONE};
use super::sender::wake;
use crate::channel::atomic::heavy;
use crate::channel::departure::{self, Traveller};
use crate::channel::error::closed;
use crate::channel::lane::GetEnd;
use crate::channel::message::{Long, Named};
use crate::channel::pace::Pace;
use crate::channel::ring::{Record, Sort, broken};
use crate::channel::room::units_for;
use crate::channel::sleep::{Others, Sleep, is_over};
use crate::error::{Error, Kind, Result};
use crate::heap::{Buffered, Handle, SlotId};
use crate::session;
use crate::sys::memory;
use crate::sys::points::stored;

/// Messages that are taken from one lane in a row.
const TURN: u32 = 64;

/// The receiver's state in its process.
pub(super) struct Inlet {
    lanes: Vec<In>,
    /// For each entry of the roll the lane that is in `lanes`, or 0.
    known: Vec<u64>,
    /// The lane whose turn it is, and how many messages it may still give.
    at: usize,
    left: u32,
    /// The `changes` that `lanes` is up to date with.
    changes: Option<u32>,
    ended: bool,
    pace: Pace,
    seat: Arc<Seat>,
    pipe: Handle,
}

/// That this process has the receiver: a message that carries it takes that away when it is sent.
struct Seat {
    /// `None` when it was sent away.
    side: Mutex<Option<Handle>>,
    epoch: u64,
    /// Under which epoch it came here, if it did.
    travelled: Option<u64>,
    pipe: Handle,
}

impl Seat {
    fn side(&self) -> MutexGuard<'_, Option<Handle>> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.side().is_none()
    }
}

impl Traveller for Seat {
    fn leave(&self) {
        let side = self.side().take();
        if side.is_some() {
            let core: &Core = self.pipe.body();
            // Whoever decodes it finds out if it was another.
            let _ = core.epoch.compare_exchange(
                self.epoch,
                self.epoch.wrapping_add(1),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            stored("pipe: epoch");
        }
    }
}

struct In {
    lane: Lane,
    end: GetEnd,
    /// Where it stands in the roll.
    entry: u32,
    /// What is in it makes no sense; nothing more is taken from it.
    spoilt: bool,
    /// Its process is wholly gone.
    orphaned: bool,
}

/// A message that was found.
pub(super) enum Piece {
    /// In the lane whose turn it is; `done` must follow when it has been copied.
    Inline(Record),
    /// In a block that is ours now.
    Block(Long),
}

/// The units of a message or two like this one, as far as they are still to be taken.
#[inline]
fn few(piece: &Piece) -> u32 {
    match piece {
        Piece::Inline(record) => 2 * units_for(record.len()),
        Piece::Block(_) => units_for(size_of::<Named>()),
    }
}

impl Inlet {
    pub(super) fn new(pipe: Handle, side: Handle, epoch: u64) -> Inlet {
        Inlet::on(Arc::new(Seat {
            side: Mutex::new(Some(side)),
            epoch,
            travelled: None,
            pipe,
        }))
    }

    fn on(seat: Arc<Seat>) -> Inlet {
        Inlet {
            lanes: Vec::new(),
            known: Vec::new(),
            at: 0,
            left: 0,
            changes: None,
            ended: false,
            pace: Pace::new(),
            pipe: seat.pipe.clone(),
            seat,
        }
    }

    /// Takes over a receiver that has arrived in a message.
    pub(super) fn take_in(pipe: Handle, side: Handle, epoch: u64) -> Result<Inlet> {
        let is_it = |seat: &Seat| seat.travelled == Some(epoch) && seat.pipe == pipe;
        let take = || {
            Ok(Seat {
                side: Mutex::new(Some(side)),
                epoch: Inlet::next_epoch(&pipe, epoch)?,
                travelled: Some(epoch),
                pipe: pipe.clone(),
            })
        };
        Buffered::take_once(is_it, take).map(Inlet::on)
    }

    /// The epoch of a receiver that travelled under this one, if it is the first to arrive.
    fn next_epoch(pipe: &Handle, epoch: u64) -> Result<u64> {
        let core: &Core = pipe.body();
        let taken = core.epoch.compare_exchange(
            epoch,
            epoch.wrapping_add(1),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        stored("pipe: epoch");
        match taken {
            Ok(_) if epoch.is_multiple_of(2) => Ok(epoch.wrapping_add(1)),
            _ => Err(Error::new(
                Kind::Usage,
                "the receiver of this pipe was taken from this message before: there is one, and it cannot be in two places",
            )),
        }
    }

    /// Makes it ready to travel: the pipe, the side, and the epoch under which it travels. It leaves when the message does, and
    /// goes on here if that never does.
    pub(super) fn send_away(&mut self) -> Result<(Handle, Handle, u64)> {
        if memory::forked() {
            return Err(session::forked());
        }
        let Some(side) = self.seat.side().clone() else {
            return Err(away());
        };
        // What it has found is looked up again, here or there.
        self.show_all();
        self.lanes.clear();
        self.known.clear();
        self.changes = None;
        self.left = 0;
        let core: &Core = self.pipe.body();
        if core.epoch.load(Ordering::Acquire) != self.seat.epoch {
            return Err(broken("a receiver that is somewhere else"));
        }
        if !departure::depart(&self.seat) {
            return Err(away());
        }
        Ok((self.pipe.clone(), side, self.seat.epoch.wrapping_add(1)))
    }

    fn core(&self) -> &Core {
        self.pipe.body()
    }

    pub(super) fn at_end(&self) -> Error {
        closed(
            "the pipe is at its end: everybody who could send is gone, and all that was sent has been received",
        )
    }

    /// The next message of the lane whose turn it is, if that is all there is to it: it stands there, and `copy` copies it out.
    #[inline(always)]
    pub(super) fn quick<R>(&mut self, copy: impl FnOnce(&Record) -> R) -> Option<R> {
        if self.left == 0 || memory::forked() {
            return None;
        }
        let input = self.lanes.get_mut(self.at).filter(|input| !input.spoilt)?;
        let words = input.lane.words();
        let (head, tail) = input.end.known()?;
        let record = input.lane.ring.inline_record(head, tail)?;
        self.left -= 1;
        let value = copy(&record);
        if input.end.advance(words, record.next) {
            wake(words);
        }
        Some(value)
    }

    /// The next message. Without a deadline looks once; `Some(None)` waits for ever.
    #[inline]
    pub(super) fn next(&mut self, deadline: Option<Option<Instant>>) -> Result<Option<Piece>> {
        if memory::forked() {
            return Err(session::forked());
        }
        if self.left > 0 {
            let known = |at: usize| {
                let input = self.lanes.get(at);
                input.is_some_and(|input| input.end.known().is_some())
            };
            let waits = deadline.is_some() && !known(self.at);
            if waits {
                self.pace.pause();
            }
            if let Some(piece) = self.look_at(self.at)? {
                if waits && let Some(input) = self.lanes.get(self.at) {
                    self.pace.found(input.end.has_more_than(few(&piece)));
                }
                return Ok(Some(piece));
            }
        }
        self.next_slow(deadline)
    }

    #[inline(never)]
    fn next_slow(&mut self, deadline: Option<Option<Instant>>) -> Result<Option<Piece>> {
        if self.seat.is_empty() {
            return Err(away());
        }
        loop {
            if let Some(piece) = self.look_around()? {
                return Ok(Some(piece));
            }
            let ready = match deadline {
                None => self.settle(Some(Instant::now()))?,
                Some(deadline) => self.wait(deadline)?,
            };
            if !ready {
                return Ok(None);
            }
        }
    }

    /// The next message of one lane.
    #[inline]
    fn look_at(&mut self, at: usize) -> Result<Option<Piece>> {
        let Some(input) = self.lanes.get_mut(at) else {
            return Ok(None);
        };
        let found = match input.end.next(input.lane.words()) {
            Ok(Some((head, tail))) if !input.spoilt => input.lane.ring.record(head, tail),
            Ok(_) => return Ok(None),
            Err(error) => Err(error),
        };
        match found {
            Ok(record) if record.sort == Sort::Inline => {
                self.left = self.left.saturating_sub(1);
                Ok(Some(Piece::Inline(record)))
            }
            Ok(record) if record.sort == Sort::Block => self.take_block(at, &record).map(Some),
            Ok(_) => {
                input.spoilt = true;
                Err(broken("a record that has no place in a pipe"))
            }
            Err(error) => {
                input.spoilt = true;
                Err(error)
            }
        }
    }

    fn take_block(&mut self, at: usize, record: &Record) -> Result<Piece> {
        let place = self.pipe.place();
        let heap = self.pipe.heap();
        self.left = self.left.saturating_sub(1);
        let input = &mut self.lanes[at];
        let words = input.lane.words();
        let taken = record.words().map(Named::of).and_then(|named| {
            if !named.is_there(heap, place.id) {
                return Err(broken("a message whose block is not there"));
            }
            let long = named.take(heap);
            stored("pipe: block taken");
            input.end.count(words, named.bytes);
            long
        });
        // What is taken must not be found again by whoever frees what is left.
        let woken = input.end.advance(words, record.next) | input.end.show(words);
        stored("pipe: head");
        if woken || words.wants_any() {
            wake(words);
        }
        taken.map(Piece::Block)
    }

    /// The message in the lane whose turn it is has been copied out.
    #[inline]
    pub(super) fn done(&mut self, next: u32) {
        if let Some(input) = self.lanes.get_mut(self.at)
            && input.end.advance(input.lane.words(), next)
        {
            wake(input.lane.words());
        }
    }

    /// The next message of any lane, beginning with the one behind the last.
    fn look_around(&mut self) -> Result<Option<Piece>> {
        if self.changes != Some(self.core().changes.0.load(Ordering::Acquire)) {
            self.look_up();
        }
        for _ in 0..self.lanes.len() {
            self.at = (self.at + 1) % self.lanes.len();
            self.left = TURN;
            if let Some(piece) = self.look_at(self.at)? {
                return Ok(Some(piece));
            }
        }
        self.left = 0;
        Ok(None)
    }

    /// Brings the list of lanes up to date, and frees those that are over and empty.
    fn look_up(&mut self) {
        // Those of the dead, too: one that is never out of messages would not come to look for them.
        self.find_orphans(&mut Sleep::new(), Some(Instant::now()));
        let (heap, place) = (self.pipe.heap(), self.pipe.place());
        let core: &Core = self.pipe.body();
        self.changes = Some(core.changes.0.load(Ordering::Acquire));
        for (entry, word) in core.lanes.entries(heap, place).take(MOST_LANES) {
            let offset = word.load(Ordering::Acquire);
            let index = entry as usize;
            if offset == 0 || self.known.get(index).is_some_and(|known| *known == offset) {
                continue;
            }
            // An entry that leads nowhere is of no use to anybody.
            let Ok(lane) = Lane::at(heap, place, offset) else {
                continue;
            };
            if let Ok(end) = GetEnd::new(lane.words(), lane.ring.units()) {
                if self.known.len() <= index {
                    self.known.resize(index + 1, 0);
                }
                self.known[index] = offset;
                self.lanes.push(In {
                    lane,
                    end,
                    entry,
                    spoilt: false,
                    orphaned: false,
                });
            }
        }
        let known = &mut self.known;
        // Turns go on behind the lane that was served last: where lanes come and go all the time, too.
        let (mut old, mut before) = (0, 0);
        let at = self.at;
        self.lanes.retain(|input| {
            let over = input.orphaned || input.lane.is_over();
            let keep = !over || !input.spoilt && input.end.is_ready(input.lane.words());
            if !keep {
                if input.orphaned
                    && let Some(named) = input.lane.unfinished(heap, place.id)
                {
                    let _ = heap.free(named.offset());
                }
                if let Some(known) = known.get_mut(input.entry as usize) {
                    *known = 0;
                }
                if let Some(entry) = core.lanes.get(heap, place, input.entry) {
                    entry.store(0, Ordering::Release);
                    stored("pipe: lane forgotten");
                }
                let _ = heap.free_annex(place, input.lane.offset);
            }
            before += usize::from(keep && old <= at);
            old += 1;
            keep
        });
        self.at = match before {
            0 => self.lanes.len().saturating_sub(1),
            _ => before - 1,
        };
        self.left = 0;
    }

    fn is_ready(&self) -> bool {
        let lanes = &self.lanes;
        lanes
            .iter()
            .any(|input| !input.spoilt && input.end.is_ready(input.lane.words()))
    }

    /// Whether it is worth while to look around: a message, another set of lanes, or the end of the senders.
    fn has_news(&self) -> bool {
        let core = self.core();
        self.is_ready()
            || self.changes != Some(core.changes.0.load(Ordering::Acquire))
            || core.is(SENDERS_GONE)
    }

    fn show_all(&mut self) {
        for input in &mut self.lanes {
            if input.end.show(input.lane.words()) {
                wake(input.lane.words());
            }
        }
    }

    /// Waits until there is something to take; `false` at the deadline, an error at the end.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> Result<bool> {
        if memory::forked() {
            return Err(session::forked());
        }
        if self.seat.is_empty() {
            return Err(away());
        }
        self.show_all();
        loop {
            if is_over(deadline) {
                return self.settle(deadline);
            }
            if self.pace.poll_after(1, || self.has_news())
                && (self.is_ready() || self.settle(None)?)
            {
                return Ok(true);
            }
            if is_over(deadline) {
                return self.settle(deadline);
            }
            let mut sleep = Sleep::new();
            if self.fall_asleep(&mut sleep, deadline) {
                if self.settle(Some(Instant::now()))? {
                    return Ok(true);
                }
                continue;
            }
            sleep.sleep(deadline);
            self.stay_awake();
        }
    }

    /// Looks whether there is a message, or the end of the stream; without sleeping. With a deadline, also whether those who
    /// could send are alive.
    fn settle(&mut self, look_for_the_dead: Option<Instant>) -> Result<bool> {
        if self.ended {
            return Err(self.at_end());
        }
        let mut last = self.core().is(SENDERS_GONE);
        if !last && look_for_the_dead.is_some() {
            let side = self.core().side(SENDERS_GONE);
            let mut sleep = Sleep::new();
            last = sleep.on_parties(self.pipe.heap(), side, look_for_the_dead) == Others::None;
        }
        self.look_up();
        if self.is_ready() {
            return Ok(true);
        }
        if last {
            self.ended = true;
            return Err(self.at_end());
        }
        Ok(false)
    }

    /// Prepares to sleep until there is something to take, or the end; `true` if that may be so already.
    pub(super) fn fall_asleep(&mut self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
        if self.seat.is_empty() || self.ended || memory::forked() {
            return true;
        }
        self.show_all();
        let pipe = self.pipe.clone();
        let core: &Core = pipe.body();
        let [bell, asleep] = &core.bell.0;
        let seen = bell.load(Ordering::Acquire);
        let state = core.state.0.load(Ordering::Acquire);
        asleep.store(seen | 1, Ordering::SeqCst);
        stored("pipe: asleep");
        if !heavy() {
            sleep.unsure();
        }
        sleep.on(bell, seen);
        sleep.on(&core.state.0, state);
        let side = core.side(SENDERS_GONE);
        let others = sleep.on_parties(pipe.heap(), side, deadline);
        let orphaned = self.find_orphans(sleep, deadline);
        let hasty = others == Others::None || orphaned || self.has_news();
        if hasty {
            self.stay_awake();
        }
        if orphaned {
            self.changes = None;
        }
        hasty
    }

    /// Takes back that somebody sleeps.
    pub(super) fn stay_awake(&self) {
        self.core().bell.0[1].store(0, Ordering::Relaxed);
    }

    /// Marks the lanes whose process is gone; whether there is one more.
    fn find_orphans(&mut self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
        let heap = self.pipe.heap();
        let mut more = false;
        // Lanes of one process stand side by side, mostly.
        let mut alive = Some(heap.me());
        for input in &mut self.lanes {
            if input.orphaned || input.lane.is_over() {
                continue;
            }
            let owner = SlotId::unpack(input.lane.owner());
            let lives = owner.is_some_and(|process| {
                owner == alive || process == heap.me() || sleep.on_life(heap, process, deadline)
            });
            if lives {
                alive = owner;
            }
            input.orphaned = !lives;
            more |= !lives;
        }
        more
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        // What no receiver will take any more need not wait for the end of the last sender. Without
        // a side it is another's, and so it is in a copy that the program forked, or if the value
        // is read from serde's buffer once more.
        let is_last = Arc::get_mut(&mut self.seat).is_some();
        if is_last && !self.seat.is_empty() && !memory::forked() {
            self.look_up();
            for at in 0..self.lanes.len() {
                // No more than was there: somebody may be sending still.
                for _ in 0..self.lanes[at].lane.ring.units() {
                    self.at = at;
                    match self.look_at(at) {
                        Ok(Some(Piece::Inline(record))) => self.done(record.next),
                        Ok(Some(Piece::Block(long))) => drop(long),
                        Ok(None) | Err(_) => break,
                    }
                }
            }
        }
    }
}

#[cold]
fn away() -> Error {
    Error::new(
        Kind::Usage,
        "this receiver was sent to another process, and receives there; use it where it has arrived",
    )
}
