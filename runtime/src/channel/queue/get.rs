//! Getting from a queue: the order of stores, and what the dead leave. Relies on `core`, `ends` and `takers`.
//!
//! The stores of a get, under the lock: `pending`; `taking` of the taker; for a message in a block, its new owner; the spot; the
//! count. What stands in the ring is copied out before the count moves; what needs code of the user's to be decoded is
//! decoded after the lock has been given back.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use super::core::{CLASS, Core, Spot};
use super::ends::{Local, Locked, commit, fall_asleep, lock, lock_free, wake_after};
use super::put;
use super::takers::{self, Taker};
use crate::channel::error::closed;
use crate::channel::message::{Long, Named};
use crate::channel::pace::Pace;
use crate::channel::ring::{Record, Ring, Sort, broken};
use crate::channel::sleep::{Others, Sleep, is_over};
use crate::error::{Error, Result};
use crate::heap::{Handle, Life, SlotId};
use crate::sys::points::stored;

/// What was taken.
pub(super) enum Taken<R> {
    /// Copied out of the ring.
    Inline(R),
    /// A block that is this process's now.
    Block(Long),
}

/// What is next in the ring.
pub(super) struct Next {
    pub(super) record: Record,
    /// Where the getting end stands: behind all links.
    pub(super) spot: Spot,
    /// The ring it stood in before; freed after the commit if it is another.
    before: u64,
}

pub(super) fn at_end() -> Error {
    closed("the queue is closed, and everything that was put into it has been taken")
}

fn nobody() -> Error {
    closed(
        "the queue is empty, and nobody else has it any more: all who could put into it have ended",
    )
}

/// Takes the next item. Without a deadline looks once, `Some(None)` waits for ever. `copy` copies what stands in the ring,
/// and runs no code of the user's.
#[inline]
pub(super) fn get<R>(
    queue: &Handle,
    local: &Local,
    taker: &Taker,
    deadline: Option<Option<Instant>>,
    mut copy: impl FnMut(&Record) -> R,
) -> Result<Option<Taken<R>>> {
    let core: &Core = queue.body();
    let mut skips = Skips::none();
    loop {
        if has_items(core, &local.pace, deadline.is_some()) {
            let Some(locked) = lock_repaired(queue, core, deadline)? else {
                return Ok(None);
            };
            let count = core.get.count().load(Ordering::Relaxed);
            let taken = take(queue, core, local, taker, count, &mut skips, &mut copy);
            drop(locked);
            wake_after(&core.get, count);
            match taken? {
                Some(taken) => return Ok(Some(taken)),
                None if deadline.is_some_and(is_over) => return Ok(None),
                None => continue,
            }
        }
        match deadline {
            None if !core.is_closed() => return Ok(None),
            None if is_at_end(queue, None)? => return Err(at_end()),
            None if core.len() == 0 => return Ok(None),
            Some(deadline) if !wait(queue, &local.pace, deadline, || false)? => return Ok(None),
            _ => {}
        }
    }
}

/// What one call has skipped: an item that a getter had taken that was killed before it could say so. Without end there is such
/// where somebody has written over the words of the queue: what they lead to is no item, and billions are said to be left.
pub(super) struct Skips(u32);

/// More than processes can have been killed just there.
const MOST_SKIPS: u32 = 1 << 12;

impl Skips {
    pub(super) fn none() -> Skips {
        Skips(0)
    }

    /// One more was skipped.
    ///
    /// # Errors
    /// Those are too many.
    #[cold]
    pub(super) fn add(&mut self) -> Result<()> {
        self.0 += 1;
        if self.0 > MOST_SKIPS {
            return Err(broken("items that were never put"));
        }
        Ok(())
    }
}

/// The next item, where that is all there is to it: it is known to be there, and stands in the ring in one piece; `None` for
/// whatever else. To be tried before [`get`].
#[inline(always)]
pub(super) fn quick<R>(
    queue: &Handle,
    local: &Local,
    taker: &Taker,
    copy: impl FnOnce(&Record) -> R,
) -> Option<R> {
    let core: &Core = queue.body();
    let is_known = |count: u32| core.get.seen().load(Ordering::Relaxed) as u32 != count;
    if !is_known(core.get.count().load(Ordering::Relaxed)) {
        return None;
    }
    let locked = lock_free(&core.get, queue.heap())?;
    let count = core.get.count().load(Ordering::Relaxed);
    if !is_known(count) {
        return None;
    }
    let spot = core.get.spot(count);
    let ring = core.ring_at(queue.heap(), queue.place(), spot.ring, &local.ring);
    let next = Next {
        record: ring.ok()?.inline_record_at(spot.at)?,
        spot,
        before: spot.ring,
    };
    attempt(queue, core, taker, spot.number);
    let value = copy(&next.record);
    move_on(queue, core, count, &next, 0);
    drop(locked);
    wake_after(&core.get, count);
    Some(value)
}

/// Whether there seems to be something to take: as far as is known from before, else by a look, before which who waits makes a
/// pause.
#[inline]
fn has_items(core: &Core, pace: &Pace, waits: bool) -> bool {
    let head = core.get.count().load(Ordering::Relaxed);
    if core.get.seen().load(Ordering::Relaxed) as u32 != head {
        return true;
    }
    if waits {
        pace.pause();
    }
    let open = core.put.count().load(Ordering::Acquire).wrapping_sub(head);
    if waits && open > 0 {
        pace.found(open > 2);
    }
    open > 0
}

/// Waits until there seems to be an item, or `more` says so, which may change with every death; `false` at the deadline.
#[cold]
pub(super) fn wait(
    queue: &Handle,
    pace: &Pace,
    deadline: Option<Instant>,
    more: impl Fn() -> bool,
) -> Result<bool> {
    let core: &Core = queue.body();
    let empty = || core.len() == 0;
    loop {
        if pace.poll_after(1, || !empty() || core.is_closed()) && !empty() {
            return Ok(true);
        }
        if more() {
            return Ok(true);
        }
        if is_at_end(queue, Some(deadline))? {
            return Err(at_end());
        }
        if is_over(deadline) {
            return Ok(!empty());
        }
        let tail = core.put.count().load(Ordering::Acquire);
        if !empty() {
            return Ok(true);
        }
        let mut sleep = Sleep::new();
        let others = fall_asleep(&mut sleep, queue, &core.put, tail, deadline)?;
        // Whoever was dead before its life could be slept on.
        if more() {
            return Ok(true);
        }
        match others {
            Some(Others::None) if empty() => return Err(nobody()),
            Some(Others::Some) => sleep.sleep(deadline),
            _ => {}
        }
    }
}

/// Whether it is closed, and nothing is in it or still comes: who was at it when it was closed has come to its end. Waits for
/// that as for a lock.
///
/// # Errors
/// As [`lock`].
pub(super) fn is_at_end(queue: &Handle, deadline: Option<Option<Instant>>) -> Result<bool> {
    let core: &Core = queue.body();
    if !core.is_closed() {
        return Ok(false);
    }
    // Whoever takes the lock from here on finds the queue closed.
    fence(Ordering::SeqCst);
    if core.put.lock.owner().is_some() && put::lock_repaired(queue, core, deadline)?.is_none() {
        return Ok(false);
    }
    Ok(core.len() == 0)
}

/// Prepares to sleep until there is something to take, or there never will be; `true` if that may be so already.
pub(super) fn prepare(queue: &Handle, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
    let core: &Core = queue.body();
    let tail = core.put.count().load(Ordering::Acquire);
    if core.len() > 0 {
        return true;
    }
    !matches!(
        fall_asleep(sleep, queue, &core.put, tail, deadline),
        Ok(Some(Others::Some))
    )
}

/// Whether nobody can put anything into it any more, as far as that can be told. One that is not there any more, as somebody has written
/// over its head, nobody can; a get says so.
pub(super) fn is_abandoned(queue: &Handle) -> bool {
    if queue.heap().watch(queue.place()).is_none() {
        return true;
    }
    let alone = Arc::strong_count(queue.held()) == 1;
    let mut sleep = Sleep::new();
    let now = Some(Instant::now());
    alone && sleep.on_others(queue.heap(), queue.place(), alone, now) == Others::None
}

/// What comes next, by who holds the lock; `None` when there is nothing.
#[inline]
pub(super) fn find(queue: &Handle, core: &Core, local: &Local, count: u32) -> Result<Option<Next>> {
    let seen = core.get.seen();
    if seen.load(Ordering::Relaxed) as u32 == count {
        let tail = core.put.count().load(Ordering::Acquire);
        if tail == count {
            return Ok(None);
        }
        seen.store(u64::from(tail), Ordering::Relaxed);
    }
    let mut spot = core.get.spot(count);
    let before = spot.ring;
    let (record, _) = follow(queue, core, local, &mut spot)?;
    Ok(Some(Next {
        record,
        spot,
        before,
    }))
}

#[inline]
fn follow(queue: &Handle, core: &Core, local: &Local, spot: &mut Spot) -> Result<(Record, Ring)> {
    let (heap, place) = (queue.heap(), queue.place());
    let ring = core.ring_at(heap, place, spot.ring, &local.ring)?;
    if let Some(record) = ring.inline_record_at(spot.at) {
        return Ok((record, ring));
    }
    let record = ring.record_at(spot.at)?;
    if record.sort != Sort::Link {
        return Ok((record, ring));
    }
    let [next] = record.words()?;
    spot.ring = next;
    spot.at = 0;
    let ring = core.ring_at(heap, place, next, &local.ring)?;
    match ring.record_at(0)? {
        record if record.sort != Sort::Link => Ok((record, ring)),
        _ => Err(broken("a ring that is followed by nothing")),
    }
}

/// Says that an item is about to be taken, and takes back what another said of it in vain.
#[inline]
fn attempt(queue: &Handle, core: &Core, taker: &Taker, number: u64) {
    let [pending, last, _] = &core.get.own;
    let taking = number.wrapping_add(1);
    if pending.load(Ordering::Relaxed) == taking {
        let entry = last.load(Ordering::Relaxed) as u32;
        if entry != taker.entry {
            takers::take_back(queue, entry, taking);
        }
    }
    if last.load(Ordering::Relaxed) != u64::from(taker.entry) {
        // Between the two stores the attempt is at nothing.
        pending.store(0, Ordering::Relaxed);
        last.store(u64::from(taker.entry), Ordering::Relaxed);
    }
    pending.store(taking, Ordering::Release);
    stored("queue: pending");
    taker.take(taking);
}

/// The item of `next` has been taken, or is no more: moves the end on.
#[inline]
pub(super) fn move_on(queue: &Handle, core: &Core, count: u32, next: &Next, bytes: u64) {
    let spot = Spot {
        at: next.record.next,
        number: next.spot.number.wrapping_add(1),
        bytes: next.spot.bytes.wrapping_add(bytes),
        ..next.spot
    };
    core.get.prepare(count.wrapping_add(1), spot);
    commit(&core.get, count);
    if next.before != spot.ring && next.before != 0 {
        let _ = queue.heap().free_annex(queue.place(), next.before & !CLASS);
    }
}

#[inline]
fn take<R>(
    queue: &Handle,
    core: &Core,
    local: &Local,
    taker: &Taker,
    count: u32,
    skips: &mut Skips,
    copy: &mut impl FnMut(&Record) -> R,
) -> Result<Option<Taken<R>>> {
    let Some(next) = find(queue, core, local, count)? else {
        return Ok(None);
    };
    match next.record.sort {
        Sort::Inline => {
            attempt(queue, core, taker, next.spot.number);
            let value = copy(&next.record);
            move_on(queue, core, count, &next, 0);
            Ok(Some(Taken::Inline(value)))
        }
        Sort::Block => {
            let named = Named::of(next.record.words()?);
            if named.number != next.spot.number || !named.is_there(queue.heap(), queue.place().id) {
                // Taken by one that was killed before it could say so: its `taking` says so still.
                move_on(queue, core, count, &next, named.bytes);
                return skips.add().map(|()| None);
            }
            attempt(queue, core, taker, next.spot.number);
            let long = named.take(queue.heap());
            stored("queue: block taken");
            move_on(queue, core, count, &next, named.bytes);
            long.map(|long| Some(Taken::Block(long)))
        }
        Sort::Pad | Sort::Link => Err(broken("a record that has no place in a queue")),
    }
}

/// Takes the lock of the getting end, as [`lock`]; what a getter had taken that was killed with it is skipped.
#[inline]
pub(super) fn lock_repaired<'q>(
    queue: &Handle,
    core: &'q Core,
    deadline: Option<Option<Instant>>,
) -> Result<Option<Locked<'q>>> {
    let locked = lock(&core.get, queue.heap(), deadline)?;
    if locked.as_ref().is_some_and(|locked| locked.from_dead) {
        skip_taken(queue, core);
    }
    Ok(locked)
}

/// Moves on behind an item whose block somebody took that was killed before it could say so: its `taking` says so still.
#[cold]
fn skip_taken(queue: &Handle, core: &Core) {
    let count = core.get.count().load(Ordering::Relaxed);
    let Ok(Some(next)) = find(queue, core, &Local::new(), count) else {
        return;
    };
    if next.record.sort == Sort::Block
        && let Ok(named) = next.record.words().map(Named::of)
        && (named.number != next.spot.number || !named.is_there(queue.heap(), queue.place().id))
    {
        move_on(queue, core, count, &next, named.bytes);
        wake_after(&core.get, count);
    }
}

/// How many items are in it: exact at one moment of the call. What somebody had taken that was killed with the lock is not.
pub(super) fn len(queue: &Handle) -> usize {
    let core: &Core = queue.body();
    if let Some(owner) = core.get.lock.owner().and_then(SlotId::unpack)
        && !matches!(queue.heap().processes().life(owner), Life::Alive(..))
    {
        drop(lock_repaired(queue, core, None));
    }
    core.len()
}

/// What is needed of the lock in other files.
pub(super) fn locked<'q>(
    queue: &'q Handle,
    deadline: Option<Option<Instant>>,
) -> Result<Option<(Locked<'q>, u32)>> {
    let core: &Core = queue.body();
    let locked = lock_repaired(queue, core, deadline)?;
    Ok(locked.map(|locked| (locked, core.get.count().load(Ordering::Relaxed))))
}
