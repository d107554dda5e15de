//! The children of this process: who they are, how they end, and what is cleared away after them.
//!
//! A [`Member`] is one child, whether it runs one task or serves a pool. It is listed from its start until its status has been
//! taken; whoever takes the status also marks its slot dead, so that every process of the session can tell. Its slot and the
//! blocks it owned are given back by [`Member::bury`], once its outcome has been read.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::record::{Args, Duty, Launch, Outcome, Record};
use super::{graves, peak, server};
use crate::error::{Error, Kind};
use crate::heap::{Heap, SlotId};
use crate::session::{self, Identity, Session};
use crate::spawn::{self, Settings, StartMethod};
use crate::sys::child::{self, Exit};
use crate::sys::memory;
use crate::sys::signal::SIGABRT;
use crate::task::Report;

/// How long a daemon gets between SIGTERM and SIGKILL when its parent's `main` returns.
const DAEMON_GRACE: Duration = Duration::from_secs(2);

/// One child of this process.
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) pid: u32,
    pub(crate) daemon: bool,
    pub(crate) record: Record,
    pub(crate) slot: SlotId,
    pub(crate) is_worker: bool,
    /// It is no child that anybody asked for.
    is_server: bool,
    pidfd: OwnedFd,
    /// What of its peak may be its parent's.
    floor: u64,
    /// Nobody will ask for its outcome any more.
    detached: AtomicBool,
    end: Mutex<End>,
}

#[derive(Default)]
struct End {
    exit: Option<Exit>,
    peak: u64,
    buried: bool,
}

static MEMBERS: Mutex<Vec<Arc<Member>>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a child is to be.
pub(crate) struct Plan {
    pub(crate) duty: Duty,
    pub(crate) task: u32,
    pub(crate) fingerprint: u64,
    pub(crate) identity: Identity,
    pub(crate) daemon: bool,
    pub(crate) method: StartMethod,
}

/// A process that has begun.
pub(super) struct Started {
    pub(super) pid: u32,
    pub(super) pidfd: OwnedFd,
    /// What of its peak may be that of whom it was copied from.
    pub(super) floor: u64,
}

/// Starts a child. A block of arguments goes over to it only if this succeeds.
pub(crate) fn start(
    session: &'static Session,
    plan: Plan,
    args: Args<'_>,
    settings: &Settings,
) -> Result<Arc<Member>, Error> {
    sweep_detached(session);
    graves::sweep(session.heap);
    let heap = session.heap;
    peak::watch();
    graves::announce_children(heap)?;
    let slot = heap.processes().reserve(Some(heap.me()))?;
    let Plan {
        duty,
        task,
        fingerprint,
        identity,
        daemon,
        method,
    } = plan;
    let launch = Launch {
        duty,
        task,
        fingerprint,
        identity,
        daemon,
    };
    let started = Record::of(heap, slot).and_then(|record| {
        record.fill(&launch, args)?;
        let started = match method {
            StartMethod::ForkServer => server::fork(session, slot, settings)?,
            StartMethod::Spawn => None,
        };
        let started = match started {
            Some(started) => started,
            None => {
                let floor = child::own_peak();
                let (pid, pidfd) = spawn::reexec(session, slot, settings)?;
                Started { pid, pidfd, floor }
            }
        };
        // So that its death can be found out by others before it has come to anything.
        let entry = heap.processes().slot(slot)?;
        let _ = entry
            .pid
            .compare_exchange(0, started.pid, Ordering::AcqRel, Ordering::Relaxed);
        Ok((record, started))
    });
    let (record, started) = match started {
        Ok(started) => started,
        Err(error) => {
            // A fork server may have taken holds for it.
            heap.adopt(slot);
            let _ = heap.processes().release(slot);
            return Err(error.with_worker(launch.identity.name));
        }
    };
    let Started { pid, pidfd, floor } = started;
    let is_server = matches!(duty, Duty::ForkServer(_));
    // It borrows them in place, and they hold what they carry in its name: both end with it, whenever it is buried. But what is
    // preloaded stays for the next server.
    if let Args::Block { offset, .. } = args
        && !is_server
    {
        let _ = heap.give(offset, slot);
    }
    let member = Arc::new(Member {
        identity: launch.identity,
        pid,
        daemon,
        record,
        slot,
        is_worker: matches!(duty, Duty::Pool(_)),
        is_server,
        pidfd,
        floor,
        detached: AtomicBool::new(false),
        end: Mutex::default(),
    });
    lock(&MEMBERS).push(Arc::clone(&member));
    Ok(member)
}

impl Member {
    /// Its descriptor: readable once the whole process is gone.
    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Its outcome will not be asked for: whoever sees it ended buries it.
    pub(crate) fn detach(&self, session: &'static Session) {
        self.detached.store(true, Ordering::Relaxed);
        self.bury(session);
    }

    /// Whether it has not been seen to end. One that nobody holds is buried when it has: whoever sees the end first is the only one to do it.
    fn is_running(&self, session: &'static Session) -> bool {
        let seen = self.try_exit(session);
        if self.detached.load(Ordering::Relaxed) {
            self.bury(session);
        }
        matches!(seen, Ok(None))
    }

    /// How it ended, if it has.
    pub(crate) fn try_exit(&self, session: &Session) -> Result<Option<Exit>, Error> {
        if memory::forked() {
            return Err(session::forked());
        }
        let mut end = lock(&self.end);
        if end.exit.is_none() {
            let exit = child::try_wait(&self.pidfd)
                .map_err(|cause| self.name_error("cannot wait for a process", cause))?;
            if let Some((exit, most)) = exit {
                end.exit = Some(exit);
                end.peak = most;
                drop(end);
                let _ = session.heap.processes().mark_dead(self.slot);
                lock(&MEMBERS).retain(|member| !std::ptr::eq(&**member, self));
                return Ok(Some(exit));
            }
        }
        Ok(end.exit)
    }

    /// Waits until it has ended, or the deadline has passed (`None`).
    pub(crate) fn wait(
        &self,
        session: &Session,
        deadline: Option<Instant>,
    ) -> Result<Option<Exit>, Error> {
        loop {
            if let Some(exit) = self.try_exit(session)? {
                return Ok(Some(exit));
            }
            // The descriptor stays readable for everybody: two threads may wait for one child.
            let gone = child::poll_readable(&self.pidfd, deadline)
                .map_err(|cause| self.name_error("cannot wait for a process", cause))?;
            if !gone {
                return self.try_exit(session);
            }
        }
    }

    pub(crate) fn signal(&self, signal: i32) -> Result<(), Error> {
        if memory::forked() {
            return Err(session::forked());
        }
        if lock(&self.end).exit.is_some() {
            return Ok(());
        }
        child::signal(&self.pidfd, signal)
            .map_err(|cause| self.name_error("cannot signal a process", cause))
    }

    /// Gives back what it held: its slot, and every block it owned, its arguments among them (see `graves`). Only after its status has been taken and
    /// its outcome read; further calls do nothing.
    pub(crate) fn bury(&self, session: &'static Session) {
        {
            let mut end = lock(&self.end);
            if end.exit.is_none() || std::mem::replace(&mut end.buried, true) {
                return;
            }
        }
        graves::bury(session.heap, self.slot);
    }

    /// The error of a child that ended without a value: the panic that made it abort, or how else it died.
    pub(crate) fn end(&self, heap: &'static Heap, exit: Exit) -> Error {
        let panic = match self.record.outcome() {
            Outcome::Panicked(parcel) if exit == Exit::Signal(SIGABRT) => parcel.to_vec(heap).ok(),
            _ => None,
        };
        match panic {
            Some(bytes) => self.with_exit(Report::from_bytes(&bytes).into(), exit),
            None => self.death(exit),
        }
    }

    fn death(&self, exit: Exit) -> Error {
        let error = match exit {
            _ if self.record.overflowed() => {
                Error::new(Kind::Died, "the process overflowed its stack")
            }
            Exit::Signal(9) if peak::killed_for_memory() => Error::new(
                Kind::Died,
                "the process was killed, most likely for want of memory",
            )
            .with_out_of_memory(),
            Exit::Signal(9) => Error::new(
                Kind::Died,
                "the process was killed (by somebody, or for want of memory)",
            ),
            Exit::Signal(_) => Error::new(Kind::Died, "the process was ended by a signal"),
            Exit::Code(_) => Error::new(Kind::Died, "the process exited before the task returned"),
            Exit::Unknown => Error::new(
                Kind::Died,
                "the process ended, and its status was taken by other code of this program (a wait for any child, or SIGCHLD ignored)",
            ),
        };
        self.with_exit(error, exit)
    }

    /// The error of a child that ended badly after its task had returned: what it was about to do then was not done.
    pub(crate) fn late_death(&self, exit: Exit) -> Error {
        let error = Error::new(
            Kind::Died,
            "the task returned, but its process did not end well after it",
        );
        self.with_exit(error, exit)
    }

    fn with_exit(&self, error: Error, exit: Exit) -> Error {
        let mut error = error.with_worker(&self.identity.name).with_pid(self.pid);
        let most = lock(&self.end).peak;
        if most > self.floor {
            error = error.with_peak_memory(most);
        }
        match exit {
            Exit::Signal(signal) => error.with_signal(signal),
            Exit::Code(code) => error.with_exit_code(code),
            Exit::Unknown => error,
        }
    }

    fn name_error(&self, what: &str, cause: std::io::Error) -> Error {
        Error::system(what, cause)
            .with_worker(&self.identity.name)
            .with_pid(self.pid)
    }
}

/// Buries the children that have ended and that nobody holds any more.
fn sweep_detached(session: &'static Session) {
    let detached: Vec<_> = lock(&MEMBERS)
        .iter()
        .filter(|member| member.detached.load(Ordering::Relaxed))
        .cloned()
        .collect();
    for member in detached {
        member.is_running(session);
    }
}

/// The children that have not been seen to end, without the fork server; those that have ended are seen now.
pub(crate) fn members(session: &'static Session) -> Vec<Arc<Member>> {
    sweep_detached(session);
    let all = lock(&MEMBERS).clone();
    all.into_iter()
        .filter(|member| !member.is_server && member.is_running(session))
        .collect()
}

/// What Python does when `main` returns: waits for the children that are no daemons, then ends those that are.
pub(crate) fn finish(session: &'static Session) {
    for member in members(session).iter().filter(|member| !member.daemon) {
        if member.wait(session, None).is_ok() {
            member.bury(session);
        }
    }
    let daemons = members(session);
    if !daemons.is_empty() {
        end_daemons(session, &daemons);
    }
    server::end(session);
}

fn end_daemons(session: &'static Session, daemons: &[Arc<Member>]) {
    for member in daemons {
        let _ = member.signal(crate::sys::signal::SIGTERM);
    }
    let deadline = Instant::now() + DAEMON_GRACE;
    for member in daemons {
        if let Ok(None) = member.wait(session, Some(deadline)) {
            let _ = member.signal(crate::sys::signal::SIGKILL);
            let _ = member.wait(session, None);
        }
        member.bury(session);
    }
}

/// In a copy of this process that becomes another: these are the original's children.
pub(super) fn forget() {
    lock(&MEMBERS).clear();
}
