#![allow(unsafe_code)]
//! Putting into a queue: how room is found, and the order of stores. Relies on `core` and `ends`.
//!
//! The value is encoded before the lock is taken, but for what is copied as it lies. Room in items and bytes is waited for
//! before the lock; room in the ring never is: where it is full, a larger one is linked.
//!
//! The stores of a put, under the lock: the record (and for a message in a block: its stamp before, and the block's new owner
//! after); the spot; the count. Killed before the count, it has put nothing; see `repair`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::core::{CLASS, Core, LINK, Spot, next_class, ring_bytes};
use super::ends::{Local, Locked, commit, fall_asleep, lock, wake_after};
use crate::channel::atomic::fence_after_rmw;
use crate::channel::error::{Refused, closed};
use crate::channel::message::{Long, Message, Named, Stamp, put_at};
use crate::channel::pace::Pace;
use crate::channel::ring::{Ring, Sort, broken};
use crate::channel::room::{self, Place, units_for};
use crate::channel::sleep::{Others, Sleep, is_over};
use crate::error::Error;
use crate::heap::Handle;
use crate::sys::points::stored;

/// What is put.
pub(super) enum Load<'v, T> {
    /// A value that is encoded in place, in at most so many bytes.
    InPlace(&'v T, usize),
    /// Encoded already.
    Short(&'v [u8]),
    /// In a block.
    Long(Long),
}

impl<T> Load<'_, T> {
    /// Bytes in a block.
    #[inline]
    fn bytes(&self) -> u64 {
        match self {
            Load::Long(long) => long.block_bytes(),
            _ => 0,
        }
    }

    #[inline]
    fn units(&self) -> u32 {
        match self {
            Load::InPlace(_, bound) => units_for(*bound),
            Load::Short(bytes) => units_for(bytes.len()),
            Load::Long(_) => units_for(size_of::<[u64; 4]>()),
        }
    }
}

fn is_closed() -> Error {
    closed("the queue is closed: nothing more can be put into it")
}

fn nobody() -> Error {
    closed(
        "the queue is full, and nobody else has it any more: all who could take from it have ended",
    )
}

/// Puts a message. Without a deadline looks once for room; `Some(None)` waits for ever.
#[inline]
pub(super) fn put<T: Message>(
    queue: &Handle,
    local: &Local,
    load: Load<'_, T>,
    deadline: Option<Option<Instant>>,
) -> Result<(), Refused> {
    let core: &Core = queue.body();
    loop {
        if core.is_closed() {
            return Err(is_closed().into());
        }
        let Some(locked) = lock_repaired(queue, core, deadline)? else {
            return Err(Refused::Full);
        };
        // Once more: a getter that finds it closed, and then nobody at this lock, takes the queue for ended.
        fence_after_rmw();
        if core.is_closed() {
            return Err(is_closed().into());
        }
        let count = core.put.count().load(Ordering::Relaxed);
        if has_room(core, count, load.bytes()) {
            let done = put_locked(queue, core, local, count, &load);
            drop(locked);
            done?;
            wake_after(&core.put, count);
            if let Load::Long(long) = load {
                long.sent();
            }
            return Ok(());
        }
        // By who has the lock: only the getters move on meanwhile.
        let open = count.wrapping_sub(core.get.count().load(Ordering::Acquire));
        drop(locked);
        core.check(open)?;
        match deadline {
            None => return Err(Refused::Full),
            Some(deadline) => wait(queue, &local.pace, load.bytes(), deadline)?,
        }
    }
}

/// Takes the lock of the putting end, as [`lock`]; what a putter left that was killed with it is put right.
#[inline]
pub(super) fn lock_repaired<'q>(
    queue: &Handle,
    core: &'q Core,
    deadline: Option<Option<Instant>>,
) -> crate::error::Result<Option<Locked<'q>>> {
    let locked = lock(&core.put, queue.heap(), deadline)?;
    if locked.as_ref().is_some_and(|locked| locked.from_dead) {
        let count = core.put.count().load(Ordering::Relaxed);
        let spot = core.put.spot(count);
        repair(queue, core, spot);
        free_unlinked(queue, core, spot);
    }
    Ok(locked)
}

/// Whether one more item is allowed, by who holds the lock.
#[inline]
fn has_room(core: &Core, count: u32, bytes: u64) -> bool {
    let most = core.most.load(Ordering::Relaxed);
    if most != 0 {
        let [.., seen] = &core.put.own;
        let open = count.wrapping_sub(seen.load(Ordering::Relaxed) as u32);
        if u64::from(open) >= most {
            let head = core.get.count().load(Ordering::Acquire);
            seen.store(u64::from(head), Ordering::Relaxed);
            if u64::from(count.wrapping_sub(head)) >= most {
                return false;
            }
        }
    }
    bytes == 0 || keeps_bytes(core, count, bytes)
}

/// Whether so many bytes more in blocks are allowed; those of one message always are.
fn keeps_bytes(core: &Core, count: u32, bytes: u64) -> bool {
    let most = core.most_bytes.load(Ordering::Relaxed);
    if most == 0 {
        return true;
    }
    let (_, taken) = core.get.look();
    let open = core.put.spot(count).bytes.wrapping_sub(taken.bytes);
    open == 0 || open.saturating_add(bytes) <= most
}

/// The same by anybody, who then takes the lock and asks again.
fn seems_to_have_room(core: &Core, [most, most_bytes]: [u64; 2], bytes: u64) -> bool {
    let (count, spot) = core.put.look();
    let (head, taken) = core.get.look();
    let open = spot.bytes.wrapping_sub(taken.bytes);
    (most == 0 || u64::from(count.wrapping_sub(head)) < most)
        && (bytes == 0 || most_bytes == 0 || open == 0 || open.saturating_add(bytes) <= most_bytes)
}

/// Waits until there seems to be room.
#[cold]
fn wait(queue: &Handle, pace: &Pace, bytes: u64, deadline: Option<Instant>) -> Result<(), Refused> {
    let core: &Core = queue.body();
    loop {
        // Read and checked at once: on a bound that was written over nobody sleeps.
        let bounds = core.bounds()?;
        if pace.poll(|| seems_to_have_room(core, bounds, bytes) || core.is_closed()) {
            return Ok(());
        }
        if is_over(deadline) {
            return Err(Refused::Full);
        }
        let head = core.get.count().load(Ordering::Acquire);
        if seems_to_have_room(core, bounds, bytes) {
            return Ok(());
        }
        let mut sleep = Sleep::new();
        match fall_asleep(&mut sleep, queue, &core.get, head, deadline)? {
            None => return Ok(()),
            Some(Others::None) => return Err(nobody().into()),
            Some(Others::Some) => sleep.sleep(deadline),
        }
    }
}

#[inline]
fn put_locked<T: Message>(
    queue: &Handle,
    core: &Core,
    local: &Local,
    count: u32,
    load: &Load<'_, T>,
) -> Result<(), Error> {
    let mut spot = core.put.spot(count);
    let mut ring = core.ring_at(queue.heap(), queue.place(), spot.ring, &local.ring)?;
    let place = match find_place(core, &ring, spot, load.units())? {
        Some(place) => place,
        None => {
            ring = grow(queue, local, &ring, &mut spot)?;
            Place {
                at: 0,
                next: load.units(),
                pad: None,
            }
        }
    };
    let next = match load {
        Load::InPlace(value, bound) => {
            let at = ring.open(place, Sort::Inline, *bound);
            // SAFETY: `open` gave room for `bound` bytes, which nobody else looks at before the commit.
            let len = unsafe { put_at(*value, at, *bound)? };
            if len < *bound {
                ring.shorten(place.at, len)
            } else {
                place.next
            }
        }
        Load::Short(bytes) => {
            let at = ring.open(place, Sort::Inline, bytes.len()).as_ptr();
            // SAFETY: as above.
            unsafe { at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            place.next
        }
        Load::Long(long) => {
            let stamp = Stamp {
                id: queue.place().id,
                number: spot.number,
            };
            let words = long.stamp(stamp)?;
            ring.put_words(place, Sort::Block, words);
            stored("queue: block named");
            long.give()?;
            stored("queue: block given");
            place.next
        }
    };
    spot.at = next;
    spot.number = spot.number.wrapping_add(1);
    spot.bytes = spot.bytes.wrapping_add(load.bytes());
    core.put.prepare(count.wrapping_add(1), spot);
    commit(&core.put, count);
    Ok(())
}

/// Room in the ring; a link always fits behind what is put there.
#[inline]
fn find_place(core: &Core, ring: &Ring, spot: Spot, need: u32) -> Result<Option<Place>, Error> {
    let [seen_ring, seen_at, seen_count] = &core.put.own;
    let look = |ring_of_head: u64, at: u32| {
        // Where the getters are in another ring still, this one is as it was begun.
        let head = if ring_of_head == spot.ring { at } else { 0 };
        if head >= ring.units() || spot.at >= ring.units() {
            return Err(broken("a place outside the ring"));
        }
        Ok(
            room::place(ring.units(), head, spot.at, need + LINK).map(|place| Place {
                next: place.at + need,
                ..place
            }),
        )
    };
    let known = look(
        seen_ring.load(Ordering::Relaxed),
        seen_at.load(Ordering::Relaxed) as u32,
    )?;
    if known.is_some() {
        return Ok(known);
    }
    let (count, head) = core.get.look();
    seen_ring.store(head.ring, Ordering::Relaxed);
    seen_at.store(u64::from(head.at), Ordering::Relaxed);
    seen_count.store(u64::from(count), Ordering::Relaxed);
    look(head.ring, head.at)
}

/// Goes on in a larger ring: names it behind the last record, and moves the spot to its begin.
#[cold]
fn grow(queue: &Handle, local: &Local, ring: &Ring, spot: &mut Spot) -> Result<Ring, Error> {
    let (heap, place) = (queue.heap(), queue.place());
    let core: &Core = queue.body();
    let class = next_class(spot.ring);
    // Of a put that failed behind this.
    free_unlinked(queue, core, *spot);
    let annex = heap.make_annex(place, ring_bytes(class), |_| {})?;
    let next = annex.offset | class;
    core.growing.store(next, Ordering::Release);
    stored("queue: growing");
    let fresh = core.ring_at(heap, place, next, &local.ring)?;
    let link = Place {
        at: spot.at,
        next: 0,
        pad: None,
    };
    ring.put_words(link, Sort::Link, [next]);
    stored("queue: link");
    // The new one may be where one of the past was.
    core.put.own[0].store(u64::MAX, Ordering::Relaxed);
    spot.ring = next;
    spot.at = 0;
    Ok(fresh)
}

/// Frees a ring that was made for a put that did not come to its commit, by who holds the lock.
#[cold]
fn free_unlinked(queue: &Handle, core: &Core, spot: Spot) {
    let ring = core.growing.load(Ordering::Acquire);
    if ring != 0 && ring != spot.ring {
        // In this order: freed once at most.
        core.growing.store(0, Ordering::Release);
        stored("queue: not growing");
        let _ = queue.heap().free_annex(queue.place(), ring & !CLASS);
    }
}

/// The last holder of the lock was killed: a block that it had given to the session, and not counted, is freed.
#[cold]
fn repair(queue: &Handle, core: &Core, mut spot: Spot) {
    let (heap, place) = (queue.heap(), queue.place());
    let known = AtomicU64::new(0);
    for _ in 0..2 {
        let Ok(ring) = core.ring_at(heap, place, spot.ring, &known) else {
            return;
        };
        let Ok(record) = ring.record_at(spot.at) else {
            return;
        };
        match record.sort {
            Sort::Link => {
                let Ok([next]) = record.words() else { return };
                spot.ring = next;
                spot.at = 0;
            }
            Sort::Block => {
                // What is left of an earlier lap is stamped with another number.
                if let Ok(named) = record.words().map(Named::of)
                    && named.number == spot.number
                    && named.is_there(heap, place.id)
                {
                    let _ = heap.free(named.offset());
                }
                return;
            }
            _ => return,
        }
    }
}
