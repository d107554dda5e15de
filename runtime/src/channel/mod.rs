//! Pipes and queues: messages between any processes of the session, right when anyone dies.
//!
//! Relies on the heap's objects, the codec and the lock word. `room` and `ring` are bytes in shared memory, `lane` is a ring
//! without a lock, `message` is how values become bytes; on these stand `pipe` and `queue`. `pace` and `sleep` are how one waits,
//! `wait` for several things,
//! `futures` without blocking, with the one thread of `helper`.

mod atomic;
mod error;
mod futures;
mod helper;
mod lane;
mod message;
mod pace;
mod pipe;
mod queue;
mod ring;
mod room;
mod sleep;
#[cfg(test)]
mod tests;
mod wait;

pub use error::SendError;
pub use futures::{GetAsync, QueueStream, ReceiverStream, RecvAsync};
pub use message::Message;
pub use pipe::{Duplex, Iter as ReceiverIter, Receiver, Sender, duplex, pipe};
pub use queue::{Iter as QueueIter, Job, JoinableQueue, Lost, OnDeath, Queue};
pub use wait::{Readable, Waitable, wait};

/// For the modules above, whose things can be waited for, too.
#[doc(hidden)]
pub(crate) mod sealed {
    pub use super::sleep::Sleep;
    pub use super::wait::Source;
}
