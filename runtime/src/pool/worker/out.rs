#![allow(unsafe_code)]
//! Where a worker writes results: the slot of the ring, or a block that the mailbox names.

use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use super::super::mail::{IN_BLOCK, INLINE, Inline, Mail, Note};
use crate::codec::{Holds, Room, Store, Writer};
use crate::error::{Error, Kind};
use crate::heap::{Heap, Held};

/// How often, and how soon again, room for a result is looked for while the heap is full.
const ROOM_TRIES: u32 = 500;
const ROOM_PAUSE: Duration = Duration::from_millis(2);

/// Where results are written: the slot's own bytes for a lone one while it fits, else a block that the mailbox names, so that
/// the parent finds what was finished if this process dies.
pub(super) struct Out {
    heap: &'static Heap,
    mail: Mail,
    inline: Slot,
    in_slot: bool,
    block: Option<Room>,
    pub(super) len: usize,
}

#[derive(Clone, Copy, Default)]
#[repr(align(16))]
struct Slot(Inline);

impl Out {
    pub(super) fn new(heap: &'static Heap, mail: Mail, in_slot: bool) -> Self {
        Out {
            heap,
            mail,
            inline: Slot::default(),
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
            Some((block, base)) => (base, Holds::Carried.room_in(self.heap, block, 0)),
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
    block: Option<Room>,
}

// SAFETY: every block is writable for its whole size but the tail, 64-byte aligned, ours alone, and starts with what was
// written before.
unsafe impl Store for OutStore {
    fn grow(&mut self, used: usize, need: usize) -> Result<(NonNull<u8>, usize), Error> {
        self.move_on(used, need, 0)
    }

    fn hold(&mut self, used: usize, held: &Arc<Held>) -> Result<(NonNull<u8>, usize), Error> {
        let room = self
            .block
            .map_or(0, |(block, _)| Holds::Carried.room_in(self.heap, block, 1));
        if self.block.is_none() || room < used {
            self.move_on(used, used, 1)?;
        }
        let (block, base) = self
            .block
            .ok_or_else(|| Error::new(Kind::Encode, "there is no room for the result"))?;
        self.heap.carry(block.offset, held.place())?;
        Ok((base, Holds::Carried.room_in(self.heap, block, 0)))
    }
}

impl OutStore {
    fn move_on(
        &mut self,
        used: usize,
        need: usize,
        more: usize,
    ) -> Result<(NonNull<u8>, usize), Error> {
        let (fresh, room) = self.wait_for_room(used, need, more)?;
        let (block, base) = fresh;
        self.mail.set_out_block(block.offset);
        if let Some((old, _)) = self.block.replace(fresh) {
            let _ = self.heap.free(old.offset);
        }
        self.base = base;
        Ok((base, room))
    }

    /// What fills the heap may be results that the parent is about to read, and arguments of items that are about to end: a
    /// value that was worked for is not thrown away before they have had their time.
    fn wait_for_room(&self, used: usize, need: usize, more: usize) -> Result<(Room, usize), Error> {
        let fits = need as u64 <= self.heap.limit();
        let mut tries = if fits { ROOM_TRIES } else { 0 };
        let before = self.block.map(|(block, _)| block);
        let old = Some(self.base);
        loop {
            match Holds::Carried.outgrow(self.heap, before, old, used, need, more) {
                Err(error) if error.is_heap_full() && tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(ROOM_PAUSE);
                }
                end => return end,
            }
        }
    }
}
