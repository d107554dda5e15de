#![allow(unsafe_code)]
//! What a pipe is in the shared heap: three objects, so that it is always known whether anybody is left on either side.
//!
//! Relies on `heap` (objects, annexes) and `lane`.
//!
//! - The *core*: the words both sides look at, and the roll of lanes. Each lane is an annex of the core.
//! - Two *sides*, the senders' and the receiver's. A sender, a receiver, and every message with one inside holds its side (and
//!   the core). When nobody holds a side any more, its destructor says so in the core and wakes the other side; each side
//!   has a small block, the *carrier*, which holds the core for it until then.
//!
//! | word of the core | written by |
//! |---|---|
//! | `sides` | who makes the pipe, before anybody else sees it |
//! | `state` | SENDERS_GONE, RECEIVER_GONE by the destructors of the sides, once; everybody sleeps on it |
//! | `bell` | + 2 by who rings it, by the call that wakes the receiver |
//! | `asleep` | while the receiver sleeps, the `bell` on which it does so, + 1; cleared by it, and by who has rung that bell |
//! | `lanes` | an entry by the sender that has made the lane; cleared by the receiver that has emptied it after its end |
//! | `changes` | + 1 by whoever has made or ended a lane, before the bell |
//! | `epoch` | odd while a process has the receiver, even while it is on its way; + 1 by who sends it away and who takes it in |
//!
//! A lane's `owner` is the process that puts, its `over` is 1 when that sender has let go. A receiver that finds the
//! owner wholly gone takes the lane for over, whatever the word says. So a lane's end is its sender's end, however it came.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::channel::lane::{Line, Words};
use crate::channel::message::{INLINE, Named};
use crate::channel::ring::{Ring, Sort, broken};
use crate::channel::room::UNIT;
use crate::error::{Error, Kind};
use crate::heap::{
    Annex, Body, Destructor, Dying, Handle, Heap, ObjectKind, Place, ROOT, Roll, Undertaker,
};
use crate::sys::futex::{self, Change};
use crate::sys::points::stored;

/// Nobody can send any more.
pub(super) const SENDERS_GONE: u32 = 1;
/// Nobody can receive any more.
pub(super) const RECEIVER_GONE: u32 = 2;

const CORE: u64 = 1;
/// The two sides, by the bit that says they are gone.
const SENDERS: u64 = 2;
const RECEIVER: u64 = 3;

/// The whole block of a lane.
const LANE_BYTES: usize = 256 << 10;
/// A receiver takes no more lanes than this.
pub(super) const MOST_LANES: usize = 1 << 16;

#[repr(C)]
pub(super) struct Core {
    role: AtomicU64,
    /// Place and id of the senders' side, then of the receiver's.
    sides: [AtomicU64; 4],
    pub(super) epoch: AtomicU64,
    pub(super) state: Line<AtomicU32>,
    pub(super) bell: Line<[AtomicU32; 2]>,
    pub(super) changes: Line<AtomicU32>,
    pub(super) lanes: Roll<9>,
}

// SAFETY: nothing but atomics, in C layout, aligned to 64.
unsafe impl Body for Core {}

/// The body of a side.
#[repr(C)]
struct Side {
    role: AtomicU64,
    core: AtomicU64,
    carrier: AtomicU64,
}

// SAFETY: nothing but atomics, in C layout.
unsafe impl Body for Side {}

impl Core {
    /// Wakes the receiver if it sleeps. A light barrier at least stands between what it shall see and this.
    #[inline]
    pub(super) fn ring_bell(&self) {
        let asleep = self.bell.0[1].load(Ordering::SeqCst);
        if asleep != 0 {
            self.strike(asleep);
        }
    }

    /// One that is stopped or killed in here holds nobody up: all others ring, too, until one of them has.
    #[cold]
    fn strike(&self, said: u32) {
        let [bell, asleep] = &self.bell.0;
        futex::change_and_wake(bell, Change::Add(2));
        stored("pipe: bell");
        // Not what it has said since: that is of a later bell, which has not been rung.
        let _ = asleep.compare_exchange(said, 0, Ordering::SeqCst, Ordering::Relaxed);
        stored("pipe: asleep");
    }

    /// Says that the lanes are others than before, and wakes the receiver.
    pub(super) fn lanes_changed(&self) {
        self.changes.0.fetch_add(1, Ordering::SeqCst);
        stored("pipe: changes");
        self.ring_bell();
    }

    fn end_of(&self, bit: u32) {
        self.state.0.fetch_or(bit, Ordering::SeqCst);
        stored("pipe: state");
        futex::wake_all(&self.state.0);
    }

    #[inline]
    pub(super) fn is(&self, bit: u32) -> bool {
        self.state.0.load(Ordering::Acquire) & bit != 0
    }

    /// Where the side is on which the other end stands.
    pub(super) fn side(&self, bit: u32) -> Place {
        let at = if bit == SENDERS_GONE { 0 } else { 2 };
        Place {
            offset: self.sides[at].load(Ordering::Relaxed),
            id: self.sides[at + 1].load(Ordering::Relaxed),
        }
    }
}

/// Makes a pipe for messages of the type that `mark` stands for: the core, the senders' side, the receiver's side.
pub(super) fn make(heap: &'static Heap, mark: u64) -> Result<[Handle; 3], Error> {
    let core = Handle::make_zeroed::<Core>(heap, ObjectKind::Pipe, mark, |body| {
        body.role.store(CORE, Ordering::Relaxed);
        body.epoch.store(1, Ordering::Relaxed);
    })?;
    let side = |role: u64| {
        // The block is ours until the side names it, and the side's from then on.
        let carrier = heap.alloc(64, 64)?;
        let made = heap
            .carry(carrier.offset, core.place(), false)
            .and_then(|_| {
                Handle::make_zeroed::<Side>(heap, ObjectKind::Pipe, role, |side| {
                    side.role.store(role, Ordering::Relaxed);
                    side.core.store(core.place().offset, Ordering::Relaxed);
                    side.carrier.store(carrier.offset, Ordering::Relaxed);
                })
            });
        let side = made.inspect_err(|_| drop(heap.free(carrier.offset)))?;
        carrier_stamp(heap, carrier.offset)?.store(side.place().id, Ordering::Relaxed);
        heap.give(carrier.offset, ROOT)?;
        stored("pipe: carrier");
        Ok::<Handle, Error>(side)
    };
    let (senders, receiver) = (side(SENDERS)?, side(RECEIVER)?);
    let places = [senders.place(), receiver.place()];
    let body: &Core = core.body();
    for (words, place) in body.sides.chunks(2).zip(places) {
        words[0].store(place.offset, Ordering::Relaxed);
        words[1].store(place.id, Ordering::Release);
    }
    Ok([core, senders, receiver])
}

/// The marks of the sides, for decoding.
pub(super) const fn side_mark(bit: u32) -> u64 {
    if bit == SENDERS_GONE {
        SENDERS
    } else {
        RECEIVER
    }
}

/// The size of a side's body.
pub(super) const SIDE_BYTES: usize = size_of::<Side>();

/// The first word of a carrier: the id of the side whose it is.
fn carrier_stamp(heap: &Heap, offset: u64) -> Result<&'static AtomicU64, Error> {
    let base = heap.at(offset & !7, 8)?;
    // SAFETY: inside the mapping, which is never unmapped, and aligned; this word is an atomic to everybody.
    Ok(unsafe { base.cast().as_ref() })
}

inventory::submit! { Destructor { kind: ObjectKind::Pipe, run: end } }

/// The end of one of the three objects. May be begun again by another process after a kill.
fn end(undertaker: &mut Undertaker<'_>, dying: &Dying<'_>) {
    let Some(side) = dying.body::<Side>() else {
        return;
    };
    match side.role.load(Ordering::Relaxed) {
        CORE => end_core(undertaker, dying),
        SENDERS => end_side(undertaker, dying, side, SENDERS_GONE),
        RECEIVER => end_side(undertaker, dying, side, RECEIVER_GONE),
        _ => {}
    }
}

fn end_side(undertaker: &mut Undertaker<'_>, dying: &Dying<'_>, side: &Side, bit: u32) {
    let heap = dying.heap();
    let carrier = side.carrier.load(Ordering::Relaxed);
    let is_ours = heap.owner(carrier).is_ok_and(|owner| owner == ROOT)
        && carrier_stamp(heap, carrier)
            .is_ok_and(|stamp| stamp.load(Ordering::Relaxed) == dying.place().id);
    // Otherwise it is freed already, or will be with the process that was about to.
    if !is_ours {
        return;
    }
    let Ok(base) = heap.at(
        side.core.load(Ordering::Relaxed) + BODY_AT,
        size_of::<Core>(),
    ) else {
        return;
    };
    // SAFETY: the carrier holds the core, so its body is there; it is nothing but atomics, and aligned as all bodies are.
    let core: &Core = unsafe { base.cast().as_ref() };
    core.end_of(bit);
    if bit == SENDERS_GONE {
        core.ring_bell();
    }
    if heap.give(carrier, heap.me()).is_ok() {
        stored("pipe: carrier taken");
        let _ = undertaker.free(carrier);
    }
}

/// Frees the messages that nobody has received. The lanes are annexes, and go by themselves.
fn end_core(undertaker: &mut Undertaker<'_>, dying: &Dying<'_>) {
    let heap = dying.heap();
    let Some(core) = dying.body::<Core>() else {
        return;
    };
    for (_, entry) in core.lanes.entries(heap, dying.place()) {
        let Ok(lane) = Lane::at(heap, dying.place(), entry.load(Ordering::Acquire)) else {
            continue;
        };
        let (mut head, tail) = lane.words().rest();
        let units = lane.ring.units();
        // As many records as there can be, whatever they say.
        for _ in 0..units {
            if head == tail || head >= units || tail >= units {
                break;
            }
            let Ok(record) = lane.ring.record(head, tail) else {
                break;
            };
            if record.sort == Sort::Block
                && let Ok(named) = record.words().map(Named::of)
                && named.is_there(heap, dying.place().id)
            {
                let _ = undertaker.free(named.offset());
            }
            head = record.next;
        }
        if let Some(named) = lane.unfinished(heap, dying.place().id) {
            let _ = undertaker.free(named.offset());
        }
    }
}

/// Where the body of an object begins, from the object's own place.
const BODY_AT: u64 = Heap::OBJECT_HEAD as u64;

/// What stands before the ring of a lane.
#[repr(C)]
struct LaneHead {
    words: Words,
    /// The packed slot of the process that puts.
    owner: AtomicU32,
    /// 1 when nothing more is put.
    over: AtomicU32,
}

const LANE_HEAD: usize = size_of::<LaneHead>().next_multiple_of(64);

/// One lane, as this process maps it.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    pub(super) offset: u64,
    head: std::ptr::NonNull<LaneHead>,
    pub(super) ring: Ring,
}

// SAFETY: atomics in memory that is never unmapped, and a ring.
unsafe impl Send for Lane {}

impl Lane {
    /// Makes a lane for this process to put into, and enters it in the roll.
    pub(super) fn make(pipe: &Handle) -> Result<Lane, Error> {
        let (heap, place) = (pipe.heap(), pipe.place());
        let bytes = LANE_BYTES - Heap::ANNEX_OVERHEAD;
        let annex = heap.make_annex(place, bytes, |annex| {
            // SAFETY: the annex is large enough, aligned, and not yet anybody else's; its head is nothing but atomics.
            let head: &LaneHead = unsafe { annex.base.cast().as_ref() };
            head.words.reset();
            head.owner.store(heap.me().pack(), Ordering::Relaxed);
            head.over.store(0, Ordering::Relaxed);
        })?;
        let core: &Core = pipe.body();
        let entered = core.lanes.claim(heap, place, annex.offset, 0);
        let entered = entered.and_then(|entry| match (entry as usize) < MOST_LANES {
            true => Ok(()),
            false => {
                if let Some(word) = core.lanes.get(heap, place, entry) {
                    word.store(0, Ordering::Release);
                }
                Err(Error::new(
                    Kind::Usage,
                    format!("a pipe has {MOST_LANES} senders at most that have sent something"),
                ))
            }
        });
        if let Err(error) = entered {
            let _ = heap.free_annex(place, annex.offset);
            return Err(error);
        }
        core.lanes_changed();
        Lane::over(&annex)
    }

    /// The lane at this offset, if it is one of this pipe's.
    pub(super) fn at(heap: &Heap, pipe: Place, offset: u64) -> Result<Lane, Error> {
        Lane::over(&heap.annex_of(pipe, offset)?)
    }

    fn over(annex: &Annex) -> Result<Lane, Error> {
        let units = annex.bytes.saturating_sub(LANE_HEAD) / UNIT;
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        // One that is empty has room for every message, wherever it is.
        if (units as usize) < 4 * INLINE / UNIT {
            return Err(broken("a lane that is too small"));
        }
        // SAFETY: the ring lies behind the head, inside the annex, aligned, and is reached as a ring by everybody.
        let ring = unsafe { Ring::over(annex.base.add(LANE_HEAD), units) };
        Ok(Lane {
            offset: annex.offset,
            head: annex.base.cast(),
            ring,
        })
    }

    #[inline]
    fn head(&self) -> &LaneHead {
        // SAFETY: inside the annex, aligned, and nothing but atomics; never unmapped. Freed only by the receiver that has
        // emptied it, or with the pipe, which whoever has a `Lane` holds.
        unsafe { self.head.as_ref() }
    }

    #[inline]
    pub(super) fn words(&self) -> &Words {
        &self.head().words
    }

    pub(super) fn owner(&self) -> u32 {
        self.head().owner.load(Ordering::Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.head().over.load(Ordering::Acquire) != 0
    }

    /// The block that a sender had given to the session when it was killed, and not come to commit.
    pub(super) fn unfinished(&self, heap: &Heap, id: u64) -> Option<Named> {
        let (_, tail) = self.words().rest();
        let record = self.ring.record_at(tail).ok()?;
        if record.sort != Sort::Block {
            return None;
        }
        // What is left there of an earlier lap names a message that is no more.
        let named = record.words().map(Named::of).ok()?;
        named.is_there(heap, id).then_some(named)
    }

    /// Nothing more will be put.
    pub(super) fn end(&self) {
        self.head().over.store(1, Ordering::SeqCst);
        stored("pipe: lane over");
    }
}
