//! The system calls nix does not wrap, and nothing else: every function here gives `io::Result` and owns its descriptors.

pub(crate) mod futex;
pub(crate) mod memory;
pub(crate) mod robust;
#[cfg(test)]
pub(crate) mod testing;
