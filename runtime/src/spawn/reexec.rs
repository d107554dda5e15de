//! The start method `spawn`: the same binary, executed again from `/proc/self/exe`.
//!
//! The child gets the parent's arguments and environment, the shared heap and the lifeline as descriptors, and one variable
//! that says which door to take, where the two descriptors are and which slot of the process table is its own.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Settings;
use crate::error::{Error, Kind};
use crate::heap::SlotId;
use crate::session::{self, Door, Session, VARIABLE};
use crate::sys::child::{self, Exec};
use crate::sys::program;

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
    let mut keep = vec![heap, lifeline.read.as_fd()];
    keep.extend(settings.keep.as_ref().map(AsFd::as_fd));
    execute(&value, &keep, settings, false)
}

/// The environment that a child is to have: this process's, with the changes that are asked for, and without what tells a
/// child who it is.
pub(crate) fn environment(settings: &Settings) -> Vec<(OsString, OsString)> {
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
    own.chain(last.map(|(_, pair)| pair.clone()))
        // Ours is the one word on this variable.
        .filter(|(key, _)| key != VARIABLE)
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
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
    let mut envp = environment(settings)
        .into_iter()
        .map(|(mut pair, value)| {
            pair.push("=");
            pair.push(value);
            c_string("the environment variable", &pair)
        })
        .collect::<Result<Vec<_>, _>>()?;
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
    child::spawn(&exec).map_err(cannot_start)
}

/// The error of a start that the system has refused, with what to do about it.
pub(crate) fn cannot_start(cause: std::io::Error) -> Error {
    let hint = match cause.raw_os_error() {
        Some(code) if code == nix::errno::Errno::EAGAIN as i32 => {
            "; the limit on processes (ulimit -u, pids.max) is reached"
        }
        Some(code) if code == nix::errno::Errno::EMFILE as i32 => {
            "; the limit on open files (ulimit -n) is reached"
        }
        _ if cause.kind() == std::io::ErrorKind::NotFound && !Path::new("/proc/self").exists() => {
            "; /proc is not mounted"
        }
        _ => "",
    };
    Error::system(format!("cannot start a process{hint}"), cause)
}
