//! The system calls nix does not wrap, and nothing else: every function here gives `io::Result` and owns its descriptors.

pub(crate) mod advice;
pub(crate) mod child;
pub(crate) mod clock;
pub(crate) mod fence;
pub(crate) mod fork;
pub(crate) mod futex;
pub(crate) mod lifeline;
pub(crate) mod memory;
pub(crate) mod pass;
pub(crate) mod points;
pub(crate) mod program;
pub(crate) mod robust;
pub(crate) mod signal;
#[cfg(test)]
pub(crate) mod testing;
