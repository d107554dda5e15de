//! What of the heap depends on which process this is, and changes once: in a child that the fork server made.
//!
//! Relies on nothing. Such a child begins as a copy of its fork server, in which everything of the heap stands as the server
//! had it, and then becomes somebody else: it has a slot, and granules, of its own. What it copied is neither used nor
//! given back again, since it is the server's.

use std::ops::Deref;
use std::sync::OnceLock;

/// A value that is replaced at most once.
pub(super) struct Settled<T> {
    first: T,
    again: OnceLock<T>,
}

impl<T> Settled<T> {
    pub(super) const fn new(first: T) -> Self {
        Settled {
            first,
            again: OnceLock::new(),
        }
    }

    /// Replaces it; `false` if that was done before.
    pub(super) fn replace(&self, with: T) -> bool {
        self.again.set(with).is_ok()
    }
}

impl<T> Deref for Settled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.again.get().unwrap_or(&self.first)
    }
}
