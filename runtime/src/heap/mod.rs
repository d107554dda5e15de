//! The shared heap of a session: one sealed memory file that the root process and all its descendants map, with blocks
//! addressed by offset and a table of the processes.
//!
//! Relies on `sys` only. `segment` is the file, its mapping and its growth; `word`, `extent`,
//! `small` and `alloc` are the allocator; `process_table` is who belongs to the session; `object`,
//! `roll`, `tail`, `undertaker` and `handle` are shared objects, who holds them, and their end;
//! `annex` is further blocks of an object, `carry` what messages hold, `shape_table` the lists of
//! names that messages refer to. Invariants: no pointers in shared memory (but for the one list
//! node per process that the kernel walks); every change becomes visible by one store, so that a
//! kill between any two instructions needs no repair beyond `adopt`; nothing read from the heap is
//! believed without a check; the mapping stays as long as the process.
//!
//! A process may be in one session only: the heap is a static of the process, set once.

mod alloc;
mod annex;
mod buffered;
mod carry;
mod extent;
mod handle;
mod object;
mod process_table;
mod roll;
mod segment;
mod settled;
mod shape_table;
mod small;
mod tail;
#[cfg(test)]
mod tests;
mod undertaker;
mod word;

pub(crate) use annex::Annex;
pub(crate) use buffered::Buffered;
#[allow(unused_imports)] // by the modules of shared objects
pub(crate) use handle::shared_handle;
pub(crate) use handle::{
    FROZEN, Handle, Held, NAME as HANDLE, TicketSource, TicketVisitor, mark_of, ticket_of,
};
#[allow(unused_imports)] // likewise
pub(crate) use object::{Body, HEAD, Kind as ObjectKind, Party, Place};
pub(crate) use process_table::{LINEAGE, Life, MAILBOX_BYTES, ProcessTable};
#[allow(unused_imports)] // likewise
pub(crate) use roll::Roll;
pub(crate) use segment::SESSION_WORDS;
pub(crate) use shape_table::ENTRIES as SHAPES;
#[allow(unused_imports)] // likewise
pub(crate) use undertaker::{Destructor, Dying, Undertaker};

use crate::error::{Error, Kind};
use crate::sys::memory;
use alloc::Allocator;
use segment::{Config, Segment};
use settled::Settled;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// The word of the session that says whether there ever was a shared object.
const OBJECTS_WORD: usize = SESSION_WORDS - 2;

/// A process of the session: its slot in the table, and which of the slot's successive holders is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SlotId {
    pub(crate) index: u32,
    /// From 1 on.
    pub(crate) generation: u32,
}

impl SlotId {
    const INDEX_BITS: u32 = 12;
    /// Generations run from 1 up to, not including, this.
    pub(crate) const GENERATIONS: u32 = 1 << 19;

    /// Both in 31 bits, never 0; the highest bit is free for a flag beside it.
    #[inline]
    pub(crate) fn pack(self) -> u32 {
        let generation = self.generation & (Self::GENERATIONS - 1);
        generation << Self::INDEX_BITS | self.index & ((1 << Self::INDEX_BITS) - 1)
    }

    /// The reverse; `None` for what `pack` cannot give.
    pub(crate) fn unpack(packed: u32) -> Option<SlotId> {
        let generation = packed >> Self::INDEX_BITS;
        let index = packed & ((1 << Self::INDEX_BITS) - 1);
        (1..Self::GENERATIONS)
            .contains(&generation)
            .then_some(SlotId { index, generation })
    }
}

/// The root of every session. It is never buried, so what belongs to it belongs to the session.
pub(crate) const ROOT: SlotId = SlotId {
    index: 0,
    generation: 1,
};

/// A block of the heap: where it begins, and how many bytes it holds (at least as many as were asked for).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) offset: u64,
    pub(crate) size: usize,
}

/// What is in the heap, for tests and for those who look for leaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Bytes in live blocks, by their capacity.
    pub(crate) used_bytes: u64,
    /// Live small blocks.
    pub(crate) blocks: usize,
    /// Live large blocks.
    pub(crate) extents: usize,
    /// Granules cut into small blocks.
    pub(crate) small_granules: usize,
    /// Granules nobody uses.
    pub(crate) free_granules: usize,
    /// Runs that somebody is just taking or returning, or was when it was killed.
    pub(crate) unfinished: usize,
    /// Bytes that are free, yet in memory.
    pub(crate) idle_bytes: u64,
    /// How far the data reach.
    pub(crate) high_water: u64,
}

/// The heap of this process's session.
pub(crate) struct Heap {
    segment: &'static Segment,
    who: Settled<Who>,
    allocator: Settled<Allocator>,
    processes: ProcessTable,
    objects: handle::Registry,
}

/// Which process this is.
struct Who {
    me: SlotId,
    pid: u32,
}

/// What a fork server holds in the name of a child that it is about to make; see [`Heap::hold_for`].
#[derive(Default)]
pub(crate) struct Inherited(Vec<(std::sync::Arc<Held>, u32)>);

static HEAP: OnceLock<&'static Heap> = OnceLock::new();

/// Makes the heap of a new session, of which this process is the root.
///
/// `limit` is the most bytes of data it may hold; without one, `MP_HEAP_LIMIT` says it (bytes, or with K, M, G, T), and
/// without that it is half of the machine's memory (or of the control group's).
pub(crate) fn create(limit: Option<u64>) -> Result<&'static Heap, Error> {
    let limit = match (limit, std::env::var_os("MP_HEAP_LIMIT")) {
        (Some(limit), _) => limit,
        (None, Some(text)) => parse_limit(text.to_str().unwrap_or("")).ok_or_else(|| {
            let text = format!(
                "MP_HEAP_LIMIT={text:?} is not a size: give bytes, or a number with K, M, G or T"
            );
            Error::new(Kind::Usage, text)
        })?,
        (None, None) => memory::total_memory() / 2,
    };
    publish(Heap::create(Config::new(limit))?)
}

/// Joins the session whose memory file this is, as the process that its parent reserved this slot for.
pub(crate) fn attach(fd: OwnedFd, slot: u32, generation: u32) -> Result<&'static Heap, Error> {
    publish(Heap::attach(
        fd,
        SlotId {
            index: slot,
            generation,
        },
    )?)
}

fn publish(heap: &'static Heap) -> Result<&'static Heap, Error> {
    let marked = memory::mark_process();
    marked.map_err(|cause| Error::system("cannot make the mark that tells forks apart", cause))?;
    match HEAP.set(heap) {
        Ok(()) => Ok(heap),
        Err(_) => Err(Error::new(
            Kind::Usage,
            "this process belongs to a session already",
        )),
    }
}

/// The heap of this process's session, if it belongs to one.
pub(crate) fn current() -> Option<&'static Heap> {
    HEAP.get().copied()
}

/// A number of bytes, with a suffix or without.
fn parse_limit(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text[digits.len()..].trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl Heap {
    /// A heap with this process in its first slot. Never unmapped: what it gives out lives as long as the process.
    fn create(config: Config) -> Result<&'static Heap, Error> {
        let segment: &'static Segment = Box::leak(Box::new(Segment::create(config)?));
        let processes = ProcessTable::new(segment);
        let me = processes.reserve(None)?;
        Ok(Heap::new(segment, me, processes))
    }

    fn attach(fd: OwnedFd, me: SlotId) -> Result<&'static Heap, Error> {
        let segment: &'static Segment = Box::leak(Box::new(Segment::attach(fd)?));
        let processes = ProcessTable::new(segment);
        processes.slot(me)?;
        Ok(Heap::new(segment, me, processes))
    }

    fn new(segment: &'static Segment, me: SlotId, processes: ProcessTable) -> &'static Heap {
        let allocator = Allocator::new(segment, me);
        Box::leak(Box::new(Heap {
            segment,
            who: Settled::new(Who {
                me,
                pid: std::process::id(),
            }),
            allocator: Settled::new(allocator),
            processes,
            objects: handle::Registry::default(),
        }))
    }

    /// The memory file, to hand to a child.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.segment.fd()
    }

    /// The slot of this process.
    #[inline]
    pub(crate) fn me(&self) -> SlotId {
        self.who.me
    }

    /// The process id of this process, without asking the kernel.
    #[inline]
    pub(crate) fn pid(&self) -> u32 {
        self.who.pid
    }

    /// A block of at least `bytes` bytes that this process owns, aligned to 64 bytes (to 64 KiB from 64 KiB on, or
    /// when `align` asks for more than 64). What is in it is undefined.
    pub(crate) fn alloc(&self, bytes: usize, align: usize) -> Result<Block, Error> {
        self.allocator.alloc(bytes, align)
    }

    /// Frees the live block that begins here, whoever owns it, and gives back the objects that it holds. A shared object is
    /// not freed by this.
    pub(crate) fn free(&self, offset: u64) -> Result<(), Error> {
        let mut undertaker = Undertaker::new(self);
        let freed = undertaker.free(offset);
        undertaker.run();
        freed
    }

    /// Notes that the session has shared objects: who buries a process has to look for what it held.
    fn announce_objects(&self) {
        if let Some(word) = self.segment.session_word(OBJECTS_WORD)
            && word.load(Ordering::Relaxed) == 0
        {
            word.store(1, Ordering::SeqCst);
        }
    }

    /// Makes another process the owner of a block, so that it is freed with that process. One store.
    ///
    /// A process that was adopted already takes nothing: give first, then look whether it is dead.
    pub(crate) fn give(&self, offset: u64, to: SlotId) -> Result<(), Error> {
        self.allocator.give(offset, to)
    }

    /// Who owns the block that begins here.
    pub(crate) fn owner(&self, offset: u64) -> Result<SlotId, Error> {
        self.allocator.owner(offset)
    }

    /// How many bytes the block that begins here holds.
    pub(crate) fn size_of(&self, offset: u64) -> Result<usize, Error> {
        self.allocator.size_of(offset)
    }

    /// The address of `len` bytes at an offset, if they are data of the heap. Touching them cannot fault; what is in
    /// them may change at any time under the hands of whoever else maps the heap.
    #[inline]
    pub(crate) fn at(&self, offset: u64, len: usize) -> Result<NonNull<u8>, Error> {
        self.segment.at(offset, len as u64).ok_or_else(|| {
            let text = format!("{len} bytes at offset {offset:#x} are not in the shared heap");
            Error::new(Kind::Protocol, text)
        })
    }

    /// Frees all blocks of a process that is wholly gone, gives back what it held, and finishes what it was about when it
    /// died.
    pub(crate) fn adopt(&self, dead: SlotId) {
        if dead == self.me() || dead == ROOT {
            return;
        }
        let objects = self.segment.session_word(OBJECTS_WORD);
        if objects.is_some_and(|word| word.load(Ordering::SeqCst) != 0) {
            Undertaker::new(self).bury(dead);
        }
        self.allocator.adopt(dead);
    }

    /// How many bytes of data it may hold.
    pub(crate) fn limit(&self) -> u64 {
        self.segment.limit()
    }

    /// Hands back what this process keeps in reserve for small blocks.
    pub(crate) fn trim(&self) {
        self.allocator.trim();
    }

    /// Prepares a large block for use by this process (from 256 KiB on; the first time only).
    pub(crate) fn warm(&self, offset: u64, len: usize) {
        self.segment.warm(offset, len as u64);
    }

    /// Counts everything, by walking the whole heap.
    pub(crate) fn stats(&self) -> Stats {
        self.allocator.stats()
    }

    /// Takes holds of all objects that this process holds, in the name of a child that it is about to fork: so there is no
    /// moment in which the child has handles and no holds. Where no child comes of it, whoever reserved its slot adopts it.
    pub(crate) fn hold_for(&self, child: SlotId) -> Result<Inherited, Error> {
        self.objects.hold_for(self, child).map(Inherited)
    }

    /// In a child that this process's image was forked to: it has this slot from here on, and what was held for it.
    pub(crate) fn settle_again(&self, me: SlotId, inherited: &Inherited) -> Result<(), Error> {
        self.processes.slot(me)?;
        let pid = std::process::id();
        let fresh = Allocator::new(self.segment, me);
        if !self.allocator.replace(fresh) || !self.who.replace(Who { me, pid }) {
            let text = "this process has had two places in its session already";
            return Err(Error::new(Kind::Protocol, text));
        }
        for (held, entry) in &inherited.0 {
            held.set_entry(*entry);
        }
        Ok(())
    }

    /// The table of the session's processes.
    pub(crate) fn processes(&self) -> &ProcessTable {
        &self.processes
    }
}
