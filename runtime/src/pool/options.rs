//! How a call is to be run: the settings of the pool, of the task and of the call itself, and [`On`], which collects the last.

use std::time::{Duration, Instant};

use super::scheduler::CallSpec;
use super::stream::{Imap, ImapUnordered};
use super::{Handle, Pool, call, stream};
use crate::error::Result;
use crate::task::{self, Items, Reducer, Task};

/// Of folding calls a chunk runs so much longer: what it costs is one more value to be sent and folded.
const FOLD_CHUNKS: u32 = 16;

/// What a call is told; `None` where nobody has said anything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    chunk_size: Option<u32>,
    pub(crate) window: Option<u32>,
    /// Of a chunk, because workers are replaced after so many.
    pub(crate) most_items: Option<u32>,
    retries: Option<u32>,
    timeout: Option<Duration>,
    grace: Duration,
    within: Option<Duration>,
    pub(crate) unordered: bool,
}

/// How many, as the scheduler counts; 0 counts as 1.
pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number.max(1)).unwrap_or(u32::MAX)
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Options {
    /// How many items a chunk holds, where that is fixed.
    pub(crate) fn chunk(&self) -> Option<u32> {
        let most = self.most_items.unwrap_or(u32::MAX);
        self.chunk_size.map(|size| size.min(most))
    }

    /// Sets how many items a chunk holds.
    pub(super) fn set_chunk(&mut self, items: usize) {
        self.chunk_size = Some(count(items));
    }

    /// Until when the whole call may take.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.within.and_then(call::deadline)
    }

    pub(crate) fn spec<T: Task>(&self, expected: Option<u64>, fold: bool) -> CallSpec {
        let one = self.spec_of_one::<T>();
        CallSpec {
            items: expected,
            // A folded chunk is one run of the task: only a chunk of one item has a deadline that is the item's.
            chunked: self.chunk_size != Some(1) && !(fold && one.timeout_ns.is_some()),
            max_chunk: self.chunk().or(self.most_items).unwrap_or(u32::MAX),
            window: self.window,
            stretch: if fold { FOLD_CHUNKS } else { 1 },
            ..one
        }
    }

    pub(crate) fn spec_of_one<T: Task>(&self) -> CallSpec {
        let defaults = task::defaults::<T>();
        CallSpec {
            items: Some(1),
            retries: self.retries.or(defaults.retries).unwrap_or(0),
            timeout_ns: self.timeout.or(defaults.timeout).map(nanoseconds),
            grace_ns: nanoseconds(self.grace),
            ..CallSpec::default()
        }
    }
}

/// A call of a task, to be configured and then made: what [`Pool::on`] gives.
///
/// What is not said here is as the pool, or the task (`#[mp::task(timeout = "30s", retries = 2)]`), says.
///
/// ```
/// #[mp::task]
/// fn half(x: u64) -> Result<u64, mp::Failure> {
///     if x % 2 == 0 { Ok(x / 2) } else { Err(mp::Failure::new("odd")) }
/// }
///
/// mp::main! {
///     let pool = mp::Pool::builder().workers(2).build()?;
///     let halves = pool.on(half).retries(1).chunk_size(2).try_map([2, 3, 4])?;
///     assert_eq!(halves[2].as_ref().ok(), Some(&2));
///     assert!(halves[1].as_ref().is_err_and(|error| error.is_task()));
/// }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is called until `map`, `apply` or another of its calls"]
pub struct On<'p, T> {
    pool: &'p Pool,
    task: T,
    options: Options,
}

impl<'p, T: Task> On<'p, T> {
    pub(super) fn new(pool: &'p Pool, task: T, options: Options) -> Self {
        On {
            pool,
            task,
            options,
        }
    }

    /// How many items travel together; 1 sends each by itself. Default: measured, about 200 µs of work. Python's `chunksize`.
    pub fn chunk_size(mut self, items: usize) -> Self {
        self.options.set_chunk(items);
        self
    }

    /// How many messages may wait at a worker; 1 keeps every item with the parent until a worker is free. Default: measured.
    pub fn prefetch(mut self, messages: usize) -> Self {
        self.options.window = Some(count(messages));
        self
    }

    /// How often an item runs again after it has failed, panicked, or lost its worker. Default: not at all.
    pub fn retries(mut self, times: u32) -> Self {
        self.options.retries = Some(times);
        self
    }

    /// How long an item may run, from the moment its worker begins it. Then that worker is ended at once and replaced, and
    /// the item ends with `is_timeout`, which names item, worker, pid and attempt (or runs again, where it has
    /// [`retries`](Self::retries)). Default: as long as it likes. Has no effect in a pool that is
    /// [`inline`](crate::PoolBuilder::inline).
    pub fn timeout(mut self, time: Duration) -> Self {
        self.options.timeout = Some(time);
        self
    }

    /// How long a worker that is to be ended, because an item's time is up or its call is cancelled, gets to end the item by
    /// itself: [`mp::cancelled()`](crate::cancelled) is true there meanwhile. A value that the task still returns counts.
    /// Default: it is ended at once.
    pub fn grace(mut self, time: Duration) -> Self {
        self.options.grace = time;
        self
    }

    /// How long the whole call may take; then it ends with `is_timeout`, what is queued is called off, and workers that are
    /// running items of it are ended and replaced. That includes the time that the input takes: it is looked at between any two
    /// items, but a single `next` of the input cannot be interrupted, so the call ends when that returns. Of calls that return at once (`apply_async`, `imap`) it bounds nothing:
    /// bound the waiting instead. Default: no bound.
    pub fn within(mut self, time: Duration) -> Self {
        self.options.within = Some(time);
        self
    }

    /// Whether values come in the order of their items; otherwise in the order in which they are ready. Default: they do.
    pub fn ordered(mut self, ordered: bool) -> Self {
        self.options.unordered = !ordered;
        self
    }

    /// As [`Pool::map`].
    ///
    /// # Errors
    /// As [`Pool::map`].
    pub fn map<'a, I: Items<T::Params<'a>>>(self, items: I) -> Result<Vec<T::Output>> {
        call::map::<T, I>(&self.pool.inner.shared, &self.options, items)
    }

    /// As [`Pool::try_map`].
    ///
    /// # Errors
    /// As [`Pool::try_map`].
    pub fn try_map<'a, I: Items<T::Params<'a>>>(self, items: I) -> Result<Vec<Result<T::Output>>> {
        call::try_map::<T, I>(&self.pool.inner.shared, &self.options, items)
    }

    /// As [`Pool::map_reduce`]; the order is that of the items in any case.
    ///
    /// # Errors
    /// As [`Pool::map_reduce`].
    pub fn map_reduce<'a, R, I>(self, reducer: R, items: I) -> Result<Option<T::Output>>
    where
        R: Reducer<T::Output>,
        I: Items<T::Params<'a>>,
    {
        let _ = reducer;
        call::map_reduce::<T, R, I>(&self.pool.inner.shared, &self.options, items)
    }

    /// As [`Pool::imap`]; with [`ordered(false)`](Self::ordered) in the order in which the values are ready.
    ///
    /// # Errors
    /// As [`Pool::imap`].
    pub fn imap<'a, I: Items<T::Params<'a>>>(self, items: I) -> Result<Imap<'a, T::Output>>
    where
        I::Iter: 'a,
    {
        stream::imap::<T, I>(self.pool, &self.options, items).map(Imap)
    }

    /// As [`Pool::imap_unordered`].
    ///
    /// # Errors
    /// As [`Pool::imap_unordered`].
    pub fn imap_unordered<'a, I: Items<T::Params<'a>>>(
        mut self,
        items: I,
    ) -> Result<ImapUnordered<'a, T::Output>>
    where
        I::Iter: 'a,
    {
        self.options.unordered = true;
        stream::imap::<T, I>(self.pool, &self.options, items).map(ImapUnordered)
    }

    /// As [`Pool::apply`].
    ///
    /// # Errors
    /// As [`Pool::apply`].
    pub fn apply(self, input: T::Input<'_>) -> Result<T::Output> {
        let _ = self.task;
        call::apply::<T>(&self.pool.inner.shared, &self.options, &input)
    }

    /// As [`Pool::map_async`].
    ///
    /// # Errors
    /// As [`Pool::map_async`].
    pub fn map_async<'a, I: Items<T::Params<'a>>>(
        self,
        items: I,
    ) -> Result<Handle<Vec<T::Output>>> {
        call::map_async::<T, I>(&self.pool.inner.shared, &self.options, items)
    }

    /// As [`Pool::map_async`], with one [`Result`] for each item as in [`Pool::try_map`].
    ///
    /// # Errors
    /// The pool is closed, or the call could not be made at all.
    pub fn try_map_async<'a, I: Items<T::Params<'a>>>(
        self,
        items: I,
    ) -> Result<Handle<Vec<Result<T::Output>>>> {
        call::try_map_async::<T, I>(&self.pool.inner.shared, &self.options, items)
    }

    /// As [`Pool::apply_async`].
    ///
    /// # Errors
    /// As [`Pool::apply_async`].
    pub fn apply_async(self, input: T::Input<'_>) -> Result<Handle<T::Output>> {
        call::apply_async::<T>(&self.pool.inner.shared, &self.options, &input)
    }
}
