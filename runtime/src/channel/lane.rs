//! A lane: a ring with one that puts and one that gets, without a lock. Here are the two places and the order of things.
//!
//! Relies on `atomic` and on the arithmetic of `room`; the bytes are the business of those who use it, so that loom can try
//! the protocol alone.
//!
//! | word | written by | ordering |
//! |---|---|---|
//! | `tail` | the putting end, after the record | Release, and a light barrier behind it |
//! | `head` | the getting end, after it has copied the record out | Release, and a light barrier behind it |
//! | `exact` | the getting end, with every record that it has copied out; by the putting end it is moved to `head` | likewise |
//! | `taken` | the getting end, before `head` | Relaxed |
//! | `wants` | by the putting end that is about to sleep: the units that it needs; 0 by the getting end that wakes it | SeqCst |
//!
//! Both ends keep their own place privately and take the other's for a claim that must lie in the ring. The getting end shows
//! its progress late, when it has taken an eighth of the ring or when there is nothing more to take: `head` is needed
//! by nobody but an end that is out of room, and a line that is not written is not fetched. While `wants` says that somebody
//! sleeps, every record is shown at once, and the sleeper is woken as soon as what it has fits: the getting end may take
//! nothing more until the other has gone on.
//!
//! What the getting end took before that, and did not show, stands in `exact`, in a line of its own, which costs a plain store; who
//! is about to sleep moves `head` there by one exchange.
//!
//! Sleep (Dekker): the sleeper says so, then a full barrier, then looks again; the other stores its place, then a full
//! barrier, then looks whether somebody sleeps. One of the two sees the other. The sleeper pays for both barriers (`sys::fence`):
//! nobody waits for a line to arrive from the other core before it goes on to the next record.

use super::atomic::{AtomicU32, AtomicU64, Ordering, heavy, light};
use super::ring::broken;
use super::room::{self, Place, used};
use crate::error::Error;

/// Words that no other party writes share no line with these.
#[repr(C, align(64))]
pub(super) struct Line<T>(pub(super) T);

/// The shared words of a lane. All zeroes is an empty one.
#[repr(C)]
pub(super) struct Words {
    tail: Line<AtomicU32>,
    head: Line<Taken>,
    wants: Line<AtomicU32>,
    exact: Line<AtomicU32>,
}

#[repr(C)]
struct Taken {
    head: AtomicU32,
    /// Bytes of messages outside the ring that were taken so far.
    taken: AtomicU64,
}

impl Words {
    #[cfg(test)]
    #[allow(dead_code)] // by the model checker's tests, which include this file
    pub(super) fn new() -> Words {
        Words {
            tail: Line(AtomicU32::new(0)),
            head: Line(Taken {
                head: AtomicU32::new(0),
                taken: AtomicU64::new(0),
            }),
            wants: Line(AtomicU32::new(0)),
            exact: Line(AtomicU32::new(0)),
        }
    }

    /// An empty lane.
    pub(super) fn reset(&self) {
        let Taken { head, .. } = &self.head.0;
        for word in [&self.tail.0, head, &self.wants.0, &self.exact.0] {
            word.store(0, Ordering::Relaxed);
        }
        self.head.0.taken.store(0, Ordering::Relaxed);
    }

    /// What the putting end sleeps on.
    pub(super) fn head(&self) -> &AtomicU32 {
        &self.head.0.head
    }

    /// Where both stand, for who walks over what is left.
    pub(super) fn rest(&self) -> (u32, u32) {
        let head = self.head.0.head.load(Ordering::Acquire);
        (head, self.tail.0.load(Ordering::Acquire))
    }

    /// The putting end is about to sleep until there is room for `need` units ([`FOR_BYTES`]: until bytes outside the ring are
    /// taken). Gives what `head` is, and whether this is sure to be seen: if not, sleep shortly and say it again. Look
    /// again after this.
    pub(super) fn want_room(&self, need: u32) -> (u32, bool) {
        self.wants.0.store(need, Ordering::SeqCst);
        let sure = heavy();
        (self.catch_up(), sure)
    }

    /// By the putting end: moves `head` to what the getting end has taken, and gives it.
    pub(super) fn catch_up(&self) -> u32 {
        let head = self.head().load(Ordering::Acquire);
        let exact = self.exact.0.load(Ordering::Acquire);
        if exact == head {
            return head;
        }
        // The other end moves it forward only, and no further than `tail`, which stands still: never back to `head`.
        let moved = self
            .head()
            .compare_exchange(head, exact, Ordering::AcqRel, Ordering::Acquire);
        moved.map_or_else(|head| head, |_| exact)
    }

    /// Whether the putting end must be woken whatever it waits for: bytes outside the ring have been taken.
    pub(super) fn wants_any(&self) -> bool {
        self.wants.0.load(Ordering::SeqCst) != 0 && self.wants.0.swap(0, Ordering::SeqCst) != 0
    }

    /// Whether the putting end must be woken; asked once after every move of `head`.
    #[inline]
    fn wants_room(&self, units: u32, head: u32) -> bool {
        let need = self.wants.0.load(Ordering::SeqCst);
        need != 0 && self.has_room(units, head, need) && self.wants_any()
    }

    /// Whether the sleeper's record fits. It has moved `tail` before it said that it sleeps.
    #[cold]
    fn has_room(&self, units: u32, head: u32, need: u32) -> bool {
        let tail = self.tail.0.load(Ordering::Acquire);
        tail >= units || need < units && room::place(units, head, tail, need).is_some()
    }
}

/// What [`Words::want_room`] is told by who has room in the ring: more than any ring has.
pub(super) const FOR_BYTES: u32 = u32::MAX;

/// The putting end.
#[derive(Debug)]
pub(super) struct PutEnd {
    units: u32,
    tail: u32,
    /// Where `head` was seen last.
    head: u32,
    /// Bytes of messages outside the ring that were put so far.
    sent: u64,
}

impl PutEnd {
    /// Of an empty lane.
    pub(super) fn new(units: u32) -> PutEnd {
        PutEnd {
            units,
            tail: 0,
            head: 0,
            sent: 0,
        }
    }

    /// Room for a record of so many units where it needs no look at what the other end has taken, and no pad: where it goes, and
    /// where `tail` goes.
    #[inline(always)]
    pub(super) fn quick_place(&self, need: u32) -> Option<(u32, u32)> {
        let free = match self.tail < self.head {
            true => self.head - self.tail,
            false => self.units - self.tail,
        };
        (need < free).then_some((self.tail, self.tail + need))
    }

    /// Room for a record of so many units, if there is.
    #[inline]
    pub(super) fn place(&mut self, words: &Words, need: u32) -> Result<Option<Place>, Error> {
        match room::place(self.units, self.head, self.tail, need) {
            Some(place) => Ok(Some(place)),
            None => self.look_for(words, need),
        }
    }

    #[cold]
    fn look_for(&mut self, words: &Words, need: u32) -> Result<Option<Place>, Error> {
        let head = words.head.0.head.load(Ordering::Acquire);
        if head >= self.units {
            return Err(broken("a place outside the ring"));
        }
        self.head = head;
        Ok(room::place(self.units, head, self.tail, need))
    }

    /// Whether `bytes` more outside the ring keep within `limit`; one message always does.
    pub(super) fn may_send(&self, words: &Words, bytes: u64, limit: u64) -> bool {
        let taken = words.head.0.taken.load(Ordering::Acquire);
        let open = self.sent.wrapping_sub(taken);
        open == 0 || open.saturating_add(bytes) <= limit
    }

    /// The record at `place` is written: it stands from this store on. A light barrier stands behind it.
    #[inline]
    pub(super) fn commit(&mut self, words: &Words, next: u32) {
        self.tail = next;
        words.tail.0.store(next, Ordering::Release);
        light();
    }

    /// Counts bytes outside the ring; before the record is committed.
    pub(super) fn count(&mut self, bytes: u64) {
        self.sent = self.sent.wrapping_add(bytes);
    }
}

/// The getting end.
#[derive(Debug)]
pub(super) struct GetEnd {
    units: u32,
    head: u32,
    /// Where `tail` was seen last.
    tail: u32,
    /// What `head` in the lane says.
    shown: u32,
}

impl GetEnd {
    /// Of a lane that another getting end may have served before.
    pub(super) fn new(words: &Words, units: u32) -> Result<GetEnd, Error> {
        let head = words.head.0.head.load(Ordering::Acquire);
        if head >= units {
            return Err(broken("a place outside the ring"));
        }
        Ok(GetEnd {
            units,
            head,
            tail: head,
            shown: head,
        })
    }

    /// Where the next record is and where the last one ends, if there is any.
    #[inline]
    pub(super) fn next(&mut self, words: &Words) -> Result<Option<(u32, u32)>, Error> {
        if self.head == self.tail {
            self.tail = words.tail.0.load(Ordering::Acquire);
            if self.tail == self.head {
                return Ok(None);
            }
            if self.tail >= self.units {
                self.tail = self.head;
                return Err(broken("a place outside the ring"));
            }
        }
        Ok(Some((self.head, self.tail)))
    }

    /// The same of what was seen before: without a look at what the other end has written since.
    #[inline]
    pub(super) fn known(&self) -> Option<(u32, u32)> {
        (self.head != self.tail).then_some((self.head, self.tail))
    }

    /// Whether more than so many units were there at the last look.
    pub(super) fn has_more_than(&self, units: u32) -> bool {
        used(self.units, self.head, self.tail) > units
    }

    /// Whether there is anything to get: a glance.
    #[inline]
    pub(super) fn is_ready(&self, words: &Words) -> bool {
        self.head != self.tail || words.tail.0.load(Ordering::Acquire) != self.head
    }

    /// The record has been copied out; whether the other end may have to be woken.
    #[inline]
    pub(super) fn advance(&mut self, words: &Words, next: u32) -> bool {
        self.head = next;
        words.exact.0.store(next, Ordering::Release);
        light();
        let is_time = used(self.units, self.shown, next) >= self.units / 8;
        (is_time || words.wants.0.load(Ordering::Relaxed) != 0) && self.show(words)
    }

    /// Counts bytes outside the ring; before the place is shown.
    pub(super) fn count(&self, words: &Words, bytes: u64) {
        let taken = &words.head.0.taken;
        taken.store(
            taken.load(Ordering::Relaxed).wrapping_add(bytes),
            Ordering::Relaxed,
        );
    }

    /// Shows how far it is; whether the other end must be woken.
    #[inline]
    pub(super) fn show(&mut self, words: &Words) -> bool {
        if self.shown == self.head {
            return false;
        }
        self.shown = self.head;
        words.head().store(self.head, Ordering::Release);
        light();
        words.wants_room(self.units, self.head)
    }
}
