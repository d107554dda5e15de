//! Items of a joinable queue that somebody has taken and not done yet. Relies on `core`, `ends` and `get`.
//!
//! All messages of such a queue stand in blocks, which stay the session's until they are done. What is taken is entered in the
//! roll `held`, under the lock of the getting end and before the commit; the stamp of the block says who holds it. When
//! that process is dead and gone, either the next getter takes it over (a compare-and-swap in the stamp), or it stays as
//! it is and counts as lost.
//!
//! An entry is the offset of the block (a multiple of 64) and 29 bits of the item's number in the bits that leaves free, so
//! that an entry whose block was freed is not taken for another message that came to stand there.
//!
//! | kill behind | then |
//! |---|---|
//! | the entry, or the holder in the stamp, not committed | it is still the next in the ring, and taken from there; the next getter clears the entry, which is of an item not below the number of the getting end |
//! | the commit | it is held by a dead process |
//! | the block made the own process's (`done`) | it was done: the block goes with the process, the entry leads nowhere |

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Instant;

use super::core::Core;
use super::ends::{Local, MOMENT, wake_after};
use super::get::{Skips, at_end, find, is_at_end, locked, move_on, wait};
use crate::channel::message::Named;
use crate::channel::ring::{Sort, broken};
use crate::channel::sleep::{Sleep, is_over};
use crate::error::Result;
use crate::heap::{Handle, Heap, Life, ROOT, SlotId};
use crate::sync::wait_gone;
use crate::sys::futex::{self, Change};
use crate::sys::points::stored;

/// In `on_death` of the queue: what a dead process held is given to the next.
pub(super) const RETURN: u32 = 0;
/// It counts as lost, and as done.
pub(super) const REPORT: u32 = 1;

const LOW: u64 = 63;
const OFFSET: u64 = (1 << 41) - 1 - LOW;
const NUMBER: u64 = (1 << 29) - 1;

fn entry_of(named: &Named) -> u64 {
    let number = named.number & NUMBER;
    named.offset() & OFFSET | number & LOW | number >> 6 << 41
}

/// The message that an entry names, if it is there.
pub(super) fn named_by(heap: &Heap, id: u64, entry: u64) -> Option<Named> {
    let number = entry & LOW | entry >> 41 << 6;
    let named = Named::at(heap, entry & OFFSET)?;
    (entry != 0 && named.number & NUMBER == number && named.is_there(heap, id)).then_some(named)
}

/// An item that this process holds.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub(super) named: Named,
    place: u32,
    /// How many processes have taken it, this one included.
    pub(super) times: u32,
}

/// Takes an item. Without a deadline looks once.
pub(super) fn get(
    queue: &Handle,
    local: &Local,
    deadline: Option<Option<Instant>>,
) -> Result<Option<Item>> {
    let core: &Core = queue.body();
    let mut skips = Skips::none();
    loop {
        let Some((lock, count)) = locked(queue, deadline)? else {
            return Ok(None);
        };
        // What comes back comes first: it is the oldest.
        let until = deadline.unwrap_or_else(soon);
        // All that is held is looked through only after a death, or where there is nothing else to take.
        let deaths = u64::from(queue.heap().deaths(queue.place())) + 1;
        let looks = local.deaths.load(Ordering::Relaxed) != deaths || core.len() == 0;
        let back = looks
            .then(|| take_over(queue, core, count, until))
            .flatten();
        let taken = match back {
            Some(item) => Ok(Some(item)),
            None => {
                if looks {
                    local.deaths.store(deaths, Ordering::Relaxed);
                }
                take(queue, core, local, count, &mut skips)
            }
        };
        drop(lock);
        wake_after(&core.get, count);
        if let Some(item) = taken? {
            return Ok(Some(item));
        }
        if core.len() > 0 {
            if deadline.is_some_and(is_over) {
                return Ok(None);
            }
            continue;
        }
        match deadline {
            None if is_at_end(queue, None)? => return Err(at_end()),
            None => return Ok(None),
            Some(deadline) => {
                if !wait(queue, &local.pace, deadline, || {
                    has_orphans(queue, core, deadline)
                })? {
                    return Ok(None);
                }
            }
        }
    }
}

fn take(
    queue: &Handle,
    core: &Core,
    local: &Local,
    count: u32,
    skips: &mut Skips,
) -> Result<Option<Item>> {
    let (heap, place) = (queue.heap(), queue.place());
    let Some(next) = find(queue, core, local, count)? else {
        return Ok(None);
    };
    if next.record.sort != Sort::Block {
        return Err(broken("a message that stands in no block"));
    }
    let named = Named::of(next.record.words()?);
    if named.number != next.spot.number || !named.is_there(heap, place.id) {
        move_on(queue, core, count, &next, named.bytes);
        return skips.add().map(|()| None);
    }
    let entry = entry_of(&named);
    let [pending, ..] = &core.get.own;
    let taking = next.spot.number.wrapping_add(1);
    if pending.load(Ordering::Relaxed) == taking {
        forget(queue, core, entry);
    }
    pending.store(taking, Ordering::Release);
    stored("queue: pending");
    // Entered first: what cannot be entered was not taken.
    let from = local.entry.load(Ordering::Relaxed);
    let at = core.held.claim(heap, place, entry, from)?;
    let before = named.holder(heap);
    if !named.take_from(heap, before) {
        if let Some(word) = core.held.get(heap, place, at) {
            let _ = word.compare_exchange(entry, 0, Ordering::AcqRel, Ordering::Relaxed);
        }
        return Err(broken("an item that two processes take at once"));
    }
    stored("queue: holder");
    local.entry.store(at, Ordering::Relaxed);
    move_on(queue, core, count, &next, named.bytes);
    Ok(Some(Item {
        named,
        place: at,
        times: before.1.wrapping_add(1),
    }))
}

/// Clears an entry that was made by somebody who was killed before the commit.
fn forget(queue: &Handle, core: &Core, entry: u64) {
    for (_, word) in core.held.entries(queue.heap(), queue.place()) {
        let _ = word.compare_exchange(entry, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// Everything that is entered: the entry, its index, the message, who holds it.
fn entries<'q>(
    queue: &'q Handle,
    core: &'q Core,
) -> impl Iterator<Item = (u32, &'q AtomicU64, u64, Named)> {
    let (heap, place) = (queue.heap(), queue.place());
    core.held
        .entries(heap, place)
        .filter_map(move |(at, word)| {
            let entry = word.load(Ordering::Acquire);
            if entry == 0 {
                return None;
            }
            let named = named_by(heap, place.id, entry);
            if named.is_none() {
                // Done by one that was killed before it could say so.
                let _ = word.compare_exchange(entry, 0, Ordering::AcqRel, Ordering::Relaxed);
            }
            Some((at, word, entry, named?))
        })
}

/// For who does not want to wait: the last threads of a dying process are gone in a moment.
pub(super) fn soon() -> Option<Instant> {
    Some(Instant::now() + MOMENT)
}

/// Whether a holder is dead and gone; one that is dying is waited for until then, if at all.
pub(super) fn is_gone(heap: &Heap, holder: u32, until: Option<Option<Instant>>) -> bool {
    let Some(process) = SlotId::unpack(holder) else {
        return false;
    };
    if process == ROOT || process == heap.me() {
        return false;
    }
    match heap.processes().life(process) {
        Life::Alive(..) => false,
        Life::Dying(word) => {
            futex::wake_all(word);
            until.is_some_and(|until| wait_gone(heap, process, until))
        }
        Life::Gone => true,
    }
}

/// Whether something comes back; waits for the dying until the deadline at most.
pub(super) fn has_orphans(queue: &Handle, core: &Core, deadline: Option<Instant>) -> bool {
    core.on_death.load(Ordering::Relaxed) == RETURN
        && entries(queue, core).any(|(.., named)| {
            let heap = queue.heap();
            is_gone(heap, named.holder(heap).0, Some(deadline))
        })
}

/// Takes what a dead process holds, where that comes back; by who has the lock.
///
/// What is entered and not committed is still in the ring, where it is taken from; only the entry goes.
fn take_over(queue: &Handle, core: &Core, count: u32, until: Option<Instant>) -> Option<Item> {
    if core.on_death.load(Ordering::Relaxed) != RETURN {
        return None;
    }
    adopt(queue, core, count, until)
}

/// The same, whatever becomes of it.
fn adopt(queue: &Handle, core: &Core, count: u32, until: Option<Instant>) -> Option<Item> {
    let heap = queue.heap();
    let next = core.get.spot(count).number;
    entries(queue, core).find_map(|(at, word, entry, named)| {
        if named.number >= next {
            let _ = word.compare_exchange(entry, 0, Ordering::AcqRel, Ordering::Relaxed);
            return None;
        }
        let before = named.holder(heap);
        if !is_gone(heap, before.0, Some(until)) || !named.take_from(heap, before) {
            return None;
        }
        stored("queue: holder");
        Some(Item {
            named,
            place: at,
            times: before.1.wrapping_add(1),
        })
    })
}

/// An item is done: frees it, and wakes who waits for that.
pub(super) fn done(queue: &Handle, item: &Item) {
    let core: &Core = queue.body();
    let (heap, place) = (queue.heap(), queue.place());
    let offset = item.named.offset();
    // Nobody takes over what a living process holds; but what is freed here must be this message.
    if !item.named.is_there(heap, place.id)
        || item.named.holder(heap) != (heap.me().pack(), item.times)
    {
        return;
    }
    if heap.give(offset, heap.me()).is_err() {
        return;
    }
    stored("queue: done");
    if let Some(word) = core.held.get(heap, place, item.place) {
        let entry = entry_of(&item.named);
        let _ = word.compare_exchange(entry, 0, Ordering::AcqRel, Ordering::Relaxed);
        stored("queue: not held");
    }
    let _ = heap.free(offset);
    let [seq, joiners] = &core.done.0;
    fence(Ordering::SeqCst);
    if joiners.load(Ordering::SeqCst) != 0 && joiners.swap(0, Ordering::SeqCst) != 0 {
        futex::change_and_wake(seq, Change::Add(1));
    }
}

/// How many items were put and not done: those in the queue and those that are held.
/// Waits for the dying until the deadline at most.
pub(super) fn unfinished(queue: &Handle, deadline: Option<Instant>) -> usize {
    let core: &Core = queue.body();
    // In this order: what is taken in between is counted twice, not never.
    let waiting = core.len();
    fence(Ordering::SeqCst);
    let heap = queue.heap();
    let reports = core.on_death.load(Ordering::Relaxed) == REPORT;
    let held = entries(queue, core)
        .filter(|(.., named)| !(reports && is_gone(heap, named.holder(heap).0, Some(deadline))))
        .count();
    waiting + held
}

/// What dead processes hold, where that counts as lost: the number of the item, and the packed slot.
pub(super) fn lost(queue: &Handle) -> Vec<(u64, u32)> {
    let core: &Core = queue.body();
    let heap = queue.heap();
    // What is entered and not committed is in the ring still.
    let (_, next) = core.get.look();
    entries(queue, core)
        .filter(|(.., named)| named.number < next.number)
        .map(|(.., named)| (named.number, named.holder(heap).0))
        .filter(|(_, holder)| is_gone(heap, *holder, None))
        .collect()
}

/// The same, where it counts as lost: it is named this once, and given back. Who is killed meanwhile holds one item more of
/// that sort.
pub(super) fn take_lost(queue: &Handle) -> Result<Vec<(u64, u32)>> {
    let core: &Core = queue.body();
    let mut lost = Vec::new();
    if core.on_death.load(Ordering::Relaxed) != REPORT {
        return Ok(lost);
    }
    let Some((locked, count)) = locked(queue, None)? else {
        return Ok(lost);
    };
    // Before they are another's.
    let mut known: Vec<(u64, u32)> = self::lost(queue);
    while let Some(item) = adopt(queue, core, count, soon()) {
        let at = known
            .iter()
            .position(|(number, _)| *number == item.named.number);
        lost.push(at.map_or((item.named.number, 0), |at| known.swap_remove(at)));
        done(queue, &item);
    }
    drop(locked);
    wake_after(&core.get, count);
    Ok(lost)
}

/// Whether that process holds anything.
pub(super) fn holds(queue: &Handle, core: &Core, process: u32) -> bool {
    entries(queue, core).any(|(.., named)| named.holder(queue.heap()).0 == process)
}

/// Prepares to sleep until an item is done; gives what to sleep on. Look again after this.
pub(super) fn want_done(sleep: &mut Sleep, core: &Core) {
    let [seq, joiners] = &core.done.0;
    let seen = seq.load(Ordering::Acquire);
    joiners.store(1, Ordering::SeqCst);
    stored("queue: joiners");
    fence(Ordering::SeqCst);
    sleep.on(seq, seen);
}
