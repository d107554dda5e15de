#![allow(unsafe_code)]
//! The sending end of a pipe. Relies on `core` (the objects), `lane` (the order of stores) and `message` (the bytes).
//!
//! A sender that has never sent has no lane: it is made at the first message, and so may fail there, where there is a
//! `Result` to say so. The values are encoded before anything of the lane is touched, except where no code of the user's runs.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::core::{self, Core, Lane, RECEIVER_GONE, SENDERS_GONE};
use crate::channel::error::{Refused, SendError, closed, late};
use crate::channel::lane::{FOR_BYTES, PutEnd};
use crate::channel::message::{self, Encoded, INLINE, Long, Message, Scratch, Stamp};
use crate::channel::pace::Pace;
use crate::channel::ring::Sort;
use crate::channel::room::{Place, units_for};
use crate::channel::sleep::{Others, Sleep, deadline_in, is_over};
use crate::error::{Error, Result};
use crate::heap::{Handle, ObjectKind, mark_of};
use crate::session;
use crate::sys::points::stored;
use crate::sys::{futex, memory};

/// Bytes of messages outside the ring that may wait in one lane, if it is more than one message.
const MOST_BYTES: u64 = 16 << 20;

/// The sending end of a [`pipe`](crate::pipe): any number of them, in any process of the session.
///
/// Each clone has a lane of its own to the receiver (a block of 256 KiB, made with the first message): no sender waits for
/// another, not for one that is stopped or killed in the middle of a send either; the messages of one arrive in their order, and
/// a process that is killed while it sends spoils nothing. `Send`, but not `Sync`: a thread that sends takes a clone. It travels
/// as an argument, in a result, in a message, in another shared object; where it arrives is one more sender.
///
/// Messages of up to 4 KiB stand in the lane, larger ones in blocks of the shared heap that are handed over. A lane takes not quite
/// 256 KiB of small messages, each with 8 bytes before it, or 16 MiB of large ones (one always); then [`send`](Self::send)
/// waits until the receiver has taken enough for this message. A program must not rely on how many fit.
///
/// In a copy of the process that the program makes by its own `fork`, every send is an error (`is_forked`).
///
/// As Python's `Connection.send`, without the corruption that two writers of one connection cause there.
pub struct Sender<T: Message> {
    out: RefCell<Out>,
    scratch: Cell<Option<Scratch>>,
    of: PhantomData<fn(T)>,
}

/// The untyped part.
struct Out {
    // In this order they are dropped: the end of a side is told in the core.
    lane: Option<(Lane, PutEnd)>,
    side: Handle,
    pipe: Handle,
    pace: Pace,
}

fn nobody() -> Error {
    closed(
        "nobody receives from this pipe any more: its receiver was dropped, or its process has ended",
    )
}

impl Out {
    #[inline]
    fn core(&self) -> &Core {
        self.pipe.body()
    }

    #[inline]
    fn lane(&mut self) -> Result<(Lane, &mut PutEnd, &mut Pace)> {
        if self.lane.is_none() {
            self.make_lane()?;
        }
        match &mut self.lane {
            Some((lane, end)) => Ok((*lane, end, &mut self.pace)),
            None => Err(nobody()),
        }
    }

    #[cold]
    fn make_lane(&mut self) -> Result<()> {
        let lane = Lane::make(&self.pipe)?;
        self.lane = Some((lane, PutEnd::new(lane.ring.units())));
        Ok(())
    }

    /// Room for a record in the lane that is there, where nothing has to be looked up: where it goes, and where `tail` goes.
    #[inline(always)]
    fn quick_place(&self, units: u32) -> Option<(u32, u32)> {
        let (_, end) = self.lane.as_ref()?;
        match self.core().is(RECEIVER_GONE) {
            false => end.quick_place(units),
            true => None,
        }
    }

    /// Room for a record of `units` units, and of `bytes` outside the ring. `None` for a deadline waits for ever.
    #[inline]
    fn place(
        &mut self,
        units: u32,
        bytes: u64,
        deadline: Option<Option<Instant>>,
    ) -> Result<Place, Refused> {
        if self.core().is(RECEIVER_GONE) {
            return Err(Refused::Error(nobody()));
        }
        let (lane, end, _) = self.lane()?;
        let may = bytes == 0 || end.may_send(lane.words(), bytes, MOST_BYTES);
        if may && let Some(place) = end.place(lane.words(), units)? {
            return Ok(place);
        }
        match deadline {
            None => {
                lane.words().catch_up();
                let place = if may {
                    end.place(lane.words(), units)?
                } else {
                    None
                };
                place.ok_or(Refused::Full)
            }
            Some(deadline) => self.wait(units, bytes, deadline),
        }
    }

    #[cold]
    fn wait(
        &mut self,
        units: u32,
        bytes: u64,
        deadline: Option<Instant>,
    ) -> Result<Place, Refused> {
        let pipe = self.pipe.clone();
        let core: &Core = pipe.body();
        let (lane, end, pace) = self.lane()?;
        let words = lane.words();
        let may = |end: &PutEnd| bytes == 0 || end.may_send(words, bytes, MOST_BYTES);
        let look = |end: &mut PutEnd| match may(end) {
            true => end.place(words, units),
            false => Ok(None),
        };
        loop {
            let mut found = Ok(None);
            pace.poll(|| {
                found = look(end);
                !matches!(found, Ok(None)) || core.is(RECEIVER_GONE)
            });
            if let Some(place) = found? {
                return Ok(place);
            }
            let state = core.state.0.load(Ordering::Acquire);
            if state & RECEIVER_GONE != 0 {
                return Err(Refused::Error(nobody()));
            }
            if is_over(deadline) {
                return Err(Refused::Full);
            }
            let need = if may(end) { units } else { FOR_BYTES };
            let (seen, sure) = words.want_room(need);
            stored("pipe: wants room");
            if let Some(place) = look(end)? {
                return Ok(place);
            }
            if need == FOR_BYTES && may(end) {
                continue;
            }
            let mut sleep = Sleep::new();
            sleep.on(words.head(), seen);
            sleep.on(&core.state.0, state);
            let side = core.side(RECEIVER_GONE);
            if sleep.on_parties(pipe.heap(), side, deadline) == Others::None
                && !core.is(RECEIVER_GONE)
            {
                return Err(Refused::Error(nobody()));
            }
            if !sure {
                sleep.unsure();
            }
            sleep.sleep(deadline);
        }
    }

    /// The record at `place` is written.
    #[inline]
    fn commit(&mut self, next: u32) {
        if let Some((lane, end)) = &mut self.lane {
            end.commit(lane.words(), next);
            stored("pipe: tail");
        }
        self.core().ring_bell();
    }

    fn send_short(
        &mut self,
        bytes: &[u8],
        deadline: Option<Option<Instant>>,
    ) -> Result<(), Refused> {
        let place = self.place(units_for(bytes.len()), 0, deadline)?;
        let (lane, ..) = self.lane()?;
        let at = lane.ring.open(place, Sort::Inline, bytes.len());
        // SAFETY: `open` gave room for as many bytes, which nobody else looks at before the commit.
        unsafe {
            at.as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.commit(place.next);
        Ok(())
    }

    fn send_long(&mut self, long: Long, deadline: Option<Option<Instant>>) -> Result<(), Refused> {
        let bytes = long.block_bytes();
        let place = self.place(units_for(size_of::<[u64; 4]>()), bytes, deadline)?;
        let stamp = Stamp::unique(self.pipe.heap(), self.pipe.place().id);
        let words = long.stamp(stamp)?;
        let (lane, end, _) = self.lane()?;
        lane.ring.put_words(place, Sort::Block, words);
        stored("pipe: block named");
        // Killed from here to the commit, it leaves a block of the session's: whoever ends the lane finds it behind the last record.
        long.give()?;
        stored("pipe: block given");
        end.count(bytes);
        self.commit(place.next);
        long.sent();
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        // In a copy that the program forked, the lane is the other's still.
        if let Some((lane, _)) = self.lane.take().filter(|_| !memory::forked()) {
            lane.end();
            self.core().lanes_changed();
        }
    }
}

impl<T: Message> Sender<T> {
    pub(super) fn new(pipe: Handle, side: Handle) -> Self {
        Sender {
            out: RefCell::new(Out {
                lane: None,
                side,
                pipe,
                pace: Pace::new(),
            }),
            scratch: Cell::new(None),
            of: PhantomData,
        }
    }

    /// Sends a value; waits while the lane is full. After `Ok` it is in the pipe, whatever becomes of this process.
    ///
    /// # Errors
    /// The value comes back in every error, whole, with the receivers that are in it: `is_closed` when the receiver is gone, dropped or dead (also while this waits);
    /// `is_encode` when the value cannot be encoded (nothing was sent); `is_heap_full`.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_by(value, Some(None))
    }

    /// Sends a value if there is room for it now.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendError::is_full`] when there is no room.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_by(value, None)
    }

    /// Sends a value; waits at most so long for room.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`SendError::is_full`] when there was no room in time.
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.send_by(value, Some(deadline_in(timeout)))
    }

    #[inline]
    fn send_by(&self, value: T, deadline: Option<Option<Instant>>) -> Result<(), SendError<T>> {
        match self.try_put(&value, deadline) {
            Ok(()) => Ok(()),
            Err(refused) => Err(refuse(value, refused)),
        }
    }

    #[inline]
    fn try_put(&self, value: &T, deadline: Option<Option<Instant>>) -> Result<(), Refused> {
        if memory::forked() {
            return Err(session::forked().into());
        }
        match message::bound(value) {
            Some(bound) if bound <= INLINE => self.put_in_place(value, bound, deadline),
            Some(bound) => {
                let mut out = self.out.borrow_mut();
                let long = message::encode_long(out.pipe.heap(), value, bound)?;
                out.send_long(long, deadline)
            }
            None => self.encode_first(value, deadline),
        }
    }

    /// Encodes where it will be read.
    #[inline]
    fn put_in_place(
        &self,
        value: &T,
        bound: usize,
        deadline: Option<Option<Instant>>,
    ) -> Result<(), Refused> {
        let out = &mut *self.out.borrow_mut();
        let units = units_for(bound);
        let (at, mut next) = match out.quick_place(units) {
            Some(quick) => quick,
            None => {
                let place = out.place(units, 0, deadline)?;
                if let (Some(pad), Some((lane, _))) = (place.pad, &out.lane) {
                    lane.ring.pad(pad);
                }
                (place.at, place.next)
            }
        };
        let Some((lane, _)) = &out.lane else {
            return Err(Refused::Full);
        };
        let body = lane.ring.open_at(at, Sort::Inline, bound);
        // SAFETY: `open_at` gave room for `bound` bytes, which nobody else looks at before the commit.
        let len = unsafe { message::put_at(value, body, bound)? };
        if len < bound {
            next = lane.ring.shorten(at, len);
        }
        out.commit(next);
        Ok(())
    }

    #[inline(never)]
    fn encode_first(&self, value: &T, deadline: Option<Option<Instant>>) -> Result<(), Refused> {
        let heap = self.out.borrow().pipe.heap();
        // Taken away while the value's own code runs, which might send by this very sender.
        let mut scratch = self.scratch.take().unwrap_or_else(Scratch::new);
        let encoded = scratch.encode(heap, value);
        let sent = match encoded {
            Ok(Encoded::Short(len)) => {
                let mut out = self.out.borrow_mut();
                out.send_short(scratch.bytes(len), deadline)
            }
            Ok(Encoded::Long(long)) => self.out.borrow_mut().send_long(long, deadline),
            Err(error) => Err(error.into()),
        };
        self.scratch.set(Some(scratch));
        sent
    }

    /// Whether the receiver is known to be gone. One that has died since may not be known yet.
    pub fn is_closed(&self) -> bool {
        self.out.borrow().core().is(RECEIVER_GONE)
    }
}

impl Sender<Vec<u8>> {
    /// Sends bytes, which need not be in a `Vec`; the receiver takes them with `recv` or `recv_bytes_into`.
    /// As Python's `Connection.send_bytes`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_bytes(&self, bytes: &[u8]) -> Result<()> {
        if memory::forked() {
            return Err(session::forked());
        }
        let mut out = self.out.borrow_mut();
        let deadline = Some(None);
        let count = (bytes.len() as u64).to_le_bytes();
        let whole = count.len() + bytes.len();
        let sent = if whole <= INLINE {
            out.place(units_for(whole), 0, deadline).and_then(|place| {
                let (lane, ..) = out.lane()?;
                let at = lane.ring.open(place, Sort::Inline, whole).as_ptr();
                // SAFETY: `open` gave room for as many bytes, which nobody else looks at before the commit.
                unsafe {
                    at.copy_from_nonoverlapping(count.as_ptr(), count.len());
                    let at = at.add(count.len());
                    at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                }
                out.commit(place.next);
                Ok(())
            })
        } else {
            let long = message::long(out.pipe.heap(), whole, |writer| {
                writer.put_bytes(&count)?;
                writer.put_bytes(bytes)
            })?;
            out.send_long(long, deadline)
        };
        sent.map_err(reason)
    }
}

#[cold]
fn refuse<T>(value: T, refused: Refused) -> SendError<T> {
    match refused {
        Refused::Full => SendError::full(value, reason(refused)),
        Refused::Error(error) => SendError::new(value, error),
    }
}

fn reason(refused: Refused) -> Error {
    match refused {
        Refused::Full => late("the pipe is full: the receiver has not taken enough in time"),
        Refused::Error(error) => error,
    }
}

impl<T: Message> Clone for Sender<T> {
    /// Another sender of the same pipe, with a lane of its own.
    fn clone(&self) -> Self {
        let out = self.out.borrow();
        Sender::new(out.pipe.clone(), out.side.clone())
    }
}

impl<T: Message> Serialize for Sender<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let out = self.out.borrow();
        (&out.pipe, &out.side).serialize(to)
    }
}

/// A handle of a pipe's object, as it arrives.
pub(super) struct End<const BIT: u32>(Handle);

impl<'de, const BIT: u32> Deserialize<'de> for End<BIT> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let mark = core::side_mark(BIT);
        Handle::of_kind(from, ObjectKind::Pipe, mark, core::SIDE_BYTES).map(End)
    }
}

impl<const BIT: u32> End<BIT> {
    pub(super) fn into_handle(self) -> Handle {
        self.0
    }
}

/// The handle of a core, as it arrives.
pub(super) struct Whole<T>(Handle, PhantomData<fn(T)>);

impl<'de, T: Message> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let handle = Handle::of_kind(from, ObjectKind::Pipe, mark_of::<T>(), size_of::<Core>())?;
        Ok(Whole(handle, PhantomData))
    }
}

impl<T> Whole<T> {
    pub(super) fn into_handle(self) -> Handle {
        self.0
    }
}

impl<'de, T: Message> Deserialize<'de> for Sender<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let (whole, side) = <(Whole<T>, End<SENDERS_GONE>)>::deserialize(from)?;
        Ok(Sender::new(whole.into_handle(), side.into_handle()))
    }
}

impl<T: Message> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Wakes all who sleep on a word; for the other end.
pub(super) fn wake(words: &crate::channel::lane::Words) {
    futex::wake_all(words.head());
}
