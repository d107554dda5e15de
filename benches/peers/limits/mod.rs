//! The limits: each workload's work written by hand, with nothing around it. The first case of a workload is *the* limit
//! its other rows are compared with.

mod blur;
mod calls;
mod locks;
mod memory;
mod shared;
mod start;
mod threads;

use crate::frame::{Case, Scale};

pub(crate) use blur::{PASSES, WIDTH, blur_rows, edges, picture};
pub(crate) use calls::{middle, now};
pub(crate) use locks::{Page, Pinned};
pub(crate) use memory::{BYTES, sum};
pub(crate) use start::program;
pub(crate) use threads::{inside, spin, steps_in};

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    match workload {
        "W1" => start::one(scale),
        "W1b" => start::many(scale),
        "W2" => start::pool(scale),
        "W3" => threads::map(scale),
        "W3f" => calls::streams(scale),
        "W4" => calls::round_trips(scale),
        "W5" => memory::sums(scale),
        "W5r" => memory::results(scale),
        "W6w" => calls::wake_ups(scale),
        "W7" => locks::alone(scale),
        "W7b" => locks::two(scale),
        "W7w" => locks::wake_ups(scale),
        "W8" => threads::points(scale),
        "W10" => threads::busy(scale),
        "W21" => blur::threads(scale),
        _ => Vec::new(),
    }
}
