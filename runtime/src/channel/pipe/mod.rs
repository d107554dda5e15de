//! Pipes: many senders, each with a lane of its own, and one receiver that can move.
//!
//! Relies on `lane`, `ring`, `message` and the objects of the heap. `core` is what a pipe is in the heap, `sender` and `receiver`
//! are its ends, `inlet` is the receiver's way with the lanes, `duplex` two pipes in opposite directions.

mod core;
mod duplex;
mod inlet;
mod receiver;
mod sender;

pub use duplex::{Duplex, duplex};
pub use receiver::{Iter, Receiver};
pub use sender::Sender;

use super::message::Message;
use crate::error::Result;
use crate::heap::mark_of;
use crate::session;

/// Makes a pipe: what is sent at one end, by any number of senders in any process, is received at the other.
///
/// Both ends travel to other processes like any value. As Python's `Pipe(duplex=False)`, with the ends in the other order.
///
/// # Errors
/// The shared heap is at its limit (`is_heap_full`), or there can be no session.
///
/// ```
/// #[mp::task]
/// fn produce(number: u32, to: mp::Sender<String>) -> Result<(), mp::Failure> {
///     for item in 0..3 {
///         to.send(format!("{number}:{item}"))?;
///     }
///     Ok(())
/// }
///
/// mp::main! {
///     let (to, from) = mp::pipe::<String>()?;
///     let one = mp::Process::new(produce, (1, to.clone())).start()?;
///     let two = mp::Process::new(produce, (2, to)).start()?;
///     let all = from.iter().collect::<mp::Result<Vec<_>>>()?;
///     assert_eq!(all.len(), 6);
///     one.join()?;
///     two.join()?;
/// }
/// ```
pub fn pipe<T: Message>() -> Result<(Sender<T>, Receiver<T>)> {
    let heap = session::current()?.heap;
    let [pipe, senders, receiver] = core::make(heap, mark_of::<T>())?;
    let sender = Sender::new(pipe.clone(), senders);
    Ok((sender, Receiver::new(pipe, receiver, 1)))
}
