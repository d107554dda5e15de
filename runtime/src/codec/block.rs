#![allow(unsafe_code)]
//! Where encoded messages live in the shared heap: room that is there already, or a block that grows.
//!
//! Relies on: a block belongs to the process that allocated it until somebody frees it; a block is written by its owner only,
//! and read by others after it has been published. A message that names shared objects always stands in a block, whose tail
//! says which (see `heap::carry`).

use std::ptr::NonNull;
use std::sync::Arc;

use super::{Reader, Store};
use crate::error::{Error, Kind};
use crate::heap::{Block, Heap, Held};

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
                        Kind::Protocol,
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
    holds: Holds,
}

impl BlockStore {
    /// `base` is the memory the writer starts on; its first bytes move into the first block.
    pub(crate) fn over(heap: &'static Heap, base: NonNull<u8>) -> Self {
        BlockStore {
            heap,
            base: Some(base),
            block: None,
            holds: Holds::Carried,
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
            holds: Holds::Carried,
        }
    }

    /// For a message that this process frees itself, and that nobody reads after it has ended: arguments.
    pub(crate) fn lending(mut self) -> Self {
        self.holds = Holds::Lent;
        self
    }

    /// The block everything stands in, if it has outgrown the memory it began on; the caller owns it now.
    pub(crate) fn into_block(mut self) -> Option<Block> {
        self.block.take()
    }
}

/// A block that a message is being written into, and its address.
pub(crate) type Room = (Block, NonNull<u8>);

/// How the message in a block comes to hold the objects that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// By itself, whoever has the block.
    Carried,
    /// Through this process, which frees it: arguments.
    Lent,
}

impl Holds {
    /// The bytes at the end of a block that are not the message's, now or with `more` other objects.
    fn tail(self, heap: &Heap, block: Option<Block>, more: usize) -> usize {
        match self {
            Holds::Carried => {
                let carried = block.map_or(0, |block| heap.carried(block.offset));
                Heap::carried_bytes(carried + more)
            }
            // Always, so that there is nothing to look up.
            Holds::Lent => Heap::LENT_BYTES,
        }
    }

    fn move_over(self, heap: &Heap, from: Block, to: Block) -> Result<(), Error> {
        match self {
            Holds::Carried if heap.carried(from.offset) == 0 => Ok(()),
            Holds::Carried => heap.carry_over(from.offset, to.offset),
            Holds::Lent => heap.lend_over(from.offset, to.offset),
        }
    }

    /// How many bytes of a block are free for its message, now or with `more` other objects.
    pub(crate) fn room_in(self, heap: &Heap, block: Block, more: usize) -> usize {
        block
            .size
            .saturating_sub(self.tail(heap, Some(block), more))
    }

    /// A block for a message that has outgrown its place: begins with the `used` bytes at `old`, has room for `need`, for what
    /// the message in `before` (which is still to be freed) held and `more` other objects. Gives how much is free to write.
    pub(crate) fn outgrow(
        self,
        heap: &'static Heap,
        before: Option<Block>,
        old: Option<NonNull<u8>>,
        used: usize,
        need: usize,
        more: usize,
    ) -> Result<(Room, usize), Error> {
        let tail = self.tail(heap, before, more);
        let need = need.saturating_add(tail);
        let doubled = before.map_or(0, |block| block.size.saturating_mul(2));
        let block = match heap.alloc(need.max(doubled), 64) {
            Ok(block) => block,
            // Doubling may be too much where the need itself is not.
            Err(_) if doubled > need => heap.alloc(need, 64)?,
            Err(error) => return Err(error),
        };
        let filled = heap.at(block.offset, block.size).and_then(|base| {
            if let Some(old) = old {
                // SAFETY: `used` bytes stand at the old place, which is ours; the new block is at least `need` long and apart.
                unsafe { base.copy_from_nonoverlapping(old, used) };
            }
            match before {
                Some(before) => self.move_over(heap, before, block).map(|()| base),
                None => Ok(base),
            }
        });
        match filled {
            Ok(base) => Ok(((block, base), block.size - tail)),
            Err(error) => {
                let _ = heap.free(block.offset);
                Err(error)
            }
        }
    }
}

// SAFETY: every block is writable for its whole size but the tail, 64-byte aligned, the writer's alone, and begins with
// what was written.
unsafe impl Store for BlockStore {
    fn grow(&mut self, used: usize, need: usize) -> Result<(NonNull<u8>, usize), Error> {
        self.move_on(used, need, 0)
    }

    fn hold(&mut self, used: usize, held: &Arc<Held>) -> Result<(NonNull<u8>, usize), Error> {
        let (heap, holds) = (self.heap, self.holds);
        let room = self.block.map_or(0, |block| holds.room_in(heap, block, 1));
        if self.block.is_none() || room < used {
            self.move_on(used, used, 1)?;
        }
        let (Some(block), Some(base)) = (self.block, self.base) else {
            return Err(Error::new(Kind::Encode, "there is no room for the message"));
        };
        match holds {
            Holds::Carried => heap.carry(block.offset, held.place())?,
            Holds::Lent => heap.lend(block.offset, held)?,
        }
        Ok((base, holds.room_in(heap, block, 0)))
    }
}

impl BlockStore {
    fn move_on(
        &mut self,
        used: usize,
        need: usize,
        more: usize,
    ) -> Result<(NonNull<u8>, usize), Error> {
        let (fresh, room) = self
            .holds
            .outgrow(self.heap, self.block, self.base, used, need, more)?;
        let (block, base) = fresh;
        if let Some(old) = self.block.replace(block) {
            let _ = self.heap.free(old.offset);
        }
        self.base = Some(base);
        Ok((base, room))
    }
}

impl Drop for BlockStore {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            let _ = self.heap.free(block.offset);
        }
    }
}
