//! Locks and what stands on them.
//!
//! `word` is the lock word that every shared object has inside, `peers` what it has to know of the other processes of the
//! session, `gone` how somebody makes sure that a dead process can write no more.

mod gone;
mod peers;
mod seam;
#[cfg(test)]
mod tests;
mod word;

#[allow(unused_imports)] // what a dead process held is handed on by others too
pub(crate) use gone::wait_gone;
pub(crate) use word::{Acquired, TimedOut, Word};
