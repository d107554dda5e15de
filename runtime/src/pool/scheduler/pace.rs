//! How long items take and what follows from it: the weight of a part in a worker's window, the size of a chunk.
//! Pure arithmetic; relies on the `Policy` alone.
//!
//! A worker has two windows, one for parts that hold single items and one for chunks, so that neither kind of call can
//! keep the other out. A window has room while the weights in it sum to less than its target. A part weighs the time it
//! is expected to take, but never so little that more than the allowed number fit, and never so much that a second part
//! could not be queued behind the first (a worker should not wait for us between two items), unless a part takes so
//! long that the wait does not matter.

use super::Policy;

/// How much of the old measurements stays when a new one comes.
const KEEP: f64 = 0.75;
/// A measurement counts as at most so many times what was expected …
const OUTLIER: f64 = 4.0;
/// … plus this, in nanoseconds, so that an expectation of nothing can still grow.
const SLACK: f64 = 1000.0;
/// A measurement of one item below this many nanoseconds is short …
const SHORT: u64 = 10_000;
/// … and so many of them wait for the next.
const GATHER: u32 = 7;

/// What is known of the time that items of one task take. Kept by the caller between calls, it spares the next call
/// the first careful steps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    // Two sums that fade at the same rate, so that a measurement of many items counts for more than one of a few.
    ns: f64,
    items: f64,
    each: f64,
    // Short measurements of single items, gathered until they are worth the arithmetic.
    gathered: u32,
    gathered_ns: u64,
}

impl Pace {
    /// Nanoseconds per item, once something is known.
    #[inline]
    pub(crate) fn each(&self) -> Option<f64> {
        (self.items > 0.0).then_some(self.each)
    }

    /// `items` items took `ns` nanoseconds together.
    #[inline]
    pub(crate) fn sample(&mut self, items: u32, ns: u64) {
        let known = self.items > 0.0;
        if known && items == 1 && ns < SHORT && self.gathered < GATHER {
            self.gathered += 1;
            self.gathered_ns += ns;
            return;
        }
        let items = f64::from(self.gathered) + f64::from(items);
        let mut ns = self.gathered_ns as f64 + ns as f64;
        self.gathered = 0;
        self.gathered_ns = 0;
        if known {
            ns = ns.min(OUTLIER * self.each * items + SLACK);
        }
        self.ns = self.ns * KEEP + ns;
        self.items = self.items * KEEP + items;
        self.each = self.ns / self.items;
    }
}

/// One of the two windows every worker has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The window has room while its load is below this.
    pub(super) target: u32,
    /// The weight of the lightest part.
    floor: u32,
    /// The most parts it can hold.
    most: u32,
}

impl Window {
    fn new(target: u64, most: u32) -> Self {
        // A quarter of the type's range leaves room for sums of a target and one part more.
        let target = target.clamp(1, u64::from(u32::MAX / 4)) as u32;
        let most = most.clamp(1, target);
        Window {
            target,
            floor: target.div_ceil(most),
            most,
        }
    }

    /// For parts that hold one item.
    pub(super) fn singles(policy: &Policy) -> Self {
        let most = match policy.max_window.checked_sub(policy.chunk_depth) {
            Some(rest) if rest > 0 => rest,
            _ => policy.max_window,
        };
        Window::new(policy.target_ns, most)
    }

    /// For chunks.
    pub(super) fn chunks(policy: &Policy) -> Self {
        let depth = policy.chunk_depth.clamp(1, policy.max_window.max(1));
        Window::new(
            policy.chunk_target_ns.saturating_mul(u64::from(depth)),
            depth,
        )
    }

    /// The weight of every part in a window that shall hold `parts` of them whatever time they take.
    pub(super) fn fixed_weight(&self, parts: u32) -> u32 {
        self.target.div_ceil(parts.clamp(1, self.most))
    }

    /// The weight of a part of `count` items.
    #[inline]
    pub(super) fn weight(&self, pace: &Pace, count: u32, long_ns: u64) -> u32 {
        let half = self.target.div_ceil(2);
        let weight = match pace.each() {
            None => half,
            Some(each) => {
                // The cast saturates.
                let ns = (each * f64::from(count)) as u64;
                if ns >= long_ns {
                    self.target
                } else {
                    (ns.min(u64::from(half))) as u32
                }
            }
        };
        weight.max(self.floor)
    }

    /// How many parts of that weight fit.
    #[inline]
    pub(super) fn parts(&self, weight: u32) -> u32 {
        self.target.div_ceil(weight.max(1))
    }
}

/// How many items the next chunk of a call shall hold: the measured time decides, what is left of the input is shared
/// out finely enough for the workers to end together, and nothing is cut finer than is worth a message.
pub(super) fn chunk_items(
    policy: &Policy,
    pace: &Pace,
    left: Option<u64>,
    workers: u32,
    stretch: u32,
) -> u32 {
    let Some(each) = pace.each() else {
        return 1;
    };
    let each = each.max(0.01);
    let mut items = policy.chunk_target_ns as f64 * f64::from(stretch) / each;
    if let Some(left) = left {
        let share = left as f64 / (4.0 * f64::from(workers.max(1)));
        let least = policy.chunk_floor_ns as f64 / each;
        items = items.min(share.max(least)).min(left as f64);
    }
    // The cast saturates.
    (items as u32).clamp(1, policy.max_chunk_items.max(1))
}
