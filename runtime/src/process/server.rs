//! The fork server of this process: started at the first need, asked for children, started again when it has died.
//!
//! Relies on `spawn` (what is said to a server) and `family` (it is a child like any other, but not one that anybody counts). One
//! thread at a time asks; the lock is held until there is an answer, which takes as long as one fork, or, the first time, as
//! long as a start and what is preloaded.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Encoded;
use super::family::{self, Member, Plan, Started};
use super::record::{Args, Duty, NO_TASK, Outcome};
use crate::error::{Error, Kind, Result};
use crate::heap::SlotId;
use crate::session::{Identity, Session};
use crate::spawn::{self, Answer, Changes, Desk, Settings, StartMethod};
use crate::sys::signal::SIGKILL;
use crate::sys::{child, fork, pass};
use crate::task::{self, Report, Task};

/// What people see of it.
const NAME: &str = "ForkServer";

struct Server {
    member: Arc<Member>,
    desk: Desk,
    block: u64,
    socket: OwnedFd,
    /// What it was started with.
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
}

#[derive(Default)]
struct Here {
    server: Option<Server>,
    preload: Option<Encoded>,
    /// No sound copies are to be had here.
    cannot: bool,
}

static HERE: Mutex<Option<Here>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Here>> {
    HERE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has fork servers run a task once, before they make children: what it leaves in memory (in a `OnceLock`, say) every child finds
/// there, shared until somebody writes to it. Python's function of this name, with a task in place of modules.
///
/// The arguments are encoded here. The task runs when the first child is started by [`StartMethod::ForkServer`], which waits for
/// it; its value is thrown away. A server that runs already is ended, and the next child gets one that has preloaded this; so the last
/// call counts. Each process sets it for its own children.
///
/// Everything else that the task does counts in children, too: open files are theirs, a changed directory is not. It must leave no
/// thread behind, because a copy has one thread only; so it may use threads and join them, but no [`Pool`](crate::Pool). Handles of
/// shared objects it may keep for the children, and they are then each child's own; what it has locked or taken itself (guards,
/// permits, pieces of an array, items of a queue) it gives back before it returns.
///
/// # Errors
/// The arguments cannot be encoded (`is_encode`), or the session cannot be opened. What goes wrong in the task (its own error, a
/// panic, a thread left behind, a death) is the error of the starts that need it.
///
/// ```
/// use std::sync::OnceLock;
///
/// static SQUARES: OnceLock<Vec<u64>> = OnceLock::new();
///
/// #[mp::task]
/// fn build(len: u64) {
///     SQUARES.get_or_init(|| (0..len).map(|x| x * x).collect());
/// }
///
/// #[mp::task]
/// fn look_up(x: usize) -> Option<u64> {
///     SQUARES.get()?.get(x).copied()
/// }
///
/// mp::main! {
///     mp::set_forkserver_preload(build, 1000)?;
///     let pool = mp::Pool::builder().workers(2).start_method(mp::StartMethod::ForkServer).build()?;
///     assert_eq!(pool.map(look_up, [3, 30, 3000])?, [Some(9), Some(900), None]);
/// }
/// ```
pub fn set_forkserver_preload<T: Task>(task: T, input: T::Input<'_>) -> Result<()> {
    let _ = task;
    let encoded =
        Encoded::new::<T>(&input).map_err(|error| error.with_task(task::name_of::<T>()))?;
    let session = encoded.session;
    let mut here = lock();
    let here = here.get_or_insert_default();
    if let Some(server) = here.server.take() {
        server.end(session);
    }
    here.preload = Some(encoded);
    Ok(())
}

/// Makes a child with this slot, whose launch record is filled in; `None` where that cannot be done soundly, and the child is to be
/// spawned.
pub(super) fn fork(
    session: &'static Session,
    slot: SlotId,
    settings: &Settings,
) -> Result<Option<Started>> {
    let mut here = lock();
    let here = here.get_or_insert_default();
    if here.cannot {
        return Ok(None);
    }
    let environment = spawn::environment(settings);
    let directory = std::env::current_dir().ok();
    // A server that has died since is started again; one that dies in the middle of it, once.
    for last in [false, true] {
        if here
            .server
            .as_ref()
            .is_some_and(|server| !server.is_alive(session))
            && let Some(server) = here.server.take()
        {
            server.end(session);
        }
        if here.server.is_none() {
            match launch(session, here.preload.as_ref())? {
                Launched::Up(server) => here.server = Some(server),
                Launched::Cannot => {
                    here.cannot = true;
                    return Ok(None);
                }
                Launched::Died(error) if last => return Err(error),
                Launched::Died(_) => continue,
            }
        }
        let Some(server) = &here.server else { continue };
        let changes = Changes {
            directory: match (&settings.directory, &directory) {
                (Some(wanted), Some(here)) => Some(here.join(wanted).into()),
                (Some(wanted), None) if PathBuf::from(wanted).is_absolute() => Some(wanted.clone()),
                (None, _) if directory == server.directory => None,
                (None, Some(here)) => Some(here.into()),
                // Nobody knows where that is.
                (_, None) => return Ok(None),
            },
            environment: (environment != server.environment).then(|| environment.clone()),
        };
        let changes = changes.to_bytes()?;
        match server.request(session, slot, settings, changes.as_deref())? {
            Came::Child(started) => return Ok(Some(started)),
            Came::Unable => {
                here.cannot = true;
                if let Some(server) = here.server.take() {
                    server.end(session);
                }
                return Ok(None);
            }
            Came::Died if !last => {}
            Came::Died => {
                let text = "the fork server has died twice while it was asked for a process";
                return Err(Error::new(Kind::Died, text));
            }
        }
    }
    Ok(None)
}

/// Ends the server, where there is one, and forgets what is to be preloaded.
pub(crate) fn end(session: &'static Session) {
    let here = lock().take();
    if let Some(server) = here.and_then(|here| here.server) {
        server.end(session);
    }
}

/// In a copy of this process that becomes another.
pub(super) fn forget() {
    // What was to be preloaded has its block from the original, which frees it.
    std::mem::forget(lock().take());
}

/// What came of a start.
enum Launched {
    Up(Server),
    Cannot,
    /// It died, and not of what it preloads.
    Died(Error),
}

/// What came of a request.
enum Came {
    Child(Started),
    /// No copies are to be had.
    Unable,
    /// The server has died, and there is no child.
    Died,
}

fn launch(session: &'static Session, preload: Option<&Encoded>) -> Result<Launched> {
    let heap = session.heap;
    let (socket, theirs) = pass::pair().map_err(spawn::cannot_start)?;
    let block = heap.alloc(Desk::SIZE, 64)?.offset;
    let launched = Desk::at(heap, block).and_then(|desk| {
        desk.reset(theirs.as_raw_fd());
        let plan = Plan {
            duty: Duty::ForkServer(block),
            task: preload.map_or(NO_TASK, |preload| preload.task),
            fingerprint: task::table()?.fingerprint(),
            identity: Identity {
                name: NAME.into(),
                line: String::new(),
            },
            daemon: true,
            method: StartMethod::Spawn,
        };
        let args = preload.map_or(Args::Inline(&[], 0), Encoded::as_args);
        let settings = Settings {
            keep: Some(theirs),
            ..Settings::default()
        };
        let environment = spawn::environment(&settings);
        let directory = std::env::current_dir().ok();
        let member = family::start(session, plan, args, &settings)?;
        // The other end is the server's alone from here on: if it goes, that is seen.
        drop(settings);
        Ok(Server {
            member,
            desk,
            block,
            socket,
            environment,
            directory,
        })
    });
    let server = launched.inspect_err(|_| drop(heap.free(block)))?;
    let up = Desk::wait_for_server(&server.socket, server.member.pidfd());
    match up {
        Ok(Some(true)) => return Ok(Launched::Up(server)),
        Ok(Some(false)) => {
            server.end(session);
            return Ok(Launched::Cannot);
        }
        Ok(None) => {}
        Err(cause) => {
            server.end(session);
            return Err(Error::system("cannot wait for the fork server", cause));
        }
    }
    let member = Arc::clone(&server.member);
    let exit = member.wait(session, None)?.unwrap_or(child::Exit::Unknown);
    let named = |error: Error| match preload.and_then(|preload| task::name_at(preload.task)) {
        Some(name) => error.with_task(name),
        None => error,
    };
    let outcome = match member.record.outcome() {
        // What it preloads has failed, and would again.
        Outcome::Report(parcel) => match parcel.to_vec(heap) {
            Ok(bytes) => Err(named(Report::from_bytes(&bytes).into())),
            Err(error) => Err(error),
        },
        _ => Ok(Launched::Died(named(member.end(heap, exit)))),
    };
    server.end(session);
    outcome
}

impl Server {
    fn is_alive(&self, session: &Session) -> bool {
        matches!(self.member.try_exit(session), Ok(None))
    }

    /// Ends it at once: it holds nothing that its end would lose.
    fn end(self, session: &'static Session) {
        let _ = self.member.signal(SIGKILL);
        let _ = self.member.wait(session, None);
        self.member.bury(session);
        let _ = session.heap.free(self.block);
    }

    /// Asks for a child.
    fn request(
        &self,
        session: &'static Session,
        slot: SlotId,
        settings: &Settings,
        changes: Option<&[u8]>,
    ) -> Result<Came> {
        let heap = session.heap;
        let asked = match self.desk.ask(heap, &self.socket, slot, settings, changes) {
            Ok(asked) => asked,
            // Its end of the sockets is closed.
            Err(_) if !self.is_alive(session) => return Ok(Came::Died),
            Err(error) => return Err(error),
        };
        let answer = self
            .desk
            .wait(heap, &asked, self.member.slot, self.member.pidfd());
        let answer = match answer {
            Ok(Answer::Dead) | Err(_) => {
                // The word may say so before the process is gone, or without reason.
                self.member.signal(SIGKILL)?;
                self.member.wait(session, None)?;
                self.desk
                    .child_of_the_dead()
                    .map_or(Ok(Answer::Dead), |pid| Ok(Answer::Child(pid)))
            }
            other => other,
        };
        Desk::forget(heap, asked);
        let pid = match answer? {
            Answer::Child(pid) => pid,
            Answer::Refused(error) => return Err(error),
            Answer::Unable => return Ok(Came::Unable),
            Answer::Dead => return Ok(Came::Died),
        };
        let opened = child::open(pid);
        // It runs no further than this before somebody knows it.
        Desk::let_run(heap, slot, matches!(opened, Ok(Some(_))));
        let floor = self.desk.peak();
        match opened {
            Ok(Some(pidfd)) => Ok(Came::Child(Started { pid, pidfd, floor })),
            Ok(None) => Err(
                Error::new(Kind::Died, "the new process was killed before it began").with_pid(pid),
            ),
            Err(cause) => {
                fork::reap(pid);
                Err(spawn::cannot_start(cause))
            }
        }
    }
}
