//! `Pool`: worker processes that live longer than one task, and the calls that give them work. Python's `Pool`.
//!
//! The calls are here and in `call`, `stream`, `options` and `handle`, their input in `feed`, their values in `collect`; below them `core` joins the pure `scheduler` to an `engine`, `drive` says
//! which thread does that when, `mail` is what parent and worker share, `worker` is the other side of it.

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
mod stream;
mod wait;
mod worker;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use self::core::{Core, State};
use crate::error::{Error, Kind, Result};
use crate::process;
use crate::session::{self, Role};
use crate::spawn::{Settings, StartMethod};
use crate::sys::memory::forked;
use crate::task::{self, Items, Reducer, Task};
use drive::Shared;
use engine::inline::InProcess;
use engine::local::Local;
use options::Options;
use scheduler::Policy;

pub(crate) use global::close as close_global;
pub use global::map;
pub use handle::Handle;
pub use options::On;
pub use stream::{Imap, ImapUnordered};
pub use wait::{AsCompleted, as_completed, wait_all, wait_any};
pub use worker::cancelled;
pub(crate) use worker::serve;

/// How long running items may go on when the last handle of a pool is dropped.
const DROP_GRACE: Duration = Duration::from_secs(5);

/// A pool of worker processes. Python's `Pool`; clones are the same pool.
///
/// A worker that dies takes only the item it was running with it: that item's call gets an error that names it, the rest is
/// queued again, and the pool starts another worker. No call waits for a worker that is gone.
///
/// When the last clone is dropped, items that are running get 5 s (see [`PoolBuilder::drop_grace`]), queued ones end with
/// `is_cancelled`, and the workers are ended: asked, then SIGTERM after 2 s, then SIGKILL after 0.5 s.
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
    workers: usize,
}

/// What a pool is to be; made by [`Pool::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct PoolBuilder {
    workers: Option<usize>,
    name: Option<String>,
    threads_per_worker: Option<usize>,
    calls: Options,
    inline: bool,
    drop_grace: Duration,
    method: StartMethod,
}

impl PoolBuilder {
    /// How many workers; 0 is an error of [`build`](Self::build). Default: one for every processor this process may use
    /// ([`cpu_count`](crate::cpu_count)), and one in a process that is itself a worker.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// What its workers are called: `NAME-1` and so on. Default: `PoolWorker`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many threads the libraries in a worker may start, told to them by `OMP_NUM_THREADS`, `OPENBLAS_NUM_THREADS`,
    /// `MKL_NUM_THREADS` and `RAYON_NUM_THREADS`. Default: these stay as they are.
    pub fn threads_per_worker(mut self, threads: usize) -> Self {
        self.threads_per_worker = Some(threads);
        self
    }

    /// How many items of a `map` travel together. Default: measured, so that a chunk takes about 200 µs. 1 sends each item
    /// by itself. Python's `chunksize`.
    pub fn chunk_size(mut self, items: usize) -> Self {
        self.calls.chunk_size = Some(options::count(items));
        self
    }

    /// How many messages may wait at a worker beyond what is measured to be good; 1 keeps every item with the parent until a
    /// worker is free. Default: measured, about 150 µs of work.
    pub fn prefetch(mut self, messages: usize) -> Self {
        self.calls.window = Some(options::count(messages));
        self
    }

    /// Runs the tasks in this process, on the thread that waits for them, encoded and decoded as for workers: for debugging.
    /// A task that crashes takes this process with it.
    pub fn inline(mut self, inline: bool) -> Self {
        self.inline = inline;
        self
    }

    /// How long items that are running may go on when the last handle of the pool is dropped. Default: 5 s.
    pub fn drop_grace(mut self, grace: Duration) -> Self {
        self.drop_grace = grace;
        self
    }

    /// How the workers are started. There is one method so far, [`StartMethod::Spawn`].
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = method;
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// No worker at all can be started (`is_system`: no processes, no descriptors), the shared heap cannot be made, or the
    /// settings make no sense (`is_usage`).
    pub fn build(self) -> Result<Pool> {
        let session = session::current()?;
        task::table()?;
        let StartMethod::Spawn = self.method;
        let default = if session.role == Role::Worker {
            1
        } else {
            process::cpu_count()
        };
        let workers = self.workers.unwrap_or(default);
        let Some(workers) =
            NonZeroUsize::new(workers).filter(|workers| workers.get() <= MAX_WORKERS)
        else {
            return Err(Error::new(
                Kind::Usage,
                format!("a pool has 1 to {MAX_WORKERS} workers, not {workers}"),
            ));
        };
        let workers = if self.inline { 1 } else { workers.get() };
        let mut settings = Settings::default();
        if let Some(threads) = self.threads_per_worker {
            for variable in [
                "OMP_NUM_THREADS",
                "OPENBLAS_NUM_THREADS",
                "MKL_NUM_THREADS",
                "RAYON_NUM_THREADS",
            ] {
                settings
                    .env
                    .push((variable.into(), Some(threads.max(1).to_string().into())));
            }
        }
        let policy = Policy::default();
        let (core, bell) = if self.inline {
            (
                Core::new(
                    session.heap,
                    Box::new(InProcess::new(session.heap)),
                    policy,
                    1,
                ),
                None,
            )
        } else {
            let name = self.name.unwrap_or_else(|| "PoolWorker".into());
            let local = Local::new(session, name, settings)?;
            let bell = local.bell();
            (
                Core::new(session.heap, Box::new(local), policy, workers as u32),
                Some(bell),
            )
        };
        let shared = Shared::new(core, bell);
        let mut lead = shared.lock();
        lead.core.act();
        if let Some(cause) = lead.core.hopeless() {
            return Err(Error::new(
                Kind::System,
                format!("a pool cannot start a single worker: {cause}"),
            ));
        }
        drop(lead);
        let inner = Inner {
            shared,
            settings: self.calls,
            drop_grace: self.drop_grace,
            workers,
        };
        Ok(Pool {
            inner: Arc::new(inner),
        })
    }
}

/// More than the process table has slots for would be no pool.
const MAX_WORKERS: usize = 4000;

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
        PoolBuilder {
            workers: None,
            name: None,
            threads_per_worker: None,
            calls: Options::default(),
            inline: false,
            drop_grace: DROP_GRACE,
            method: StartMethod::default(),
        }
    }

    /// How many workers it has.
    pub fn workers(&self) -> usize {
        self.inner.workers
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
    /// The input is pulled as the workers need it. Items travel in chunks sized by the measured time.
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
    /// # Errors
    /// The pool was not closed (`is_usage`).
    pub fn join(&self) -> Result<()> {
        if forked() {
            return Err(session::forked());
        }
        let state = self.inner.shared.lock().core.state;
        if state == State::Open {
            return Err(Error::new(
                Kind::Usage,
                "close or terminate the pool before joining it",
            ));
        }
        self.inner
            .shared
            .drive(None, None, |core| (!core.has_open_calls()).then_some(()));
        self.inner.shared.stop(Duration::ZERO, true);
        Ok(())
    }

    /// Ends the pool at once: what is queued or running is called off (`is_cancelled`), the workers get SIGTERM and, 0.5 s
    /// later, SIGKILL. Python's `terminate`.
    pub fn terminate(&self) {
        if !forked() {
            self.inner.shared.stop(Duration::ZERO, false);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if forked() {
            // The workers are the original's: in a copy of it nothing of the pool may be dropped.
            std::mem::forget(Arc::clone(&self.shared));
            return;
        }
        self.shared.stop(self.drop_grace, true);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("workers", &self.inner.workers)
            .finish_non_exhaustive()
    }
}
