//! The parts of `mp` one by one, in one process that waits for nothing, by time; beside them what
//! the standard library takes for the like.
//!
//! `cargo bench -p mp-benches --bench micro -- [FILTER] [--sample-count N]`
//!
//! `counts` counts the instructions of the same parts. What happens between processes is measured
//! by `peers`; a change in one of these figures says where to look when one of those has changed.

mod limits;

use divan::{Bencher, counter::ItemsCount};
use mp_benches::parts::{self, Part};

mp::main!(divan::main);

/// Each part, by the time of one batch and by operations a second.
#[divan::bench(args = parts::all())]
fn part(bencher: Bencher<'_, '_>, part: &Part) {
    let mut body = made(part.body());
    bencher
        .counter(ItemsCount::new(part.operations))
        .bench_local(|| made(body()));
}

/// A call that is waited for by its handle: another thread may take part in it, so it is not
/// counted.
#[divan::bench]
fn apply_async(bencher: Bencher<'_, '_>) {
    let pool = made(mp::Pool::builder().inline(true).build());
    bencher.bench_local(|| {
        made(
            pool.apply_async(parts::add_one, 7)
                .and_then(|handle| handle.get()),
        )
    });
}

/// What is measured, if it could be made.
fn made<T>(what: mp::Result<T>) -> T {
    what.unwrap_or_else(|error| panic!("{error}"))
}
