#![allow(unsafe_code)]
//! What a guard or a chunk gives references to. Relies on `array`.
//!
//! Of types of which every pattern of bits is a value (numbers), the elements themselves, in place: whatever a process that
//! writes wildly does to them, they are values. Of all others (`bool`, `char`, enums, and structs that have such fields) a private copy,
//! made and checked at the first use, and written back at the end if it was changed: an element in shared memory that ceases to be a
//! value under somebody's hands would be worse than a wrong number.

use std::ops::Range;
use std::sync::OnceLock;

use super::array::Array;
use crate::codec::Plain;

/// The references to some elements of an array.
pub(super) struct View<T> {
    copy: OnceLock<Vec<T>>,
    changed: bool,
}

impl<T: Plain> View<T> {
    pub(super) fn new() -> Self {
        View {
            copy: OnceLock::new(),
            changed: false,
        }
    }

    /// The elements.
    ///
    /// # Safety
    /// The caller, and nobody else, has these elements of the array until the next `write_back`, and the reference ends before.
    #[inline]
    pub(super) unsafe fn get(&self, array: &Array<T>, elements: &Range<usize>) -> &[T] {
        if T::ANY {
            let at = array.at(elements).as_ptr();
            // SAFETY: inside the array (checked) and aligned; nobody else of good will writes there, and any bytes are values.
            return unsafe { std::slice::from_raw_parts(at, elements.len()) };
        }
        self.copy.get_or_init(|| array.read(elements))
    }

    /// The elements, to be written.
    ///
    /// # Safety
    /// As [`get`](Self::get).
    #[inline]
    pub(super) unsafe fn get_mut(&mut self, array: &Array<T>, elements: &Range<usize>) -> &mut [T] {
        if T::ANY {
            let at = array.at(elements).as_ptr();
            // SAFETY: as in `get`, and the view is borrowed mutably.
            return unsafe { std::slice::from_raw_parts_mut(at, elements.len()) };
        }
        self.changed = true;
        self.copy.get_or_init(|| array.read(elements));
        self.copy.get_mut().map_or(&mut [], Vec::as_mut_slice)
    }

    /// Ends the references: what was changed in a copy stands in the array. By whoever has these elements still.
    #[inline]
    pub(super) fn write_back(&mut self, array: &Array<T>, elements: &Range<usize>) {
        if T::ANY {
            return;
        }
        let copy = self.copy.take();
        if std::mem::take(&mut self.changed)
            && let Some(values) = copy
        {
            array.write(elements, &values);
        }
    }

    /// Ends the references, and forgets what was changed in a copy.
    pub(super) fn forget(&mut self) {
        self.copy.take();
        self.changed = false;
    }
}
