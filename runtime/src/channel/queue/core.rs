#![allow(unsafe_code)]
//! What a queue is in the shared heap: two ends, each with a lock and a count of its own, and the ring between them.
//!
//! Relies on `ring`, on the lock word of `sync`, and on the objects of the heap. Everything stands in one object, the first ring
//! included; larger rings are annexes.
//!
//! | word | written by |
//! |---|---|
//! | `tail` | who holds `put.lock`: + 1 is the commit of a put. Getters sleep on it |
//! | `head` | who holds `get.lock`: + 1 is the commit of a get. Putters sleep on it |
//! | `spots[n % 2]` of an end | who holds its lock, before the commit that makes its count `n` |
//! | `seen` of `put` | who holds `put.lock`: where the other end was seen last, so that its line is fetched rarely |
//! | `pending` of `get` | who holds `get.lock`: whose attempt at which item comes next |
//! | `seen` of `get` | who holds `get.lock`: a `tail` that there was, so that it is looked at only when all of that is taken |
//! | `waits` of an end | who is about to sleep for its other end: the count at which it sleeps |
//! | `growing` | who holds `put.lock`: a ring that is made and not linked by a commit yet is freed by the next putter |
//! | `closed` | 1, once |
//! | `most`, `most_bytes`, `joinable`, `on_death`, `sum` | who makes it, once; `sum` is made of the others |
//!
//! **One store.** A count is 32 bits, so that it can be slept on, and changed and woken in one system call. Where its end
//! stands in the ring (which ring, where in it, the number of the item in 64 bits, bytes in blocks) is in the spot of the
//! count's parity, which nobody reads before the commit, and which is written again only after the next one. Whoever
//! reads the spot of the other end reads the count again afterwards.
//!
//! **Nobody sleeps through.** Who sleeps has written the count at which it does so into `waits` (only forward), then a full
//! barrier, then looked again; and it sleeps on the life of who holds the lock just then, too. Who moves the count from there
//! looks at `waits` before (then it moves and wakes in one step) and after. A process killed between its store and its wake-up
//! either had the lock when the sleeper looked, or had seen the sleeper.
//!
//! **Who writes where it must not.** Whatever stands here is believed only as far as it does no harm: places and lengths are looked at before
//! they are used. Who would wait, or go on, without end on the word of what stands here looks first whether the words contradict
//! each other ([`Core::check`]; `get::Skips`; the lock of an end, see `sync::word`), and then gives an error.
//!
//! **Who died.** A putter that is killed before the commit leaves a record that nobody counts; a block it may have given to
//! the session is found by the stamp at the place where the record would be, and freed by the next putter. A getter that is
//! killed before the commit leaves `pending` at the item that comes next; if the item is still there it was not taken. If
//! its block is gone it was, and the item is lost with that getter (see `takers`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::held;
use super::takers::{SPARE, Words};
use crate::channel::lane::Line;
use crate::channel::message::Named;
use crate::channel::ring::{Ring, Sort, broken};
use crate::channel::room::UNIT;
use crate::error::Error;
use crate::heap::{Body, Destructor, Dying, Handle, Heap, ObjectKind, Place, Roll, Undertaker};
use crate::sync::Word;

/// The bytes of the ring inside the object.
const FIRST_RING: usize = 16 << 10;
/// The bits of a ring's word that say how large it is: each class is four times the one before, up to 1 MiB.
pub(super) const CLASS: u64 = 63;
const LARGEST_CLASS: u64 = 3;

/// The bytes of the ring that a word names.
#[inline]
pub(super) fn ring_bytes(ring: u64) -> usize {
    FIRST_RING << (2 * (ring & CLASS).min(LARGEST_CLASS))
}

/// The class of the ring that follows one.
pub(super) fn next_class(ring: u64) -> u64 {
    ((ring & CLASS) + 1).min(LARGEST_CLASS)
}

/// The units of a record that names the next ring.
pub(super) const LINK: u32 = 2;

/// Where an end stands, at the count of its parity.
#[repr(C)]
pub(super) struct SpotWords {
    ring: AtomicU64,
    at: AtomicU64,
    number: AtomicU64,
    bytes: AtomicU64,
}

/// The same, read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// 0 is the ring in the object, else an annex and its size class.
    pub(super) ring: u64,
    pub(super) at: u32,
    /// Of the item that comes next.
    pub(super) number: u64,
    /// Bytes in blocks, of all items before.
    pub(super) bytes: u64,
}

impl SpotWords {
    #[inline]
    fn read(&self) -> Spot {
        Spot {
            ring: self.ring.load(Ordering::Relaxed),
            at: self.at.load(Ordering::Relaxed) as u32,
            number: self.number.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    #[inline]
    fn write(&self, spot: Spot) {
        self.ring.store(spot.ring, Ordering::Relaxed);
        self.at.store(u64::from(spot.at), Ordering::Relaxed);
        self.number.store(spot.number, Ordering::Relaxed);
        self.bytes.store(spot.bytes, Ordering::Relaxed);
    }
}

/// One end.
#[repr(C, align(64))]
pub(super) struct End {
    /// Alone in its line: the other end looks at it all the time.
    line: Line<AtomicU32>,
    pub(super) lock: Word,
    /// For `put`: where the other end was seen, as `seen`. For `get`: `pending`, in the first two, and `seen`.
    pub(super) own: [AtomicU64; 3],
    spots: [SpotWords; 2],
    /// The count at which somebody sleeps for it to change.
    pub(super) waits: Line<AtomicU32>,
}

impl End {
    #[inline]
    pub(super) fn count(&self) -> &AtomicU32 {
        &self.line.0
    }

    /// For `get`: as many items as there were at some time. Never behind the count, which is what it was if nothing is known.
    #[inline]
    pub(super) fn seen(&self) -> &AtomicU64 {
        &self.own[2]
    }

    /// Where this end stands; by who holds its lock.
    #[inline]
    pub(super) fn spot(&self, count: u32) -> Spot {
        self.spots[count as usize % 2].read()
    }

    /// Where it will stand after the commit of `count`.
    #[inline]
    pub(super) fn prepare(&self, count: u32, spot: Spot) {
        self.spots[count as usize % 2].write(spot);
    }

    /// Where it stands, and its count, by anybody.
    pub(super) fn look(&self) -> (u32, Spot) {
        loop {
            let count = self.count().load(Ordering::Acquire);
            let spot = self.spot(count);
            std::sync::atomic::fence(Ordering::Acquire);
            if self.count().load(Ordering::Relaxed) == count {
                return (count, spot);
            }
        }
    }
}

#[repr(C)]
pub(super) struct Core {
    /// The most items, and the most bytes in blocks; 0 is no limit. Written by who makes it, as the next two.
    pub(super) most: AtomicU64,
    pub(super) most_bytes: AtomicU64,
    /// Items are held by their getters until they are done.
    pub(super) joinable: AtomicU32,
    /// What becomes of what a dead getter holds.
    pub(super) on_death: AtomicU32,
    /// Of the four before: whether they are as they were written.
    sum: AtomicU64,
    /// The ring that was linked last, or is about to be; by who holds `put.lock`.
    pub(super) growing: AtomicU64,
    pub(super) closed: Line<AtomicU32>,
    /// For a joinable queue: changes when an item is done, and whether somebody sleeps on that.
    pub(super) done: Line<[AtomicU32; 2]>,
    pub(super) put: End,
    pub(super) get: End,
    /// Who takes: see `takers`. For a joinable queue: what is held.
    pub(super) takers: Roll<SPARE>,
    pub(super) spare: [Words; SPARE],
    pub(super) held: Roll<8>,
    ring: Line<[AtomicU64; FIRST_RING / UNIT]>,
}

// SAFETY: nothing but atomics, in C layout, aligned to 64.
unsafe impl Body for Core {}

/// What a queue is made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) kind: ObjectKind,
    pub(super) most: u64,
    pub(super) most_bytes: u64,
    pub(super) joinable: bool,
    pub(super) on_death: u32,
}

impl Core {
    pub(super) fn make(heap: &'static Heap, mark: u64, plan: Plan) -> Result<Handle, Error> {
        Handle::make_zeroed::<Core>(heap, plan.kind, mark, |core| {
            core.most.store(plan.most, Ordering::Relaxed);
            core.most_bytes.store(plan.most_bytes, Ordering::Relaxed);
            core.joinable
                .store(u32::from(plan.joinable), Ordering::Relaxed);
            core.on_death.store(plan.on_death, Ordering::Relaxed);
            core.sum.store(core.plan().1, Ordering::Relaxed);
            // Nobody sleeps at the count 0.
            core.put.waits.0.store(u32::MAX, Ordering::Relaxed);
            core.get.waits.0.store(u32::MAX, Ordering::Relaxed);
        })
    }

    /// The ring that a word in a spot names: 0 is the first one, else the offset of an annex (a multiple of 64) and its size
    /// class. `known` is the word that this handle has looked up last, at this end: as long as a spot names it, it is there.
    #[inline]
    pub(super) fn ring_at(
        &self,
        heap: &Heap,
        place: Place,
        ring: u64,
        known: &AtomicU64,
    ) -> Result<Ring, Error> {
        let bytes = ring_bytes(ring);
        let base = if ring == 0 {
            std::ptr::NonNull::from(&self.ring.0).cast::<u8>()
        } else {
            let offset = ring & !CLASS;
            if known.load(Ordering::Relaxed) != ring {
                if heap.annex_of(place, offset)?.bytes < bytes {
                    return Err(broken("a ring that is smaller than it is said to be"));
                }
                known.store(ring, Ordering::Relaxed);
            }
            heap.at(offset.saturating_add(Heap::ANNEX_HEAD as u64), bytes)?
        };
        // SAFETY: the memory is this object's, for as long as it is held; aligned, never unmapped, and reached as a ring only
        // (through atomics and raw copies: the reference it comes from is to atomics).
        Ok(unsafe { Ring::over(base, (bytes / UNIT) as u32) })
    }

    /// What stands in the four words, and the sum of it.
    fn plan(&self) -> ([u64; 4], u64) {
        let words = [
            self.most.load(Ordering::Relaxed),
            self.most_bytes.load(Ordering::Relaxed),
            u64::from(self.joinable.load(Ordering::Relaxed)),
            u64::from(self.on_death.load(Ordering::Relaxed)),
        ];
        let mix = |sum: u64, word: &u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let sum = words.iter().fold(!0, |sum, word| {
            let sum = mix(sum, word);
            sum ^ sum >> 32
        });
        (words, sum)
    }

    /// The most items, and the most bytes in blocks, for who is about to wait for them.
    ///
    /// # Errors
    /// What it was made with has been written over.
    #[cold]
    pub(super) fn bounds(&self) -> Result<[u64; 2], Error> {
        let ([most, most_bytes, ..], sum) = self.plan();
        if self.sum.load(Ordering::Relaxed) != sum {
            return Err(broken("a bound that the queue was not made with"));
        }
        Ok([most, most_bytes])
    }

    /// By who finds it full: whether that can be so.
    ///
    /// # Errors
    /// As [`bounds`](Self::bounds), or more is said to be in it than that allows.
    #[cold]
    pub(super) fn check(&self, open: u32) -> Result<(), Error> {
        let [most, _] = self.bounds()?;
        if most != 0 && u64::from(open) > most {
            return Err(broken("more items than it may hold"));
        }
        Ok(())
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.0.load(Ordering::Acquire) != 0
    }

    /// How many items are in it: exact at one moment of the call.
    pub(super) fn len(&self) -> usize {
        loop {
            let head = self.get.count().load(Ordering::SeqCst);
            let tail = self.put.count().load(Ordering::SeqCst);
            // Neither has moved between the two looks, or only `tail` has, behind the first.
            if self.get.count().load(Ordering::SeqCst) == head {
                return tail.wrapping_sub(head) as usize;
            }
        }
    }
}

inventory::submit! { Destructor { kind: ObjectKind::Queue, run: end } }
inventory::submit! { Destructor { kind: ObjectKind::JoinableQueue, run: end } }

/// Frees the messages that nobody has taken, and those that somebody held. May be begun again by another after a kill.
fn end(undertaker: &mut Undertaker<'_>, dying: &Dying<'_>) {
    let (heap, place) = (dying.heap(), dying.place());
    let Some(core) = dying.body::<Core>() else {
        return;
    };
    for (_, entry) in core.held.entries(heap, place) {
        if let Some(named) = held::named_by(heap, place.id, entry.load(Ordering::Acquire)) {
            let _ = undertaker.free(named.offset());
        }
    }
    let (head, mut spot) = core.get.look();
    let (tail, _) = core.put.look();
    let mut left = tail.wrapping_sub(head);
    // Counts may have been written over, and links lead in a circle: each ring is walked through once, and has as many items as fit.
    let mut rings = HashSet::from([spot.ring]);
    let mut in_ring = 0;
    // What a putter was about when it was killed stands behind the last.
    let mut behind = left == 0;
    let known = AtomicU64::new(0);
    while let Ok(ring) = core.ring_at(heap, place, spot.ring, &known) {
        let Ok(record) = ring.record_at(spot.at) else {
            break;
        };
        if record.sort == Sort::Link {
            match record.words() {
                Ok([next]) if rings.insert(next) => {
                    in_ring = 0;
                    spot.ring = next;
                    spot.at = 0;
                    continue;
                }
                _ => break,
            }
        }
        if record.sort == Sort::Block
            && let Ok(named) = record.words().map(Named::of)
            && named.is_there(heap, place.id)
            && (!behind || named.number == spot.number)
        {
            let _ = undertaker.free(named.offset());
        }
        in_ring += 1;
        if behind || in_ring > ring.units() {
            break;
        }
        left = left.saturating_sub(1);
        behind = left == 0;
        spot.at = record.next;
        spot.number = spot.number.wrapping_add(1);
    }
}
