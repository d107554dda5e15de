#![allow(unsafe_code)]
//! Locks: a robust pthread mutex in memory that two processes share, alone (W7) and against each other (W7b); and the wake-up
//! of a bare futex (W7w).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::calls::sleeping;
use super::shared::{Line, Twin};
use crate::frame::{Case, Measured, Scale};

/// A page that another program can map too, by a path: what both count on.
#[repr(C)]
pub(crate) struct Page {
    pub(crate) ready: Line<AtomicU32>,
    pub(crate) done: Line<AtomicU32>,
    pub(crate) counter: Line<AtomicU64>,
}

impl Page {
    /// A fresh one, zeroed, and where to open it. It is never given back.
    pub(crate) fn new() -> io::Result<(&'static Page, String)> {
        // SAFETY: a name, and no pointers that are kept; the result is a descriptor of ours or negative.
        let fd = unsafe { libc::memfd_create(c"bench".as_ptr(), libc::MFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was made just now.
        let file = unsafe { File::from_raw_fd(fd) };
        file.set_len(4096)?;
        let page = Page::map(&file)?;
        let path = format!("/proc/{}/fd/{fd}", std::process::id());
        std::mem::forget(file);
        Ok((page, path))
    }

    /// That of another process.
    pub(crate) fn open(path: &str) -> io::Result<&'static Page> {
        Page::map(&OpenOptions::new().read(true).write(true).open(path)?)
    }

    fn map(file: &File) -> io::Result<&'static Page> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let fd = file.as_raw_fd();
        // SAFETY: a new mapping, at an address the kernel chooses.
        let memory = unsafe { libc::mmap(ptr::null_mut(), 4096, access, libc::MAP_SHARED, fd, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: page-aligned, large enough, never unmapped, and any bytes are atomics.
        Ok(unsafe { &*memory.cast::<Page>() })
    }

    /// Waits until both are here.
    pub(crate) fn meet(&self) {
        self.ready.0.fetch_add(1, Ordering::SeqCst);
        while self.ready.0.load(Ordering::SeqCst) < 2 {
            std::hint::spin_loop();
        }
    }

    /// Waits until the other is here, before the work begins.
    pub(crate) fn meet_first(&self) {
        while self.ready.0.load(Ordering::SeqCst) < 1 {
            std::thread::yield_now();
        }
    }

    /// Waits until both have done their work.
    pub(crate) fn wait_for_both(&self) {
        while self.done.0.load(Ordering::SeqCst) < 2 {
            std::hint::spin_loop();
        }
    }

    /// One more, in two steps: right only if nobody else is inside.
    pub(crate) fn count(&self) {
        let seen = self.counter.0.load(Ordering::Relaxed);
        self.counter.0.store(seen + 1, Ordering::Relaxed);
    }

    /// Whether this and the other have counted so far.
    pub(crate) fn check(&self, count: usize) -> Result<(), Box<dyn std::error::Error>> {
        match self.counter.0.load(Ordering::SeqCst) {
            seen if seen == count as u64 => Ok(()),
            seen => Err(format!("counted {seen} instead of {count}").into()),
        }
    }
}

/// A pthread mutex in shared memory.
struct Mutex(*mut libc::pthread_mutex_t);

impl Mutex {
    fn new(robust: bool) -> io::Result<Mutex> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping; attributes and mutex are set up in it as the manual says.
        unsafe {
            let memory = libc::mmap(ptr::null_mut(), 4096, access, kind, -1, 0);
            if memory == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let mutex = memory.cast::<libc::pthread_mutex_t>();
            let mut attributes: libc::pthread_mutexattr_t = std::mem::zeroed();
            libc::pthread_mutexattr_init(&mut attributes);
            libc::pthread_mutexattr_setpshared(&mut attributes, libc::PTHREAD_PROCESS_SHARED);
            if robust {
                libc::pthread_mutexattr_setrobust(&mut attributes, libc::PTHREAD_MUTEX_ROBUST);
            }
            libc::pthread_mutex_init(mutex, &attributes);
            Ok(Mutex(mutex))
        }
    }

    fn with(&self, inside: impl FnOnce()) {
        // SAFETY: initialised, never unmapped, and unlocked by who has locked it.
        unsafe { libc::pthread_mutex_lock(self.0) };
        inside();
        // SAFETY: as above.
        unsafe { libc::pthread_mutex_unlock(self.0) };
    }
}

pub(crate) fn alone(scale: Scale) -> Vec<Case> {
    let count = scale.of(5_000_000);
    let row = |variant, robust| {
        Case::new("limit", variant, move || {
            let mutex = Mutex::new(robust)?;
            let began = Instant::now();
            for _ in 0..count {
                mutex.with(|| ());
            }
            Ok(began.elapsed().as_nanos() as f64 / count as f64)
        })
    };
    vec![
        row("pthread mutex, robust, shared", true),
        row("pthread mutex, shared, not robust", false),
    ]
}

pub(crate) fn two(scale: Scale) -> Vec<Case> {
    let count = scale.of(1_000_000);
    let row = |variant, robust| Case::new("limit", variant, move || two_with(robust, count));
    vec![
        row("pthread mutex, robust, shared", true),
        row("pthread mutex, shared, not robust", false),
    ]
}

fn two_with(robust: bool, count: usize) -> Measured {
    let (page, _) = Page::new()?;
    let mutex = Mutex::new(robust)?;
    let work = || {
        page.meet();
        for _ in 0..count {
            mutex.with(|| page.count());
        }
        page.done.0.fetch_add(1, Ordering::SeqCst);
    };
    let _twin = Twin::start(work)?;
    page.meet_first();
    let began = Instant::now();
    work();
    page.wait_for_both();
    let took = began.elapsed().as_secs_f64() * 1e3;
    page.check(2 * count)?;
    Ok(took)
}

pub(crate) fn wake_ups(scale: Scale) -> Vec<Case> {
    let count = scale.of(10_000);
    let run = move || {
        let _pinned = Pinned::to(0);
        sleeping(count, Duration::ZERO, || {
            std::mem::forget(Pinned::to(1));
        })
    };
    vec![Case::new("limit", "futex", run)]
}

/// This thread on one core; where there is no such core, on all as before. On one core, or on two as the scheduler likes,
/// a wake-up takes a tenth of the time or the whole: nothing to compare.
pub(crate) struct Pinned(libc::cpu_set_t);

impl Pinned {
    pub(crate) fn to(core: usize) -> Pinned {
        // SAFETY: sets of ours, of the right size; all zeroes is the empty set.
        unsafe {
            let mut before: libc::cpu_set_t = std::mem::zeroed();
            libc::sched_getaffinity(0, size_of_val(&before), &mut before);
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(core, &mut one);
            libc::sched_setaffinity(0, size_of_val(&one), &one);
            Pinned(before)
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), &self.0) };
    }
}
