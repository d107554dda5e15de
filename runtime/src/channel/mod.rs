//! Pipes and queues: messages between any processes of the session, right when anyone dies.
//!
//! Relies on the heap's objects, the codec and the lock word. `room` and `ring` are bytes in shared memory, `lane` is a ring
//! without a lock, `message` is how values become bytes; on these stand `pipe` and `queue`. `pace` and `sleep` are how one waits.

mod atomic;
mod error;
mod lane;
mod message;
mod pace;
mod pipe;
mod queue;
mod ring;
mod room;
mod sleep;

pub use error::SendError;
pub use message::Message;
pub use pipe::{Duplex, Iter as ReceiverIter, Receiver, Sender, duplex, pipe};
pub use queue::{Iter as QueueIter, Job, JoinableQueue, Lost, OnDeath, Queue};
