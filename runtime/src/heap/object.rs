#![allow(unsafe_code)]
//! Shared objects: blocks that belong to the session and live as long as a process or a message holds them.
//!
//! Relies on the allocator, `tail` and `roll`. An object is one block: the head (what it is, who holds it), the body, the
//! tail. Its offset and its id name it; a freed block may become another object at the same place, with another id.
//!
//! **Who holds it** stands in the roll of holders, one entry a party, and nowhere else:
//!
//! | entry | means | given back by |
//! |---|---|---|
//! | 0 | nobody | |
//! | `PROCESS` and a packed slot | a process: one or more handles in it | that process, or who buries it |
//! | the offset of a block | a message in that block, whose tail names object and entry | whoever frees the block |
//! | either with `LEAVING` | no party any more, who is just being told to those who watch | as before |
//!
//! **Taking a hold** needs somebody who holds the object until it is done (the lender): the maker, the message that is
//! being decoded, the process that encodes. Then: claim an entry, count it in `acquired`.
//!
//! **The end.** Whoever has given a hold back looks whether anybody is left: reads `acquired`, sees all entries 0, reads
//! `acquired` again. A hold that was taken behind the back of this look was counted before its lender could let go, so the
//! counter has changed, or the lender's entry was seen. Nobody can take a hold where there is none, so an empty roll
//! stays empty. One of those who see it so wins the state (LIVE → DYING, with its own slot), cleans up, and frees the
//! block; if it is killed, whoever buries it does the same again.
//!
//! Orderings: entries and `acquired` are changed with AcqRel and read with Acquire, so what a holder did to the body lies
//! before its end.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use super::roll::{self, Roll};
use super::tail::{self, Tail};
use super::undertaker::Undertaker;
use super::{Heap, ROOT, SlotId};
use crate::error::{self, Error};
use crate::sys::futex::{self, Change};
use crate::sys::points::stored;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(dead_code)] // each is used by the module that makes such objects
pub(crate) enum Kind {
    Lock = 1,
    RLock,
    RwLock,
    Semaphore,
    Condition,
    Event,
    Barrier,
    Value,
    Atomic,
    Array,
    RawValue,
    RawArray,
    Buffer,
    Queue,
    JoinableQueue,
    Pipe,
    BoundedSemaphore,
    #[cfg(test)]
    Test,
}

impl Kind {
    /// Whether an object of this kind is of use only while others have it, too, who are told when they are the last.
    pub(super) fn has_parties(kind: u32) -> bool {
        let kinds = [
            Kind::Queue,
            Kind::JoinableQueue,
            Kind::Pipe,
            #[cfg(test)]
            Kind::Test,
        ];
        kinds.map(|one| one as u32).contains(&kind)
    }

    /// What a person calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Lock => "Lock",
            Kind::RLock => "RLock",
            Kind::RwLock => "RwLock",
            Kind::Semaphore => "Semaphore",
            Kind::Condition => "Condition",
            Kind::Event => "Event",
            Kind::Barrier => "Barrier",
            Kind::Value => "Value",
            Kind::Atomic => "Atomic",
            Kind::Array => "Array",
            Kind::RawValue => "RawValue",
            Kind::RawArray => "RawArray",
            Kind::Buffer => "Buffer",
            Kind::Queue => "Queue",
            Kind::JoinableQueue => "JoinableQueue",
            Kind::Pipe => "pipe",
            Kind::BoundedSemaphore => "BoundedSemaphore",
            #[cfg(test)]
            Kind::Test => "Test",
        }
    }
}

/// Types that may be laid over the body of an object.
///
/// # Safety
/// `#[repr(C)]`, nothing but atomics (any bytes are a value of it, others may change them at any time), aligned to 64 at
/// most, and meaningful as zeroes.
pub(crate) unsafe trait Body: Sync + 'static {}

/// Where an object is, and which of those that have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) id: u64,
}

/// Who holds an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Process(SlotId),
    /// A message of this process's, or of the session's where it is the root's.
    Message(SlotId),
}

/// How many holders stand in the head.
const HOLDERS: usize = 6;

/// Two cache lines: what seldom changes, and what every taking and giving back of a hold changes.
#[repr(C, align(64))]
pub(super) struct Head {
    kind: AtomicU32,
    /// Chunks were ever made for one of its rolls.
    chunked: AtomicU32,
    /// 0 while it is made; the id with LIVE; the undertaker's slot and half of the id with DYING.
    state: AtomicU64,
    id: AtomicU64,
    mark: AtomicU64,
    bytes: AtomicU64,
    /// Where a holder was seen last, and where an entry was taken last; hints.
    seen: AtomicU32,
    taken: AtomicU32,
    /// Changes when a process that held it was buried, and where `watched` says so when a hold is taken or given back.
    parties: AtomicU32,
    /// The count of `parties` at which somebody sleeps, and 1; only forward.
    watched: AtomicU32,
    spare: AtomicU64,
    /// Holds taken so far.
    acquired: AtomicU64,
    holders: Roll<HOLDERS>,
}

/// The bytes before the body.
pub(crate) const HEAD: usize = size_of::<Head>();
const _: () = assert!(HEAD.is_multiple_of(64));

const LIVE: u64 = 1;
const DYING: u64 = 2;
const STATE_BITS: u32 = 2;
/// In an entry: the rest is the packed slot of a process.
const PROCESS: u64 = 1 << 63;
/// In an entry: no party any more, but not yet done with the object.
const LEAVING: u64 = 1 << 62;

fn live(id: u64) -> u64 {
    id << STATE_BITS | LIVE
}

fn dying(id: u64, undertaker: SlotId) -> u64 {
    id >> 31 << 33 | u64::from(undertaker.pack()) << STATE_BITS | DYING
}

/// The word by which a process holds an object.
pub(super) fn process_entry(process: SlotId) -> u64 {
    PROCESS | u64::from(process.pack())
}

/// An object's head, looked up and checked.
#[derive(Clone, Copy)]
pub(super) struct Object<'h> {
    heap: &'h Heap,
    head: &'h Head,
    place: Place,
    size: usize,
}

impl<'h> Object<'h> {
    /// The object at an offset, if one is there.
    pub(super) fn at(heap: &'h Heap, offset: u64) -> Result<Object<'h>, Error> {
        let none = || {
            let text = format!("no shared object is at offset {offset:#x} of the heap (any more)");
            Error::new(error::Kind::Protocol, text)
        };
        let (managed, size) = heap.allocator.management(offset).map_err(|_| none())?;
        if !managed || size < HEAD + tail::BYTES {
            return Err(none());
        }
        if Tail::of(heap, offset, size)?.kind() != tail::OBJECT {
            return Err(none());
        }
        let base = heap.at(offset, size)?;
        // SAFETY: the block is inside the mapping, which is never unmapped, aligned to 64, and large enough; a head is
        // nothing but atomics.
        let head: &Head = unsafe { base.cast().as_ref() };
        let id = head.id.load(Ordering::Acquire);
        let place = Place { offset, id };
        Ok(Object {
            heap,
            head,
            place,
            size,
        })
    }

    /// The object with this id.
    pub(super) fn with_id(heap: &'h Heap, place: Place) -> Result<Object<'h>, Error> {
        let object = Object::at(heap, place.offset)?;
        if object.place.id == place.id
            && object.head.state.load(Ordering::Acquire) == live(place.id)
        {
            Ok(object)
        } else {
            let text = "the shared object has been freed: nobody held it any more";
            Err(Error::new(error::Kind::Protocol, text))
        }
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn kind(&self) -> u32 {
        self.head.kind.load(Ordering::Relaxed)
    }

    pub(super) fn mark(&self) -> u64 {
        self.head.mark.load(Ordering::Relaxed)
    }

    /// Where the body is, and how many bytes it has.
    pub(super) fn body(&self) -> Result<(NonNull<u8>, usize), Error> {
        let most = self.size - HEAD - tail::BYTES;
        let bytes = self.head.bytes.load(Ordering::Relaxed);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).min(most);
        let base = self.heap.at(self.place.offset + HEAD as u64, bytes)?;
        Ok((base, bytes))
    }

    /// Makes an object that this process holds; gives its place and the entry of that hold. `init` fills in the body,
    /// which may hold anything before.
    pub(super) fn make(
        heap: &'h Heap,
        kind: Kind,
        mark: u64,
        bytes: usize,
        id: u64,
        init: impl FnOnce(NonNull<u8>) -> Result<(), Error>,
    ) -> Result<(Object<'h>, u32), Error> {
        let size = bytes
            .checked_add(HEAD + tail::BYTES)
            .ok_or_else(|| Error::new(error::Kind::HeapFull, "larger than any shared heap"))?;
        let block = heap.allocator.alloc(size, 64)?;
        let fill = || {
            let tail = Tail::of(heap, block.offset, block.size)?;
            let head_words = tail.words().iter().take(HEAD / 8);
            head_words.for_each(|word| word.store(0, Ordering::Relaxed));
            let base = heap.at(block.offset, block.size)?;
            // SAFETY: as in `at`; the block is ours alone.
            let head: &Head = unsafe { base.cast().as_ref() };
            head.kind.store(kind as u32, Ordering::Relaxed);
            head.id.store(id, Ordering::Relaxed);
            head.mark.store(mark, Ordering::Relaxed);
            head.bytes.store(bytes as u64, Ordering::Relaxed);
            // SAFETY: the body lies behind the head, inside the block.
            init(unsafe { base.add(HEAD) })?;
            let place = Place {
                offset: block.offset,
                id,
            };
            let me = process_entry(heap.me());
            let entry = head.holders.claim(heap, place, me, 0)?;
            head.acquired.store(1, Ordering::Relaxed);
            head.state.store(live(id), Ordering::Release);
            stored("object state");
            tail.write(tail::OBJECT);
            heap.announce_objects();
            // From this store on it belongs to the session, and goes when its holders go.
            heap.allocator.manage(block.offset, ROOT)?;
            stored("object");
            let object = Object {
                heap,
                head,
                place,
                size: block.size,
            };
            Ok((object, entry))
        };
        fill().inspect_err(|_| drop(heap.allocator.free(block.offset)))
    }

    /// Takes a hold in the name of `word`; gives its entry.
    pub(super) fn hold(&self, word: u64) -> Result<u32, Error> {
        let from = self.head.taken.load(Ordering::Relaxed);
        let entry = self.head.holders.claim(self.heap, self.place, word, from)?;
        self.taken(entry);
        Ok(entry)
    }

    /// As `hold`, where the entry must be written down in `note` before it is taken.
    pub(super) fn hold_noted(&self, word: u64, note: impl Fn(u32)) -> Result<(), Error> {
        let from = self.head.taken.load(Ordering::Relaxed);
        loop {
            let holders = &self.head.holders;
            for (index, entry) in holders.entries_from(self.heap, self.place, from) {
                if entry.load(Ordering::Relaxed) != 0 {
                    continue;
                }
                note(index);
                stored("carried");
                if entry
                    .compare_exchange(0, word, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
                {
                    stored("entry");
                    self.taken(index);
                    return Ok(());
                }
            }
            holders.grow(self.heap, self.place)?;
        }
    }

    fn taken(&self, entry: u32) {
        self.head.acquired.fetch_add(1, Ordering::AcqRel);
        stored("acquired");
        if self.head.taken.load(Ordering::Relaxed) != entry {
            self.head.taken.store(entry, Ordering::Relaxed);
        }
        self.tell(false);
    }

    /// Tells those who watch that there is another party, or one less; by somebody whose entry keeps the object. `always` changes
    /// the word even if nobody watches.
    fn tell(&self, always: bool) {
        let (parties, watched) = (&self.head.parties, &self.head.watched);
        fence(Ordering::SeqCst);
        let count = parties.load(Ordering::SeqCst);
        if watched.load(Ordering::SeqCst) == count.wrapping_add(1) {
            futex::change_and_wake(parties, Change::Add(1));
        } else if always {
            let count = parties.fetch_add(1, Ordering::SeqCst);
            if watched.load(Ordering::SeqCst) == count.wrapping_add(1) {
                futex::wake_all(parties);
            }
        }
    }

    /// The word that is changed and woken from now on when the parties change, and what it holds. Look at them after this.
    pub(super) fn watch(&self) -> (&'h AtomicU32, u32) {
        let (parties, watched) = (&self.head.parties, &self.head.watched);
        loop {
            let said = watched.load(Ordering::SeqCst);
            let seen = parties.load(Ordering::SeqCst);
            // What stands there is of a count that is over: it is never ahead.
            let mine = seen.wrapping_add(1);
            if said == mine
                || watched
                    .compare_exchange(said, mine, Ordering::SeqCst, Ordering::Relaxed)
                    .is_ok()
            {
                stored("watched");
                fence(Ordering::SeqCst);
                return (parties, seen);
            }
        }
    }

    /// Changes with every process that held it and was buried.
    pub(super) fn deaths(&self) -> u32 {
        self.head.parties.load(Ordering::Acquire)
    }

    /// Whether `word` has the hold in `entry`.
    pub(super) fn is_held(&self, entry: u32, word: u64) -> bool {
        let entry = self.head.holders.get(self.heap, self.place, entry);
        entry.is_some_and(|entry| entry.load(Ordering::Acquire) == word)
    }

    /// Gives the hold in `entry` back if `word` has it; whether it had.
    pub(super) fn let_go(&self, entry: u32, word: u64) -> bool {
        let entry = self.head.holders.get(self.heap, self.place, entry);
        let given = entry.is_some_and(|entry| self.leave(entry, word, false));
        stored("let go");
        given
    }

    /// In two steps: others are told while the entry still keeps the object. Goes on where one was killed between them.
    fn leave(&self, entry: &AtomicU64, word: u64, always: bool) -> bool {
        let change = |from, to| {
            entry
                .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        };
        if !change(word, word | LEAVING) && entry.load(Ordering::Acquire) != word | LEAVING {
            return false;
        }
        stored("leaving");
        self.tell(always);
        change(word | LEAVING, 0)
    }

    /// Gives back all holds of a process that is gone.
    pub(super) fn let_go_all(&self, word: u64) {
        for (_, entry) in self.head.holders.entries(self.heap, self.place) {
            if entry.load(Ordering::Acquire) & !LEAVING == word {
                self.leave(entry, word, true);
            }
        }
    }

    /// Who holds it just now, and how many holds were ever taken.
    pub(super) fn parties(&self) -> (Vec<Party>, u64) {
        let party = |(_, entry): (u32, &AtomicU64)| match entry.load(Ordering::Acquire) {
            0 => None,
            word if word & LEAVING != 0 => None,
            word if word & PROCESS != 0 => {
                SlotId::unpack((word & !PROCESS) as u32).map(Party::Process)
            }
            message => self.heap.owner(message).ok().map(Party::Message),
        };
        loop {
            // As in `is_abandoned`: nobody is missed who takes a hold while another lets go.
            let acquired = self.head.acquired.load(Ordering::Acquire);
            let entries = self.head.holders.entries(self.heap, self.place);
            let parties = entries.filter_map(party).collect();
            fence(Ordering::SeqCst);
            if self.head.acquired.load(Ordering::Acquire) == acquired {
                return (parties, acquired);
            }
        }
    }

    /// Whether nobody holds it, now and for ever.
    fn is_abandoned(&self) -> bool {
        loop {
            let acquired = self.head.acquired.load(Ordering::Acquire);
            let from = self.head.seen.load(Ordering::Relaxed);
            let held = self
                .head
                .holders
                .entries_from(self.heap, self.place, from)
                .find(|(_, entry)| entry.load(Ordering::Acquire) != 0);
            if let Some((index, _)) = held {
                if index != from {
                    self.head.seen.store(index, Ordering::Relaxed);
                }
                return false;
            }
            fence(Ordering::SeqCst);
            if self.head.acquired.load(Ordering::Acquire) == acquired {
                return true;
            }
        }
    }

    /// Frees it if nobody holds it any more.
    pub(super) fn reap(&self, undertaker: &mut Undertaker<'_>) {
        if !self.is_abandoned() {
            return;
        }
        let to = dying(self.place.id, self.heap.me());
        let won = self.head.state.compare_exchange(
            live(self.place.id),
            to,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if won.is_ok() {
            stored("dying");
            self.bury(undertaker);
        }
    }

    /// Goes on with the end of an object whose undertaker is gone.
    pub(super) fn reap_after(&self, dead: SlotId, undertaker: &mut Undertaker<'_>) {
        let id = self.place.id;
        let taken_over = self.head.state.compare_exchange(
            dying(id, dead),
            dying(id, self.heap.me()),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if taken_over.is_ok() {
            self.bury(undertaker);
        }
    }

    fn bury(&self, undertaker: &mut Undertaker<'_>) {
        undertaker.destroy(self);
        if self.head.chunked.load(Ordering::Acquire) != 0 {
            free_chunks(self.heap, self.place);
        }
        let _ = self.heap.allocator.free(self.place.offset);
    }
}

/// Notes that chunks may stand behind the object's rolls.
pub(super) fn announce_chunks(heap: &Heap, of: Place) -> Result<(), Error> {
    let base = heap.at(of.offset, HEAD)?;
    // SAFETY: as in `Object::at`; who adds a chunk holds the object, or is making it.
    let head: &Head = unsafe { base.cast().as_ref() };
    head.chunked.store(1, Ordering::Release);
    Ok(())
}

/// Frees all chunks of an object, linked or not.
fn free_chunks(heap: &Heap, of: Place) {
    for (offset, size, _) in heap.allocator.managed() {
        if let Ok(words) = Tail::of(heap, offset, size)
            && words.kind() == tail::CHUNK
            && roll::belongs(words.words(), of)
        {
            let _ = heap.allocator.free(offset);
        }
    }
}
