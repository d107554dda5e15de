//! A serializer and a deserializer around another one, that bound what a forged or runaway message can ask for. Rely on serde.
//!
//! - *Depth*: a recursive type nested deeper than [`DEPTH`] is an error on both ends instead of a stack overflow.
//! - *Counts*: every element of a sequence or map takes at least one byte of its own in the message, except elements
//!   without content. So the counts a message declares, summed up, are at most its length plus [`ZERO_SIZED`];
//!   each is checked before the first element is made.
//!   Room is made ahead for at most as many as the message has bytes.
//! - *Text and bytes* are taken by reference from the message, then copied: nothing is allocated by a declared length.
//!
//! - *Handles* of shared objects are recognised by the name and the type of their newtype's contents. They are written as place and
//!   id, and noted, so that the message holds their objects; what is read is held by this process before it is shown. Any other
//!   serializer meets an error in their place.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use serde::Serialize;
use serde::de::Deserialize;

use super::reader::ZERO_SIZED;
use crate::heap::{self, Held, Place as ObjectPlace};

mod de;
mod ser;

/// How deep a value may be nested: one level for each struct, variant, tuple, sequence, map, newtype or `Some`.
pub(crate) const DEPTH: u32 = 256;

/// What one message may declare, and has declared.
pub(crate) struct Budget {
    declared: Cell<usize>,
    /// The length of the message.
    bytes: usize,
    /// The objects whose handles were written.
    held: RefCell<Vec<Arc<Held>>>,
}

impl Budget {
    /// For a message that is being written: its length is known afterwards.
    pub(crate) fn unlimited() -> Self {
        Budget::of(usize::MAX)
    }

    /// For a message of `bytes` bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Budget {
            declared: Cell::new(0),
            bytes,
            held: RefCell::default(),
        }
    }

    /// The objects whose handles were written.
    pub(crate) fn into_held(self) -> Vec<Arc<Held>> {
        self.held.into_inner()
    }

    /// Whether a message of `bytes` bytes may declare what was declared.
    #[inline]
    pub(crate) fn fits(&self, bytes: usize) -> bool {
        self.declared.get() <= bytes.saturating_add(ZERO_SIZED)
    }

    #[inline]
    fn declare(&self, count: usize) -> Result<(), &'static str> {
        let sum = self.declared.get().saturating_add(count);
        self.declared.set(sum);
        if self.fits(self.bytes) {
            Ok(())
        } else {
            Err("a length is larger than the message")
        }
    }
}

/// Where in the value we are.
#[derive(Clone, Copy)]
struct Place<'b> {
    budget: &'b Budget,
    depth: u32,
}

impl Place<'_> {
    #[inline]
    fn deeper(self) -> Result<Self, String> {
        if self.depth >= DEPTH {
            return Err(format!("the value is nested more than {DEPTH} levels deep"));
        }
        Ok(Place {
            depth: self.depth + 1,
            ..self
        })
    }
}

/// A handle on the wire: where the object is, and its id.
type Wire = (u64, u64);

impl Budget {
    /// Notes that the message names an object; gives what is written for it.
    fn note(&self, held: &Arc<Held>) -> Wire {
        let mut all = self.held.borrow_mut();
        if all.last().is_none_or(|last| last.place() != held.place()) {
            all.push(Arc::clone(held));
        }
        let ObjectPlace { offset, id } = held.place();
        (offset, id)
    }
}

/// Takes hold of an object that a message names.
fn attach((offset, id): Wire) -> Result<Arc<Held>, String> {
    let heap = heap::current().ok_or("this process belongs to no session")?;
    Held::attach(heap, ObjectPlace { offset, id }).map_err(|error| error.message().to_owned())
}

/// Serializes `value` through the guard.
pub(crate) fn serialize<T: Serialize + ?Sized, S: serde::Serializer>(
    value: &T,
    serializer: S,
    budget: &Budget,
) -> Result<S::Ok, S::Error> {
    value.serialize(ser::Guard::new(serializer, Place { budget, depth: 0 }))
}

/// Deserializes a value through the guard.
pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
    budget: &Budget,
) -> Result<T, D::Error> {
    T::deserialize(de::Guard::new(deserializer, Place { budget, depth: 0 }))
}
