//! Whether a process that is said to be dead is wholly gone: no thread of it can write any more.
//!
//! Relies on `heap` (the process's slot) and on the kernel. The mark in the liveness word comes with the end of the *main*
//! thread; others of a killed process were seen writing for 190 ms after it. Certain are: the slot was released, its word says
//! GONE (both by whoever has reaped and buried it), there is no process of this pid, its pidfd is readable (it is a zombie
//! without threads), or the process of this pid is not on its way out: then the number belongs to another one by now, or the
//! process has executed another program, and either way nobody has the heap of the dead one mapped any more.

use crate::heap::{Heap, Life, SlotId};
use crate::sys::child;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The kernel's flag of a task that is ending, in `/proc/PID/stat`.
const PF_EXITING: u64 = 4;
/// What the `pid` of a slot is when its process came too late to live (see `process::graves`).
const NOBODY: u32 = u32::MAX;

/// Waits until a process that is marked dead is wholly gone; `false` when the deadline passed.
pub(crate) fn wait_gone(heap: &Heap, id: SlotId, deadline: Option<Instant>) -> bool {
    loop {
        let Some(pid) = pid(heap, id) else {
            return true;
        };
        match child::open(pid) {
            Ok(None) => return true,
            // The descriptor is of whoever has the number now; look at that one while the descriptor pins it.
            Ok(Some(_)) if !is_exiting(pid) => return true,
            Ok(Some(pidfd)) => match child::poll_readable(&pidfd, deadline) {
                Ok(gone) => return gone,
                Err(_) => std::thread::sleep(PAUSE),
            },
            // No descriptor to be had just now.
            Err(_) => std::thread::sleep(PAUSE),
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return false;
        }
    }
}

/// Whether a process that is not marked dead is gone all the same: where the kernel could not mark it, and its parent
/// has not come to it yet.
pub(crate) fn is_gone_unmarked(heap: &Heap, id: SlotId) -> bool {
    let Some(pid) = pid(heap, id) else {
        return matches!(heap.processes().life(id), Life::Gone);
    };
    match child::open(pid) {
        Ok(None) => true,
        Ok(Some(pidfd)) => child::poll_readable(&pidfd, Some(Instant::now())).unwrap_or(false),
        Err(_) => false,
    }
}

/// Waits for the end of a process that is not marked dead, but whose parent is: it is killed in a moment. Whether it is gone; `false` when
/// the deadline passed, and as soon as it is marked.
pub(crate) fn wait_orphan(heap: &Heap, id: SlotId, deadline: Instant) -> bool {
    let Some(pid) = pid(heap, id) else {
        return matches!(heap.processes().life(id), Life::Gone);
    };
    match child::open(pid) {
        Ok(None) => true,
        // It was not marked when this was looked up, so the number was its own still.
        Ok(Some(pidfd)) if matches!(heap.processes().life(id), Life::Alive(..)) => {
            child::poll_readable(&pidfd, Some(deadline)).unwrap_or(false)
        }
        Ok(Some(_)) => false,
        // No descriptor to be had just now.
        Err(_) => {
            std::thread::sleep(PAUSE);
            false
        }
    }
}

const PAUSE: Duration = Duration::from_millis(1);

/// The pid to look at; `None` where there is nothing to be looked at any more.
fn pid(heap: &Heap, id: SlotId) -> Option<u32> {
    if let Life::Gone = heap.processes().life(id) {
        return None;
    }
    let pid = heap.processes().slot(id).ok()?.pid.load(Ordering::Acquire);
    (pid != 0 && pid != NOBODY).then_some(pid)
}

/// Whether the main thread of this process is ending or has ended. `true` where that cannot be told.
fn is_exiting(pid: u32) -> bool {
    let stat = match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        // Where there is no /proc, only the descriptor knows.
        Err(_) => return true,
    };
    // After the name, which may hold anything: state, parent, group, session, terminal, its group, flags.
    let flags = stat
        .rsplit_once(')')
        .and_then(|(_, tail)| tail.split_ascii_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_none_or(|flags| flags & PF_EXITING != 0)
}
