//! `Pool`: worker processes that live longer than one task, and the calls that give them work. Python's `Pool`.
//!
//! The calls are here and in `options`, `call`, `stream`, `handle`, `chain` (callbacks) and `wait`; their input goes through
//! `feed`, their values through `collect`. Below them `core` joins the pure `scheduler` to an `engine`, `drive` says which
//! thread does that when, `mail` is what parent and worker share, `worker` is the other side of it, `service` what it runs
//! first and last.

mod builder;
mod call;
mod chain;
mod collect;
mod core;
mod drive;
mod engine;
mod feed;
mod global;
mod handle;
mod mail;
mod options;
mod payload;
mod scheduler;
mod service;
mod stream;
#[cfg(test)]
mod tests;
mod wait;
mod waitable;
mod worker;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::core::State;
use crate::error::{Error, Kind, Result};
use crate::session;
use crate::sys::memory::forked;
use crate::task::{Items, Reducer, Task};
use drive::Shared;
use engine::End;
use options::Options;

pub use builder::PoolBuilder;
pub(crate) use global::close as close_global;
pub use global::map;
pub use handle::Handle;
pub use options::On;
pub use stream::{Imap, ImapUnordered};
pub use wait::{AsCompleted, as_completed, wait_all, wait_any};
pub use worker::cancelled;
pub(crate) use worker::serve;

/// A pool of worker processes. Python's `Pool`; clones are the same pool.
///
/// A worker that dies takes only the item it was running with it: that item's call gets an error that names it, the rest is
/// queued again, and the pool starts another worker. No call waits for a worker that is gone.
///
/// When the last clone is dropped, items that are running get 5 s (see [`PoolBuilder::drop_grace`]), queued ones end with
/// `is_cancelled`, and the workers are ended: asked, then SIGTERM after 2 s, then SIGKILL after 0.5 s. So the drop takes 7.5 s at
/// the most (and what the kernel needs to end a process), `join` as long as its work and 2.5 s, `shutdown(d)` `d` and 2.5 s,
/// `terminate` 0.5 s, `kill` no time of its own. Finalizers, hooks (`atexit`) and destructors of thread-locals run in workers
/// that are asked and end by themselves.
///
/// While one thread ends the pool, others get their answers: what was called off is told before the workers have ended. Who
/// ends it a second time, from any thread or callback, waits until the first is done; `terminate` and `kill` make that faster.
///
/// ```
/// #[mp::task]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main!(run);
///
/// fn run() -> mp::Result<()> {
///     let pool = mp::Pool::builder().workers(2).build()?;
///     assert_eq!(pool.map(square, 1..=4)?, [1, 4, 9, 16]);
///     assert_eq!(pool.apply(square, 5)?, 25);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    settings: Options,
    drop_grace: Duration,
}

impl Pool {
    /// A pool with one worker for every processor this process may use (one, in a process that is itself a worker).
    ///
    /// # Errors
    /// As [`PoolBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// A pool to be configured.
    pub fn builder() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        if forked() {
            return 0;
        }
        self.inner.shared.lock().core.size() as usize
    }

    /// Wants so many workers from now on, while calls go on: new ones are started at once; where there are too many, idle ones
    /// end first and busy ones when they have done what they have.
    ///
    /// # Errors
    /// The number makes no sense (`is_usage`), or the pool is closed.
    pub fn resize(&self, workers: usize) -> Result<()> {
        if forked() {
            return Err(session::forked());
        }
        let most = builder::MAX_WORKERS;
        if !(1..=most).contains(&workers) {
            return Err(Error::new(
                Kind::Usage,
                format!("a pool has 1 to {most} workers, not {workers}"),
            ));
        }
        if forked() {
            return Err(session::forked());
        }
        let mut lead = self.inner.shared.lock();
        if lead.core.state != State::Open {
            return Err(Error::new(
                Kind::Closed,
                "the pool is closed: it has no use for other workers",
            ));
        }
        lead.core.resize(workers as u32);
        lead.core.act();
        self.inner.shared.leave_to_keeper(lead);
        Ok(())
    }

    /// The process ids of its workers, as far as they run now.
    pub fn worker_pids(&self) -> Vec<u32> {
        if forked() {
            return Vec::new();
        }
        self.inner
            .shared
            .lock()
            .core
            .engine
            .everybody()
            .into_iter()
            .map(|who| who.pid)
            .collect()
    }

    /// Runs the task on every item and gives the values in the order of the items. Python's `map` and `starmap`: for a task of
    /// several parameters the items are tuples. Data are lent: `&vec` for `&[T]`, `&string` for `&str`.
    ///
    /// The input is pulled as the workers need it, on this thread, where [`On::within`] bounds the whole call. Items travel in
    /// chunks sized by the measured time. Where the shared heap has no room for more, items wait until something that is in
    /// flight is done.
    ///
    /// # Errors
    /// The first error in time: an item that failed, panicked, or whose worker died (it names the item). What is queued is
    /// called off; items that are running finish, and their values are discarded.
    pub fn map<'a, T: Task, I: Items<T::Params<'a>>>(
        &self,
        task: T,
        items: I,
    ) -> Result<Vec<T::Output>> {
        let _ = task;
        call::map::<T, I>(&self.inner.shared, &self.inner.settings, items)
    }

    /// A call of the task with settings of its own: `pool.on(task).chunk_size(10).retries(2).map(items)`. See [`On`].
    pub fn on<T: Task>(&self, task: T) -> On<'_, T> {
        On::new(self, task, self.inner.settings)
    }

    /// Runs the task on every item and gives one [`Result`] for each, in order: an item that fails, panics, takes its worker
    /// with it or cannot be encoded fails alone.
    ///
    /// # Errors
    /// The pool is closed, or the call could not be made at all; never because of an item.
    ///
    /// ```
    /// #[mp::task]
    /// fn invert(x: u64) -> u64 {
    ///     100 / x
    /// }
    ///
    /// mp::main! {
    ///     let pool = mp::Pool::builder().workers(2).build()?;
    ///     let results = pool.try_map(invert, [1, 0, 50])?;
    ///     assert!(results[1].as_ref().is_err_and(|error| error.is_panic()));
    ///     assert_eq!(results[2].as_ref().ok(), Some(&2));
    /// }
    /// ```
    pub fn try_map<'a, T: Task, I: Items<T::Params<'a>>>(
        &self,
        task: T,
        items: I,
    ) -> Result<Vec<Result<T::Output>>> {
        self.on(task).try_map(items)
    }

    /// Runs the task on the items as they are pulled, and gives an iterator of one [`Result`] for each, in order. Python's
    /// `imap`.
    ///
    /// The input may be endless: it is pulled on the thread that takes the values, at most about twice as far ahead as keeps
    /// the workers busy, and by 128 MiB. An item that fails fails alone. Dropping the iterator calls off what is queued; items
    /// that are running finish, and their values are discarded.
    ///
    /// # Errors
    /// The pool is closed. Everything else comes out of the iterator.
    ///
    /// ```
    /// #[mp::task]
    /// fn square(x: u64) -> u64 {
    ///     x * x
    /// }
    ///
    /// mp::main! {
    ///     let pool = mp::Pool::builder().workers(2).build()?;
    ///     let large = pool.imap(square, 1..)?.find(|value| value.as_ref().is_ok_and(|value| *value > 1000));
    ///     assert_eq!(large.transpose()?, Some(1024));
    /// }
    /// ```
    pub fn imap<'a, T: Task, I: Items<T::Params<'a>>>(
        &self,
        task: T,
        items: I,
    ) -> Result<Imap<'a, T::Output>>
    where
        I::Iter: 'a,
    {
        self.on(task).imap(items)
    }

    /// As [`imap`](Self::imap), but values come as they are ready, each with the index of its item. Python's
    /// `imap_unordered`.
    ///
    /// # Errors
    /// As [`imap`](Self::imap).
    ///
    /// ```
    /// #[mp::task]
    /// fn square(x: u64) -> u64 {
    ///     x * x
    /// }
    ///
    /// mp::main! {
    ///     let pool = mp::Pool::builder().workers(2).build()?;
    ///     for (item, value) in pool.imap_unordered(square, 0..100)? {
    ///         assert_eq!(value?, (item * item) as u64);
    ///     }
    /// }
    /// ```
    pub fn imap_unordered<'a, T: Task, I: Items<T::Params<'a>>>(
        &self,
        task: T,
        items: I,
    ) -> Result<ImapUnordered<'a, T::Output>>
    where
        I::Iter: 'a,
    {
        self.on(task).imap_unordered(items)
    }

    /// Runs the task on every item and folds the values into one: in the workers first, then the workers' values here, always
    /// in the order of the items, so that the reducer need be associative only. `None` where there is no item.
    ///
    /// The reducer is itself a task, of two parameters of the task's output type: a closure could not travel.
    ///
    /// # Errors
    /// As [`map`](Self::map); the reducer's own failure counts as the failure of an item it was folding. A worker that dies
    /// takes the values it has folded and not delivered with it: those items run again.
    pub fn map_reduce<'a, T, R, I>(
        &self,
        task: T,
        reducer: R,
        items: I,
    ) -> Result<Option<T::Output>>
    where
        T: Task,
        R: Reducer<T::Output>,
        I: Items<T::Params<'a>>,
    {
        let _ = (task, reducer);
        call::map_reduce::<T, R, I>(&self.inner.shared, &self.inner.settings, items)
    }

    /// Runs the task once, in a worker, and waits for its value.
    ///
    /// # Errors
    /// The task failed or panicked, its worker died, the pool is closed.
    pub fn apply<T: Task>(&self, task: T, input: T::Input<'_>) -> Result<T::Output> {
        let _ = task;
        call::apply::<T>(&self.inner.shared, &self.inner.settings, &input)
    }

    /// Gives the task to a worker and returns at once; the handle brings the value.
    ///
    /// # Errors
    /// The arguments cannot be encoded, or the pool is closed; the task's own errors come from the handle.
    pub fn apply_async<T: Task>(&self, task: T, input: T::Input<'_>) -> Result<Handle<T::Output>> {
        let _ = task;
        call::apply_async::<T>(&self.inner.shared, &self.inner.settings, &input)
    }

    /// Gives the task all items and returns; the handle brings the values, in order. Python's `map_async` and `starmap_async`.
    ///
    /// All of the input is pulled and encoded before this returns: it may be larger than what [`map`](Self::map) holds at a
    /// time, up to the limit of the shared heap. The handle is ready when all values are there, or the first error.
    ///
    /// # Errors
    /// An item cannot be encoded, or the pool is closed; the task's own errors come from the handle.
    ///
    /// ```
    /// #[mp::task]
    /// fn square(x: u64) -> u64 {
    ///     x * x
    /// }
    ///
    /// mp::main! {
    ///     let pool = mp::Pool::builder().workers(2).build()?;
    ///     let squares = pool.map_async(square, 1..=3)?;
    ///     assert_eq!(squares.get()?, [1, 4, 9]);
    /// }
    /// ```
    pub fn map_async<'a, T: Task, I: Items<T::Params<'a>>>(
        &self,
        task: T,
        items: I,
    ) -> Result<Handle<Vec<T::Output>>> {
        self.on(task).map_async(items)
    }

    /// Takes no more work; what was given goes on. Python's `close`.
    pub fn close(&self) {
        if forked() {
            return;
        }
        let mut lead = self.inner.shared.lock();
        lead.core.close();
        lead.core.act();
        self.inner.shared.unlock(lead);
    }

    /// Waits until all work is done and the workers have ended. Python's `join`.
    ///
    /// It takes as long as the work does; the workers then get 2 s to end by themselves, 0.5 s after SIGTERM, and SIGKILL.
    /// [`join_timeout`](Self::join_timeout) and [`shutdown`](Self::shutdown) bound the work, too.
    ///
    /// # Errors
    /// The pool was not closed (`is_usage`).
    pub fn join(&self) -> Result<()> {
        self.join_until(None).map(drop)
    }

    /// As [`join`](Self::join), but waits for the work no longer than `timeout`; whether it is done. If not, the pool goes on.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<bool> {
        self.join_until(call::deadline(timeout))
    }

    fn join_until(&self, deadline: Option<Instant>) -> Result<bool> {
        if forked() {
            return Err(session::forked());
        }
        let shared = &self.inner.shared;
        let state = shared.lock().core.state;
        if state == State::Open {
            return Err(Error::new(
                Kind::Usage,
                "close the pool before you join it: it would never end",
            ));
        }
        let done = shared.drive(None, deadline, |core| {
            (!core.has_open_calls()).then_some(())
        });
        if done.is_some() {
            shared.stop(Duration::ZERO, End::Ask);
        }
        Ok(done.is_some())
    }

    /// Closes the pool, gives its work `timeout` to be done, and ends it; what is not done then is called off
    /// (`is_cancelled`). Whether all was done. It takes 2.5 s longer than `timeout` at the most, as workers that have ended
    /// their work get 2 s to end by themselves, and 0.5 s after SIGTERM.
    ///
    /// It may be called from any thread, from a callback, and again: the second call finds nothing to do.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.close();
        let done = self.join_timeout(timeout).unwrap_or(false);
        if !done {
            self.terminate();
        }
        done
    }

    /// Ends the pool at once: what is queued or running is called off (`is_cancelled`), the workers get SIGTERM and, 0.5 s
    /// later, SIGKILL. Returns when they have ended; everybody else is told before. Python's `terminate`. From any thread, from a
    /// callback, and again.
    pub fn terminate(&self) {
        self.inner.shared.stop(Duration::ZERO, End::Terminate);
    }

    /// As [`terminate`](Self::terminate), with SIGKILL at once.
    pub fn kill(&self) {
        self.inner.shared.stop(Duration::ZERO, End::Kill);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if forked() {
            // The workers are the original's: in a copy of it nothing of the pool may be dropped.
            std::mem::forget(Arc::clone(&self.shared));
            return;
        }
        self.shared.stop(self.drop_grace, End::Ask);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}
