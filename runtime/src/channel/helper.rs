//! The thread `mp-wait`: sleeps for futures, which must not. Relies on `sleep`.
//!
//! There is one per process, started by the first future that has to wait. It sleeps on the words of all who are registered and on
//! one of its own, which whoever registers changes. When a word of somebody's has changed, its waker is called, once, and it
//! is forgotten; the future looks again, and registers again if it was for nothing. It ends with the process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::sleep::Sleep;
use crate::error::{Error, Result};
use crate::sys::{futex, signal};

#[derive(Default)]
struct Helper {
    /// Changes when somebody has registered.
    news: Arc<AtomicU32>,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    next: u64,
    sleepers: BTreeMap<u64, (Sleep, Waker)>,
}

static HELPER: OnceLock<&'static Helper> = OnceLock::new();

impl Helper {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut slept = false;
        loop {
            let mut all = Sleep::new();
            all.on_own(&self.news, self.news.load(Ordering::Acquire));
            let mut woken = Vec::new();
            self.list().sleepers.retain(|_, (sleep, waker)| {
                let changed = sleep.has_changed() || slept && sleep.looks_again();
                if changed {
                    woken.push(waker.clone());
                } else {
                    all.on_all(sleep);
                }
                !changed
            });
            slept = woken.is_empty();
            // The user's code: not under the lock.
            woken.into_iter().for_each(Waker::wake);
            if slept {
                all.sleep(None);
            }
        }
    }
}

fn helper() -> Result<&'static Helper> {
    if let Some(helper) = HELPER.get() {
        return Ok(helper);
    }
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(helper) = HELPER.get() {
        return Ok(helper);
    }
    let helper: &'static Helper = Box::leak(Box::default());
    signal::start_without_signals(|| {
        std::thread::Builder::new()
            .name("mp-wait".into())
            .stack_size(128 * 1024)
            .spawn(move || helper.run())
    })
    .map_err(|cause| Error::system("cannot start the thread that waits for futures", cause))?;
    Ok(HELPER.get_or_init(|| helper))
}

/// Somebody who is to be woken; no longer when this is dropped.
#[derive(Debug)]
pub(super) struct Registered(u64);

/// Calls `waker` when one of the words of `sleep` has changed.
pub(super) fn register(sleep: Sleep, waker: Waker) -> Result<Registered> {
    let helper = helper()?;
    let mut list = helper.list();
    let number = list.next;
    list.next += 1;
    list.sleepers.insert(number, (sleep, waker));
    drop(list);
    helper.news.fetch_add(1, Ordering::Release);
    futex::wake_all(&helper.news);
    Ok(Registered(number))
}

impl Drop for Registered {
    fn drop(&mut self) {
        if let Some(helper) = HELPER.get() {
            // The waker is the user's code, and is dropped outside the lock.
            let gone = helper.list().sleepers.remove(&self.0);
            drop(gone);
        }
    }
}
