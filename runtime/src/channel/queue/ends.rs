//! The two ends of a queue: taking their locks, moving their counts, sleeping until they move. Relies on `core`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use super::core::{Core, End};
use super::{get, put};
use crate::channel::atomic::fence_after_rmw;
use crate::channel::pace::Pace;
use crate::channel::ring::broken;
use crate::channel::sleep::{Others, Sleep};
use crate::error::Result;
use crate::heap::{Handle, Heap, SlotId};
use crate::session;
use crate::sync::Acquired;
use crate::sys::futex::{self, Change};
use crate::sys::memory;
use crate::sys::points::stored;

/// How long somebody who does not want to wait waits for the lock of an end, which is held for a moment only, unless its
/// holder is stopped.
pub(super) const MOMENT: Duration = Duration::from_millis(10);

/// What a handle keeps of an end for itself.
pub(super) struct Local {
    pub(super) pace: Pace,
    /// The ring that was looked up last.
    pub(super) ring: AtomicU64,
    /// Of a joinable queue: how many had died when nothing of the dead was found, and 1.
    pub(super) deaths: AtomicU64,
    /// Of a joinable queue: where an entry was taken last; a hint.
    pub(super) entry: AtomicU32,
}

impl Local {
    pub(super) const fn new() -> Local {
        Local {
            pace: Pace::new(),
            ring: AtomicU64::new(0),
            deaths: AtomicU64::new(0),
            entry: AtomicU32::new(0),
        }
    }
}

/// An end whose lock this process has; it gives it back when it is dropped.
pub(super) struct Locked<'q> {
    end: &'q End,
    me: u32,
    /// Its last holder has died with it, and nobody has had it since.
    pub(super) from_dead: bool,
}

impl Drop for Locked<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.end.lock.give_back(self.me);
        fence_after_rmw();
    }
}

/// The lock of an end where it is free, and nothing stands in the way.
#[inline(always)]
pub(super) fn lock_free<'q>(end: &'q End, heap: &'static Heap) -> Option<Locked<'q>> {
    let me = heap.me().pack();
    let taken = !memory::forked() && end.lock.take_free(me);
    // Made only then: one that is dropped gives back what another thread of this process may have.
    taken.then(|| Locked {
        end,
        me,
        from_dead: false,
    })
}

/// Takes the lock of an end; `None` at the deadline. Without a deadline, for a moment.
///
/// # Errors
/// In a copy of the process that the program forked. Protocol: the lock names this process, and no thread of it gives it back.
#[inline]
pub(super) fn lock<'q>(
    end: &'q End,
    heap: &'static Heap,
    deadline: Option<Option<Instant>>,
) -> Result<Option<Locked<'q>>> {
    if let Some(locked) = lock_free(end, heap) {
        return Ok(Some(locked));
    }
    lock_slow(end, heap, deadline)
}

#[cold]
fn lock_slow<'q>(
    end: &'q End,
    heap: &'static Heap,
    deadline: Option<Option<Instant>>,
) -> Result<Option<Locked<'q>>> {
    if memory::forked() {
        return Err(session::forked());
    }
    let acquired = match deadline {
        Some(deadline) => match end.lock.lock_within(heap, deadline) {
            Err(_) if deadline.is_none() => {
                return Err(broken("an end that nobody has and nobody can take"));
            }
            acquired => acquired.ok(),
        },
        None => end.lock.try_lock(heap).or_else(|| {
            let soon = Instant::now() + MOMENT;
            end.lock.lock_within(heap, Some(soon)).ok()
        }),
    };
    Ok(acquired.map(|Acquired { from_dead }| Locked {
        end,
        me: heap.me().pack(),
        from_dead: from_dead.is_some(),
    }))
}

/// Moves the count of an end on, by who holds its lock and has prepared the next spot: the commit.
#[inline]
pub(super) fn commit(end: &End, count: u32) {
    stored("queue: spot");
    if end.waits.0.load(Ordering::SeqCst) == count {
        futex::change_and_wake(end.count(), Change::Add(1));
    } else {
        end.count().store(count.wrapping_add(1), Ordering::Release);
    }
    stored("queue: commit");
}

/// Wakes who began to sleep while the count was moved on from `count`; when the lock has been given back.
#[inline]
pub(super) fn wake_after(end: &End, count: u32) {
    if end.waits.0.load(Ordering::SeqCst) == count {
        futex::wake_all(end.count());
    }
}

/// Says that somebody is about to sleep while the count is `count`; whether it still is. Look again after this.
fn announce(end: &End, count: u32) -> bool {
    loop {
        let waits = end.waits.0.load(Ordering::SeqCst);
        if end.count().load(Ordering::SeqCst) != count {
            return false;
        }
        // What stands there is of a count that is over: it is never ahead of the count.
        let said = waits == count
            || end
                .waits
                .0
                .compare_exchange(waits, count, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok();
        if said {
            stored("queue: waits");
            fence(Ordering::SeqCst);
            return end.count().load(Ordering::SeqCst) == count;
        }
    }
}

/// Prepares to sleep until the count of `end` is another, the queue is closed, or somebody dies who could have seen to
/// that. `None` when it is so already; otherwise who else there is.
///
/// # Errors
/// As [`Sleep::on_changes`].
pub(super) fn fall_asleep(
    sleep: &mut Sleep,
    queue: &Handle,
    end: &End,
    count: u32,
    deadline: Option<Instant>,
) -> Result<Option<Others>> {
    let core: &Core = queue.body();
    if !announce(end, count) || core.is_closed() {
        return Ok(None);
    }
    sleep.on(end.count(), count);
    sleep.on(&core.closed.0, 0);
    if let Some(owner) = end.lock.owner().and_then(SlotId::unpack)
        && !sleep.on_life(queue.heap(), owner, deadline)
    {
        // It died with the lock: whatever it was about is put right, and the lock is free for all who come to sleep.
        if std::ptr::eq(end, &core.put) {
            drop(put::lock_repaired(queue, core, None));
        } else {
            drop(get::lock_repaired(queue, core, None));
        }
        return Ok(None);
    }
    sleep.on_changes(queue.heap(), queue.place())?;
    let alone = Arc::strong_count(queue.held()) == 1;
    let others = sleep.on_others(queue.heap(), queue.place(), alone, deadline);
    Ok(Some(others))
}
