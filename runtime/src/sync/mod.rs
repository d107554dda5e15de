//! Locks and what stands on them: objects in the shared heap that threads of all processes of the session use.
//!
//! `word` is the lock word that every shared object has inside, `peers` what it has to know of the other processes of the
//! session, `gone` how somebody makes sure that a dead process can write no more; `latch` is the word with a note for
//! people, `watch` how one sleeps on an object and on the lives of others. On these stand the public objects, a file each.
//!
//! What all of them have in common: one latch inside, rolls for whoever is party to them, every operation committed by one
//! store, every wake-up for all; and no latch is held while code of the user runs.

mod barrier;
mod condition;
mod error;
mod event;
mod gone;
mod latch;
mod lock;
mod peers;
mod rlock;
mod rwlock;
mod seam;
mod semaphore;
mod slim;
#[cfg(test)]
mod tests;
mod watch;
mod word;

pub use barrier::Barrier;
pub use condition::Condition;
pub use error::{LockError, LockResult, Poisoned, TryLockResult};
pub use event::Event;
pub use lock::{Lock, LockGuard};
pub use rlock::{RLock, RLockGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{BoundedSemaphore, Permit, Semaphore};

#[allow(unused_imports)] // what stands on locks is about to
pub(crate) use error::{outcome, poisoned, without_deadline};
#[allow(unused_imports)] // likewise
pub(crate) use gone::{is_gone_unmarked, wait_gone, wait_orphan};
#[allow(unused_imports)] // likewise
pub(crate) use latch::{Dead, Latch, MOMENT};
#[allow(unused_imports)] // likewise
pub(crate) use watch::{Slept, is_dead, pid_of, sleep};
#[allow(unused_imports)] // likewise
pub(crate) use word::{Acquired, ORPHAN, TimedOut, Word};
