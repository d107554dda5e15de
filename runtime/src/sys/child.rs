#![allow(unsafe_code)]
//! Starting a copy of a program and waiting for it by its descriptor.
//!
//! `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)` on a stack of its own, then `execve`: as cheap as `posix_spawn`, and the
//! pidfd is there from birth, so that no number is ever taken for another process. Between `clone` and `execve` the child
//! shares our memory while the calling thread sleeps: it makes system calls on what was prepared before and nothing else.
//! All signals are blocked meanwhile and stay blocked over `execve`; the entry of the child opens them again.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// What to start, with what.
pub(crate) struct Exec<'a> {
    pub(crate) program: &'a CStr,
    pub(crate) argv: &'a [CString],
    pub(crate) envp: &'a [CString],
    /// What becomes descriptor 0, 1 and 2; `None` keeps the parent's.
    pub(crate) stdio: [Option<BorrowedFd<'a>>; 3],
    /// Descriptors that stay open over `execve`, under their own number.
    pub(crate) keep: &'a [BorrowedFd<'a>],
    pub(crate) directory: Option<&'a CStr>,
    /// Whether the child leads a session of its own.
    pub(crate) new_session: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It ended by itself with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// Somebody else took its status (a `waitpid(-1)`, or `SIGCHLD` ignored).
    Unknown,
}

/// What the child needs between `clone` and `execve`; plain pointers, prepared by the parent.
struct Plan {
    program: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    stdio: [RawFd; 3],
    keep: *const RawFd,
    keep_len: usize,
    directory: *const c_char,
    new_session: bool,
    /// Which step failed, and why; written by the child.
    failed: c_int,
    errno: c_int,
}

const STEPS: [&str; 4] = [
    "hand the standard streams to",
    "change the directory for",
    "hand descriptors to",
    "execute",
];

/// Runs in the child, on its own stack, in the parent's memory.
extern "C" fn child_between(plan: *mut c_void) -> c_int {
    // SAFETY: the parent sleeps in `clone` until this process execs or exits, so `plan` and all it points to stay as they
    // are; only async-signal-safe calls are made.
    unsafe {
        let plan = &mut *plan.cast::<Plan>();
        let step = 'failed: {
            if plan.new_session {
                libc::setsid();
            }
            for (target, &source) in plan.stdio.iter().enumerate() {
                if source >= 0 && libc::dup2(source, target as c_int) < 0 {
                    break 'failed 0;
                }
            }
            if !plan.directory.is_null() && libc::chdir(plan.directory) < 0 {
                break 'failed 1;
            }
            for index in 0..plan.keep_len {
                if libc::fcntl(*plan.keep.add(index), libc::F_SETFD, 0) < 0 {
                    break 'failed 2;
                }
            }
            libc::execve(plan.program, plan.argv, plan.envp);
            3
        };
        plan.errno = *libc::__errno_location();
        plan.failed = step;
        libc::_exit(127)
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

/// Starts the program; gives its pid and pidfd once `execve` has succeeded.
pub(crate) fn spawn(exec: &Exec<'_>) -> io::Result<(u32, OwnedFd)> {
    const STACK: usize = 32 * 1024;
    let argv = pointers(exec.argv);
    let envp = pointers(exec.envp);
    let keep: Vec<RawFd> = exec.keep.iter().map(AsRawFd::as_raw_fd).collect();
    // Above 2, so that no dup2 overwrites a source that a later one needs.
    let mut held = Vec::new();
    let mut stdio = [-1; 3];
    for (target, source) in stdio.iter_mut().zip(&exec.stdio) {
        if let Some(source) = source {
            let copy = nix::fcntl::fcntl(source, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(3))?;
            // SAFETY: fcntl has just made this descriptor for us.
            held.push(unsafe { OwnedFd::from_raw_fd(copy) });
            *target = copy;
        }
    }
    let mut plan = Plan {
        program: exec.program.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        stdio,
        keep: keep.as_ptr(),
        keep_len: keep.len(),
        directory: exec.directory.map_or(std::ptr::null(), CStr::as_ptr),
        new_session: exec.new_session,
        failed: -1,
        errno: 0,
    };
    let mut stack: Vec<u128> = Vec::with_capacity(STACK / 16);
    let mut pidfd: c_int = -1;
    let pid;
    let clone_error;
    // SAFETY: signals are blocked around the call so that no handler of ours runs in the child, which shares our memory; the
    // stack is 16-byte aligned, ours, and outlives the child's use of it (CLONE_VFORK); `pidfd` receives a descriptor.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let top = stack.as_mut_ptr().cast::<u8>().add(STACK).cast::<c_void>();
        pid = libc::clone(
            child_between,
            top,
            libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD,
            (&raw mut plan).cast(),
            &raw mut pidfd,
        );
        clone_error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
    }
    if pid < 0 {
        return Err(clone_error);
    }
    // SAFETY: clone has made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // The child wrote this through another pointer, behind the compiler's back.
    // SAFETY: both fields are initialised integers of ours.
    let (failed, errno) = unsafe {
        (
            (&raw const plan.failed).read_volatile(),
            (&raw const plan.errno).read_volatile(),
        )
    };
    if failed >= 0 {
        let _ = wait(&pidfd);
        let cause = io::Error::from_raw_os_error(errno);
        let step = STEPS.get(failed as usize).copied().unwrap_or("start");
        return Err(io::Error::new(
            cause.kind(),
            format!("cannot {step} the new process: {cause}"),
        ));
    }
    Ok((pid as u32, pidfd))
}

fn wait_with(pidfd: &OwnedFd, flags: c_int) -> io::Result<Option<(Exit, u64)>> {
    loop {
        // SAFETY: an all-zero rusage is a valid value to be filled in.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: an all-zero siginfo_t is a valid value to be filled in.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // The library's wrapper gives no usage.
        // SAFETY: `info` and `usage` are ours and the descriptor is open.
        let rc = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                libc::P_PIDFD,
                pidfd.as_raw_fd(),
                &raw mut info,
                libc::WEXITED | flags,
                &raw mut usage,
            )
        };
        let peak = usage.ru_maxrss.max(0) as u64 * 1024;
        if rc == 0 {
            // SAFETY: waitid has filled the fields of a SIGCHLD.
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            return Ok(match info.si_code {
                _ if pid == 0 => None,
                libc::CLD_EXITED => Some((Exit::Code(status), peak)),
                _ => Some((Exit::Signal(status), peak)),
            });
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => {}
            // Not our child any more: its status was taken by others. Gone it is once its descriptor is readable.
            error if error.raw_os_error() == Some(libc::ECHILD) => {
                let gone = poll_readable(
                    pidfd,
                    if flags & libc::WNOHANG == 0 {
                        None
                    } else {
                        Some(Instant::now())
                    },
                )?;
                return Ok(gone.then_some((Exit::Unknown, 0)));
            }
            error => return Err(error),
        }
    }
}

/// Waits for the process to end and takes its status.
pub(crate) fn wait(pidfd: &OwnedFd) -> io::Result<Exit> {
    Ok(wait_with(pidfd, 0)?.map_or(Exit::Unknown, |(exit, _)| exit))
}

/// Takes its status if it has ended, with the most memory it ever had, in bytes.
pub(crate) fn try_wait(pidfd: &OwnedFd) -> io::Result<Option<(Exit, u64)>> {
    wait_with(pidfd, libc::WNOHANG)
}

/// Waits until the descriptor is readable (for a pidfd: the whole process is gone) or the deadline has passed.
pub(crate) fn poll_readable(fd: &OwnedFd, deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let timeout = match deadline {
            None => -1,
            // Rounded up, so that the wait never ends before its time.
            Some(deadline) => {
                let left =
                    deadline.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
                c_int::try_from(left.as_millis()).unwrap_or(c_int::MAX)
            }
        };
        let mut poll = libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one pollfd of ours.
        let rc = unsafe { libc::poll(&mut poll, 1, timeout) };
        if rc > 0 {
            return Ok(true);
        }
        if rc == 0 {
            if deadline.is_none_or(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
            continue;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Sends a signal to that very process; `Ok` too when it is gone already.
pub(crate) fn signal(pidfd: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: no pointers but null.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<c_void>(),
            0,
        )
    };
    match io::Error::last_os_error() {
        _ if rc == 0 => Ok(()),
        error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        error => Err(error),
    }
}

/// A descriptor of a process that is not our child; `None` when there is no process of this number.
pub(crate) fn open(pid: u32) -> io::Result<Option<OwnedFd>> {
    // SAFETY: no pointers; a result that is not negative is a descriptor of our own.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        match io::Error::last_os_error() {
            _ if fd >= 0 => Ok(Some(OwnedFd::from_raw_fd(fd as RawFd))),
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            error => Err(error),
        }
    }
}

/// The most memory this process ever had, in bytes.
pub(crate) fn own_peak() -> u64 {
    // SAFETY: an all-zero rusage is a valid value to be filled in.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is ours.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    usage.ru_maxrss.max(0) as u64 * 1024
}
/// Ends this process at once: no hooks, no destructors, which are those of the process it is a copy of.
pub(crate) fn leave_at_once() -> ! {
    // SAFETY: ends the process and touches nothing.
    unsafe { libc::_exit(0) }
}
