//! `Process` and `Child`: one task in a process of its own, and what came of it.
//!
//! The builder encodes the arguments when it is made; `start` hands them to the child in its launch record (`record`) and
//! lists it (`family`); `join` waits for the whole process and reads the value afterwards, so that a process that dies late
//! is never taken for one that succeeded.

mod current;
pub(crate) mod family;
pub(crate) mod graves;
mod peak;
pub(crate) mod record;
pub(crate) mod server;
mod stdio;
pub(crate) mod watch;

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::channel::sealed::{Sleep, Source};
use crate::codec::{BlockStore, Writer};
use crate::error::{Error, Kind, Result};
use crate::session::{self, Identity, Session};
use crate::spawn::{Settings, StartMethod, get_start_method};
use crate::sys::child::Exit;
use crate::sys::memory;
use crate::task::{self, Report, Task};
use family::{Member, Plan};
use record::{ARGS_ROOM, Args, Duty, Outcome};

/// In a copy of this process that becomes another: what is known here of children is the original's business.
pub(crate) fn forget_all() {
    family::forget();
    graves::forget();
    server::forget();
}

pub use current::{
    ActiveChild, CurrentProcess, ParentProcess, active_children, cpu_count, current_process,
    parent_process,
};
pub use server::set_forkserver_preload;
pub use stdio::Stdio;

/// A process to be started: a task, its arguments, and what to start it with. Python's `Process`.
///
/// [`new`](Self::new) encodes the arguments at once, so they may be borrowed from anything; an encoding error is reported by
/// [`start`](Self::start). Nothing runs before `start`.
///
/// ```
/// #[mp::task]
/// fn greet(name: &str) -> String {
///     format!("hello, {name}, from process {}", std::process::id())
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main!(run);
///
/// fn run() -> mp::Result<()> {
///     let child = mp::Process::new(greet, "world").name("greeter").start()?;
///     assert_eq!(child.name(), "greeter");
///     println!("{}", child.join()?);
///     Ok(())
/// }
/// ```
#[must_use = "a process does nothing until it is started"]
pub struct Process<T: Task> {
    args: Result<Encoded>,
    name: Option<String>,
    daemon: bool,
    settings: Settings,
    stdio: [Stdio; 3],
    method: Option<StartMethod>,
    task: PhantomData<T>,
}

/// Encoded arguments that no child has yet.
struct Encoded {
    session: &'static Session,
    task: u32,
    inline: Box<Inline>,
    len: usize,
    block: Option<u64>,
}

#[repr(C, align(64))]
struct Inline([u64; ARGS_ROOM / 8]);

impl Encoded {
    fn new<T: Task>(input: &T::Input<'_>) -> Result<Self> {
        let session = session::current()?;
        let task = task::index_of::<T>()?;
        let mut inline = Box::new(Inline([0; ARGS_ROOM / 8]));
        let mut store = BlockStore::over_words(session.heap, &mut inline.0);
        let mut writer = Writer::over_words(&mut inline.0, &mut store);
        let hint = task::input_hint::<T>(input);
        if hint > ARGS_ROOM {
            writer.reserve(hint)?;
        }
        task::encode_input::<T>(input, &mut writer)?;
        let len = writer.len();
        let block = store.into_block().map(|block| block.offset);
        Ok(Encoded {
            session,
            task,
            inline,
            len,
            block,
        })
    }

    fn as_args(&self) -> Args<'_> {
        match self.block {
            Some(offset) => Args::Block {
                offset,
                len: self.len as u64,
            },
            None => Args::Inline(&self.inline.0, self.len),
        }
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        if let Some(block) = self.block.take().filter(|_| self.session.is_current()) {
            let _ = self.session.heap.free(block);
        }
    }
}

impl<T: Task> Process<T> {
    /// A process that will run `task` on `input`: the bare argument of a task with one parameter, a tuple for several, `()`
    /// for none. The arguments are encoded here.
    pub fn new(task: T, input: T::Input<'_>) -> Self {
        let _ = task;
        Process {
            args: Encoded::new::<T>(&input).map_err(|error| error.with_task(task::name_of::<T>())),
            name: None,
            daemon: false,
            settings: Settings::default(),
            stdio: [Stdio::inherit(), Stdio::inherit(), Stdio::inherit()],
            method: None,
            task: PhantomData,
        }
    }

    /// Its name, for people; up to 256 bytes. Default: `Process-1`, `Process-2`, …, and `Process-1:2` for the second child
    /// of the first, as in Python.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether it is ended, not waited for, when the parent's `main` returns. Default: no.
    pub fn daemon(mut self, daemon: bool) -> Self {
        self.daemon = daemon;
        self
    }

    /// Sets an environment variable for it.
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.settings
            .env
            .push((key.as_ref().into(), Some(value.as_ref().into())));
        self
    }

    /// Takes an environment variable away from it.
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.settings.env.push((key.as_ref().into(), None));
        self
    }

    /// The directory it starts in. Default: the parent's. [`start`](Self::start) fails where there is none such.
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.settings.directory = Some(directory.as_ref().into());
        self
    }

    /// Its standard input. Default: the parent's.
    pub fn stdin(mut self, stdio: impl Into<Stdio>) -> Self {
        self.stdio[0] = stdio.into();
        self
    }

    /// Its standard output. Default: the parent's.
    pub fn stdout(mut self, stdio: impl Into<Stdio>) -> Self {
        self.stdio[1] = stdio.into();
        self
    }

    /// Its standard error. Default: the parent's.
    pub fn stderr(mut self, stdio: impl Into<Stdio>) -> Self {
        self.stdio[2] = stdio.into();
        self
    }

    /// How it is started. Default: what [`get_start_method`](crate::get_start_method) says.
    pub fn start_method(mut self, method: StartMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// The arguments could not be encoded (`is_encode`), the system has no process or descriptor to give (`is_system`), the
    /// shared heap is at its limit (`is_heap_full`). In each case nothing runs.
    pub fn start(self) -> Result<Child<T::Output>> {
        let mut args = self.args?;
        let method = self.method.map_or_else(get_start_method, Ok)?;
        let session = args.session;
        if !session.is_current() {
            // Made by the fork server, or before a fork of the user's.
            return Err(session::forked());
        }
        let line = session.next_line();
        let name = self.name.unwrap_or_else(|| format!("Process-{line}"));
        let mut settings = self.settings;
        let [stdin, stdout, stderr] = self.stdio;
        let mut pipes = stdio::Pipes::default();
        settings.stdio = [
            stdin.resolve_input(&mut pipes.stdin)?,
            stdout.resolve_output(&mut pipes.stdout)?,
            stderr.resolve_output(&mut pipes.stderr)?,
        ];
        let plan = Plan {
            duty: Duty::Task,
            task: args.task,
            fingerprint: task::table()?.fingerprint(),
            identity: Identity { name, line },
            daemon: self.daemon,
            method,
        };
        let member = family::start(session, plan, args.as_args(), &settings)
            .map_err(|error| error.with_task(task::name_of::<T>()))?;
        // The block is the child's from here on.
        args.block = None;
        Ok(Child {
            stdin: pipes.stdin,
            stdout: pipes.stdout,
            stderr: pipes.stderr,
            session,
            member,
            task: task::name_of::<T>(),
            decode: decode::<T>,
            joined: false,
        })
    }
}

type Decode<O> = fn(&mut crate::codec::Reader<'_>) -> Result<O>;

fn decode<T: Task>(from: &mut crate::codec::Reader<'_>) -> Result<T::Output> {
    task::decode_output::<T>(from)
}

/// A process that was started: Python's `Process` after `start`.
///
/// Dropping it lets the process run on; it is waited for when `main` returns (with [`mp::main!`](crate::main)), unless it is
/// a daemon. When this process ends in any way, the kernel kills the child, busy, idle or stopped.
pub struct Child<O> {
    /// The writing end of its standard input, if that was [`Stdio::piped`].
    pub stdin: Option<std::io::PipeWriter>,
    /// The reading end of its standard output, if that was [`Stdio::piped`].
    pub stdout: Option<std::io::PipeReader>,
    /// The reading end of its standard error, if that was [`Stdio::piped`].
    pub stderr: Option<std::io::PipeReader>,
    session: &'static Session,
    member: Arc<Member>,
    task: &'static str,
    decode: Decode<O>,
    joined: bool,
}

impl<O> Child<O> {
    /// Waits for the process to end and gives the task's value.
    ///
    /// # Errors
    /// The task returned `Err(Failure)` (`is_task`) or panicked (`is_panic`); the process was killed, exited, aborted or
    /// crashed before the task returned (`is_death`: with signal or exit code); its value could not be decoded
    /// (`is_decode`). It never hangs on a process that is gone.
    pub fn join(mut self) -> Result<O> {
        drop(self.stdin.take());
        match self.finish(None)? {
            Some(value) => Ok(value),
            None => Err(
                Error::new(Kind::System, "a wait without a time-out has timed out")
                    .with_task(self.task),
            ),
        }
    }

    /// Waits up to `timeout`; `None` when the process still runs then. After it has given a value, further calls are an error.
    ///
    /// # Errors
    /// As [`join`](Self::join); `is_usage` when the value has been taken already.
    pub fn join_timeout(&mut self, timeout: Duration) -> Result<Option<O>> {
        self.finish(Instant::now().checked_add(timeout))
    }

    fn finish(&mut self, deadline: Option<Instant>) -> Result<Option<O>> {
        if self.joined {
            return Err(Error::new(
                Kind::Usage,
                "the process has been joined, and its value taken, already",
            )
            .with_task(self.task));
        }
        let Some(exit) = self.member.wait(self.session, deadline)? else {
            return Ok(None);
        };
        self.joined = true;
        let outcome = self.outcome(exit);
        self.member.bury(self.session);
        outcome.map(Some).map_err(|error| {
            error
                .with_task(self.task)
                .with_worker(self.name())
                .with_pid(self.pid())
        })
    }

    fn outcome(&self, exit: Exit) -> Result<O> {
        let heap = self.session.heap;
        match self.member.record.outcome() {
            Outcome::Value(parcel) if matches!(exit, Exit::Code(0) | Exit::Unknown) => {
                (self.decode)(&mut parcel.reader(heap)?)
            }
            Outcome::Report(parcel) => Err(Report::from_bytes(&parcel.to_vec(heap)?).into()),
            Outcome::Value(_) => Err(self.member.late_death(exit)),
            Outcome::Panicked(_) | Outcome::Nothing => Err(self.member.end(heap, exit)),
        }
    }

    /// Whether the process still runs. `false` once it has ended, whether or not it was joined.
    pub fn is_alive(&self) -> bool {
        matches!(self.member.try_exit(self.session), Ok(None))
    }

    /// How it ended: `None` while it runs; its exit code (0: the task returned a value; 1: it failed; 101: it panicked), or
    /// the negative number of the signal that ended it, as in Python. -255 where other code of this program took the status.
    pub fn exit_code(&self) -> Option<i32> {
        exit_code(&self.member, self.session)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.member.pid
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.member.identity.name
    }

    /// Whether it is a daemon: ended, not waited for, when `main` returns.
    pub fn is_daemon(&self) -> bool {
        self.member.daemon
    }

    /// Asks it to end, by SIGTERM; nothing happens if it has ended. Destructors do not run.
    ///
    /// # Errors
    /// The system refuses the signal.
    pub fn terminate(&self) -> Result<()> {
        self.member.signal(crate::sys::signal::SIGTERM)
    }

    /// Ends it at once, by SIGKILL; nothing happens if it has ended.
    ///
    /// # Errors
    /// The system refuses the signal.
    pub fn kill(&self) -> Result<()> {
        self.member.signal(crate::sys::signal::SIGKILL)
    }

    /// A descriptor that is readable once the process has ended, for `poll`, `epoll` and event loops. It stays open as long
    /// as this handle. Python's `sentinel`.
    pub fn sentinel(&self) -> BorrowedFd<'_> {
        self.member.pidfd().as_fd()
    }
}

impl<O> Source for Child<O> {
    fn is_ready(&self) -> bool {
        self.joined || !self.is_alive()
    }

    fn prepare(&self, sleep: &mut Sleep, deadline: Option<Instant>) -> bool {
        if sleep.on_life(self.session.heap, self.member.slot, deadline) {
            return false;
        }
        // Gone, but its status may take another moment.
        let _ = self.member.wait(self.session, deadline);
        true
    }
}

fn exit_code(member: &Member, session: &Session) -> Option<i32> {
    match member.try_exit(session) {
        Ok(None) => None,
        Ok(Some(Exit::Code(code))) => Some(code),
        Ok(Some(Exit::Signal(signal))) => Some(-signal),
        Ok(Some(Exit::Unknown)) => Some(-255),
        Err(error) => (!error.is_forked()).then_some(-255),
    }
}

impl<O> Drop for Child<O> {
    fn drop(&mut self) {
        if !self.joined && !memory::forked() {
            self.member.detach(self.session);
        }
    }
}

impl<O> std::fmt::Debug for Child<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .field("task", &self.task)
            .field("exit_code", &self.exit_code())
            .finish()
    }
}

impl<T: Task> std::fmt::Debug for Process<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process")
            .field("task", &task::name_of::<T>())
            .field("name", &self.name)
            .finish()
    }
}
