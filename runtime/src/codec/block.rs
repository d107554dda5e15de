#![allow(unsafe_code)]
//! Where encoded messages live in the shared heap: room that is there already, or a block that grows.
//!
//! Relies on: a block belongs to the process that allocated it until somebody frees it; a block is written by its owner only,
//! and read by others after it has been published.

use std::ptr::NonNull;

use super::{Reader, Store};
use crate::error::Error;
use crate::heap::{Block, Heap};

/// A message that stands in shared memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parcel {
    /// Inside a record or a ring.
    At { base: NonNull<u8>, len: usize },
    /// In a block of its own.
    Block { offset: u64, len: usize },
}

impl Parcel {
    /// Reads a message that another process wrote and may still scribble over: everything is copied out before it is
    /// looked at.
    pub(crate) fn reader(self, heap: &'static Heap) -> Result<Reader<'static>, Error> {
        let (base, len) = match self {
            Parcel::At { base, len } => (base, len),
            Parcel::Block { offset, len } => {
                let room = heap.size_of(offset)?;
                if len > room {
                    return Err(Error::new(
                        crate::error::Kind::Protocol,
                        format!("a message of {len} bytes is said to stand in a block of {room}"),
                    ));
                }
                (heap.at(offset, len)?, len)
            }
        };
        // SAFETY: the range is inside the mapping, which is never unmapped; the reader copies before it looks.
        Ok(unsafe { Reader::untrusted(base, len) })
    }

    /// The bytes of a small message, copied out.
    pub(crate) fn to_vec(self, heap: &'static Heap) -> Result<Vec<u8>, Error> {
        let mut reader = self.reader(heap)?;
        let len = reader.remaining();
        reader.copy_bytes(len)
    }
}

/// Room for a writer: the caller's own to begin with, then a block of the heap that doubles as it grows.
pub(crate) struct BlockStore {
    heap: &'static Heap,
    base: Option<NonNull<u8>>,
    block: Option<Block>,
}

impl BlockStore {
    /// `base` is the memory the writer starts on; its first bytes move into the first block.
    pub(crate) fn over(heap: &'static Heap, base: NonNull<u8>) -> Self {
        BlockStore {
            heap,
            base: Some(base),
            block: None,
        }
    }

    /// As `over`, for words of the caller's own.
    pub(crate) fn over_words(heap: &'static Heap, words: &mut [u64]) -> Self {
        BlockStore::over(heap, NonNull::from(words).cast())
    }

    /// A store that starts with nothing: the first byte makes the first block.
    pub(crate) fn new(heap: &'static Heap) -> Self {
        BlockStore {
            heap,
            base: None,
            block: None,
        }
    }

    /// The block everything stands in, if it has outgrown the memory it began on; the caller owns it now.
    pub(crate) fn into_block(mut self) -> Option<Block> {
        self.block.take()
    }
}

// SAFETY: every block is writable for its whole size, 64-byte aligned, the writer's alone, and begins with what was written.
unsafe impl Store for BlockStore {
    fn grow(&mut self, used: usize, need: usize) -> Result<(NonNull<u8>, usize), Error> {
        let doubled = self.block.map_or(0, |block| block.size.saturating_mul(2));
        let block = match self.heap.alloc(need.max(doubled), 64) {
            Ok(block) => block,
            // Doubling may be too much where the need itself is not.
            Err(_) if doubled > need => self.heap.alloc(need, 64)?,
            Err(error) => return Err(error),
        };
        let base = match self.heap.at(block.offset, block.size) {
            Ok(base) => base,
            Err(error) => {
                let _ = self.heap.free(block.offset);
                return Err(error);
            }
        };
        if let Some(old) = self.base {
            // SAFETY: `used` bytes stand at the old place, which is ours; the new block is at least `need` long and apart.
            unsafe { base.copy_from_nonoverlapping(old, used) };
        }
        if let Some(old) = self.block.replace(block) {
            let _ = self.heap.free(old.offset);
        }
        self.base = Some(base);
        Ok((base, block.size))
    }
}

impl Drop for BlockStore {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            let _ = self.heap.free(block.offset);
        }
    }
}
