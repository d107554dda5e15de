//! A serializer and a deserializer around another one, that bound what a forged or runaway message can ask for. Rely on serde.
//!
//! - *Depth*: a recursive type nested deeper than [`DEPTH`] is an error on both ends instead of a stack overflow.
//! - *Counts*: every element of a sequence or map takes at least one byte of its own in the message, except elements
//!   without content. So the counts a message declares, summed up, are at most its length plus [`ZERO_SIZED`];
//!   each is checked before the first element is made.
//!   Room is made ahead for at most as many as the message has bytes.
//! - *Text and bytes* are taken by reference from the message, then copied: nothing is allocated by a declared length.
//!
//! - *Handles* of shared objects are recognised by the name and the type of their newtype's contents. They are written as
//!   numbers in the list of what the message holds, and noted, so that it does; what is read is held by this process before it is
//!   shown. Any other serializer meets an error in their place. User code may write such numbers, or read them: it reaches
//!   nothing by it that the message does not hold.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
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
    /// Of a message that is written: how many objects it held before, and the last of those.
    before: (usize, Vec<u64>),
    /// The objects whose handles were written, beside those.
    held: RefCell<Noted>,
    /// Of a message that is read: the block whose tail says what it holds; 0 if there is none.
    block: u64,
}

impl Budget {
    /// For a message that is being written: its length is known afterwards. It holds so many objects already, the last of
    /// which are at these offsets.
    pub(crate) fn writing(before: (usize, Vec<u64>)) -> Self {
        Budget {
            before,
            ..Budget::reading(usize::MAX, 0)
        }
    }

    /// For a message of `bytes` bytes in this block.
    pub(crate) fn reading(bytes: usize, block: u64) -> Self {
        Budget {
            declared: Cell::new(0),
            bytes,
            before: (0, Vec::new()),
            held: RefCell::default(),
            block,
        }
    }

    /// The objects whose handles were written.
    pub(crate) fn into_held(self) -> Vec<Arc<Held>> {
        self.held.into_inner().all
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

/// Up to how many objects are looked through, one by one.
const FEW: usize = 16;

/// Objects in the order in which they were noted, each once.
#[derive(Default)]
struct Noted {
    all: Vec<Arc<Held>>,
    /// Their numbers, once there are more than a few.
    numbers: Option<HashMap<ObjectPlace, usize>>,
}

impl Noted {
    /// The number of an object, which is noted if it was not yet.
    fn number(&mut self, held: &Arc<Held>) -> usize {
        let place = held.place();
        let known = match &self.numbers {
            Some(numbers) => numbers.get(&place).copied(),
            None => self.all.iter().rposition(|known| known.place() == place),
        };
        if let Some(number) = known {
            return number;
        }
        let number = self.all.len();
        self.all.push(Arc::clone(held));
        match &mut self.numbers {
            Some(numbers) => {
                numbers.insert(place, number);
            }
            None if number >= FEW => {
                let places = self.all.iter().map(|known| known.place());
                self.numbers = Some(places.zip(0..).collect());
            }
            None => {}
        }
        number
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

/// A handle on the wire: the number of the object among those that the message holds.
type Wire = u64;

impl Budget {
    /// Notes that the message names an object; gives what is written for it.
    fn note(&self, held: &Arc<Held>) -> Wire {
        let (count, last) = &self.before;
        let offset = held.place().offset;
        if let Some(at) = last.iter().rposition(|known| *known == offset) {
            return (count - last.len() + at) as u64;
        }
        (count + self.held.borrow_mut().number(held)) as u64
    }

    /// Takes hold of an object that the message names, and holds.
    fn attach(&self, wire: Wire) -> Result<Arc<Held>, String> {
        let heap = heap::current().ok_or("this process belongs to no session")?;
        heap.carried_place(self.block, wire)
            .and_then(|place| Held::attach(heap, place))
            .map_err(|error| error.message().to_owned())
    }
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
