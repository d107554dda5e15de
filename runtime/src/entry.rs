#![allow(unsafe_code)]
//! The two doors: how a process finds out what it is, before any of the user's statements run.
//!
//! A child is told by one variable, which is taken away at once. If the root went through `mp::main!`, its children enter
//! there, with all of std started; else a static constructor takes over before `main` (tests, doctests, benches, programs that
//! own their `main` or forgot `mp::main!`). Neither trusts what it is told: the descriptor must be a heap of ours, the slot
//! must hold a launch record, and the table of tasks must have the same fingerprint.

use std::ffi::{CString, c_char, c_int};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::codec::{BlockStore, Writer};
use crate::error::{Error, Failure, Kind, Result};
use crate::heap::{self, SlotId};
use crate::pool;
use crate::process::record::{Duty, Launch, NO_TASK, Record};
use crate::process::{family, forget_all};
use crate::session::{self, Door, Parent, Role, Session, VARIABLE};
use crate::spawn;
use crate::sys::{fence, lifeline, memory, program, signal};
use crate::task::{self, Batch, MainReturn, Report, Stop};

/// A worker's core file is no larger than this; the heap is never in it.
const CORE_LIMIT: u64 = 64 << 20;

/// How long the end of a parent may take to be seen by a child that has other signs of it.
const ORPHANED: Duration = Duration::from_secs(1);

/// What `mp::main!` expands to: the child's work in a child, `main` in the root.
pub fn run_main<R: MainReturn>(main: impl FnOnce() -> R) -> ExitCode {
    if let Some(order) = take_order(Door::Main) {
        be_child(&order, false);
    }
    session::set_door(Door::Main);
    let code = main().report();
    leave();
    code
}

/// Opens the session by hand, in a program that does not use [`mp::main!`](crate::main).
///
/// There is no need to call it: the first use of a process or a pool does the same. It says early, in one place, whether the
/// system gives what a session needs.
///
/// # Errors
/// The system refuses the shared memory (`is_system`), or this code stands in a library that another program has loaded
/// (`is_usage`).
pub fn init() -> Result<()> {
    task::table()?;
    session::current().map(drop)
}

/// What the parent wrote into the variable.
struct Order {
    heap: RawFd,
    lifeline: RawFd,
    slot: SlotId,
}

/// The variable's value, if it speaks to this door.
fn for_door(value: &[u8], door: Door) -> Option<&str> {
    let (to, rest) = std::str::from_utf8(value).ok()?.split_once(',')?;
    let meant = match to {
        "main" => Door::Main,
        _ => Door::Constructor,
    };
    (meant == door).then_some(rest)
}

fn parse(rest: &str) -> Option<Order> {
    let mut numbers = rest.split(',');
    let order = Order {
        heap: numbers.next()?.parse().ok()?,
        lifeline: numbers.next()?.parse().ok()?,
        slot: SlotId {
            index: numbers.next()?.parse().ok()?,
            generation: numbers.next()?.parse().ok()?,
        },
    };
    (order.heap > 2 && order.lifeline > 2 && numbers.next().is_none()).then_some(order)
}

fn take_order(door: Door) -> Option<Order> {
    let value = std::env::var_os(VARIABLE)?;
    if program::is_privileged() {
        return None;
    }
    let order = parse(for_door(value.as_bytes(), door)?)?;
    program::remove_variable(VARIABLE);
    Some(order)
}

/// The constructor: in every process it looks for the variable, and in nearly every one finds none.
extern "C" fn takeover(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) {
    // Here because it is slow once there are threads.
    fence::register();
    let envp = if envp.is_null() {
        program::environment()
    } else {
        envp
    };
    let Some(value) = program::find_in_environment(envp, VARIABLE.as_bytes()) else {
        return;
    };
    let Some(rest) = for_door(value, Door::Constructor) else {
        return;
    };
    if program::is_privileged() || !program::is_in_executable() {
        return;
    }
    let test = crate::testing::parse_order(rest);
    let order = parse(rest);
    if test.is_none() && order.is_none() {
        return;
    }
    program::run_constructors_behind(takeover, argc, argv, envp);
    signal::ignore_sigpipe();
    // A panic must not leave a constructor.
    let done = catch_unwind(|| {
        program::remove_variable(VARIABLE);
        if let Some(order) = order {
            be_child(&order, true);
        }
        if let Some(order) = test {
            crate::testing::be_test(order);
        }
    });
    drop(done);
    std::process::abort();
}

#[used]
#[unsafe(link_section = ".init_array")]
static TAKEOVER: program::Constructor = takeover;

/// Says why this process cannot be the child it was started to be, and ends.
fn refuse(error: &Error) -> ! {
    eprintln!("mp: a child process cannot start: {error}");
    std::process::exit(70);
}

static RECORD: OnceLock<(Record, &heap::Heap)> = OnceLock::new();
/// Instead of it, in a copy that a fork server made of itself.
static RECORD_AGAIN: OnceLock<(Record, &heap::Heap)> = OnceLock::new();
/// The descriptor of the lifeline, armed.
static LIFELINE: AtomicI32 = AtomicI32::new(-1);

fn own_record() -> Option<&'static (Record, &'static heap::Heap)> {
    RECORD_AGAIN.get().or_else(|| RECORD.get())
}

/// Everything a child does, from its first instruction to its last.
fn be_child(order: &Order, early: bool) -> ! {
    let code = match enter(order, early).and_then(|(session, record)| {
        let launch = record.launch()?;
        match launch.duty {
            Duty::ForkServer(desk) => serve(session, record, &launch, desk),
            _ => Ok(do_duty(session, record, &launch)),
        }
    }) {
        Ok(code) => code,
        Err(error) => refuse(&error),
    };
    leave();
    std::process::exit(code);
}

/// What a child was started for; gives its exit code.
fn do_duty(session: &'static Session, record: Record, launch: &Launch) -> i32 {
    match launch.duty {
        Duty::Task => run_task(session, record, launch.task),
        Duty::Pool(mailbox) => pool::serve(session, record, mailbox),
        // What a fork server makes is never another.
        Duty::ForkServer(_) => 70,
    }
}

/// A fork server: preloads, serves, and goes on in each copy of itself as what that was made for.
fn serve(session: &'static Session, record: Record, launch: &Launch, desk: u64) -> Result<i32> {
    let lifeline = LIFELINE.load(Ordering::Relaxed);
    let server = spawn::Server::open(session.heap, desk, lifeline)?;
    if launch.task != NO_TASK
        && let Some(code) = preload(session, record, launch.task)
    {
        return Ok(code);
    }
    // SAFETY: it was made sure that there is no other thread, and this one holds no lock here.
    let begun = unsafe { server.serve() }?;
    let (session, record, launch) = become_child(session, begun)?;
    Ok(do_duty(session, record, &launch))
}

/// Runs what is to be preloaded; gives the exit code where that is the end.
fn preload(session: &'static Session, record: Record, task: u32) -> Option<i32> {
    let heap = session.heap;
    let mut store = BlockStore::new(heap);
    let mut out = Writer::new(&mut store);
    let report = match run_once(heap, record, task, &mut out) {
        // The copies are to begin with nothing of it but memory.
        Ok(()) => {
            leave();
            lone_thread().err()
        }
        Err(report) => Some(report),
    }?;
    if let Err(error) = record.publish_report(heap, &report.to_bytes()) {
        eprintln!("mp: a fork server cannot tell why it ends: {error}");
    }
    Some(match report {
        Report::Panic { .. } => 101,
        _ => 1,
    })
}

/// How long threads that have been joined may take to vanish.
const VANISH: Duration = Duration::from_secs(1);

/// Makes sure that this is the only thread: a copy would be without the others, and with the locks that they held.
fn lone_thread() -> std::result::Result<(), Report> {
    let deadline = Instant::now() + VANISH;
    loop {
        let names = match program::thread_names() {
            Ok(names) if names.len() == 1 => return Ok(()),
            Ok(names) => names,
            Err(cause) => vec![format!("cannot count the threads: {cause}")],
        };
        if Instant::now() >= deadline {
            return Err(Report::Failure(Failure::new(format!(
                "what was preloaded has left threads behind in the fork server, which may have one only: {}; \
                 join them before the task returns",
                names.join(", ")
            ))));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// In a copy that a fork server made of itself: it becomes the child that its parent wants. Everything that `enter` does and that
/// is not in the copy already.
fn become_child(
    server: &'static Session,
    begun: spawn::Begun,
) -> Result<(&'static Session, Record, Launch)> {
    let heap = server.heap;
    let (index, generation) = (begun.slot.index, begun.slot.generation);
    program::end_as_copy();
    memory::mark_process()
        .map_err(|cause| Error::system("cannot make the mark that tells forks apart", cause))?;
    fence::register();
    // SAFETY: nobody else here uses the server's line.
    let armed = unsafe { lifeline::adopt(LIFELINE.load(Ordering::Relaxed), begun.lifeline) };
    let armed = armed.map_err(|cause| Error::system("cannot arm the lifeline", cause))?;
    LIFELINE.store(armed.into_raw_fd(), Ordering::Relaxed);
    let settled = (|| {
        heap.settle_again(begun.slot, &begun.inherited)?;
        let slot = heap.processes().slot(begun.slot)?;
        // As in `enter`.
        let pid = std::process::id();
        let entered = slot
            .pid
            .compare_exchange(0, pid, Ordering::AcqRel, Ordering::Relaxed);
        if entered.is_err_and(|found| found != pid) {
            program::exit_now(1);
        }
        heap.processes().link_liveness(begun.slot)?;
        forget_all();
        let record = Record::of(heap, begun.slot)?;
        let _ = RECORD_AGAIN.set((record, heap));
        let launch = record.launch()?;
        let parent = parent_of(heap, begun.slot)?;
        if let Some(environment) = &begun.environment {
            program::set_environment(environment);
        }
        let identity = launch.identity.clone();
        let role = role_of(&launch);
        let session = session::join(role, heap, identity, launch.daemon, parent);
        Ok((session, record, launch))
    })();
    let me = SlotId { index, generation };
    if !spawn::may_run(heap, me) {
        // Its parent has no use for it; nothing of the user's has run.
        program::exit_now(0);
    }
    signal::open_mask();
    settled
}

fn role_of(launch: &Launch) -> Role {
    match launch.duty {
        Duty::Task => Role::Child,
        Duty::Pool(_) => Role::Worker,
        Duty::ForkServer(_) => Role::ForkServer,
    }
}

/// Joins the session the parent opened.
fn enter(order: &Order, early: bool) -> Result<(&'static Session, Record)> {
    // SAFETY: the numbers are above 2; if they are not what they should be, the checks below refuse, and nothing else of this
    // process has been opened yet that could be closed by mistake.
    let (heap, lifeline) = unsafe {
        (
            OwnedFd::from_raw_fd(order.heap),
            OwnedFd::from_raw_fd(order.lifeline),
        )
    };
    // What a task starts is not to inherit it.
    fcntl(&heap, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
        .map_err(|cause| Error::system("cannot keep the heap's descriptor to itself", cause))?;
    let heap = heap::attach(heap, order.slot.index, order.slot.generation);
    if heap.is_err() {
        // The slot of an orphan may be another's by now.
        lifeline::leave_if_orphaned(&lifeline, ORPHANED);
    }
    let heap = heap?;
    // Before anything else: whoever buries the parent counts on it (see `process::graves`).
    let slot = heap.processes().slot(order.slot)?;
    let pid = std::process::id();
    let entered = slot
        .pid
        .compare_exchange(0, pid, Ordering::AcqRel, Ordering::Relaxed);
    // The parent may have been faster to enter it.
    if entered.is_err_and(|found| found != pid) {
        lifeline::leave_if_orphaned(&lifeline, ORPHANED);
        return Err(Error::new(Kind::Protocol, "the child's slot is taken"));
    }
    let armed =
        lifeline::arm(lifeline).map_err(|cause| Error::system("cannot arm the lifeline", cause))?;
    // Open as long as the process: its close would disarm it.
    LIFELINE.store(armed.into_raw_fd(), Ordering::Relaxed);
    program::fill_standard_descriptors()
        .map_err(|cause| Error::system("cannot open /dev/null for a closed stream", cause))?;
    let record = Record::of(heap, order.slot)?;
    let (record, _) = *RECORD.get_or_init(|| (record, heap));
    let launch = record.launch()?;
    let table = task::table()?;
    if launch.fingerprint != table.fingerprint() {
        return Err(Error::new(
            Kind::Protocol,
            "the child's table of tasks differs from the parent's; both must be the same binary",
        ));
    }
    heap.processes().link_liveness(order.slot)?;
    let parent = parent_of(heap, order.slot)?;
    let role = role_of(&launch);
    if let Some(name) = std::env::args_os().next() {
        let base = name
            .as_bytes()
            .rsplit(|&byte| byte == b'/')
            .next()
            .unwrap_or_default();
        if let Ok(name) = CString::new(base) {
            program::set_thread_name(&name);
        }
    }
    program::limit_core(CORE_LIMIT);
    program::keep_large_allocations();
    signal::watch_overflow(note_overflow, early);
    task::install_panic_hook(Some(note_panic));
    signal::open_in_child();
    if early {
        session::set_door(Door::Constructor);
    } else {
        session::set_door(Door::Main);
    }
    let session = session::join(role, heap, launch.identity, launch.daemon, parent);
    Ok((session, record))
}

fn parent_of(heap: &'static heap::Heap, slot: SlotId) -> Result<Parent> {
    let table = heap.processes();
    let parent = table
        .slot(slot)?
        .parent()
        .ok_or_else(|| Error::new(Kind::Protocol, "the child's slot names no parent"))?;
    let pid = table.slot(parent)?.pid.load(Ordering::Relaxed);
    let name = match Record::of(heap, parent).and_then(|record| record.launch()) {
        Ok(launch) => launch.identity.name,
        Err(_) => "MainProcess".into(),
    };
    Ok(Parent { pid, name })
}

fn note_overflow() {
    if let Some((record, _)) = own_record() {
        record.note_overflow();
    }
}

fn note_panic(report: &Report) {
    // What std says of a panic that cannot unwind any further would hide the panic itself.
    if matches!(report, Report::Panic { message, .. } if AFTER_A_PANIC.contains(&message.as_str()))
    {
        return;
    }
    if let Some((record, heap)) = own_record() {
        record.publish_panic(heap, &report.to_bytes());
    }
}

const AFTER_A_PANIC: [&str; 2] = [
    "panic in a destructor during cleanup",
    "panic in a function that cannot unwind",
];

/// Runs a task on the arguments of the record; user code runs here.
fn run_once(
    heap: &'static heap::Heap,
    record: Record,
    index: u32,
    out: &mut Writer<'_>,
) -> std::result::Result<(), Report> {
    let failed = |error: Error| Report::Failure(Failure::new(error.to_string()));
    let missing = || failed(Error::new(Kind::Protocol, "no task has this number"));
    let table = task::table().map_err(failed)?;
    let entry = table.get(index).ok_or_else(missing)?;
    let progress = AtomicU64::new(0);
    let mut batch = Batch {
        args: record.args(heap).map_err(failed)?,
        framed: false,
        out_framed: false,
        from: 0,
        to: 1,
        progress: &progress,
        out,
    };
    match entry.run(&mut batch) {
        Stop::Done => Ok(()),
        Stop::Item { report, .. } => Err(report),
    }
}

/// Runs the one task of a child; gives its exit code.
fn run_task(session: &'static Session, record: Record, index: u32) -> i32 {
    let heap = session.heap;
    let mut report = None;
    let published = record.publish_value(heap, |out| {
        run_once(heap, record, index, out).map_err(|why| {
            report = Some(why);
            Error::new(Kind::Task, "the task has failed")
        })
    });
    let report = match (report, published) {
        (Some(report), _) => report,
        (None, Ok(())) => return 0,
        (None, Err(error)) => Report::Failure(Failure::new(error.to_string())),
    };
    if let Err(error) = record.publish_report(heap, &report.to_bytes()) {
        eprintln!("mp: a child process cannot tell its outcome: {error}");
    }
    if matches!(report, Report::Panic { .. }) {
        101
    } else {
        1
    }
}

/// The end of a process's own work: its pools, then its children.
fn leave() {
    pool::close_global();
    if let Some(session) = session::get() {
        family::finish(session);
    }
}
