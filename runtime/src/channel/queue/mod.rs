//! Queues: many put, many get, each item goes to one of them.
//!
//! Relies on `ring`, `message`, the lock word and the objects of the heap. `core` is what a queue is in the heap, `ends` its locks and
//! counts, `put` and `get` the two operations, `takers` who has taken what; `joinable` is a queue whose items are held until
//! they are done, `held` how.

mod core;
mod ends;
mod get;
mod held;
mod joinable;
mod put;
mod takers;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

pub use joinable::{Job, JoinableQueue, OnDeath};
pub use takers::Lost;

use self::core::{Core, Plan};
use self::ends::Local;
use self::get::Taken;
use self::put::Load;
use self::takers::Taker;
use super::error::{Refused, SendError, late};
use super::message::{self, Encoded, INLINE, Message, Scratch};
use super::sleep::{Sleep, deadline_in};
use super::wait::Source;
use crate::codec::Reader;
use crate::error::{Error, Kind, Result};
use crate::heap::{Handle, ObjectKind, mark_of};
use crate::session;
use crate::sys::futex::{self, Change};
use crate::sys::memory;

/// The most bytes of large messages that a bounded queue holds, unless it was told otherwise.
const MOST_BYTES: u64 = 64 << 20;

/// A queue between any processes of the session: any number put, any number get, each item goes to one of them, first in,
/// first out, and to none but a process that is killed while it takes it.
///
/// After `Ok` of [`put`](Self::put) the item is in the queue, whatever becomes of this process: there is no feeder thread. A
/// process that is killed anywhere inside a call leaves the queue usable; what a killed process had taken is counted and
/// named ([`lost`](Self::lost)). A handle is a few bytes: it is cloned, and travels as an argument, in a result, in a message.
/// The queue ends, with what is in it, when nobody holds it any more.
///
/// Items of up to 4 KiB stand in the queue's ring, which grows as they pile up; larger ones, and those that carry handles, in
/// blocks of the shared heap that are handed over. A bounded queue waits for room in `put`, when it holds as many items, or
/// 64 MiB of large ones (one always fits); an unbounded one never waits, up to the limit of the heap.
///
/// **Alone.** A `get` that waits for an item of an empty queue ends with an error (`is_closed`) when others have had the queue
/// but everybody has ended, and this process has no other handle of it: nothing could ever come. Threads that share one handle
/// by reference do not count as others: give each thread a clone. (So does a `put` that waits for room.)
/// A handle among the arguments of a pool's item counts as this process's, too, until the item has ended.
///
/// As Python's `Queue` and `SimpleQueue`.
///
/// ```
/// #[mp::task]
/// fn square_all(from: &mp::Queue<u64>, to: &mp::Queue<u64>) -> Result<(), mp::Failure> {
///     while let Ok(x) = from.get() {
///         to.put(x * x)?;
///     }
///     Ok(())
/// }
///
/// mp::main! {
///     let (questions, answers) = (mp::Queue::bounded(100)?, mp::Queue::unbounded()?);
///     let workers = (0..2)
///         .map(|_| mp::Process::new(square_all, (&questions, &answers)).start())
///         .collect::<mp::Result<Vec<_>>>()?;
///     for x in 0..10 {
///         questions.put(x)?;
///     }
///     questions.close();
///     let mut sum = 0;
///     for _ in 0..10 {
///         sum += answers.get()?;
///     }
///     assert_eq!(sum, 285);
///     for worker in workers {
///         worker.join()?;
///     }
/// }
/// ```
pub struct Queue<T: Message> {
    taker: OnceLock<Taker>,
    putting: Local,
    getting: Local,
    queue: Handle,
    of: PhantomData<fn(T) -> T>,
}

thread_local! {
    /// Memory in which values are encoded that need it.
    static SCRATCH: Cell<Option<Scratch>> = const { Cell::new(None) };
}

fn make<T: Message>(plan: Plan) -> Result<Handle> {
    Core::make(session::current()?.heap, mark_of::<T>(), plan)
}

impl<T: Message> Queue<T> {
    /// A queue that holds at most so many items (at least 1), and 64 MiB of large ones.
    ///
    /// # Errors
    /// The shared heap is at its limit (`is_heap_full`), or there can be no session.
    pub fn bounded(items: usize) -> Result<Self> {
        Queue::bounded_by(items, MOST_BYTES)
    }

    /// A queue that holds at most so many items, and so many bytes of items that are larger than 4 KiB (one always fits).
    ///
    /// # Errors
    /// As [`bounded`](Self::bounded).
    pub fn bounded_by(items: usize, bytes: u64) -> Result<Self> {
        Queue::plan(items.max(1) as u64, bytes.max(1))
    }

    /// A queue without a bound but the limit of the heap: `put` never waits.
    ///
    /// # Errors
    /// As [`bounded`](Self::bounded).
    pub fn unbounded() -> Result<Self> {
        Queue::plan(0, 0)
    }

    fn plan(most: u64, most_bytes: u64) -> Result<Self> {
        let plan = Plan {
            kind: ObjectKind::Queue,
            most,
            most_bytes,
            joinable: false,
            on_death: 0,
        };
        make::<T>(plan).map(Queue::of)
    }

    fn of(queue: Handle) -> Self {
        Queue {
            taker: OnceLock::new(),
            putting: Local::new(),
            getting: Local::new(),
            queue,
            of: PhantomData,
        }
    }

    fn core(&self) -> &Core {
        self.queue.body()
    }

    #[cfg(test)]
    pub(crate) fn place(&self) -> crate::heap::Place {
        self.queue.place()
    }

    /// Puts an item in; waits while the queue is full. After `Ok` it is there, though this process be killed next.
    ///
    /// # Errors
    /// The value comes back in every error (what its own code does when it is encoded stays done): `is_closed` when the queue was closed, or is full and everybody else has ended;
    /// `is_encode` when it cannot be encoded (nothing was put); `is_heap_full`.
    #[inline]
    pub fn put(&self, value: T) -> Result<(), SendError<T>> {
        self.put_by(value, Some(None))
    }

    /// Puts an item in if there is room now. As Python's `put_nowait`.
    ///
    /// Another process that is stopped in the middle of a call on this end of the queue is waited for, for 10 ms at most.
    ///
    /// # Errors
    /// As [`put`](Self::put); [`SendError::is_full`] when there is no room, or when it could not be told because another process is
    /// stopped in the middle of its `put` (an unbounded queue, too).
    #[inline]
    pub fn try_put(&self, value: T) -> Result<(), SendError<T>> {
        self.put_by(value, None)
    }

    /// Puts an item in; waits at most so long for room.
    ///
    /// # Errors
    /// As [`put`](Self::put); [`SendError::is_full`] when there was no room in time.
    pub fn put_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.put_by(value, Some(deadline_in(timeout)))
    }

    #[inline]
    fn put_by(&self, value: T, deadline: Option<Option<Instant>>) -> Result<(), SendError<T>> {
        match put_value(&self.queue, &self.putting, &value, false, deadline) {
            Ok(()) => Ok(()),
            Err(refused) => Err(refuse(value, refused)),
        }
    }

    /// Takes the next item; waits until there is one.
    ///
    /// # Errors
    /// `is_closed` when the queue was closed and is empty, or is empty and everybody else has ended; `is_decode` when the bytes
    /// are no valid `T` (the item is gone then); `is_heap_full` at the first get of a handle, when the heap has no room to note who
    /// it is and eight others are noted.
    #[inline]
    pub fn get(&self) -> Result<T> {
        match self.get_by(Some(None))? {
            Some(value) => Ok(value),
            // Without a deadline it waits.
            None => Err(late("the queue was left without an item")),
        }
    }

    /// Takes the next item if there is one; `None` when there is none now. As Python's `get_nowait`.
    ///
    /// `None` also when another process is stopped in the middle of a call on this end of the queue; it is waited for, for 10 ms
    /// at most.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn try_get(&self) -> Result<Option<T>> {
        self.get_by(None)
    }

    /// Takes the next item; waits for it at most so long, and gives `None` then.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Option<T>> {
        self.get_by(Some(deadline_in(timeout)))
    }

    #[inline]
    fn get_by(&self, deadline: Option<Option<Instant>>) -> Result<Option<T>> {
        let taker = self.taker()?;
        if message::is_simple::<T>() {
            let known = get::quick(&self.queue, &self.getting, taker, |record| {
                message::get(record.reader())
            });
            if let Some(value) = known {
                return value.map(Some);
            }
            let taken = get::get(&self.queue, &self.getting, taker, deadline, |record| {
                message::get(record.reader())
            })?;
            return match taken {
                None => Ok(None),
                Some(Taken::Inline(value)) => value.map(Some),
                Some(Taken::Block(long)) => message::get(long.reader()?).map(Some),
            };
        }
        let taken = get::get(&self.queue, &self.getting, taker, deadline, |record| {
            record.reader().copy_bytes(record.len())
        })?;
        match taken {
            None => Ok(None),
            Some(Taken::Inline(bytes)) => message::get(Reader::from_slice(&bytes?)).map(Some),
            Some(Taken::Block(long)) => message::get(long.reader()?).map(Some),
        }
    }

    #[inline]
    fn taker(&self) -> Result<&Taker> {
        match self.taker.get() {
            Some(taker) => Ok(taker),
            None => self.enter(),
        }
    }

    #[cold]
    fn enter(&self) -> Result<&Taker> {
        let taker = Taker::enter(&self.queue)?;
        if self.taker.set(taker).is_err() {
            // Another thread was faster.
            taker.leave(&self.queue);
        }
        let none = || Error::new(Kind::Protocol, "the queue does not know who takes from it");
        self.taker.get().ok_or_else(none)
    }

    /// The items as they come, until the queue is closed and empty.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { queue: self }
    }

    /// How many items are in it, exact at one moment of the call. As Python's `qsize`, which may lie.
    pub fn len(&self) -> usize {
        get::len(&self.queue)
    }

    /// Whether nothing is in it, exact at one moment of the call. As Python's `empty`, which may lie.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds as many items as it may, exact at one moment of the call. As Python's `full`, which may lie. A large item
    /// may find no room for its bytes before ([`bounded_by`](Self::bounded_by)).
    pub fn is_full(&self) -> bool {
        let most = self.core().most.load(Ordering::Relaxed);
        most != 0 && self.len() as u64 >= most
    }

    /// The most items it may hold; `None` for an unbounded one.
    pub fn capacity(&self) -> Option<usize> {
        let most = self.core().most.load(Ordering::Relaxed);
        (most != 0).then_some(most as usize)
    }

    /// Closes it for everybody: nothing more can be put, what is in it can still be taken, and all who wait are woken.
    pub fn close(&self) {
        close(self.core());
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.core().is_closed()
    }

    /// Whether nobody can put anything in or take anything out any more but by this handle: others have had the queue, and
    /// all of them have ended or let go. What is in it can still be taken.
    pub fn is_abandoned(&self) -> bool {
        get::is_abandoned(&self.queue)
    }

    /// The last items that were taken by processes that have ended since: they may not have been worked on. An item is
    /// in here until [`take_lost`](Self::take_lost) has given it, or the queue ends; one that was taken through a handle that has been dropped is not.
    ///
    /// A process that takes the next item, or drops its handle, is done with the one before. Threads that share a handle by
    /// reference are taken for one.
    pub fn lost(&self) -> Vec<Lost> {
        takers::lost(&self.queue)
    }

    /// As [`lost`](Self::lost), but each item is named once, by one of all calls; then the little that the queue keeps of each dead
    /// process is freed. Where processes die one after another for ever, call this now and then.
    ///
    /// Another process that is stopped in the middle of a call on this end of the queue is waited for, for 10 ms at most; then
    /// nothing is given.
    ///
    /// # Errors
    /// In a copy of the process that the program made by its own `fork` (`is_forked`).
    pub fn take_lost(&self) -> Result<Vec<Lost>> {
        match get::locked(&self.queue, None)? {
            Some((_locked, _)) => Ok(takers::take_lost(&self.queue, self.core(), held::soon())),
            None => Ok(Vec::new()),
        }
    }
}

/// Closes a queue, and wakes all who sleep on it.
fn close(core: &Core) {
    futex::change_and_wake(&core.closed.0, Change::Set(1));
}

/// Encodes a value, and puts it.
#[inline]
fn put_value<T: Message>(
    queue: &Handle,
    local: &Local,
    value: &T,
    in_block: bool,
    deadline: Option<Option<Instant>>,
) -> Result<(), Refused> {
    match message::bound(value) {
        Some(bound) if bound <= INLINE && !in_block => {
            put::put(queue, local, Load::InPlace(value, bound), deadline)
        }
        Some(bound) => {
            let long = message::encode_long(queue.heap(), value, bound)?;
            put::put::<T>(queue, local, Load::Long(long), deadline)
        }
        None if in_block => {
            let long = message::encode_long(queue.heap(), value, size_of::<T>())?;
            put::put::<T>(queue, local, Load::Long(long), deadline)
        }
        None => {
            // Taken away while the value's own code runs, which might use a queue itself.
            let mut scratch = SCRATCH.take().unwrap_or_else(Scratch::new);
            let done = match scratch.encode(queue.heap(), value) {
                Ok(Encoded::Short(len)) => {
                    let load: Load<'_, T> = Load::Short(scratch.bytes(len));
                    put::put(queue, local, load, deadline)
                }
                Ok(Encoded::Long(long)) => put::put::<T>(queue, local, Load::Long(long), deadline),
                Err(error) => Err(error.into()),
            };
            SCRATCH.set(Some(scratch));
            done
        }
    }
}

#[cold]
fn refuse<T>(value: T, refused: Refused) -> SendError<T> {
    match refused {
        Refused::Full => SendError::full(value, late("the queue is full")),
        Refused::Error(error) => SendError::new(value, error),
    }
}

impl<T: Message> Source for Queue<T> {
    fn is_ready(&self) -> bool {
        !self.is_empty() || self.is_closed() || get::is_abandoned(&self.queue)
    }

    fn prepare(&self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
        get::prepare(&self.queue, sleep, deadline)
    }
}

impl<T: Message> Drop for Queue<T> {
    fn drop(&mut self) {
        if let Some(taker) = self.taker.get().filter(|_| !memory::forked()) {
            taker.leave(&self.queue);
        }
    }
}

impl<T: Message> Clone for Queue<T> {
    /// Another handle of the same queue.
    fn clone(&self) -> Self {
        Queue::of(self.queue.clone())
    }
}

impl<T: Message> PartialEq for Queue<T> {
    /// Whether both are handles of the same queue.
    fn eq(&self, other: &Self) -> bool {
        self.queue == other.queue
    }
}

impl<T: Message> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T: Message> Serialize for Queue<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.queue.serialize(to)
    }
}

impl<'de, T: Message> Deserialize<'de> for Queue<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let kind = ObjectKind::Queue;
        Handle::of_kind(from, kind, mark_of::<T>(), size_of::<Core>()).map(Queue::of)
    }
}

/// The items of a [`Queue`] as they come.
#[derive(Debug)]
pub struct Iter<'q, T: Message> {
    queue: &'q Queue<T>,
}

impl<T: Message> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        match self.queue.get() {
            Err(error) if error.is_closed() => None,
            other => Some(other),
        }
    }
}

impl<'q, T: Message> IntoIterator for &'q Queue<T> {
    type Item = Result<T>;
    type IntoIter = Iter<'q, T>;

    fn into_iter(self) -> Iter<'q, T> {
        self.iter()
    }
}
