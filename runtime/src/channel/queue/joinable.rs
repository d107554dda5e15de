//! A queue whose items are held by who takes them until they are done. Typed on the outside; see `held`.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::core::{Core, Plan};
use super::ends::Local;
use super::get;
use super::held::{self, Item};
use super::takers::{self, Lost, Taker};
use super::{MOST_BYTES, close, make, put_value, refuse};
use crate::channel::error::{SendError, closed, late};
use crate::channel::message::{self, Message};
use crate::channel::sleep::{Others, Sleep, deadline_in, is_over};
use crate::channel::wait::Source;
use crate::error::Result;
use crate::heap::{Handle, ObjectKind, mark_of};
use crate::sys::memory;

/// What becomes of the items that a process holds when it ends without having done them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDeath {
    /// They return to the queue: the next `get` takes them, before all others. [`Job::attempt`] counts.
    #[default]
    Return,
    /// They count as done for `join`, and are named by [`JoinableQueue::lost`].
    Report,
}

/// A [`Queue`](crate::Queue) that can be joined: an item stays with the queue until who has taken it says that it is done.
///
/// [`get`](Self::get) gives a [`Job`], which holds the item and is done when it is dropped. [`join`](Self::join) waits until every item
/// that was put is done. What a process holds when it ends returns to the queue, or is reported, as was said when the
/// queue was made ([`OnDeath`]); neither hangs `join`.
///
/// As Python's `JoinableQueue`, whose `join` waits for ever when a worker is killed.
///
/// ```
/// #[mp::task]
/// fn work(from: &mp::JoinableQueue<u64>, sum: &mp::Queue<u64>) -> Result<(), mp::Failure> {
///     while let Ok(job) = from.get() {
///         sum.put(*job * *job)?;
///     } // the job is done when it is dropped
///     Ok(())
/// }
///
/// mp::main! {
///     let (jobs, squares) = (mp::JoinableQueue::unbounded()?, mp::Queue::unbounded()?);
///     let worker = mp::Process::new(work, (&jobs, &squares)).start()?;
///     for x in 0..10 {
///         jobs.put(x)?;
///     }
///     jobs.join()?;
///     assert_eq!(squares.len(), 10);
///     jobs.close();
///     worker.join()?;
/// }
/// ```
pub struct JoinableQueue<T: Message> {
    taker: OnceLock<Taker>,
    putting: Local,
    getting: Local,
    queue: Handle,
    of: PhantomData<fn(T) -> T>,
}

impl<T: Message> JoinableQueue<T> {
    /// A queue that holds at most so many items that nobody has taken yet (at least 1), and 64 MiB of large ones; what a dead process
    /// held returns to it.
    ///
    /// # Errors
    /// As [`Queue::bounded`](crate::Queue::bounded).
    pub fn bounded(items: usize) -> Result<Self> {
        JoinableQueue::with(Some(items), OnDeath::default())
    }

    /// A queue without a bound; what a dead process held returns to it.
    ///
    /// # Errors
    /// As [`Queue::bounded`](crate::Queue::bounded).
    pub fn unbounded() -> Result<Self> {
        JoinableQueue::with(None, OnDeath::default())
    }

    /// A queue, bounded or not, with what becomes of what a dead process held.
    ///
    /// # Errors
    /// As [`Queue::bounded`](crate::Queue::bounded).
    pub fn with(items: Option<usize>, on_death: OnDeath) -> Result<Self> {
        let plan = Plan {
            kind: ObjectKind::JoinableQueue,
            most: items.map_or(0, |items| items.max(1) as u64),
            most_bytes: items.map_or(0, |_| MOST_BYTES),
            joinable: true,
            on_death: match on_death {
                OnDeath::Return => held::RETURN,
                OnDeath::Report => held::REPORT,
            },
        };
        make::<T>(plan).map(JoinableQueue::of)
    }

    fn of(queue: Handle) -> Self {
        JoinableQueue {
            taker: OnceLock::new(),
            putting: Local::new(),
            getting: Local::new(),
            queue,
            of: PhantomData,
        }
    }

    pub(super) fn core(&self) -> &Core {
        self.queue.body()
    }

    /// Puts an item in; waits while the queue is full.
    ///
    /// # Errors
    /// As [`Queue::put`](crate::Queue::put).
    pub fn put(&self, value: T) -> Result<(), SendError<T>> {
        self.put_by(value, Some(None))
    }

    /// Puts an item in if there is room now.
    ///
    /// # Errors
    /// As [`Queue::try_put`](crate::Queue::try_put).
    pub fn try_put(&self, value: T) -> Result<(), SendError<T>> {
        self.put_by(value, None)
    }

    /// Puts an item in; waits at most so long for room.
    ///
    /// # Errors
    /// As [`Queue::put_timeout`](crate::Queue::put_timeout).
    pub fn put_timeout(&self, value: T, timeout: Duration) -> Result<(), SendError<T>> {
        self.put_by(value, Some(deadline_in(timeout)))
    }

    fn put_by(&self, value: T, deadline: Option<Option<Instant>>) -> Result<(), SendError<T>> {
        match put_value(&self.queue, &self.putting, &value, true, deadline) {
            Ok(()) => Ok(()),
            Err(refused) => Err(refuse(value, refused)),
        }
    }

    /// Takes the next item; waits until there is one.
    ///
    /// # Errors
    /// As [`Queue::get`](crate::Queue::get): a closed queue is at its end when it is empty, though something that others hold may
    /// return later; who closes it looks again after [`join`](Self::join) has failed or run out of time. What cannot be decoded is done.
    /// `is_heap_full` when the heap has no room to note one more item as held; then nothing was taken.
    pub fn get(&self) -> Result<Job<T>> {
        match self.get_by(Some(None))? {
            Some(job) => Ok(job),
            // Without a deadline it waits.
            None => Err(late("the queue was left without an item")),
        }
    }

    /// Takes the next item if there is one; `None` when there is none now.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn try_get(&self) -> Result<Option<Job<T>>> {
        self.get_by(None)
    }

    /// Takes the next item; waits for it at most so long, and gives `None` then.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_timeout(&self, timeout: Duration) -> Result<Option<Job<T>>> {
        self.get_by(Some(deadline_in(timeout)))
    }

    fn get_by(&self, deadline: Option<Option<Instant>>) -> Result<Option<Job<T>>> {
        if self.taker.get().is_none() {
            // For people: who it is, should it die.
            let taker = Taker::enter(&self.queue)?;
            if self.taker.set(taker).is_err() {
                taker.leave(&self.queue);
            }
        }
        let Some(item) = held::get(&self.queue, &self.getting, deadline)? else {
            return Ok(None);
        };
        let open = Open {
            queue: self.queue.clone(),
            item,
        };
        // Whatever happens in the user's code, the item is done.
        let reader = item.named.reader(self.queue.heap())?;
        let value = message::get(reader)?;
        Ok(Some(Job { value, open }))
    }

    /// Waits until everything that was put is done.
    ///
    /// # Errors
    /// `is_closed` when items are left but everybody else has ended, and so nobody will do them.
    pub fn join(&self) -> Result<()> {
        self.join_by(None).map(drop)
    }

    /// Waits at most so long until everything that was put is done; whether it is.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool> {
        self.join_by(deadline_in(timeout))
    }

    fn join_by(&self, deadline: Option<Instant>) -> Result<bool> {
        let core = self.core();
        loop {
            if held::unfinished(&self.queue, deadline) == 0 {
                return Ok(true);
            }
            if is_over(deadline) {
                return Ok(false);
            }
            let mut sleep = Sleep::new();
            held::want_done(&mut sleep, core);
            let alone = Arc::strong_count(self.queue.held()) == 1;
            let heap = self.queue.heap();
            sleep.on_changes(heap, self.queue.place())?;
            let others = sleep.on_others(heap, self.queue.place(), alone, deadline);
            if held::unfinished(&self.queue, deadline) == 0 {
                return Ok(true);
            }
            if others == Others::None {
                return Err(closed(
                    "items of the queue are left, and nobody else has it any more: all who could do them have ended",
                ));
            }
            sleep.sleep(deadline);
        }
    }

    /// How many items were put and are not done yet: those in the queue, and those that are held.
    pub fn unfinished(&self) -> usize {
        held::unfinished(&self.queue, held::soon())
    }

    /// How many items nobody has taken yet, exact at one moment of the call.
    pub fn len(&self) -> usize {
        get::len(&self.queue)
    }

    /// Whether all items were taken, exact at one moment of the call.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it holds as many items as it may, exact at one moment of the call. A large item may find no room for its bytes before.
    pub fn is_full(&self) -> bool {
        let most = self.core().most.load(Ordering::Relaxed);
        most != 0 && self.len() as u64 >= most
    }

    /// Closes it for everybody: nothing more can be put, what is in it can still be taken, and all who wait are woken.
    pub fn close(&self) {
        close(self.core());
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.core().is_closed()
    }

    /// The items that are held by processes that have ended. With [`OnDeath::Return`] those that nobody has taken over yet.
    pub fn lost(&self) -> Vec<Lost> {
        let held = held::lost(&self.queue);
        takers::name(&self.queue, held)
    }

    /// As [`lost`](Self::lost), but each item is named once, by one of all calls; then what is left of it is freed. With
    /// [`OnDeath::Return`] nothing, for everything comes back.
    ///
    /// # Errors
    /// In a copy of the process that the program made by its own `fork` (`is_forked`).
    pub fn take_lost(&self) -> Result<Vec<Lost>> {
        let names = takers::names(&self.queue);
        let held = held::take_lost(&self.queue)?;
        Ok(names.name(held))
    }
}

/// An item that is held, and done when this is dropped.
struct Open {
    queue: Handle,
    item: Item,
}

impl Drop for Open {
    fn drop(&mut self) {
        if !memory::forked() {
            held::done(&self.queue, &self.item);
        }
    }
}

/// An item of a [`JoinableQueue`], held by this process until it is done: when this is dropped, or by
/// [`task_done`](Self::task_done). Dereferences to the item.
///
/// One that is leaked (`mem::forget`) is never done while the process lives.
pub struct Job<T> {
    value: T,
    open: Open,
}

impl<T> Job<T> {
    /// The item is done; the same as dropping it. As Python's `JoinableQueue.task_done`.
    pub fn task_done(self) {}

    /// The item is done, and its value is wanted still.
    pub fn into_value(self) -> T {
        self.value
    }

    /// How many processes have taken it, this one included: more than 1 where others have died over it.
    pub fn attempt(&self) -> u32 {
        self.open.item.times
    }
}

impl<T> Deref for Job<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Job<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.value).finish()
    }
}

impl<T: Message> Source for JoinableQueue<T> {
    fn is_ready(&self) -> bool {
        !self.is_empty()
            || self.is_closed()
            || held::has_orphans(&self.queue, self.core(), held::soon())
            || get::is_abandoned(&self.queue)
    }

    fn prepare(&self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
        get::prepare(&self.queue, sleep, deadline)
            || held::has_orphans(&self.queue, self.core(), deadline)
    }
}

impl<T: Message> Drop for JoinableQueue<T> {
    fn drop(&mut self) {
        if let Some(taker) = self.taker.get().filter(|_| !memory::forked()) {
            taker.leave(&self.queue);
        }
    }
}

impl<T: Message> Clone for JoinableQueue<T> {
    /// Another handle of the same queue.
    fn clone(&self) -> Self {
        JoinableQueue::of(self.queue.clone())
    }
}

impl<T: Message> PartialEq for JoinableQueue<T> {
    /// Whether both are handles of the same queue.
    fn eq(&self, other: &Self) -> bool {
        self.queue == other.queue
    }
}

impl<T: Message> fmt::Debug for JoinableQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinableQueue")
            .field("len", &self.len())
            .field("unfinished", &self.unfinished())
            .finish_non_exhaustive()
    }
}

impl<T: Message> Serialize for JoinableQueue<T> {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.queue.serialize(to)
    }
}

impl<'de, T: Message> Deserialize<'de> for JoinableQueue<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let kind = ObjectKind::JoinableQueue;
        Handle::of_kind(from, kind, mark_of::<T>(), size_of::<Core>()).map(JoinableQueue::of)
    }
}
