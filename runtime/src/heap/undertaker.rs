//! What happens when something that holds objects goes: a message is freed, a process is buried, an object ends.
//!
//! Relies on `object` and `tail`. One may lead to the next (a queue that ends holds messages that hold queues), so objects
//! that may be at their end wait in a list, and no depth of nesting is a depth of calls.

use std::sync::atomic::Ordering;

use super::object::{self, Body, Kind, Object, Place};
use super::tail::{self, Tail};
use super::{Heap, SlotId};
use crate::error::{self, Error};
use crate::sys::points::stored;

/// What is to be done with the body of an object of one kind before its block is freed.
///
/// It may be interrupted by a kill and begin again in another process, so it must be safe to repeat; it runs no code of
/// the user's and takes no locks.
pub(crate) struct Destructor {
    /// Which kind.
    pub(crate) kind: Kind,
    /// What is done.
    pub(crate) run: fn(&mut Undertaker<'_>, &Dying<'_>),
}

inventory::collect!(Destructor);

/// An object at its end: nobody else reaches it.
pub(crate) struct Dying<'h> {
    heap: &'h Heap,
    place: Place,
    base: std::ptr::NonNull<u8>,
    bytes: usize,
}

impl<'h> Dying<'h> {
    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The heap it is in.
    pub(crate) fn heap(&self) -> &'h Heap {
        self.heap
    }

    /// Its body as a `B`, if it is large enough.
    pub(crate) fn body<B: Body>(&self) -> Option<&'h B> {
        super::handle::body_at(self.base, self.bytes)
    }
}

/// Frees blocks, and in turn the objects that nobody holds any more thereby.
pub(crate) struct Undertaker<'h> {
    heap: &'h Heap,
    waiting: Vec<Place>,
}

impl<'h> Undertaker<'h> {
    pub(super) fn new(heap: &'h Heap) -> Self {
        Undertaker {
            heap,
            waiting: Vec::new(),
        }
    }

    /// Frees a block and gives back what it holds.
    pub(crate) fn free(&mut self, offset: u64) -> Result<(), Error> {
        match self.heap.allocator.free_plain(offset)? {
            None => Ok(()),
            Some(size) => {
                self.unload(offset, size)?;
                self.heap.allocator.free(offset)
            }
        }
    }

    /// Gives back what a message holds; it holds nothing afterwards.
    fn unload(&mut self, offset: u64, size: usize) -> Result<(), Error> {
        let tail = Tail::of(self.heap, offset, size)?;
        if tail.kind() == tail::LENT {
            // Whoever else frees it does so because its maker is gone, and with it what it held.
            drop(self.heap.objects.take_back(offset));
            return Ok(());
        }
        if tail.kind() != tail::CARRIES {
            let text = format!("the block at offset {offset:#x} is a shared object's");
            return Err(Error::new(error::Kind::Protocol, text));
        }
        for index in 0..tail.count() {
            let Some([object, entry]) = tail.slot(index) else {
                break;
            };
            let entry = entry.load(Ordering::Relaxed) as u32;
            if let Ok(object) = Object::at(self.heap, object.load(Ordering::Relaxed))
                && object.let_go(entry, offset)
            {
                self.waiting.push(object.place());
            }
        }
        tail.set_count(0);
        stored("unloaded");
        Ok(())
    }

    /// Looks later whether the object is at its end.
    pub(super) fn consider(&mut self, place: Place) {
        self.waiting.push(place);
    }

    /// Frees what nobody holds any more.
    pub(super) fn run(&mut self) {
        while let Some(place) = self.waiting.pop() {
            if let Ok(object) = Object::with_id(self.heap, place) {
                object.reap(self);
            }
        }
    }

    pub(super) fn destroy(&mut self, object: &Object<'_>) {
        let Ok((base, bytes)) = object.body() else {
            return;
        };
        let dying = Dying {
            heap: self.heap,
            place: object.place(),
            base,
            bytes,
        };
        for destructor in inventory::iter::<Destructor> {
            if destructor.kind as u32 == object.kind() {
                (destructor.run)(self, &dying);
            }
        }
    }

    /// Gives back what a process that is wholly gone held, and what messages of its own hold.
    pub(super) fn bury(&mut self, dead: SlotId) {
        let holder = object::process_entry(dead);
        for (offset, size, owner) in self.heap.allocator.managed() {
            let Ok(tail) = Tail::of(self.heap, offset, size) else {
                continue;
            };
            match tail.kind() {
                tail::OBJECT => {
                    if let Ok(object) = Object::at(self.heap, offset) {
                        object.reap_after(dead, self);
                        object.let_go_all(holder);
                        // Whether or not it was a holder now: it may have let go, and not come to look any more.
                        self.waiting.push(object.place());
                    }
                }
                tail::CARRIES if owner == dead.pack() => {
                    let _ = self.unload(offset, size);
                }
                _ => {}
            }
        }
        self.run();
    }
}
