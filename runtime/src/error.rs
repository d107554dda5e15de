//! Every error a user can see: one opaque [`Error`] with predicates and context, and [`Failure`], which tasks return.
//!
//! An `Error` says what happened (its kind), to whom (task, item, worker, pid), how (signal, exit
//! code, panic location) and why (`source`). It is built here and nowhere else, through the
//! constructors below; other modules add context on the way up with the `with_…` methods. `Failure`
//! and what makes one stand in files of their own.

mod context;
mod failure;
mod levels;

use std::fmt;
use std::io;

pub use context::Context;
pub use failure::Failure;

/// What expansions name.
#[doc(hidden)]
pub(crate) mod __private {
    pub use super::levels::{ErrorProbe, Way};

    /// The levels of the probe as methods only: no name of theirs can be taken for one of the
    /// user's.
    pub mod error_levels {
        pub use crate::error::levels::{
            Level1 as _, Level2 as _, Level3 as _, Level4 as _, Level5 as _, Level6 as _,
            Level7 as _,
        };
    }
}

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong in a call of this crate: a task that failed or panicked, a process that died, a time-out, the system.
///
/// Ask with the predicates (`is_panic`, `is_death`, …), then read the context (`task`, `item`, `worker`, `pid`,
/// `signal`, `exit_code`, `location`, `backtrace`). The `Display` text names all of it in one line; the cause, where
/// there is one, is in [`source`](std::error::Error::source).
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    details: Details,
    source: Option<Source>,
}

/// Where and to whom it happened; every field is optional.
#[derive(Clone, Debug, Default)]
struct Details {
    task: Option<String>,
    item: Option<u64>,
    worker: Option<String>,
    pid: Option<u32>,
    signal: Option<i32>,
    code: Option<i32>,
    attempt: Option<u32>,
    peak: Option<u64>,
    out_of_memory: bool,
    location: Option<String>,
    backtrace: Option<String>,
}

/// The kinds of error, one predicate each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The task returned an error.
    Task,
    /// The task panicked.
    Panic,
    /// The process that ran the task ended before it gave a value.
    Died,
    /// A deadline passed.
    Timeout,
    /// The work was called off before it ended.
    Cancelled,
    /// The pool, or the session, takes no more work.
    Closed,
    /// A value could not be encoded.
    Encode,
    /// Bytes could not be decoded.
    Decode,
    /// The system refused something.
    System,
    /// The shared heap is at its limit.
    HeapFull,
    /// Called in a process that the user forked by hand.
    Forked,
    /// No task of that name, or not the same table on both sides.
    UnknownTask,
    /// A process died while it held a lock.
    Poisoned,
    /// A barrier was broken.
    Broken,
    /// The call makes no sense as it stands.
    Usage,
    /// The other process broke the protocol.
    Protocol,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            details: Details::default(),
            source: None,
        }))
    }

    /// The system refused `what`; the cause stays in `source`.
    pub(crate) fn system(what: impl Into<String>, cause: impl Into<io::Error>) -> Self {
        let cause = cause.into();
        let mut error = Error::new(Kind::System, format!("{}: {cause}", what.into()));
        error.0.source = Some(Box::new(cause));
        error
    }

    pub(crate) fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_task(mut self, task: impl Into<String>) -> Self {
        self.0.details.task.get_or_insert(task.into());
        self
    }

    pub(crate) fn with_item(mut self, item: u64) -> Self {
        self.0.details.item.get_or_insert(item);
        self
    }

    /// For a call of one item, whose index says nothing.
    pub(crate) fn without_item(mut self) -> Self {
        self.0.details.item = None;
        self
    }

    pub(crate) fn with_worker(mut self, worker: impl Into<String>) -> Self {
        self.0.details.worker.get_or_insert(worker.into());
        self
    }

    pub(crate) fn with_pid(mut self, pid: u32) -> Self {
        self.0.details.pid.get_or_insert(pid);
        self
    }

    pub(crate) fn with_signal(mut self, signal: i32) -> Self {
        self.0.details.signal = Some(signal);
        self
    }

    pub(crate) fn with_exit_code(mut self, code: i32) -> Self {
        self.0.details.code = Some(code);
        self
    }

    /// The most memory its process ever had, in bytes.
    pub(crate) fn with_peak_memory(mut self, bytes: u64) -> Self {
        self.0.details.peak = Some(bytes);
        self
    }

    pub(crate) fn with_out_of_memory(mut self) -> Self {
        self.0.details.out_of_memory = true;
        self
    }

    /// Which run of the item it was, from 1.
    pub(crate) fn with_attempt(mut self, attempt: u32) -> Self {
        self.0.details.attempt.get_or_insert(attempt);
        self
    }

    /// The same, of an item whose time was up: a time-out, whatever else it was; what it was is the cause.
    pub(crate) fn too_late(self) -> Self {
        let details = self.0.details.clone();
        let mut error = Error::new(Kind::Timeout, "the item ran longer than it may");
        error.0.details = details;
        // A worker that was killed for it has nothing to add.
        match self.0.kind {
            Kind::Died => error,
            _ => error.with_source(self),
        }
    }

    pub(crate) fn with_location(mut self, location: impl Into<String>) -> Self {
        self.0.details.location = Some(location.into());
        self
    }

    pub(crate) fn with_backtrace(mut self, backtrace: impl Into<String>) -> Self {
        self.0.details.backtrace = Some(backtrace.into());
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether the task itself failed: it returned an error, whose causes are in `source`.
    pub fn is_task(&self) -> bool {
        self.0.kind == Kind::Task
    }

    /// Whether the task panicked; [`location`](Self::location) and [`backtrace`](Self::backtrace) say where.
    pub fn is_panic(&self) -> bool {
        self.0.kind == Kind::Panic
    }

    /// Whether the process that ran the task ended before it gave a value (killed, exited, aborted, crashed).
    pub fn is_death(&self) -> bool {
        self.0.kind == Kind::Died
    }

    /// Whether a time-out passed. The work goes on unless the call says otherwise.
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// Whether the work was called off before it ended.
    pub fn is_cancelled(&self) -> bool {
        self.0.kind == Kind::Cancelled
    }

    /// Whether the pool was closed before the call.
    pub fn is_closed(&self) -> bool {
        self.0.kind == Kind::Closed
    }

    /// Whether a value could not be encoded; nothing was sent.
    pub fn is_encode(&self) -> bool {
        self.0.kind == Kind::Encode
    }

    /// Whether bytes could not be decoded into the type they should hold.
    pub fn is_decode(&self) -> bool {
        self.0.kind == Kind::Decode
    }

    /// Whether the system refused something (no descriptors, no processes, no memory); the cause is an [`io::Error`].
    pub fn is_system(&self) -> bool {
        self.0.kind == Kind::System
    }

    /// Whether the shared heap is at its limit: `MP_HEAP_LIMIT` in the environment of the program's first process (bytes, or a number
    /// with K, M, G or T, such as `4G`), else half of the machine's memory, or of the control group's. What is large needs its
    /// room in one piece.
    pub fn is_heap_full(&self) -> bool {
        self.0.kind == Kind::HeapFull
    }

    /// Whether the call was made in a copy of the process that the program made by its own `fork`.
    pub fn is_forked(&self) -> bool {
        self.0.kind == Kind::Forked
    }

    /// Whether a task was not found in the table.
    pub fn is_unknown_task(&self) -> bool {
        self.0.kind == Kind::UnknownTask
    }

    /// Whether a process died while it held a lock; [`pid`](Self::pid) says which.
    pub fn is_poisoned(&self) -> bool {
        self.0.kind == Kind::Poisoned
    }

    /// Whether a barrier was broken; [`pid`](Self::pid) says which party has died, if that broke it.
    pub fn is_broken(&self) -> bool {
        self.0.kind == Kind::Broken
    }

    /// Whether the call itself makes no sense as it stands; the text says what to do instead.
    pub fn is_usage(&self) -> bool {
        self.0.kind == Kind::Usage
    }

    /// The registered name of the task.
    pub fn task(&self) -> Option<&str> {
        self.0.details.task.as_deref()
    }

    /// The index of the item in the input of `map`.
    pub fn item(&self) -> Option<usize> {
        self.0.details.item.map(|item| item as usize)
    }

    /// The name of the process that ran it.
    pub fn worker(&self) -> Option<&str> {
        self.0.details.worker.as_deref()
    }

    /// The process id of the process that ran it.
    pub fn pid(&self) -> Option<u32> {
        self.0.details.pid
    }

    /// The signal that ended the process.
    pub fn signal(&self) -> Option<i32> {
        self.0.details.signal
    }

    /// The exit code of the process, where it ended by itself.
    pub fn exit_code(&self) -> Option<i32> {
        self.0.details.code
    }

    /// The most memory, in bytes, that the process ever had, where it has died and had more than this process had at its
    /// start (what is less cannot be told apart).
    pub fn peak_memory(&self) -> Option<u64> {
        self.0.details.peak
    }

    /// Whether the process was most likely killed by the kernel for want of memory: it got SIGKILL while the kernel's count of
    /// such kills, in this process's cgroup or else in the whole system, has risen.
    pub fn is_out_of_memory_likely(&self) -> bool {
        self.0.details.out_of_memory
    }

    /// Which run of the item it was, from 1; more than 1 where it was retried.
    pub fn attempt(&self) -> Option<u32> {
        self.0.details.attempt
    }

    /// Where the panic was, as `file:line:column`.
    pub fn location(&self) -> Option<&str> {
        self.0.details.location.as_deref()
    }

    /// The backtrace of the panic, where the process recorded one (set `RUST_BACKTRACE=1`).
    pub fn backtrace(&self) -> Option<&str> {
        self.0.details.backtrace.as_deref()
    }

    /// What happened, without the context.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

/// The usual name of a signal, for messages.
pub(crate) fn signal_name(signal: i32) -> &'static str {
    nix::sys::signal::Signal::try_from(signal)
        .map_or("a real-time signal", |signal| signal.as_str())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            task,
            item,
            worker,
            pid,
            signal,
            code,
            attempt,
            peak,
            location,
            ..
        } = &self.0.details;
        if let Some(task) = task {
            write!(f, "task `{task}`")?;
            if let Some(item) = item {
                write!(f, ", item {item}")?;
            }
            f.write_str(": ")?;
        } else if let Some(item) = item {
            write!(f, "item {item}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(location) = location {
            write!(f, " at {location}")?;
        }
        let mut open = false;
        let mut part = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| -> fmt::Result {
            f.write_str(if open { ", " } else { " (" })?;
            open = true;
            f.write_fmt(text)
        };
        if let Some(worker) = worker {
            part(f, format_args!("process {worker}"))?;
        }
        if let Some(pid) = pid {
            part(f, format_args!("pid {pid}"))?;
        }
        if let Some(attempt) = attempt.filter(|attempt| *attempt > 1) {
            part(f, format_args!("attempt {attempt}"))?;
        }
        if let Some(signal) = signal {
            part(f, format_args!("signal {signal} {}", signal_name(*signal)))?;
        }
        if let Some(code) = code {
            part(f, format_args!("exit code {code}"))?;
        }
        if let (Some(peak), Some(9)) = (peak, signal) {
            part(f, format_args!("peak memory {} MiB", peak >> 20))?;
        }
        if open {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What `main` prints when it returns this: the sentence, its causes, and the panic's backtrace.
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !self.0.message.contains(&text) {
                write!(f, "\n  caused by: {text}")?;
            }
            cause = error.source();
        }
        if let Some(backtrace) = self.backtrace() {
            write!(f, "\n{backtrace}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
