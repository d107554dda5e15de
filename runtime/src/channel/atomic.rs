//! Where the atomics of the lane come from: here std; its loom test puts others in their stead. Relies on nothing.

pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub(super) use crate::sys::fence::{heavy, light};

/// A full barrier behind an atomic read-modify-write: on x86-64 that instruction was one already.
#[inline(always)]
pub(super) fn fence_after_rmw() {
    if cfg!(target_arch = "x86_64") {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        std::sync::atomic::fence(Ordering::SeqCst);
    }
}
