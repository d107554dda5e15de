//! The receiving end of a pipe: typed on the outside. What it does with the lanes is in `inlet`.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Error as _, Serialize, Serializer};

use super::core::RECEIVER_GONE;
use super::inlet::{Inlet, Piece};
use super::sender::{End, Whole};
use crate::channel::message::{self, Message};
use crate::channel::sleep::{Sleep, deadline_in};
use crate::channel::wait::Source;
use crate::codec::Reader;
use crate::error::Result;
use crate::heap::Handle;

/// The receiving end of a [`pipe`](crate::pipe): there is one, in one process at a time.
///
/// It can move: as an argument, in a result, in a message. That sends it away, also from behind a reference; what
/// stays here is an empty shell whose every call is an error (`is_usage`). A message that was not sent or put, for whatever
/// reason, leaves it where it is; arguments and results take it with them when they are encoded, even if the start
/// then fails. For many receivers there is [`Queue`](crate::Queue). `Send`, but not `Sync`.
///
/// The messages of one sender arrive in their order; among senders it takes turns. When the last sender is gone (dropped,
/// or its process has ended, however), and all that was sent has been received, the pipe is at its end. A sender among the
/// arguments of a pool's item is gone when the item has ended, at the earliest.
///
/// As Python's `Connection`.
pub struct Receiver<T: Message> {
    inlet: RefCell<Inlet>,
    /// Memory for messages that are decoded by the user's code.
    copy: Cell<Vec<u8>>,
    of: PhantomData<fn() -> T>,
}

impl<T: Message> Receiver<T> {
    pub(super) fn new(pipe: Handle, side: Handle, epoch: u64) -> Self {
        Receiver::on(Inlet::new(pipe, side, epoch))
    }

    fn on(inlet: Inlet) -> Self {
        Receiver {
            inlet: RefCell::new(inlet),
            copy: Cell::new(Vec::new()),
            of: PhantomData,
        }
    }

    /// Takes the next message; waits until there is one.
    ///
    /// # Errors
    /// `is_closed` at the end: nobody can send any more, and everything that was sent has been received. `is_decode` when
    /// the bytes are no valid `T`; the message is gone then, and the next call takes the one behind it.
    ///
    /// A sender that is killed ends its part of the stream and nothing else.
    #[inline]
    pub fn recv(&self) -> Result<T> {
        match self.recv_by(Some(None))? {
            Some(value) => Ok(value),
            // Without a deadline it waits.
            None => Err(self.inlet.borrow().at_end()),
        }
    }

    /// Takes the next message if there is one; `None` when there is none now.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    #[inline]
    pub fn try_recv(&self) -> Result<Option<T>> {
        self.recv_by(None)
    }

    /// Takes the next message; waits for it at most so long, and gives `None` then.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<T>> {
        self.recv_by(Some(deadline_in(timeout)))
    }

    /// Whether a call of [`recv`](Self::recv) would return at once: there is a message, or the end of the stream. Waits for
    /// that at most so long. As Python's `Connection.poll`.
    pub fn poll(&self, timeout: Duration) -> bool {
        let deadline = deadline_in(timeout);
        !matches!(self.inlet.borrow_mut().wait(deadline), Ok(false))
    }

    /// The messages as they come, up to the end of the stream; each is a `Result`, because a message may not be valid.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// `None` looks once, `Some(None)` waits for ever.
    #[inline]
    fn recv_by(&self, deadline: Option<Option<Instant>>) -> Result<Option<T>> {
        let mut inlet = self.inlet.borrow_mut();
        if message::is_simple::<T>()
            && let Some(value) = inlet.quick(|record| message::get(record.reader()))
        {
            return value.map(Some);
        }
        let Some(piece) = inlet.next(deadline)? else {
            return Ok(None);
        };
        match piece {
            Piece::Inline(record) if message::is_simple::<T>() => {
                let value = message::get(record.reader());
                inlet.done(record.next);
                value.map(Some)
            }
            Piece::Inline(record) => {
                let mut copy = self.copy.take();
                copy.clear();
                let copied = record.reader().get_plain_block(record.len(), &mut copy);
                inlet.done(record.next);
                // From here on the user's code runs.
                drop(inlet);
                let value = copied.and_then(|()| message::get(Reader::from_slice(&copy)));
                self.copy.set(copy);
                value.map(Some)
            }
            Piece::Block(long) => {
                drop(inlet);
                message::get(long.reader()?).map(Some)
            }
        }
    }
}

impl Receiver<Vec<u8>> {
    /// Takes the next message as bytes; the same as [`recv`](Self::recv). As Python's `Connection.recv_bytes`.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_bytes(&self) -> Result<Vec<u8>> {
        self.recv()
    }

    /// Takes the next message as bytes, in place of what is in `to`, whose memory is used again; gives how many there are.
    /// Waits until there is one. As Python's `Connection.recv_bytes_into`; never too short.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn recv_bytes_into(&self, to: &mut Vec<u8>) -> Result<usize> {
        let mut inlet = self.inlet.borrow_mut();
        to.clear();
        let mut copy = |mut from: Reader<'_>| {
            let count = from.get_count(1)?;
            from.get_plain_block(count, to)?;
            from.finish()
        };
        let copied = match inlet.next(Some(None))? {
            Some(Piece::Inline(record)) => {
                let copied = copy(record.reader());
                inlet.done(record.next);
                copied
            }
            Some(Piece::Block(long)) => copy(long.reader()?),
            None => return Err(inlet.at_end()),
        };
        copied.map(|()| to.len())
    }
}

/// The messages of a [`Receiver`] as they come.
#[derive(Debug)]
pub struct Iter<'r, T: Message> {
    receiver: &'r Receiver<T>,
}

impl<T: Message> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        match self.receiver.recv() {
            Err(error) if error.is_closed() => None,
            other => Some(other),
        }
    }
}

impl<'r, T: Message> IntoIterator for &'r Receiver<T> {
    type Item = Result<T>;
    type IntoIter = Iter<'r, T>;

    fn into_iter(self) -> Iter<'r, T> {
        self.iter()
    }
}

impl<T: Message> Source for Receiver<T> {
    fn is_ready(&self) -> bool {
        self.poll(Duration::ZERO)
    }

    fn prepare(&self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
        self.inlet.borrow_mut().fall_asleep(sleep, deadline)
    }
}

impl<T: Message> Serialize for Receiver<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let mut inlet = self.inlet.borrow_mut();
        // The message holds the side when this value does not any more: from when it is sent on.
        let (pipe, side, epoch) = inlet.send_away().map_err(S::Error::custom)?;
        (&pipe, &side, epoch).serialize(to)
    }
}

impl<'de, T: Message> Deserialize<'de> for Receiver<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        type Parts<T> = (Whole<T>, End<RECEIVER_GONE>, u64);
        let (whole, side, epoch) = Parts::<T>::deserialize(from)?;
        let inlet = Inlet::take_in(whole.into_handle(), side.into_handle(), epoch);
        inlet.map(Receiver::on).map_err(D::Error::custom)
    }
}

impl<T: Message> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
