//! An annex: a block that belongs to one shared object, besides the object's own. And who holds an object just now.
//!
//! Relies on `roll`, whose chunks are annexes too, and on `object`. An annex belongs to the session from the store that makes it
//! one, and ends with its object at the latest, whoever was killed when; whoever makes or frees one holds the object meanwhile.

use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::object::{self, Object, Party, Place};
use super::tail::{self, Tail};
use super::{Heap, ROOT, roll};
use crate::error::{Error, Kind};
use crate::sys::points::stored;

/// The bytes at the beginning of an annex that say whose it is, up to the alignment of what follows.
const HEAD: usize = 64;

/// A block that belongs to an object, as this process maps it; its use is up to the kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Annex {
    pub(crate) offset: u64,
    /// Aligned to 64.
    pub(crate) base: NonNull<u8>,
    pub(crate) bytes: usize,
}

impl Heap {
    /// Where the body of an object begins, from its place.
    pub(crate) const OBJECT_HEAD: usize = object::HEAD;

    /// The bytes of an annex that are not for use.
    pub(crate) const ANNEX_OVERHEAD: usize = HEAD + tail::BYTES;

    /// Makes an annex with at least `bytes` bytes, which `init` fills in before anybody else sees it.
    ///
    /// # Errors
    /// The heap is at its limit.
    pub(crate) fn make_annex(
        &self,
        of: Place,
        bytes: usize,
        init: impl FnOnce(&Annex),
    ) -> Result<Annex, Error> {
        object::announce_chunks(self, of)?;
        let block = self.alloc(bytes.saturating_add(Self::ANNEX_OVERHEAD), 64)?;
        let made = Tail::of(self, block.offset, block.size).and_then(|tail| {
            let words = tail.words();
            for (word, value) in words.iter().zip([of.id, of.offset, 0, 0]) {
                word.store(value, Ordering::Relaxed);
            }
            let annex = self.annex(block.offset, block.size)?;
            init(&annex);
            tail.write(tail::CHUNK);
            self.allocator.manage(block.offset, ROOT)?;
            stored("annex");
            Ok(annex)
        });
        made.inspect_err(|_| drop(self.allocator.free(block.offset)))
    }

    /// The annex at `offset`, if it is one of this object's.
    pub(crate) fn annex_of(&self, of: Place, offset: u64) -> Result<Annex, Error> {
        let words = roll::chunk(self, of, offset).ok_or_else(|| {
            let text =
                format!("what is at offset {offset:#x} of the heap belongs to no such object");
            Error::new(Kind::Protocol, text)
        })?;
        self.annex(offset, size_of_val(words))
    }

    fn annex(&self, offset: u64, size: usize) -> Result<Annex, Error> {
        let bytes = size.saturating_sub(Self::ANNEX_OVERHEAD);
        Ok(Annex {
            offset,
            base: self.at(offset + HEAD as u64, bytes)?,
            bytes,
        })
    }

    /// Frees an annex that nobody uses any more.
    pub(crate) fn free_annex(&self, of: Place, offset: u64) -> Result<(), Error> {
        self.annex_of(of, offset)?;
        self.allocator.free(offset)
    }

    /// Who holds the object, and how many holds were ever taken. `None` when it is gone.
    pub(crate) fn parties(&self, place: Place) -> Option<(Vec<Party>, u64)> {
        let object = Object::with_id(self, place).ok()?;
        Some(object.parties())
    }
}
