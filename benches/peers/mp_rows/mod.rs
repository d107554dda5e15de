//! `mp`'s own rows, a file per group of workloads.

mod buffer;
mod bulk;
mod calls;
mod faults;
mod locks;
mod map;
mod messages;
mod shared;
mod start;

use crate::frame::{Case, Scale};

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    match workload {
        "W1" => start::one(scale),
        "W1b" => start::many(scale),
        "W2" => start::pool(scale),
        "W3" => map::blocks(scale),
        "W3f" => map::single(scale),
        "W4" => calls::round_trips(scale),
        "W4a" => map::handles(scale),
        "W5" => bulk::sums(scale),
        "W5r" => bulk::results(scale)
            .into_iter()
            .chain(buffer::results(scale))
            .collect(),
        "W5b" => buffer::hand_overs(scale),
        "W7" => locks::alone(scale)
            .into_iter()
            .chain(shared::alone(scale))
            .collect(),
        "W7b" => locks::two(scale)
            .into_iter()
            .chain(shared::two(scale))
            .collect(),
        "W7w" => locks::wake_ups(scale),
        "W8" => map::points(scale),
        "W9" => start::idle(),
        "W10" => map::busy(scale),
        "W20" => faults::all(scale),
        "W21" => shared::blurs(scale),
        _ => messages::cases(workload, scale),
    }
}

/// The pool most cases use: made at first need, kept for all runs, as a program would.
fn pool_of(workers: usize) -> impl FnMut() -> mp::Result<mp::Pool> {
    let mut pool: Option<mp::Pool> = None;
    move || match &pool {
        Some(pool) => Ok(pool.clone()),
        None => Ok(pool
            .insert(mp::Pool::builder().workers(workers).build()?)
            .clone()),
    }
}
