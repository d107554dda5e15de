//! Two pipes in opposite directions. Relies on both ends.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Receiver, Sender, pipe};
use crate::channel::error::SendError;
use crate::channel::message::Message;
use crate::channel::sleep::Sleep;
use crate::channel::wait::Source;
use crate::error::Result;

/// One end of a [`duplex`] connection: sends `A`, receives `B`. It can move to another process, as a [`Receiver`] can.
///
/// As Python's `Connection`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Duplex<A: Message, B: Message> {
    sender: Sender<A>,
    receiver: Receiver<B>,
}

/// Makes a connection that goes both ways: what one end sends, the other receives. As Python's `Pipe()`.
///
/// # Errors
/// As [`pipe`].
///
/// ```
/// #[mp::task]
/// fn length(of: mp::Duplex<usize, String>) -> Result<(), mp::Failure> {
///     while let Ok(text) = of.recv() {
///         of.send(text.len())?;
///     }
///     Ok(())
/// }
///
/// mp::main! {
///     let (here, there) = mp::duplex::<String, usize>()?;
///     let child = mp::Process::new(length, there).start()?;
///     here.send("seven..".to_string())?;
///     assert_eq!(here.recv()?, 7);
///     drop(here);
///     child.join()?;
/// }
/// ```
pub fn duplex<A: Message, B: Message>() -> Result<(Duplex<A, B>, Duplex<B, A>)> {
    let (forth, there) = pipe::<A>()?;
    let (back, here) = pipe::<B>()?;
    Ok((
        Duplex {
            sender: forth,
            receiver: here,
        },
        Duplex {
            sender: back,
            receiver: there,
        },
    ))
}

impl<A: Message, B: Message> Duplex<A, B> {
    /// As [`Sender::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send(&self, value: A) -> Result<(), SendError<A>> {
        self.sender.send(value)
    }

    /// As [`Sender::try_send`].
    ///
    /// # Errors
    /// As there.
    pub fn try_send(&self, value: A) -> Result<(), SendError<A>> {
        self.sender.try_send(value)
    }

    /// As [`Sender::send_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn send_timeout(&self, value: A, timeout: Duration) -> Result<(), SendError<A>> {
        self.sender.send_timeout(value, timeout)
    }

    /// As [`Receiver::recv`].
    ///
    /// # Errors
    /// As there.
    pub fn recv(&self) -> Result<B> {
        self.receiver.recv()
    }

    /// As [`Receiver::try_recv`].
    ///
    /// # Errors
    /// As there.
    pub fn try_recv(&self) -> Result<Option<B>> {
        self.receiver.try_recv()
    }

    /// As [`Receiver::recv_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<B>> {
        self.receiver.recv_timeout(timeout)
    }

    /// As [`Receiver::poll`].
    pub fn poll(&self, timeout: Duration) -> bool {
        self.receiver.poll(timeout)
    }

    /// The end that sends.
    pub fn sender(&self) -> &Sender<A> {
        &self.sender
    }

    /// The end that receives.
    pub fn receiver(&self) -> &Receiver<B> {
        &self.receiver
    }

    /// Both ends by themselves.
    pub fn into_parts(self) -> (Sender<A>, Receiver<B>) {
        (self.sender, self.receiver)
    }
}

impl<A: Message, B: Message> Source for Duplex<A, B> {
    fn is_ready(&self) -> bool {
        self.receiver.is_ready()
    }

    fn prepare(&self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
        self.receiver.prepare(sleep, deadline)
    }
}
