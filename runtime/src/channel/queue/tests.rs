//! The words of a queue that say how much there is, how much there may be, and whose an end is, written over one by one while nobody
//! uses it: calls give errors, or come to the end of their time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::core::{Core, End};
use super::{JoinableQueue, OnDeath, Queue};
use crate as mp;
use crate::error::{Error, Kind};
use crate::session;
use mp::Result;

const SHORT: Duration = Duration::from_millis(1);

/// Does not fit into the ring.
fn large() -> Vec<u8> {
    vec![1; 9000]
}

#[track_caller]
fn is_spoilt<T>(result: std::result::Result<T, impl Into<Error>>) {
    let error: Error = result.err().unwrap().into();
    assert_eq!(error.kind(), Kind::Protocol, "{error}");
}

/// There are far more items than were put: round and round the ring, where items have been that were taken.
fn exaggerate(core: &Core) {
    core.put.count().fetch_add(1 << 30, Ordering::SeqCst);
    let head = core.get.count().load(Ordering::SeqCst);
    let mut spot = core.get.spot(head);
    spot.number += 1 << 20;
    core.get.prepare(head, spot);
}

#[mp::test(timeout = "100s")]
fn more_items_than_were_put() -> Result<()> {
    let queue = Queue::unbounded()?;
    let joinable = JoinableQueue::unbounded()?;
    for _ in 0..2000 {
        queue.put(large())?;
        queue.get()?;
        joinable.put(large())?;
        joinable.get()?;
    }
    exaggerate(queue.core());
    exaggerate(joinable.core());
    // Whatever they give: they come back.
    for _ in 0..3 {
        assert!(!matches!(queue.get_timeout(SHORT), Ok(Some(_))));
        assert!(!matches!(joinable.get_timeout(SHORT), Ok(Some(_))));
    }
    is_spoilt(queue.get());
    is_spoilt(joinable.get().map(drop));
    is_spoilt(queue.try_get());
    is_spoilt(joinable.try_get().map(drop));
    Ok(())
}

#[mp::test(timeout = "100s")]
fn another_bound_than_it_was_made_with() -> Result<()> {
    let queue = Queue::unbounded()?;
    queue.put(large())?;
    queue.core().most.store(1, Ordering::SeqCst);
    is_spoilt(queue.put(large()));
    is_spoilt(queue.try_put(large()));
    let queue = Queue::unbounded()?;
    queue.put(large())?;
    queue.core().most_bytes.store(1, Ordering::SeqCst);
    is_spoilt(queue.put(large()));
    let joinable = JoinableQueue::with(None, OnDeath::Report)?;
    joinable.put(large())?;
    joinable.core().most.store(1, Ordering::SeqCst);
    is_spoilt(joinable.put(large()));
    Ok(())
}

#[mp::test(timeout = "100s")]
fn more_items_than_it_may_hold() -> Result<()> {
    let queue = Queue::bounded(2)?;
    queue.put(1)?;
    queue.core().put.count().fetch_add(2, Ordering::SeqCst);
    is_spoilt(queue.put(2));
    // One that is full is no more than full.
    let queue = Queue::bounded(2)?;
    queue.put(1)?;
    queue.put(2)?;
    assert!(queue.try_put(3).unwrap_err().is_full());
    assert!(queue.put_timeout(3, SHORT).unwrap_err().is_full());
    Ok(())
}

#[mp::test(timeout = "100s")]
fn an_end_that_says_this_process_has_it() -> Result<()> {
    let me = session::current()?.heap.me().pack();
    let (queue, joinable) = (Queue::unbounded()?, JoinableQueue::unbounded()?);
    queue.put(1)?;
    joinable.put(1)?;
    // The first takes enter: that is no wait.
    drop(joinable.try_get()?);
    joinable.put(2)?;
    let ends = |core: &Core, of: fn(&Core) -> &End| of(core).lock.write_over(me);
    for core in [queue.core(), joinable.core()] {
        ends(core, |core| &core.put);
        ends(core, |core| &core.get);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| is_spoilt(queue.put(2)));
        scope.spawn(|| is_spoilt(queue.get()));
        scope.spawn(|| is_spoilt(joinable.put(3)));
        scope.spawn(|| is_spoilt(joinable.get().map(drop)));
    });
    assert!(queue.put_timeout(2, SHORT).unwrap_err().is_full());
    assert!(queue.try_put(2).unwrap_err().is_full());
    assert!(queue.get_timeout(SHORT)?.is_none());
    assert!(joinable.get_timeout(SHORT)?.is_none());
    // Who waits for the end of a closed queue waits for who puts, too.
    let queue = Queue::<u64>::unbounded()?;
    queue.core().put.lock.write_over(me);
    queue.close();
    is_spoilt(queue.get());
    assert!(queue.get_timeout(SHORT)?.is_none());
    Ok(())
}
