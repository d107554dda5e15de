//! What messages carry: while a message is on its way, it holds the objects whose handles are in it.
//!
//! Two ways. *Arguments* never outlive the process that sends them (when it dies, so do those that would read them), so it
//! holds the objects itself, in memory of its own (`lend`). All other messages may have to hold by themselves (`carry`).
//!
//! Relies on `object` and `tail`. Whoever encodes a message holds the object meanwhile, and lets the block hold it too,
//! step by step: the slot in the tail is written and counted before the entry in the object's roll is taken, so that
//! wherever the writer is killed, freeing the block finds every entry that names it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::object::{Object, Place};
use super::tail::{self, Tail};
use super::{Heap, Held};
use crate::error::{Error, Kind};
use crate::sys::points::stored;

/// How many of the objects a message carries are compared with a new one.
const LOOKS: usize = 64;

impl Heap {
    /// Holds an object for a message of this process, in memory of its own, until it frees the block. For what never outlives
    /// this process: arguments. The block's last [`LENT_BYTES`](Self::LENT_BYTES) bytes are not used for anything else.
    pub(crate) fn lend(&self, block: u64, held: &Arc<Held>) -> Result<(), Error> {
        let (managed, size) = self.allocator.management(block)?;
        if !managed {
            Tail::of(self, block, size)?.write(tail::LENT);
            self.allocator.manage(block, self.me())?;
            stored("lent");
        }
        self.objects.lend(block, held);
        Ok(())
    }

    /// Has another message of this process have what was lent to this one.
    pub(crate) fn lend_over(&self, from: u64, to: u64) -> Result<(), Error> {
        for held in self.objects.take_back(from) {
            self.lend(to, &held)?;
        }
        Ok(())
    }

    /// The bytes at the end of a block that a message with lent objects needs.
    pub(crate) const LENT_BYTES: usize = tail::BYTES;

    /// Has a message hold an object, from now until its block is freed. The block is this process's own, and its last
    /// [`carried_bytes`](Self::carried_bytes) bytes are not used for anything else.
    pub(crate) fn carry(&self, block: u64, place: Place) -> Result<(), Error> {
        let (managed, size) = self.allocator.management(block)?;
        let tail = Tail::of(self, block, size)?;
        if !managed {
            tail.write(tail::CARRIES);
            self.allocator.manage(block, self.me())?;
            stored("carries");
        }
        let count = tail.count();
        let holds = |index: usize| {
            tail.slot(index)
                .is_some_and(|[object, _]| object.load(Ordering::Relaxed) == place.offset)
        };
        // Most often it is the one before, or one of a few.
        if (count.saturating_sub(LOOKS)..count).any(holds) {
            return Ok(());
        }
        let [object_word, entry_word] = tail.slot(count).ok_or_else(|| {
            let text = "a message has no room for the objects it carries";
            Error::new(Kind::Encode, text)
        })?;
        let object = Object::with_id(self, place)?;
        object_word.store(place.offset, Ordering::Relaxed);
        entry_word.store(u64::from(u32::MAX), Ordering::Relaxed);
        tail.set_count(count + 1);
        stored("carried slot");
        object.hold_noted(block, |entry| {
            entry_word.store(u64::from(entry), Ordering::Release);
        })
    }

    /// How many objects a message carries.
    pub(crate) fn carried(&self, block: u64) -> usize {
        match self.allocator.management(block) {
            Ok((true, size)) => Tail::of(self, block, size).map_or(0, Tail::count),
            _ => 0,
        }
    }

    /// Has another message of this process carry what this one carries; it has room for it.
    pub(crate) fn carry_over(&self, from: u64, to: u64) -> Result<(), Error> {
        let size = self.allocator.size_of(from)?;
        let tail = Tail::of(self, from, size)?;
        for index in 0..self.carried(from) {
            let Some([object, _]) = tail.slot(index) else {
                break;
            };
            let object = Object::at(self, object.load(Ordering::Relaxed))?;
            self.carry(to, object.place())?;
        }
        Ok(())
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
