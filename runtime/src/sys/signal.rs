#![allow(unsafe_code)]
//! Signals in a child: the mask that `spawn` left closed, SIGINT, SIGPIPE, and the handler that tells a stack overflow
//! from any other fault.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

pub(crate) use libc::{SIGABRT, SIGKILL, SIGTERM};

extern "C" fn nothing(_: c_int) {}

/// Opens the signal mask; Ctrl-C is the parent's business (a handler, not SIG_IGN, which commands started by a task would
/// inherit).
pub(crate) fn open_in_child() {
    // SAFETY: initialised sets and actions; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut());
        open_mask();
    }
}

/// Opens the signal mask.
pub(crate) fn open_mask() {
    // SAFETY: an initialised set.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

/// Runs `start`, which starts a thread, so that the thread takes no signals: handlers of the program run on its own threads,
/// and a signal that it waits for is not swallowed by one of ours.
pub(crate) fn start_without_signals<R>(start: impl FnOnce() -> R) -> R {
    // SAFETY: initialised sets. The signals of a fault stay open: they cannot be held back without hiding the fault.
    unsafe {
        let mut most: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut most);
        for fault in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGTRAP,
        ] {
            libc::sigdelset(&mut most, fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &most, &mut before);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}

/// What `std`'s own start would have done before `main`.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// Called from the signal handler when the stack overflows; async-signal-safe by contract.
static ON_OVERFLOW: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static SPEAK: AtomicBool = AtomicBool::new(false);
static mut BEFORE: [Option<libc::sigaction>; 2] = [None, None];

/// Installs the fault handler for this thread's stack. `record` runs inside the handler: one store, no more. `speak`: print
/// the line std would print (where std's runtime has not started).
pub(crate) fn watch_overflow(record: fn(), speak: bool) {
    ON_OVERFLOW.store(record as *mut (), Ordering::Release);
    SPEAK.store(speak, Ordering::Release);
    // SAFETY: called once, early, on the main thread. The stack is leaked on purpose: it must live as long as the thread.
    unsafe {
        let mut old: libc::stack_t = std::mem::zeroed();
        libc::sigaltstack(std::ptr::null(), &mut old);
        if old.ss_flags & libc::SS_DISABLE != 0 {
            let size = libc::SIGSTKSZ.max(16 * 1024);
            let stack = libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            if stack == libc::MAP_FAILED {
                return;
            }
            let own = libc::stack_t {
                ss_sp: stack,
                ss_flags: 0,
                ss_size: size,
            };
            libc::sigaltstack(&own, std::ptr::null_mut());
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        for (index, signal) in [libc::SIGSEGV, libc::SIGBUS].into_iter().enumerate() {
            let mut old: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, &action, &mut old);
            BEFORE[index] = Some(old);
        }
    }
}

extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives valid pointers; only async-signal-safe calls; BEFORE was filled before the handler could run.
    unsafe {
        let address = (*info).si_addr() as usize;
        let stack = stack_pointer(context);
        // A frame of any size may be probed below the stack pointer, page by page.
        if signal == libc::SIGSEGV && stack != 0 && address.abs_diff(stack) < 1 << 20 {
            let record = ON_OVERFLOW.load(Ordering::Acquire);
            if !record.is_null() {
                let record: fn() = std::mem::transmute(record);
                record();
            }
            if SPEAK.load(Ordering::Acquire) {
                let text = b"\na task has overflowed its stack\n";
                libc::write(2, text.as_ptr().cast(), text.len());
            }
        }
        // The fault happens again as soon as this returns, now under whoever was there before us.
        let index = usize::from(signal == libc::SIGBUS);
        let before = (&raw const BEFORE[index]).read();
        let default = libc::sigaction {
            sa_sigaction: libc::SIG_DFL,
            ..std::mem::zeroed()
        };
        libc::sigaction(signal, &before.unwrap_or(default), std::ptr::null_mut());
    }
}

#[cfg(target_arch = "x86_64")]
unsafe fn stack_pointer(context: *mut c_void) -> usize {
    // SAFETY: the kernel gave the handler this ucontext.
    unsafe {
        (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_RSP as usize] as usize
    }
}

#[cfg(target_arch = "aarch64")]
unsafe fn stack_pointer(context: *mut c_void) -> usize {
    // SAFETY: the kernel gave the handler this ucontext.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.sp as usize }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn stack_pointer(_: *mut c_void) -> usize {
    0
}
