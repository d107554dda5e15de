//! Where there is room in a ring: pure arithmetic, tried by loom together with the lane. Relies on nothing.
//!
//! Places are counted in units of 8 bytes from the begin of the ring, `0..units`; one unit always stays free, so that a full
//! ring differs from an empty one. A record lies in one piece: where the end of the ring has no room for it, a *pad*
//! stands there and the record begins at 0.

/// Bytes of a unit, and of a record's head.
pub(super) const UNIT: usize = 8;

/// How many units a record with a body of `len` bytes takes.
#[inline]
pub(super) fn units_for(len: usize) -> u32 {
    1 + len.div_ceil(UNIT) as u32
}

/// Where a record may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where its head goes.
    pub(super) at: u32,
    /// Where `tail` goes afterwards.
    pub(super) next: u32,
    /// Where a pad must be written first.
    pub(super) pad: Option<u32>,
}

/// The units between `head` and `tail`.
#[inline]
pub(super) fn used(units: u32, head: u32, tail: u32) -> u32 {
    if tail >= head {
        tail - head
    } else {
        units - head + tail
    }
}

/// Finds room for a record of `need` units; `None` where there is none now. Both places must lie in the ring.
#[inline]
pub(super) fn place(units: u32, head: u32, tail: u32, need: u32) -> Option<Place> {
    if tail < head {
        return (need < head - tail).then_some(Place {
            at: tail,
            next: tail + need,
            pad: None,
        });
    }
    let to_end = units - tail;
    // A record that ends where the ring ends moves `tail` to 0, which must not be where `head` is.
    if need < to_end || need == to_end && head > 0 {
        let next = if need == to_end { 0 } else { tail + need };
        return Some(Place {
            at: tail,
            next,
            pad: None,
        });
    }
    (need < head).then_some(Place {
        at: 0,
        next: need,
        pad: Some(tail),
    })
}
