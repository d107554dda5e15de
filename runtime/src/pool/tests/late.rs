//! A callback for a call that its pool knows nothing of any more: it runs, with an error, and never under the pool's lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate as mp;
use crate::pool::core::{Leave, Ticket};
use crate::pool::drive::Shared;
use crate::pool::handle::Arrived;
use mp::{Pool, Result};

/// Takes the pool's lock when it is dropped.
struct Clingy(Arc<Shared>, Arc<AtomicBool>);

impl Drop for Clingy {
    fn drop(&mut self) {
        self.0.unlock(self.0.lock());
        self.1.store(true, Ordering::Release);
    }
}

#[mp::task]
fn three() -> u64 {
    3
}

/// A call that is over and forgotten.
fn forgotten(pool: &Pool) -> Result<Ticket> {
    let handle = pool.apply_async(three, ())?;
    let ticket = handle.ticket;
    assert_eq!(handle.get()?, 3);
    let shared = &pool.inner.shared;
    let mut lead = shared.lock();
    // Once more: it is gone already.
    lead.core.leave(ticket, Leave::GoOn);
    shared.unlock(lead);
    Ok(ticket)
}

#[mp::test(timeout = "60s")]
fn a_callback_for_a_forgotten_call() -> Result<()> {
    for inline in [false, true] {
        let pool = Pool::builder().workers(1).inline(inline).build()?;
        let shared = &pool.inner.shared;
        let ticket = forgotten(&pool)?;
        let (dropped, failed) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let clingy = Clingy(Arc::clone(shared), Arc::clone(&dropped));
        let told = Arc::clone(&failed);
        let callback = move |arrived: Arrived| {
            let _clingy = clingy;
            told.store(matches!(arrived, Arrived::One(Err(_))), Ordering::Release);
        };
        let mut lead = shared.lock();
        lead.core.call_back(ticket, Box::new(callback));
        shared.leave_to_keeper(lead);
        while !dropped.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert!(failed.load(Ordering::Acquire));
        assert_eq!(pool.apply(three, ())?, 3);
    }
    Ok(())
}
