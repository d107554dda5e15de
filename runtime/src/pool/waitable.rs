//! Handles among the things that `mp::wait` waits for. Relies on `handle` and on `channel`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};
use std::time::Instant;

use super::Handle;
use crate::channel::sealed::{Sleep, Source};
use crate::sys::futex;

/// A word to sleep on until the handle may be ready.
struct Ready(Arc<AtomicU32>);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(1, Ordering::Release);
        futex::wake_all(&self.0);
    }
}

impl<O> Source for Handle<O> {
    fn is_ready(&self) -> bool {
        Handle::is_ready(self)
    }

    fn prepare(&self, sleep: &mut Sleep, _: Option<Instant>) -> bool {
        let word = Arc::new(AtomicU32::new(0));
        let waker = Waker::from(Arc::new(Ready(Arc::clone(&word))));
        if self.poll_ready(&waker) {
            return true;
        }
        sleep.on_own(&word, 0);
        false
    }
}
