#![allow(unsafe_code)]
//! Advice to the kernel and the processor about memory. Relies on nothing; all of it may be refused without harm.

use std::mem::MaybeUninit;

/// Asks for huge pages under `room`, which is about to be filled: the whole pages inside it, so that neighbours in the
/// same allocation stay as they are.
pub(crate) fn huge<T>(room: &mut [MaybeUninit<T>]) {
    /// The smallest page there is; on kernels with larger ones the call is refused, which does no harm.
    const PAGE: usize = 4096;
    let from = room.as_mut_ptr() as usize;
    let end = (from + size_of_val(room)) & !(PAGE - 1);
    let begin = from.next_multiple_of(PAGE);
    if begin >= end || cfg!(miri) {
        return;
    }
    // SAFETY: whole pages inside memory that is ours alone; the advice changes nothing of their contents.
    unsafe {
        let at = room.as_mut_ptr().cast::<u8>().add(begin - from);
        // Refused where huge pages are switched off: then the pages are small.
        let _ = libc::madvise(at.cast(), end - begin, libc::MADV_HUGEPAGE);
    }
}

/// Tells the processor that this process will soon write to the line at `at`, which another may have written last: by then it is
/// here.
#[inline(always)]
pub(crate) fn soon_written<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the instruction changes nothing that a program can see, faults at no address, and does nothing where it is not known.
    unsafe {
        std::arch::asm!("prefetchw byte ptr [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// The same for a line that it will soon read.
#[inline(always)]
pub(crate) fn soon_read<T>(at: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prefetcht0 byte ptr [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}
