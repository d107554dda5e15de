//! Where the atomics of the lane come from: here std; its loom test puts others in their stead. Relies on nothing.

pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Stores, with a full barrier behind the store: on x86-64 one exchange, which is cheaper than a store and a fence.
#[inline(always)]
pub(super) fn store_and_fence(word: &AtomicU32, value: u32) {
    if cfg!(target_arch = "x86_64") {
        word.swap(value, Ordering::SeqCst);
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        word.store(value, Ordering::Release);
        fence(Ordering::SeqCst);
    }
}

/// A full barrier behind an atomic read-modify-write: on x86-64 that instruction was one already.
#[inline(always)]
pub(super) fn fence_after_rmw() {
    if cfg!(target_arch = "x86_64") {
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}
