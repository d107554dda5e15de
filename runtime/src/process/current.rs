//! Who is running: this process, its parent, its children, its processors.

use std::sync::Arc;

use super::family::{self, Member};
use crate::error::Result;
use crate::session;

/// This process, as the family knows it. Python's `current_process()`.
#[derive(Clone, Debug)]
pub struct CurrentProcess {
    name: String,
    daemon: bool,
}

impl CurrentProcess {
    /// Its name: `MainProcess` in the program the user started, else what it was given, or `Process-1` and so on.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// Whether it was started as a daemon.
    pub fn is_daemon(&self) -> bool {
        self.daemon
    }
}

/// This process. Opens no session.
pub fn current_process() -> CurrentProcess {
    match session::get() {
        Some(session) => CurrentProcess {
            name: session.identity.name.clone(),
            daemon: session.daemon,
        },
        None => CurrentProcess {
            name: "MainProcess".into(),
            daemon: false,
        },
    }
}

/// The process that started this one. Python's `parent_process()`.
#[derive(Clone, Debug)]
pub struct ParentProcess {
    name: String,
    pid: u32,
}

impl ParentProcess {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id. It is alive: this process would not outlive it.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

/// The process that started this one; `None` in the program the user started.
pub fn parent_process() -> Option<ParentProcess> {
    let parent = session::get()?.parent.as_ref()?;
    Some(ParentProcess {
        name: parent.name.clone(),
        pid: parent.pid,
    })
}

/// A child of this process that has not ended yet. Python's `active_children()` gives these.
#[derive(Clone)]
pub struct ActiveChild(Arc<Member>);

impl ActiveChild {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.identity.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// Whether it is a worker of a pool.
    pub fn is_worker(&self) -> bool {
        self.0.is_worker
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        session::get().is_some_and(|session| matches!(self.0.try_exit(session), Ok(None)))
    }

    /// As [`Child::exit_code`](crate::Child::exit_code).
    pub fn exit_code(&self) -> Option<i32> {
        super::exit_code(&self.0, session::get()?)
    }

    /// Asks it to end, by SIGTERM.
    ///
    /// # Errors
    /// The system refuses the signal.
    pub fn terminate(&self) -> Result<()> {
        self.0.signal(crate::sys::signal::SIGTERM)
    }

    /// Ends it at once, by SIGKILL.
    ///
    /// # Errors
    /// The system refuses the signal.
    pub fn kill(&self) -> Result<()> {
        self.0.signal(crate::sys::signal::SIGKILL)
    }
}

impl std::fmt::Debug for ActiveChild {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveChild")
            .field("name", &self.name())
            .field("pid", &self.pid())
            .finish()
    }
}

/// The children of this process that have not ended, workers of pools among them. Those that have ended are cleared away, as
/// in Python.
pub fn active_children() -> Vec<ActiveChild> {
    session::get().map_or_else(Vec::new, |session| {
        family::members(session)
            .into_iter()
            .map(ActiveChild)
            .collect()
    })
}

/// How many processors this process may use: its affinity and the quota of its control group, 1 at the least.
pub fn cpu_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
