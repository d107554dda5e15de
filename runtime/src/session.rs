//! The session this process belongs to: its role, its shared heap, its lifeline, its name.
//!
//! One session is a root process and all its descendants. A root opens it at the first need (or in `mp::main!`); a child
//! finds it open, because its entry has joined before any user code ran.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::error::{Error, Kind};
use crate::heap::{self, Heap};
use crate::sys::lifeline::Lifeline;
use crate::sys::{memory, program};

/// The variable that tells a child who it is. Its name carries the version: two versions may live in one program.
pub(crate) const VARIABLE: &str = concat!(
    "MP_CHILD_V",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "_",
    env!("CARGO_PKG_VERSION_MINOR"),
    "_",
    env!("CARGO_PKG_VERSION_PATCH")
);

/// Where the children of this program enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// In `mp::main!`, all of std started.
    Main,
    /// In the static constructor, before `main`.
    Constructor,
}

/// What this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    Child,
    Worker,
    /// It forks the children of its parent, and runs no task but what it preloads.
    ForkServer,
}

/// A process's name in the family: its own, and the numbers of its line of descent (`1:2`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) line: String,
}

pub(crate) struct Session {
    pub(crate) role: Role,
    pub(crate) heap: &'static Heap,
    pub(crate) identity: Identity,
    pub(crate) daemon: bool,
    pub(crate) parent: Option<Parent>,
    lifeline: OnceLock<Lifeline>,
    children: AtomicU32,
}

/// Who started this process.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) pid: u32,
    pub(crate) name: String,
}

static SESSION: OnceLock<Session> = OnceLock::new();
/// Instead of it, in a child that a fork server made: what is in the first is the server's.
static AGAIN: OnceLock<Session> = OnceLock::new();

fn joined() -> Option<&'static Session> {
    AGAIN.get().or_else(|| SESSION.get())
}
static DOOR: AtomicU8 = AtomicU8::new(0);

/// Told by `mp::main!` before anything else: the children of this program may enter there.
pub(crate) fn set_door(door: Door) {
    DOOR.store(u8::from(door == Door::Main), Ordering::Relaxed);
}

pub(crate) fn door() -> Door {
    if DOOR.load(Ordering::Relaxed) == 1 {
        Door::Main
    } else {
        Door::Constructor
    }
}

/// The session, opened as a root if it is not yet. Refused in a copy of the process made by the user's own `fork`.
pub(crate) fn current() -> Result<&'static Session, Error> {
    if let Some(session) = joined() {
        if memory::forked() {
            return Err(forked());
        }
        return Ok(session);
    }
    open_root()
}

/// The session if there is one and it may be used.
pub(crate) fn get() -> Option<&'static Session> {
    joined().filter(|_| !memory::forked())
}

/// The error of every call in a copy of the process that the program made by its own `fork`.
pub(crate) fn forked() -> Error {
    Error::new(
        Kind::Forked,
        "this process is a copy that the program made by its own fork: it shares nothing with the session; \
         start processes with mp::Process instead, or exec another program here",
    )
}

#[cold]
fn open_root() -> Result<&'static Session, Error> {
    static OPENING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = OPENING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(session) = joined() {
        return Ok(session);
    }
    if std::env::var_os(VARIABLE).is_some() {
        // Started as a child, but no door was taken: another session here would start children without end.
        return Err(Error::new(
            Kind::Usage,
            format!(
                "this process was started as a child of another (`{VARIABLE}` is set), yet did not enter as one; \
                 unset the variable if the program was started by hand"
            ),
        ));
    }
    if program::is_privileged() {
        return Err(Error::new(
            Kind::Usage,
            "this program runs with more rights than its caller has (set-user-id or the like): \
             it would not believe what its children are told, so it starts none",
        ));
    }
    if !program::is_in_executable() {
        return Err(Error::new(
            Kind::Usage,
            "mp runs inside a library that another program has loaded: a child would execute that program, not this code; \
             put the tasks into an executable of their own and start it",
        ));
    }
    program::fill_standard_descriptors()
        .map_err(|cause| Error::system("cannot open /dev/null for a closed stream", cause))?;
    let heap = heap::create(None)?;
    let me = heap.me();
    let slot = heap.processes().slot(me)?;
    slot.pid.store(std::process::id(), Ordering::Relaxed);
    if nix::unistd::gettid() == nix::unistd::getpid() {
        heap.processes().link_liveness(me)?;
    }
    let identity = Identity {
        name: "MainProcess".into(),
        line: String::new(),
    };
    Ok(SESSION.get_or_init(|| Session::new(Role::Root, heap, identity, false, None)))
}

/// Joins the session of the parent; called by the entry of a child, once, and again in the copy that a fork server makes of
/// itself.
pub(crate) fn join(
    role: Role,
    heap: &'static Heap,
    identity: Identity,
    daemon: bool,
    parent: Parent,
) -> &'static Session {
    let place = match SESSION.get() {
        None => &SESSION,
        // A copy of the fork server, which becomes what it was made for.
        Some(_) => &AGAIN,
    };
    place.get_or_init(|| Session::new(role, heap, identity, daemon, Some(parent)))
}

impl Session {
    fn new(
        role: Role,
        heap: &'static Heap,
        identity: Identity,
        daemon: bool,
        parent: Option<Parent>,
    ) -> Self {
        Session {
            role,
            heap,
            identity,
            daemon,
            parent,
            lifeline: OnceLock::new(),
            children: AtomicU32::new(0),
        }
    }

    /// Whether it is still that of this process, which may have been copied from its fork server.
    pub(crate) fn is_current(&self) -> bool {
        get().is_some_and(|session| std::ptr::eq(session, self))
    }

    /// The pipe by which this process's children know that it lives; made with the first child.
    pub(crate) fn lifeline(&self) -> io::Result<&Lifeline> {
        match self.lifeline.get() {
            Some(lifeline) => Ok(lifeline),
            None => {
                let fresh = Lifeline::new()?;
                Ok(self.lifeline.get_or_init(|| fresh))
            }
        }
    }

    /// The line of descent of the next child, `1`, `2`, … in the root and `1:1`, `1:2`, … in its first child.
    pub(crate) fn next_line(&self) -> String {
        let number = self.children.fetch_add(1, Ordering::Relaxed) + 1;
        if self.identity.line.is_empty() {
            number.to_string()
        } else {
            format!("{}:{number}", self.identity.line)
        }
    }
}
