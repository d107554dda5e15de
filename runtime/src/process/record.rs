#![allow(unsafe_code)]
//! The launch record: what parent and child tell each other, in the mailbox of the child's slot.
//!
//! States, and who may write when:
//!
//! | state | who | what it means |
//! |---|---|---|
//! | EMPTY | parent | being filled; the child does not exist yet |
//! | LAUNCHED | parent, before the child exists | every field of the parent's part stands and is not touched again |
//! | VALUE / REPORT | child, with Release, once | its part stands: the encoded value, or what went wrong |
//!
//! Beside it stands the report of a panic, in a room and with a state of its own, because any thread of the child may panic
//! at any time: NO_PANIC → WRITING_PANIC (by one thread at a time) → PANICKED. It is provisional: it counts only if the
//! process then aborts without having told anything else.
//!
//! The parent reads the child's part with Acquire and, for the value, only after the whole child is gone. It copies out
//! raw, checks every length against the room there is, and never forms a reference into it.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::codec::{BlockStore, Parcel, Reader, Writer};
use crate::error::{Error, Kind};
use crate::heap::{Heap, SlotId};
use crate::session::Identity;

/// How much of the mailbox is used.
const SIZE: usize = 3072;
const NAME_AT: usize = 128;
const NAME_ROOM: usize = 256;
const LINE_AT: usize = NAME_AT + NAME_ROOM;
const LINE_ROOM: usize = 128;
const ARGS_AT: usize = 512;
/// Arguments up to this many bytes stand in the record itself.
pub(crate) const ARGS_ROOM: usize = 768;
const RESULT_AT: usize = ARGS_AT + ARGS_ROOM;
const RESULT_ROOM: usize = PANIC_AT - RESULT_AT;
const PANIC_AT: usize = 2048;
const PANIC_ROOM: usize = SIZE - PANIC_AT;
/// "Not in a block of its own, but here."
const INLINE: u64 = u64::MAX;

const EMPTY: u32 = 0;
const LAUNCHED: u32 = 1;
const VALUE: u32 = 2;
const REPORT: u32 = 3;

const NO_PANIC: u32 = 0;
const WRITING_PANIC: u32 = 1;
const PANICKED: u32 = 2;

/// What the child of a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Run the task once and end.
    Task,
    /// Serve the pool whose mailbox is at this offset.
    Pool(u64),
    /// Run the task once, where there is one, then make copies, as the desk at this offset says.
    ForkServer(u64),
}

/// The number of no task.
pub(crate) const NO_TASK: u32 = u32::MAX;

const TASK: u32 = 0;
const POOL: u32 = 1;
const FORK_SERVER: u32 = 2;

#[repr(C)]
struct Head {
    state: AtomicU32,
    overflowed: AtomicU32,
    task: AtomicU32,
    daemon: AtomicU32,
    fingerprint: AtomicU64,
    /// Where its mailbox or desk is.
    place: AtomicU64,
    args_block: AtomicU64,
    args_len: AtomicU64,
    result_block: AtomicU64,
    result_len: AtomicU64,
    name_len: AtomicU32,
    line_len: AtomicU32,
    panic: AtomicU32,
    panic_len: AtomicU32,
    panic_block: AtomicU64,
    duty: AtomicU32,
}

const _: () = assert!(size_of::<Head>() <= NAME_AT && SIZE <= crate::heap::MAILBOX_BYTES);

/// What the child left.
pub(crate) enum Outcome {
    /// Nothing: it ended before it had anything to say.
    Nothing,
    /// An encoded value.
    Value(Parcel),
    /// An encoded report.
    Report(Parcel),
    /// A report from the panic hook; it counts only if the process aborted.
    Panicked(Parcel),
}

/// A view of the record in one slot.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    base: NonNull<u8>,
}

// SAFETY: the mailbox is shared memory that is never unmapped; all access is atomic or follows the states above.
unsafe impl Send for Record {}
// SAFETY: as above.
unsafe impl Sync for Record {}

/// What the child reads of its record.
pub(crate) struct Launch {
    pub(crate) duty: Duty,
    pub(crate) task: u32,
    pub(crate) fingerprint: u64,
    pub(crate) identity: Identity,
    pub(crate) daemon: bool,
}

impl Record {
    pub(crate) fn of(heap: &Heap, slot: SlotId) -> Result<Self, Error> {
        Ok(Record {
            base: heap.processes().slot(slot)?.mailbox(),
        })
    }

    fn head(&self) -> &Head {
        // SAFETY: the mailbox is 64-byte aligned, at least SIZE bytes, never unmapped, and every field is an atomic.
        unsafe { self.base.cast::<Head>().as_ref() }
    }

    fn at(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset < SIZE);
        // SAFETY: inside the mailbox.
        unsafe { self.base.add(offset) }
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        // SAFETY: callers keep within the room at `at`; only the side whose turn it is writes (see the states).
        unsafe {
            self.at(at)
                .as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
    }

    fn read(&self, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len);
        // SAFETY: callers keep within the room at `at`; the bytes are copied out raw, and any pattern is a valid u8.
        unsafe {
            self.at(at)
                .as_ptr()
                .copy_to_nonoverlapping(bytes.as_mut_ptr(), len);
            bytes.set_len(len);
        }
        bytes
    }

    /// Fills in the parent's part. `args` are either these bytes or a block of the parent's.
    pub(crate) fn fill(&self, launch: &Launch, args: Args<'_>) -> Result<(), Error> {
        let Identity { name, line } = &launch.identity;
        if name.len() > NAME_ROOM || line.len() > LINE_ROOM {
            return Err(Error::new(
                Kind::Usage,
                format!(
                    "the process name {name:?} is too long: {NAME_ROOM} bytes at the most, and {LINE_ROOM} of descent"
                ),
            ));
        }
        let head = self.head();
        head.state.store(EMPTY, Ordering::Relaxed);
        head.overflowed.store(0, Ordering::Relaxed);
        head.panic.store(NO_PANIC, Ordering::Relaxed);
        head.task.store(launch.task, Ordering::Relaxed);
        head.daemon
            .store(u32::from(launch.daemon), Ordering::Relaxed);
        head.fingerprint
            .store(launch.fingerprint, Ordering::Relaxed);
        let (duty, place) = match launch.duty {
            Duty::Task => (TASK, INLINE),
            Duty::Pool(offset) => (POOL, offset),
            Duty::ForkServer(offset) => (FORK_SERVER, offset),
        };
        head.duty.store(duty, Ordering::Relaxed);
        head.place.store(place, Ordering::Relaxed);
        self.write(NAME_AT, name.as_bytes());
        head.name_len.store(name.len() as u32, Ordering::Relaxed);
        self.write(LINE_AT, line.as_bytes());
        head.line_len.store(line.len() as u32, Ordering::Relaxed);
        let (block, len) = match args {
            Args::Inline(words, len) => {
                debug_assert!(size_of_val(words) <= ARGS_ROOM);
                // SAFETY: as in `write`; whole words, of which the first `len` bytes count.
                unsafe {
                    self.at(ARGS_AT)
                        .cast::<u64>()
                        .as_ptr()
                        .copy_from_nonoverlapping(words.as_ptr(), words.len())
                };
                (INLINE, len.min(ARGS_ROOM) as u64)
            }
            Args::Block { offset, len } => (offset, len),
        };
        head.args_block.store(block, Ordering::Relaxed);
        head.args_len.store(len, Ordering::Relaxed);
        head.state.store(LAUNCHED, Ordering::Release);
        Ok(())
    }

    /// Reads the parent's part, in the child.
    pub(crate) fn launch(&self) -> Result<Launch, Error> {
        let head = self.head();
        if head.state.load(Ordering::Acquire) != LAUNCHED {
            return Err(Error::new(Kind::Protocol, "the launch record is not one"));
        }
        let name_len = (head.name_len.load(Ordering::Relaxed) as usize).min(NAME_ROOM);
        let line_len = (head.line_len.load(Ordering::Relaxed) as usize).min(LINE_ROOM);
        let place = head.place.load(Ordering::Relaxed);
        let text = |at, len| String::from_utf8_lossy(&self.read(at, len)).into_owned();
        Ok(Launch {
            duty: match head.duty.load(Ordering::Relaxed) {
                TASK => Duty::Task,
                POOL => Duty::Pool(place),
                FORK_SERVER => Duty::ForkServer(place),
                _ => return Err(Error::new(Kind::Protocol, "no process does such a duty")),
            },
            task: head.task.load(Ordering::Relaxed),
            fingerprint: head.fingerprint.load(Ordering::Relaxed),
            identity: Identity {
                name: text(NAME_AT, name_len),
                line: text(LINE_AT, line_len),
            },
            daemon: head.daemon.load(Ordering::Relaxed) != 0,
        })
    }

    /// The arguments, in the child: the parent writes them no more, so they may be borrowed in place.
    pub(crate) fn args(&self, heap: &'static Heap) -> Result<Reader<'static>, Error> {
        let head = self.head();
        let len = head.args_len.load(Ordering::Relaxed) as usize;
        let mut block = 0;
        let base = match head.args_block.load(Ordering::Relaxed) {
            INLINE if len <= ARGS_ROOM => self.at(ARGS_AT),
            INLINE => {
                return Err(Error::new(
                    Kind::Protocol,
                    "the launch record's arguments do not fit it",
                ));
            }
            offset => {
                heap.warm(offset, len);
                block = offset;
                heap.at(offset, len)?
            }
        };
        // SAFETY: the range is inside the mapping, which is never unmapped; the parent wrote it before this process existed
        // and keeps it until this process is gone.
        Ok(unsafe { Reader::trusted(base, len) }.in_block(block))
    }

    /// Runs `encode` on a writer over the room for the result; publishes what it wrote as the value.
    pub(crate) fn publish_value(
        &self,
        heap: &'static Heap,
        encode: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.publish(heap, VALUE, encode)
    }

    /// Publishes a report as the outcome.
    pub(crate) fn publish_report(&self, heap: &'static Heap, bytes: &[u8]) -> Result<(), Error> {
        self.publish(heap, REPORT, |out| out.put_bytes(bytes))
    }

    /// Publishes a report that counts only if this process aborts before it publishes anything else. Called from the panic
    /// hook: what does not fit the record is cut off.
    ///
    /// Where every panic is the end, one that is too long for the record gets a block, which goes with this process.
    pub(crate) fn publish_panic(&self, heap: &Heap, bytes: &[u8]) {
        let Head {
            panic,
            panic_len,
            panic_block,
            ..
        } = self.head();
        // Of two threads that panic at once one is told of; a hook must not wait.
        if panic.swap(WRITING_PANIC, Ordering::Acquire) == WRITING_PANIC {
            return;
        }
        let block = if cfg!(panic = "abort") && bytes.len() > PANIC_ROOM {
            block_of(heap, bytes)
        } else {
            None
        };
        let bytes = match block {
            Some(_) => bytes,
            None => &bytes[..bytes.len().min(PANIC_ROOM)],
        };
        if block.is_none() {
            self.write(PANIC_AT, bytes);
        }
        panic_block.store(block.unwrap_or(INLINE), Ordering::Relaxed);
        panic_len.store(bytes.len() as u32, Ordering::Relaxed);
        panic.store(PANICKED, Ordering::Release);
    }

    /// The panic was caught: its report stands no more.
    pub(crate) fn forget_panic(&self) {
        let panic = &self.head().panic;
        let _ = panic.compare_exchange(PANICKED, NO_PANIC, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn publish(
        &self,
        heap: &'static Heap,
        state: u32,
        encode: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let head = self.head();
        let mut store = BlockStore::over(heap, self.at(RESULT_AT));
        // SAFETY: the room for the result is ours until the state says that it stands.
        let mut writer =
            unsafe { Writer::with_memory(self.at(RESULT_AT), 0, RESULT_ROOM, &mut store) };
        encode(&mut writer)?;
        let len = writer.len();
        let block = store.into_block().map_or(INLINE, |block| block.offset);
        head.result_block.store(block, Ordering::Relaxed);
        head.result_len.store(len as u64, Ordering::Relaxed);
        head.state.store(state, Ordering::Release);
        Ok(())
    }

    /// Notes that the stack has overflowed; one store, from a signal handler.
    pub(crate) fn note_overflow(&self) {
        self.head().overflowed.store(1, Ordering::Release);
    }

    pub(crate) fn overflowed(&self) -> bool {
        self.head().overflowed.load(Ordering::Acquire) != 0
    }

    /// What the child left, in the parent, after the child is gone.
    pub(crate) fn outcome(&self) -> Outcome {
        let head = self.head();
        let state = head.state.load(Ordering::Acquire);
        let len = head.result_len.load(Ordering::Relaxed) as usize;
        let parcel = match head.result_block.load(Ordering::Relaxed) {
            INLINE => Parcel::At {
                base: self.at(RESULT_AT),
                len: len.min(RESULT_ROOM),
            },
            offset => Parcel::Block { offset, len },
        };
        match state {
            VALUE => Outcome::Value(parcel),
            REPORT => Outcome::Report(parcel),
            _ if head.panic.load(Ordering::Acquire) == PANICKED => {
                let len = head.panic_len.load(Ordering::Relaxed) as usize;
                Outcome::Panicked(match head.panic_block.load(Ordering::Relaxed) {
                    INLINE => Parcel::At {
                        base: self.at(PANIC_AT),
                        len: len.min(PANIC_ROOM),
                    },
                    offset => Parcel::Block { offset, len },
                })
            }
            _ => Outcome::Nothing,
        }
    }
}

/// A block of the heap with these bytes in it.
fn block_of(heap: &Heap, bytes: &[u8]) -> Option<u64> {
    let block = heap.alloc(bytes.len(), 64).ok()?;
    let base = heap.at(block.offset, bytes.len()).ok()?;
    // SAFETY: the block is ours alone, and at least this long.
    unsafe { base.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
    Some(block.offset)
}

/// Encoded arguments, as the parent has them.
#[derive(Clone, Copy)]
pub(crate) enum Args<'a> {
    /// So many bytes of these words.
    Inline(&'a [u64], usize),
    Block {
        offset: u64,
        len: u64,
    },
}
