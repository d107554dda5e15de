#![allow(unsafe_code)]
//! Where a worker writes results: the slot of the ring, or a block that the mailbox names.

use std::ptr::NonNull;
use std::time::Duration;

use super::super::mail::{IN_BLOCK, INLINE, Inline, Mail, Note};
use crate::codec::{Store, Writer};
use crate::error::Error;
use crate::heap::{Block, Heap};

/// How often, and how soon again, room for a result is looked for while the heap is full.
const ROOM_TRIES: u32 = 500;
const ROOM_PAUSE: Duration = Duration::from_millis(2);

/// Where results are written: the slot's own bytes for a lone one while it fits, else a block that the mailbox names, so that
/// the parent finds what was finished if this process dies.
pub(super) struct Out {
    heap: &'static Heap,
    mail: Mail,
    inline: Room,
    in_slot: bool,
    block: Option<(Block, NonNull<u8>)>,
    pub(super) len: usize,
}

#[derive(Clone, Copy, Default)]
#[repr(align(16))]
struct Room(Inline);

impl Out {
    pub(super) fn new(heap: &'static Heap, mail: Mail, in_slot: bool) -> Self {
        Out {
            heap,
            mail,
            inline: Room::default(),
            in_slot,
            block: None,
            len: 0,
        }
    }

    /// Makes room ahead; where there is none, the writes will say so.
    pub(super) fn reserve(&mut self, bytes: usize) {
        if bytes > 0 {
            let _ = self.with(|out| out.reserve(bytes));
        }
    }

    pub(super) fn with<R>(&mut self, f: impl FnOnce(&mut Writer<'_>) -> R) -> R {
        let (base, room) = match self.block {
            Some((block, base)) => (base, block.size),
            None if self.in_slot => (NonNull::from(&mut self.inline.0).cast(), INLINE),
            None => (NonNull::dangling(), 0),
        };
        let mut store = OutStore {
            heap: self.heap,
            mail: self.mail,
            base,
            block: self.block.take(),
        };
        // SAFETY: `base` has `room` bytes that are ours alone until the result is published; `len` of them are written.
        let mut writer = unsafe { Writer::with_memory(base, self.len, room, &mut store) };
        let result = f(&mut writer);
        self.len = writer.len();
        self.block = store.block.take();
        result
    }

    /// The body of the note that tells of it; the block, if there is one, goes over to the parent with it.
    pub(super) fn finish(mut self, flags: u32) -> Note {
        match self.block.take() {
            Some((block, _)) => Note {
                flags: flags | IN_BLOCK,
                body: [block.offset, self.len as u64, 0, 0],
                ..Note::default()
            },
            None => Note {
                flags,
                len: self.len as u32,
                body: self.inline.0,
                ..Note::default()
            },
        }
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if let Some((block, _)) = self.block.take() {
            self.mail.set_out_block(0);
            let _ = self.heap.free(block.offset);
        }
    }
}

struct OutStore {
    heap: &'static Heap,
    mail: Mail,
    base: NonNull<u8>,
    block: Option<(Block, NonNull<u8>)>,
}

// SAFETY: every block is writable for its whole size, 64-byte aligned, ours alone, and starts with what was written before.
unsafe impl Store for OutStore {
    fn grow(&mut self, used: usize, need: usize) -> Result<(NonNull<u8>, usize), Error> {
        let doubled = self
            .block
            .map_or(0, |(block, _)| block.size.saturating_mul(2));
        let block = self
            .heap
            .alloc(need.max(doubled), 64)
            .or_else(|_| self.wait_for_room(need))?;
        let base = self.heap.at(block.offset, block.size)?;
        // SAFETY: `used` bytes stand at the old place; the new block is at least `need` long and apart from it.
        unsafe { base.copy_from_nonoverlapping(self.base, used) };
        self.mail.set_out_block(block.offset);
        if let Some((old, _)) = self.block.replace((block, base)) {
            let _ = self.heap.free(old.offset);
        }
        self.base = base;
        Ok((base, block.size))
    }
}

impl OutStore {
    /// What fills the heap may be results that the parent is about to read, and arguments of items that are about to end: a
    /// value that was worked for is not thrown away before they have had their time.
    fn wait_for_room(&self, need: usize) -> Result<Block, Error> {
        let fits = need as u64 <= self.heap.limit();
        let mut tries = if fits { ROOM_TRIES } else { 0 };
        loop {
            match self.heap.alloc(need, 64) {
                Err(error) if error.is_heap_full() && tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(ROOM_PAUSE);
                }
                end => return end,
            }
        }
    }
}
