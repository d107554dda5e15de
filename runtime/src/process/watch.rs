//! One thread per process, `mp-watch`, that sleeps until a watched child is gone and then calls who asked.
//!
//! It is started at the first need and costs nothing while nothing dies: one `epoll` on the children's pidfds. It is what
//! ends every wait for a worker that is no more.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::sys::signal;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

type Call = Box<dyn Fn() + Send>;

struct Watcher {
    epoll: Epoll,
    next: AtomicU64,
    watched: Mutex<HashMap<u64, (Arc<AtomicBool>, Call)>>,
    /// Its descriptor was closed under it.
    over: AtomicBool,
}

static WATCHER: OnceLock<Arc<Watcher>> = OnceLock::new();

impl Watcher {
    fn watched(&self) -> MutexGuard<'_, HashMap<u64, (Arc<AtomicBool>, Call)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut events = [EpollEvent::empty(); 32];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => count,
                Err(nix::errno::Errno::EINTR) => continue,
                // Only a descriptor closed by somebody else can bring us here: there is nothing left to wait on, so whoever
                // waits is told to look for itself.
                Err(_) => return self.give_up(),
            };
            for event in &events[..count] {
                if let Some((fired, call)) = self.watched().get(&event.data()) {
                    fired.store(true, Ordering::Release);
                    call();
                }
            }
        }
    }
}

impl Watcher {
    fn give_up(&self) {
        self.over.store(true, Ordering::Release);
        for (fired, call) in self.watched().values() {
            fired.store(true, Ordering::Release);
            call();
        }
    }
}

fn watcher() -> io::Result<&'static Watcher> {
    if let Some(watcher) = WATCHER.get() {
        return Ok(watcher);
    }
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(watcher) = WATCHER.get() {
        return Ok(watcher);
    }
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let watcher = Arc::new(Watcher {
        epoll,
        next: AtomicU64::new(0),
        watched: Mutex::default(),
        over: AtomicBool::new(false),
    });
    let run = Arc::clone(&watcher);
    signal::start_without_signals(|| {
        std::thread::Builder::new()
            .name("mp-watch".into())
            .stack_size(64 * 1024)
            .spawn(move || run.run())
    })?;
    // Only now: a watcher without its thread would wait for ever.
    Ok(WATCHER.get_or_init(|| watcher))
}

/// Starts the thread, so that later counts of descriptors find it there.
pub(crate) fn prepare() -> io::Result<()> {
    watcher().map(drop)
}

/// A child that is watched; no call comes after this is dropped.
pub(crate) struct Watch {
    watcher: &'static Watcher,
    key: u64,
    fired: Arc<AtomicBool>,
}

/// Calls `call`, on the thread `mp-watch`, once the process behind `pidfd` is gone. The call must be short.
pub(crate) fn watch(pidfd: &OwnedFd, call: Call) -> io::Result<Watch> {
    let watcher = watcher()?;
    let key = watcher.next.fetch_add(1, Ordering::Relaxed);
    if watcher.over.load(Ordering::Acquire) {
        return Err(io::Error::other(
            "the descriptor that watches processes was closed by other code",
        ));
    }
    let fired = Arc::new(AtomicBool::new(false));
    watcher.watched().insert(key, (Arc::clone(&fired), call));
    let watch = Watch {
        watcher,
        key,
        fired,
    };
    watcher.epoll.add(
        pidfd,
        EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, key),
    )?;
    Ok(watch)
}

impl Watch {
    /// Whether the process is known to be gone.
    pub(crate) fn fired(&self) -> bool {
        self.fired.load(Ordering::Acquire)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The kernel forgets the descriptor when its last copy is closed; one-shot keeps it silent until then.
        self.watcher.watched().remove(&self.key);
    }
}
