//! How children are started: `reexec` executes this program again, `forkserver` asks a process that did so before for a copy of it.
//!
//! Here is what both take, and which of them is used where nobody says.

mod desk;
mod forkserver;
mod reexec;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{Error, Kind, Result};

pub(crate) use desk::{Answer, Changes, Desk, may_run};
pub(crate) use forkserver::{Begun, Server};
pub(crate) use reexec::{cannot_start, environment, execute, reexec};

/// How a child is started. Python's start methods, without the bare `fork`, which is not sound in a process with threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartMethod {
    /// The same binary, executed again: nothing of the parent's memory is copied.
    #[default]
    Spawn,
    /// A copy of a *fork server*: of a child that was started by [`Spawn`](Self::Spawn), has run nothing but what
    /// [`set_forkserver_preload`](crate::set_forkserver_preload) was given, and copies itself when it is asked. Several times as
    /// fast, and what was preloaded is shared by all of them until they write to it.
    ///
    /// Each process that uses the method has a fork server of its own; it is started at the first need, and again should it die.
    /// The children are children of the process that starts them, as with `Spawn`: their parent, environment, directory, streams
    /// and ends are the same. What a child has from its fork server is all else: resource limits, priority, umask, and the keys
    /// of std's hash maps, as they were when the server began. At their end hooks (`atexit`) run as ever; but what shared
    /// libraries do when the program ends (their destructors, and hooks they set while they were loaded) is left to the program.
    ///
    /// Where the kernel or the C library does not give what a sound copy takes (musl; a kernel without
    /// `CONFIG_CHECKPOINT_RESTORE`), children are started by `Spawn` instead.
    ForkServer,
}

/// What a child is started with, beyond the binary.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) directory: Option<OsString>,
    pub(crate) stdio: [Option<OwnedFd>; 3],
    /// One more descriptor that stays open, under its own number.
    pub(crate) keep: Option<OwnedFd>,
}

/// The variable that says how children are started where the program does not.
const METHOD: &str = "MP_START_METHOD";

const UNSET: u8 = 0;
const SPAWN: u8 = 1;
const FORK_SERVER: u8 = 2;
static DEFAULT: AtomicU8 = AtomicU8::new(UNSET);

/// Sets how this process starts children where `start_method` of the builder does not say. Python's function of this name.
///
/// It may be called at any time, and holds for what is started afterwards, in this process. Without it, the variable
/// `MP_START_METHOD` of the environment says it (`spawn` or `forkserver`), here and in children; else it is
/// [`StartMethod::Spawn`].
pub fn set_start_method(method: StartMethod) {
    let number = match method {
        StartMethod::Spawn => SPAWN,
        StartMethod::ForkServer => FORK_SERVER,
    };
    DEFAULT.store(number, Ordering::Relaxed);
}

/// How this process starts children where nothing else is said. Python's function of this name.
///
/// # Errors
/// The variable `MP_START_METHOD` is set to something else than `spawn` or `forkserver` (`is_usage`).
pub fn get_start_method() -> Result<StartMethod> {
    match DEFAULT.load(Ordering::Relaxed) {
        SPAWN => return Ok(StartMethod::Spawn),
        FORK_SERVER => return Ok(StartMethod::ForkServer),
        _ => {}
    }
    let Some(text) = std::env::var_os(METHOD) else {
        return Ok(StartMethod::default());
    };
    match text.to_str() {
        Some("" | "spawn") => Ok(StartMethod::Spawn),
        Some("forkserver") => Ok(StartMethod::ForkServer),
        _ => Err(Error::new(
            Kind::Usage,
            format!("{METHOD}={text:?} is no start method: it may be spawn or forkserver"),
        )),
    }
}
