//! The parts of `mp` one by one, in one process that waits for nobody: ring, queue, codec, heap, locks, dispatch; beside each what
//! the standard library takes for the like.
//!
//! `cargo bench -p mp-benches --bench micro -- [FILTER] [--sample-count N]`
//!
//! What happens between processes is measured by `peers`; a change in one of these figures says where to look when one of those
//! has changed.

mod dispatch;
mod heap;
mod locks;
mod messages;

mp::main!(divan::main);

/// What is measured, if it could be made.
fn made<T>(what: mp::Result<T>) -> T {
    what.unwrap_or_else(|error| panic!("{error}"))
}
