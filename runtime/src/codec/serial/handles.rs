//! Handles of shared objects in a message: numbers in the list of what the message holds. Relies on `heap`.
//!
//! A handle is recognised by the name and the type of its newtype's contents. It is written as a number, and noted, so that the
//! message holds the object; what is read is held by this process before it is shown. User code may write such numbers, or
//! read them: it reaches nothing by it that the message does not hold.

use std::collections::HashMap;
use std::sync::Arc;

use crate::heap::{Held, Place};

/// Up to how many objects are looked through, one by one.
const FEW: usize = 16;

/// The objects that a message names, in the order in which they were noted, each once.
pub(super) struct Noted {
    /// How many objects the message held before, and the last of those.
    before: (usize, Vec<u64>),
    pub(super) all: Vec<Arc<Held>>,
    /// Their numbers, once there are more than a few.
    numbers: Option<HashMap<Place, usize>>,
}

impl Noted {
    /// For a message that holds so many objects already, the last of which are at these offsets.
    pub(super) fn beside(before: (usize, Vec<u64>)) -> Self {
        Noted {
            before,
            all: Vec::new(),
            numbers: None,
        }
    }

    /// The number by which the message names an object, which is noted if it was not yet.
    pub(super) fn number(&mut self, held: &Arc<Held>) -> u64 {
        let (count, last) = &self.before;
        let offset = held.place().offset;
        if let Some(at) = last.iter().rposition(|known| *known == offset) {
            return (count - last.len() + at) as u64;
        }
        let count = *count;
        (count + self.among_new(held)) as u64
    }

    fn among_new(&mut self, held: &Arc<Held>) -> usize {
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
