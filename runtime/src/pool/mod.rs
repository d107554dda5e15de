//! Pools of worker processes.

// Nothing drives it yet: the engines come next.
#[allow(dead_code)]
mod scheduler;
