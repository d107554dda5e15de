//! What messages carry: while a message is on its way, it holds the objects whose handles are in it.
//!
//! Two ways. *Arguments of a pool's items* never outlive the process that sends them (when it dies, so do those that would read them), so it
//! holds the objects itself, in memory of its own (`lend`). All other messages may have to hold by themselves (`carry`). The
//! arguments of a process stay where they are as long as it lives; what others wait for to be let go of, it takes over (`hand_over`).
//!
//! In its bytes a message names an object by its number in the tail, never by its place: what those bytes say, which user code may write
//! and read as it likes, reaches only what the message holds.
//!
//! Relies on `object` and `tail`. Whoever encodes a message holds the object meanwhile, and lets the block hold it too,
//! step by step: the slot in the tail is written and counted before the entry in the object's roll is taken, so that
//! wherever the writer is killed, freeing the block finds every entry that names it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::object::{Kind, Object, Place};
use super::tail::{self, Tail};
use super::undertaker::Undertaker;
use super::{Heap, Held};
use crate::error::{self, Error};
use crate::sys::points::stored;

/// How many of the objects a message carries are compared with a new one.
const LOOKS: usize = 16;

impl Heap {
    /// Holds an object for a message of this process, in memory of its own, until it frees the block: for what never outlives
    /// this process, arguments. The block's last [`carried_bytes`](Self::carried_bytes) bytes are not used for anything else.
    /// Gives the number by which the message may name it; a new one, if `fresh` says so, though it may hold the object already.
    pub(crate) fn lend(&self, block: u64, held: &Arc<Held>, fresh: bool) -> Result<usize, Error> {
        let Place { offset, id } = held.place();
        let tail = self.tail_to_write(block, tail::LENT)?;
        if let Some(index) = known(tail, offset).filter(|_| !fresh) {
            return Ok(index);
        }
        let count = tail.count();
        let [object_word, id_word] = tail.slot(count).ok_or_else(no_room)?;
        object_word.store(offset, Ordering::Relaxed);
        id_word.store(id, Ordering::Relaxed);
        self.objects.lend(block, held);
        tail.set_count(count + 1);
        stored("lent slot");
        Ok(count)
    }

    /// Has a message hold an object, from now until its block is freed. Otherwise as `lend`.
    pub(crate) fn carry(&self, block: u64, place: Place, fresh: bool) -> Result<usize, Error> {
        let tail = self.tail_to_write(block, tail::CARRIES)?;
        if let Some(index) = known(tail, place.offset).filter(|_| !fresh) {
            return Ok(index);
        }
        let count = tail.count();
        let [object_word, entry_word] = tail.slot(count).ok_or_else(no_room)?;
        let object = Object::with_id(self, place)?;
        object_word.store(place.offset, Ordering::Relaxed);
        entry_word.store(u64::from(u32::MAX), Ordering::Relaxed);
        tail.set_count(count + 1);
        stored("carried slot");
        object.hold_noted(block, |entry| {
            entry_word.store(u64::from(entry), Ordering::Release);
        })?;
        Ok(count)
    }

    /// The tail of a block of this process, which becomes one of this kind if it is none yet.
    fn tail_to_write(&self, block: u64, kind: u64) -> Result<Tail<'_>, Error> {
        let (managed, size) = self.allocator.management(block)?;
        let tail = Tail::of(self, block, size)?;
        if !managed {
            tail.write(kind);
            self.allocator.manage(block, self.me())?;
            stored("carries");
        } else if tail.kind() != kind {
            return Err(Error::new(
                error::Kind::Protocol,
                "the block is no such message",
            ));
        }
        Ok(tail)
    }

    /// How many objects a message holds.
    pub(crate) fn carried(&self, block: u64) -> usize {
        self.message_tail(block).map_or(0, Tail::count)
    }

    fn message_tail(&self, block: u64) -> Option<Tail<'_>> {
        let (managed, size) = self.allocator.management(block).ok()?;
        let tail = Tail::of(self, block, size).ok().filter(|_| managed)?;
        matches!(tail.kind(), tail::CARRIES | tail::LENT).then_some(tail)
    }

    /// How many objects a message holds, and the offsets of the last of them.
    pub(crate) fn carried_last(&self, block: u64) -> (usize, Vec<u64>) {
        let Some(tail) = self.message_tail(block) else {
            return (0, Vec::new());
        };
        let count = tail.count();
        let last = (count.saturating_sub(LOOKS)..count)
            .filter_map(|index| tail.slot(index))
            .map(|[object, _]| object.load(Ordering::Relaxed))
            .collect();
        (count, last)
    }

    /// The object that a message names by its number in there, and holds.
    pub(crate) fn carried_place(&self, block: u64, index: u64) -> Result<Place, Error> {
        let none = || {
            Error::new(
                error::Kind::Decode,
                "the message names an object that it does not hold",
            )
        };
        let tail = self.message_tail(block).ok_or_else(none)?;
        let index = usize::try_from(index).map_err(|_| none())?;
        let slot = tail.slot(index).filter(|_| index < tail.count());
        let [object, second] = slot.ok_or_else(none)?;
        let offset = object.load(Ordering::Acquire);
        let second = second.load(Ordering::Acquire);
        if tail.kind() == tail::LENT {
            return Ok(Place { offset, id: second });
        }
        let object = Object::at(self, offset)?;
        if object.is_held(second as u32, block) {
            Ok(object.place())
        } else {
            Err(none())
        }
    }

    /// Has another message of this process hold what this one holds, under the same numbers; it has room for it.
    pub(crate) fn carry_over(&self, from: u64, to: u64) -> Result<(), Error> {
        let Some(tail) = self.message_tail(from) else {
            return Ok(());
        };
        if tail.kind() == tail::LENT {
            let new = self.tail_to_write(to, tail::LENT)?;
            for index in 0..tail.count() {
                let (Some(from), Some(to)) = (tail.slot(index), new.slot(index)) else {
                    return Err(no_room());
                };
                for (from, to) in from.into_iter().zip(to) {
                    to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
                }
            }
            new.set_count(tail.count());
            self.objects.lend_over(from, to);
            return Ok(());
        }
        for index in 0..tail.count() {
            let Some([object, _]) = tail.slot(index) else {
                break;
            };
            let object = Object::at(self, object.load(Ordering::Relaxed))?;
            self.carry(to, object.place(), true)?;
        }
        Ok(())
    }

    /// The reader of a message holds by itself what it wants to keep: gives back what the message holds of objects whose
    /// parties are watched, which would otherwise have one too many for as long as the block is there.
    pub(crate) fn hand_over(&self, block: u64) {
        let tail = self.message_tail(block);
        let Some(tail) = tail.filter(|tail| tail.kind() == tail::CARRIES) else {
            return;
        };
        let mut undertaker = Undertaker::new(self);
        for index in 0..tail.count() {
            let Some([object, entry]) = tail.slot(index) else {
                break;
            };
            let held = entry.load(Ordering::Acquire) as u32;
            if let Ok(object) = Object::at(self, object.load(Ordering::Acquire))
                && Kind::has_parties(object.kind())
                && object.let_go(held, block)
            {
                entry.store(u64::from(u32::MAX), Ordering::Release);
                stored("handed over");
                undertaker.consider(object.place());
            }
        }
        undertaker.run();
    }

    /// The bytes at the end of a block that a message with so many objects needs for them.
    pub(crate) fn carried_bytes(count: usize) -> usize {
        if count == 0 {
            0
        } else {
            tail::bytes_for(count)
        }
    }
}

/// The number of an object that the message holds already. Most often it is the one before, or one of a few.
fn known(tail: Tail<'_>, offset: u64) -> Option<usize> {
    let count = tail.count();
    (count.saturating_sub(LOOKS)..count).rev().find(|index| {
        tail.slot(*index)
            .is_some_and(|[object, _]| object.load(Ordering::Relaxed) == offset)
    })
}

#[cold]
fn no_room() -> Error {
    let text = "a message has no room for the objects it carries";
    Error::new(error::Kind::Encode, text)
}
