//! `PoolBuilder`: what a pool is to be, and how it comes to be.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::drive::Shared;
use super::engine::End;
use super::engine::inline::InProcess;
use super::engine::local::Local;
use super::options::{self, Options};
use super::scheduler::Policy;
use super::service::{Service, Services};
use super::{Inner, Pool, call};
use crate::error::{Error, Kind, Result};
use crate::process;
use crate::session::{self, Role};
use crate::spawn::{Settings, StartMethod, get_start_method};
use crate::task::{self, Task};

/// How long running items may go on when the last handle of a pool is dropped.
const DROP_GRACE: Duration = Duration::from_secs(5);

/// What a pool is to be; made by [`Pool::builder`].
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct PoolBuilder {
    workers: Option<usize>,
    name: Option<String>,
    threads_per_worker: Option<usize>,
    calls: Options,
    inline: bool,
    drop_grace: Option<Duration>,
    tasks_per_worker: Option<u32>,
    start_timeout: Option<Duration>,
    services: Services,
    /// The first mistake among the settings.
    wrong: Option<Error>,
    method: Option<StartMethod>,
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
        self.calls.set_chunk(items);
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
        self.drop_grace = Some(grace);
        self
    }

    /// How the workers are started. Default: what [`get_start_method`](crate::get_start_method) says.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Every worker runs this task once, before its first item; also those that are started later. Python's `initializer` and
    /// `initargs`.
    ///
    /// [`build`](Self::build) waits until one worker has done it. If it fails, panics, or kills its worker, that is tried three
    /// times in a row for each worker; then `build` gives its error, or, where that happens later and no worker is left, calls
    /// do. One that never ends is waited for unless there is a [`start_timeout`](Self::start_timeout).
    ///
    /// ```
    /// use std::sync::OnceLock;
    ///
    /// static MODEL: OnceLock<u64> = OnceLock::new();
    ///
    /// #[mp::task]
    /// fn load(seed: u64) {
    ///     MODEL.get_or_init(|| seed * 3);
    /// }
    ///
    /// #[mp::task]
    /// fn score(x: u64) -> u64 {
    ///     MODEL.get().copied().unwrap_or(0) + x
    /// }
    ///
    /// mp::main! {
    ///     let pool = mp::Pool::builder().workers(2).initializer(load, 7).build()?;
    ///     assert_eq!(pool.map(score, [1, 2])?, [22, 23]);
    /// }
    /// ```
    pub fn initializer<T: Task>(mut self, task: T, input: T::Input<'_>) -> Self {
        let _ = task;
        self.services.initializer = self.service::<T>(&input);
        self
    }

    /// How long a worker may take from its start until it takes work, its [`initializer`](Self::initializer) included. Then it is
    /// killed, and another is started in its place; after three in a row that place is given up, and once no place is left
    /// calls end with an error that has `is_timeout`. [`build`](Self::build) waits for the first worker that long, and gives
    /// that error then. Default: no bound. Has no effect in a pool that is [`inline`](Self::inline).
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.start_timeout = Some(time);
        self
    }

    /// Every worker that ends in an orderly way (the pool was closed, dropped, made smaller, or the worker has served
    /// [`tasks_per_worker`](Self::tasks_per_worker)) runs this task as its last. A failure is told on stderr.
    pub fn finalizer<T: Task>(mut self, task: T, input: T::Input<'_>) -> Self {
        let _ = task;
        self.services.finalizer = self.service::<T>(&input);
        self
    }

    fn service<T: Task>(&mut self, input: &T::Input<'_>) -> Option<Service> {
        match Service::new::<T>(input) {
            Ok(service) => Some(service),
            Err(error) => {
                self.wrong.get_or_insert(error);
                None
            }
        }
    }

    /// A worker that was given so many items is replaced by a fresh one when it has done them: for tasks that leak. Items
    /// travel in chunks of at most so many then, and a worker's last chunk may go beyond the number. Default: workers stay.
    /// Python's `maxtasksperchild`.
    pub fn tasks_per_worker(mut self, items: usize) -> Self {
        self.tasks_per_worker = Some(options::count(items));
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// No worker at all can be started (`is_system`: no processes, no descriptors), the shared heap cannot be made, the
    /// settings make no sense (`is_usage`), no worker was up in time (`is_timeout`, see
    /// [`start_timeout`](Self::start_timeout)), or the initializer's own error.
    pub fn build(mut self) -> Result<Pool> {
        if let Some(error) = self.wrong.take() {
            return Err(error);
        }
        let session = session::current()?;
        task::table()?;
        let method = self.method.map_or_else(get_start_method, Ok)?;
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
        let mut calls = self.calls;
        let policy = Policy {
            max_items: self.tasks_per_worker,
            hands: crate::process::cpu_count() as u32,
            ..Policy::default()
        };
        if let Some(most) = self.tasks_per_worker {
            calls.most_items = Some(most);
        }
        let waits = self.services.initializer.is_some() || self.start_timeout.is_some();
        let (core, bell) = if self.inline {
            let engine = InProcess::new(session.heap, self.services);
            (Core::new(session.heap, Box::new(engine), policy, 1), None)
        } else {
            let name = self.name.unwrap_or_else(|| "PoolWorker".into());
            let bounded = self.start_timeout.is_some();
            let local = Local::new(session, name, method, settings, self.services, bounded)?;
            let bell = local.bell();
            let mut core = Core::new(session.heap, Box::new(local), policy, workers as u32);
            if let Some(time) = self.start_timeout {
                core.bound_starts(options::nanoseconds(time));
            }
            (core, Some(bell))
        };
        let shared = Shared::new(core, bell);
        // Counted from before the first process is started, so that it is over no later than the first worker's own.
        let deadline = self.start_timeout.and_then(call::deadline);
        let mut lead = shared.lock();
        lead.core.act();
        let first = lead.core.first_worker();
        shared.unlock(lead);
        match first {
            Some(Err(error)) => return Err(error),
            None if waits => {
                let first = shared.drive(None, deadline, Core::first_worker);
                let (error, how) = match first {
                    Some(Ok(())) => (None, End::Ask),
                    Some(Err(error)) => (Some(error), End::Terminate),
                    None => (Some(shared.lock().core.not_up_in_time()), End::Kill),
                };
                if let Some(error) = error {
                    shared.stop(Duration::ZERO, how);
                    return Err(error);
                }
            }
            Some(Ok(())) | None => {}
        }
        Ok(Pool {
            inner: Arc::new(Inner {
                shared,
                settings: calls,
                drop_grace: self.drop_grace.unwrap_or(DROP_GRACE),
            }),
        })
    }
}

/// More than the process table has slots for would be no pool.
pub(super) const MAX_WORKERS: usize = 4000;
