//! How deep a value is nested, and what to do before the stack ends: recursion goes on on a fresh
//! piece of stack.
//!
//! Relies on the crate stacker. serde's recursion cannot be seen from here, so half of the thread's
//! stack is left to it. The number of levels is bounded by the thread's whole stack, since the
//! value's own `Drop` recurses on that.

use super::fault::Fault;

/// The stack that a level may take when its value is dropped: without optimisation, a list takes
/// 110 bytes.
const PER_LEVEL: usize = 160;
/// An entry of a map counts as so many levels: the drop of a `BTreeMap` takes 800 bytes.
pub(super) const MAP_LEVELS: u32 = 6;
/// So many levels are allowed on any stack.
const FEWEST: u32 = 128;
/// What is assumed where the thread's stack cannot be measured.
const UNKNOWN: usize = 256 << 10;
/// The fresh pieces of stack.
const PIECE: usize = 2 << 20;
/// The stack that serde takes for a level of a buffered value, without optimisation.
const BUFFERED_LEVEL: usize = 24 << 10;
/// Of a fresh piece this much is left to serde and the user's code.
const RESERVE: usize = 512 << 10;

/// Where a recursion stands.
#[derive(Clone)]
pub(super) struct Depth {
    /// Below this address the stack is running out.
    floor: usize,
    level: u32,
    most: u32,
    /// The stack that was left when it began.
    left: usize,
}

#[inline(always)]
fn here() -> usize {
    let local = 0u8;
    std::ptr::from_ref(&local).addr()
}

impl Depth {
    #[inline]
    pub(super) fn new() -> Depth {
        let left = stacker::remaining_stack().unwrap_or(UNKNOWN);
        Depth {
            floor: here().saturating_sub(left / 2),
            level: 0,
            most: u32::try_from(left / PER_LEVEL)
                .unwrap_or(u32::MAX)
                .max(FEWEST),
            left,
        }
    }

    /// On a fresh stack of this size, with the levels of the thread's own.
    pub(super) fn again_on(&self, stack: usize) -> Depth {
        Depth {
            floor: here().saturating_sub(stack / 2),
            level: 0,
            ..*self
        }
    }

    /// So deep may a value be that serde buffers, and reads again from there, on this stack.
    pub(super) fn buffered_levels(&self) -> u32 {
        let room = here().saturating_sub(self.floor) / BUFFERED_LEVEL;
        u32::try_from(room).unwrap_or(u32::MAX).max(1)
    }

    /// Goes down by so many levels; `false` where the depth must be checked, and the stack grown.
    #[inline(always)]
    pub(super) fn enter(&mut self, levels: u32) -> bool {
        self.level += levels;
        here() > self.floor && self.level <= self.most
    }

    /// Whether the stack suffices for what is no level of its own: an option's value.
    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        here() > self.floor
    }

    /// Comes back up.
    #[inline(always)]
    pub(super) fn leave(&mut self, levels: u32) {
        self.level -= levels;
    }

    /// Whether all levels were left again. They are not where a panic was caught half-way.
    #[inline(always)]
    pub(super) fn is_at_top(&self) -> bool {
        self.level == 0
    }

    /// Whether so many further levels are too many.
    pub(super) fn check(&self, further: u32) -> Result<(), Fault> {
        if self.level.saturating_add(further) <= self.most {
            return Ok(());
        }
        Err(Fault::new(format!(
            "it is nested more than {} levels deep, and this thread has {} KiB of stack for it \
             (give the thread a larger stack, or the value a flatter shape)",
            self.most,
            self.left >> 10
        )))
    }

    /// Sets the floor for a piece of stack that begins here; gives the one before.
    pub(super) fn on_fresh_stack(&mut self) -> usize {
        std::mem::replace(&mut self.floor, here().saturating_sub(PIECE - RESERVE))
    }

    /// Back on the stack with this floor.
    pub(super) fn back_to(&mut self, floor: usize) {
        self.floor = floor;
    }
}

/// Runs `work` on a fresh piece of stack.
#[cold]
#[inline(never)]
pub(super) fn on_fresh_stack<R>(work: impl FnOnce() -> R) -> R {
    stacker::grow(PIECE, work)
}

/// Runs `work` on a fresh stack with room for so many levels of serde's own recursion through
/// buffered values; tells it the size.
#[cold]
#[inline(never)]
pub(super) fn with_levels<R>(levels: u32, work: impl FnOnce(usize) -> R) -> R {
    let stack = (PIECE + levels as usize * BUFFERED_LEVEL) * 2;
    stacker::grow(stack, || work(stack))
}
