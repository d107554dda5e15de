//! The start method `spawn`: the same binary, executed again from `/proc/self/exe`.
//!
//! The child gets the parent's arguments and environment, the shared heap and the lifeline as descriptors, and one variable
//! that says which door to take, where the two descriptors are and which slot of the process table is its own.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{Error, Kind};
use crate::heap::SlotId;
use crate::session::{self, Door, Session, VARIABLE};
use crate::sys::child::{self, Exec};
use crate::sys::program;

/// How a child is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartMethod {
    /// The same binary, executed again: nothing of the parent's memory is copied. The one there is, and Python's `spawn`.
    #[default]
    Spawn,
}

/// What a child is started with, beyond the binary.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) env: Vec<(OsString, Option<OsString>)>,
    pub(crate) directory: Option<OsString>,
    pub(crate) stdio: [Option<OwnedFd>; 3],
}

/// A text for the kernel; a NUL inside is the user's error.
pub(crate) fn c_string(what: &str, text: &OsStr) -> Result<CString, Error> {
    CString::new(text.as_bytes()).map_err(|_| {
        Error::new(
            Kind::Usage,
            format!("{what} {text:?} holds a NUL byte; no process can be given that"),
        )
    })
}

/// Starts a child whose launch record is in `slot`; gives its pid and pidfd.
pub(crate) fn reexec(
    session: &Session,
    slot: SlotId,
    settings: &Settings,
) -> Result<(u32, OwnedFd), Error> {
    // A program may have closed them since the session was opened; what is opened next must not take their place.
    program::fill_standard_descriptors()
        .map_err(|cause| Error::system("cannot open /dev/null for a closed stream", cause))?;
    let lifeline = session
        .lifeline()
        .map_err(|cause| Error::system("cannot make the lifeline pipe", cause))?;
    let door = match session::door() {
        Door::Main => "main",
        Door::Constructor => "constructor",
    };
    let heap = session.heap.fd();
    let value = format!(
        "{door},{},{},{},{}",
        heap.as_raw_fd(),
        lifeline.read.as_raw_fd(),
        slot.index,
        slot.generation
    );
    use std::os::fd::AsFd;
    execute(&value, &[heap, lifeline.read.as_fd()], settings, false)
}

/// Executes this binary again with `value` in the variable.
pub(crate) fn execute(
    value: &str,
    keep: &[BorrowedFd<'_>],
    settings: &Settings,
    new_session: bool,
) -> Result<(u32, OwnedFd), Error> {
    let argv = std::env::args_os()
        .map(|text| c_string("the argument", &text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut envp = Vec::new();
    let changed = |key: &OsStr| settings.env.iter().any(|(name, _)| name == key);
    let own = std::env::vars_os()
        .filter(|(key, _)| !changed(key))
        .map(|(key, value)| (key, Some(value)));
    // The last word on a variable counts.
    let last = settings.env.iter().enumerate().filter(|(index, (key, _))| {
        !settings.env[index + 1..]
            .iter()
            .any(|(later, _)| later == key)
    });
    for (key, value) in own.chain(last.map(|(_, pair)| pair.clone())) {
        // Ours is the one word on this variable.
        if let Some(value) = value.filter(|_| key != VARIABLE) {
            let mut pair = key;
            pair.push("=");
            pair.push(value);
            envp.push(c_string("the environment variable", &pair)?);
        }
    }
    envp.push(c_string(
        "the variable",
        OsStr::new(&format!("{VARIABLE}={value}")),
    )?);
    let directory = settings
        .directory
        .as_deref()
        .map(|path| c_string("the directory", path))
        .transpose()?;
    let stdio = [0, 1, 2].map(|fd| settings.stdio[fd].as_ref().map(std::os::fd::AsFd::as_fd));
    let exec = Exec {
        program: c"/proc/self/exe",
        argv: &argv,
        envp: &envp,
        stdio,
        keep,
        directory: directory.as_deref(),
        new_session,
    };
    child::spawn(&exec).map_err(|cause| {
        let hint = match cause.raw_os_error() {
            Some(code) if code == nix::errno::Errno::EAGAIN as i32 => {
                "; the limit on processes (ulimit -u, pids.max) is reached"
            }
            Some(code) if code == nix::errno::Errno::EMFILE as i32 => {
                "; the limit on open files (ulimit -n) is reached"
            }
            _ if cause.kind() == std::io::ErrorKind::NotFound
                && !Path::new("/proc/self").exists() =>
            {
                "; /proc is not mounted"
            }
            _ => "",
        };
        Error::system(format!("cannot start a process{hint}"), cause)
    })
}
