//! The system calls nix does not wrap, and nothing else: every function here gives `io::Result` and owns its descriptors.

pub(crate) mod advice;
