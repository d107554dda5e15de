#![allow(unsafe_code)]
//! The judge behind `#[mp::test]`.
//!
//! The body of the test runs as the root of a process of its own, so that what it leaves behind can be told from what other
//! tests are doing. The thread of the test harness is watchdog and judge: it ends the test when its time is up, passes its
//! output and its panic on, and fails it for any child, zombie, descriptor, shared memory or process left behind.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::error::Error;
use crate::process::{family, graves, server, watch};
use crate::session;
use crate::spawn::{self, Settings};
use crate::sys::child::{self, Exit};
use crate::sys::lifeline::{self, Lifeline};
use crate::sys::{program, signal};
use crate::task::{self, TestEntry};

/// How long processes whose lifeline is cut may take to vanish before they count as left behind.
const GRACE: Duration = Duration::from_secs(5);

/// How long what was open or in use may take to be given back after the test.
const SETTLE: Duration = Duration::from_secs(1);

/// What the process of a test reports when all is well; a code alone may come from anywhere.
const PASSED: &str = "passed";

/// What the variable tells the process of a test.
pub(crate) struct TestOrder {
    lifeline: RawFd,
    report: RawFd,
    name: String,
}

pub(crate) fn parse_order(rest: &str) -> Option<TestOrder> {
    let mut parts = rest.strip_prefix("test,")?.splitn(3, ',');
    let order = TestOrder {
        lifeline: parts.next()?.parse().ok()?,
        report: parts.next()?.parse().ok()?,
        name: parts.next()?.to_owned(),
    };
    (order.lifeline > 2 && order.report > 2).then_some(order)
}

/// What `#[mp::test]` expands to, on a thread of the test harness.
///
/// # Panics
/// When the test fails, has left something behind, or has run out of time: this is how a test fails.
pub fn run_test(entry: &'static TestEntry) {
    if let Err(text) = run(entry) {
        // The harness has its own line for the place; the text says what happened there.
        panic!("{text}");
    }
}

fn run(entry: &'static TestEntry) -> Result<(), String> {
    let name = entry.name();
    let system =
        |what: &str, cause: io::Error| format!("cannot {what} for the test {name}: {cause}");
    static LIFELINE: OnceLock<Lifeline> = OnceLock::new();
    let lifeline = match LIFELINE.get() {
        Some(lifeline) => lifeline,
        None => {
            let fresh = Lifeline::new().map_err(|cause| system("make a lifeline", cause))?;
            LIFELINE.get_or_init(|| fresh)
        }
    };
    let (output, output_end) = io::pipe().map_err(|cause| system("make a pipe", cause))?;
    let (report, report_end) = io::pipe().map_err(|cause| system("make a pipe", cause))?;
    let mut settings = Settings::default();
    let copy = output_end
        .try_clone()
        .map_err(|cause| system("copy a descriptor", cause))?;
    settings.stdio = [None, Some(output_end.into()), Some(copy.into())];
    let report_end: OwnedFd = report_end.into();
    let value = format!(
        "constructor,test,{},{},{name}",
        lifeline.read.as_raw_fd(),
        report_end.as_raw_fd()
    );
    let started = spawn::execute(
        &value,
        &[lifeline.read.as_fd(), report_end.as_fd()],
        &settings,
        true,
    );
    drop(settings);
    drop(report_end);
    let (pid, pidfd) = started.map_err(|error| error.to_string())?;

    let limit = Duration::from_millis(entry.timeout_ms());
    let deadline = Instant::now() + limit;
    let output = Pump::start(output);
    let report = Pump::start(report);
    let ended =
        child::poll_readable(&pidfd, Some(deadline)).map_err(|cause| system("wait", cause))?;
    let late = (!ended).then(|| describe(&processes_of(pid)));
    if !ended {
        // The lifelines of its children end with it.
        let _ = child::signal(&pidfd, signal::SIGKILL);
    }
    let exit = child::wait(&pidfd).map_err(|cause| system("wait", cause))?;
    let left = leftovers(pid);
    let (told, _) = report.finish();
    let (output, whole) = output.finish();
    print!("{output}");
    if !whole {
        return Err(
            "a process that the test started has left the test's session and still holds its output".into(),
        );
    }

    if let Some(running) = late {
        return Err(format!(
            "the test has not ended within {limit:?} and was killed; its processes were: {running}"
        ));
    }
    match exit {
        Exit::Code(0) if told != PASSED => {
            Err("the test's process exited with code 0 before the test had ended".into())
        }
        Exit::Code(0) if left.is_empty() => Ok(()),
        Exit::Code(0) => Err(format!(
            "the test left processes behind, and they were killed: {}",
            describe(&left)
        )),
        _ if !told.is_empty() && told != PASSED => Err(told),
        Exit::Code(code) => Err(format!(
            "the test's process exited with code {code} in the middle of the test"
        )),
        Exit::Signal(number) => Err(format!(
            "the test's process was ended by {}",
            crate::error::signal_name(number)
        )),
        Exit::Unknown => Err("the status of the test's process was taken by other code".into()),
    }
}

/// Reads a pipe on a thread of its own, so that whoever writes it never waits for us.
struct Pump {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<()>,
}

impl Pump {
    fn start(mut pipe: io::PipeReader) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (done, end) = mpsc::channel();
        let into = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // The pipe ends when the last process that inherited it is gone.
            while let Ok(read @ 1..) = pipe.read(&mut piece) {
                let mut bytes = into.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend_from_slice(&piece[..read]);
            }
            drop(done);
        });
        Pump { bytes, end }
    }

    /// All that was written, and whether the pipe has ended. The processes that should hold it are gone by now: another one
    /// is not waited for.
    fn finish(self) -> (String, bool) {
        let ended = self.end.recv_timeout(GRACE) == Err(mpsc::RecvTimeoutError::Disconnected);
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        (String::from_utf8_lossy(&bytes).into_owned(), ended)
    }
}

/// One process as `/proc` shows it.
struct Seen {
    pid: u32,
    state: char,
    command: String,
}

fn describe(processes: &[Seen]) -> String {
    let mut text = String::new();
    for (
        index,
        Seen {
            pid,
            state,
            command,
        },
    ) in processes.iter().enumerate()
    {
        let _ = write!(
            text,
            "{}pid {pid} `{command}` in state {state}",
            if index > 0 { ", " } else { "" }
        );
    }
    text
}

/// The processes of the session that this process leads.
fn processes_of(leader: u32) -> Vec<Seen> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, tail) = stat.rsplit_once(')')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let session: u32 = fields.nth(2)?.parse().ok()?;
        let command = head.split_once('(')?.1.to_owned();
        (session == leader).then_some(Seen {
            pid,
            state,
            command,
        })
    })
    .collect()
}

/// What is left of a test's session after its leader is gone; whatever does not vanish by itself is killed.
fn leftovers(leader: u32) -> Vec<Seen> {
    let deadline = Instant::now() + GRACE;
    loop {
        // Zombies of a dead parent belong to init, which may take its time.
        let left: Vec<_> = processes_of(leader)
            .into_iter()
            .filter(|seen| seen.state != 'Z')
            .collect();
        if left.is_empty() || Instant::now() >= deadline {
            for seen in &left {
                let pid = nix::unistd::Pid::from_raw(seen.pid as i32);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
            return left;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What stands open and alive in the process of a test.
struct Inventory {
    descriptors: Vec<(RawFd, String)>,
    shared: Vec<std::ffi::OsString>,
    heap: u64,
}

impl Inventory {
    fn take(session: &session::Session) -> io::Result<Self> {
        let mut descriptors = Vec::new();
        let mut own = None;
        for entry in std::fs::read_dir("/proc/self/fd")?.flatten() {
            let Some(fd) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let target = std::fs::read_link(entry.path())
                .map_or_else(|_| "?".into(), |path| path.display().to_string());
            if target.starts_with("/proc/") && target.ends_with("/fd") {
                own = Some(fd);
            }
            descriptors.push((fd, target));
        }
        descriptors.retain(|(fd, _)| Some(*fd) != own);
        descriptors.sort();
        let shared = match std::fs::read_dir("/dev/shm") {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect(),
            Err(_) => Vec::new(),
        };
        Ok(Inventory {
            descriptors,
            shared,
            heap: session.heap.stats().used_bytes,
        })
    }

    fn compare(&self, after: &Inventory) -> Option<String> {
        let mut text = String::new();
        if after.descriptors.len() != self.descriptors.len() {
            let fresh: Vec<_> = after
                .descriptors
                .iter()
                .filter(|entry| !self.descriptors.contains(entry))
                .collect();
            let _ = write!(
                text,
                "; {} descriptors were open before the test and {} are after it, the new ones: {fresh:?}",
                self.descriptors.len(),
                after.descriptors.len()
            );
        }
        let fresh: Vec<_> = after
            .shared
            .iter()
            .filter(|name| !self.shared.contains(name))
            .collect();
        if !fresh.is_empty() {
            let _ = write!(text, "; it left these in /dev/shm: {fresh:?}");
        }
        if after.heap > self.heap {
            let _ = write!(
                text,
                "; {} bytes of the shared heap are not given back",
                after.heap - self.heap
            );
        }
        (!text.is_empty()).then(|| text.split_off(2))
    }
}

/// The pids of all children of all threads, zombies among them.
fn own_children() -> Vec<String> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let lists = threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Everything the process of a test does.
pub(crate) fn be_test(order: TestOrder) -> ! {
    use std::os::fd::FromRawFd;
    // SAFETY: both numbers are above 2 and come from the harness of this very binary; nothing else has been opened yet.
    let (lifeline, report) = unsafe {
        (
            OwnedFd::from_raw_fd(order.lifeline),
            OwnedFd::from_raw_fd(order.report),
        )
    };
    // What the test starts is not to inherit it.
    let closed = fcntl(&report, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    let mut report = std::fs::File::from(report);
    let verdict = match closed {
        Ok(_) => judge(lifeline, &order.name),
        Err(cause) => Err(format!("cannot keep a descriptor from children: {cause}")),
    };
    let text = verdict.as_ref().map_or_else(String::as_str, |()| PASSED);
    let _ = report.write_all(text.as_bytes());
    std::process::exit(if verdict.is_ok() { 0 } else { 101 });
}

fn judge(lifeline: OwnedFd, name: &str) -> Result<(), String> {
    let armed =
        lifeline::arm(lifeline).map_err(|cause| format!("cannot arm the lifeline: {cause}"))?;
    std::mem::forget(armed);
    signal::open_mask();
    signal::watch_overflow(|| (), true);
    program::limit_core(0);
    task::install_panic_hook(None);
    let entry = task::find_test(name)
        .ok_or_else(|| format!("no test of the name {name} is in this binary"))?;
    let told = |error: Error| error.to_string();
    let session = session::current().map_err(told)?;
    session
        .lifeline()
        .map_err(|cause| format!("cannot make a lifeline: {cause}"))?;
    watch::prepare().map_err(|cause| format!("cannot watch processes: {cause}"))?;
    let before =
        Inventory::take(session).map_err(|cause| format!("cannot read /proc/self/fd: {cause}"))?;

    entry.run()?;

    crate::pool::close_global();
    let mut left = family::members(session);
    // One that has let go of everything, and is just ending, is none that the test has left.
    let patience = Instant::now() + SETTLE;
    while !left.is_empty() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(1));
        left = family::members(session);
    }
    if !left.is_empty() {
        let names: Vec<_> = left
            .iter()
            .map(|member| format!("{} (pid {})", member.identity.name, member.pid))
            .collect();
        return Err(format!(
            "the test has ended, but children of it have not: {}",
            names.join(", ")
        ));
    }
    server::end(session);
    let children = own_children();
    if !children.is_empty() {
        return Err(format!(
            "the test left children or zombies behind: pids {}",
            children.join(", ")
        ));
    }
    // Grandchildren whose parent was killed are dying; their memory is given back when they are gone.
    if !graves::settle(session.heap, Instant::now() + GRACE) {
        return Err("descendants of a process that was killed are still alive".into());
    }
    // A thread of ours may be just about to end, and to give back what it holds.
    let deadline = Instant::now() + SETTLE;
    loop {
        let after = Inventory::take(session)
            .map_err(|cause| format!("cannot read /proc/self/fd: {cause}"))?;
        match before.compare(&after) {
            None => return Ok(()),
            Some(text) if Instant::now() >= deadline => {
                return Err(format!("the test left something behind: {text}"));
            }
            Some(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
