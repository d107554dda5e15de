#![allow(unsafe_code)]
//! A store of private memory: what tests, benches and fuzzing encode into. Relies on `writer` for the contract.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use super::writer::Store;
use crate::error::{Error, Kind};

/// A [`Store`] of private memory, aligned to 64 bytes as blocks of the heap are.
#[derive(Debug, Default)]
pub(crate) struct VecStore {
    memory: Option<(NonNull<u8>, Layout)>,
}

// SAFETY: the memory is owned, as a `Vec<u8>` owns its own.
unsafe impl Send for VecStore {}
// SAFETY: a shared reference only reads.
unsafe impl Sync for VecStore {}

impl VecStore {
    const ALIGN: usize = 64;

    /// A store without memory yet.
    /// A store without memory yet.
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        VecStore::default()
    }

    /// The first `len` bytes (at most what there is), as a writer left them.
    pub(crate) fn bytes(&self, len: usize) -> &[u8] {
        match self.memory {
            // SAFETY: the memory is owned, was zeroed when it was made, and writers only put initialised bytes there.
            Some((base, layout)) => unsafe {
                std::slice::from_raw_parts(base.as_ptr(), len.min(layout.size()))
            },
            None => &[],
        }
    }
}

// SAFETY: `grow` gives owned memory of the size and alignment of `layout`, with the used bytes copied.
unsafe impl Store for VecStore {
    fn grow(&mut self, used: usize, need: usize) -> Result<(NonNull<u8>, usize), Error> {
        // A new writer over memory that an earlier one filled begins at its start again.
        if let Some((base, layout)) = self.memory
            && need <= layout.size()
        {
            return Ok((base, layout.size()));
        }
        let too_large = || Error::new(Kind::Encode, format!("no memory for {need} bytes"));
        let before = self.memory.map_or(0, |(_, layout)| layout.size());
        let size = need
            .max(before.saturating_mul(2))
            .max(256)
            .checked_next_multiple_of(Self::ALIGN)
            .ok_or_else(too_large)?;
        let layout = Layout::from_size_align(size, Self::ALIGN).map_err(|_| too_large())?;
        // SAFETY: the layout has a size above zero.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(too_large)?;
        if let Some((old, layout)) = self.memory.take() {
            // SAFETY: `used` is cut to what there is on both sides, which are apart; the old memory was made with `layout`.
            unsafe {
                let used = used.min(layout.size()).min(size);
                std::ptr::copy_nonoverlapping(old.as_ptr(), base.as_ptr(), used);
                dealloc(old.as_ptr(), layout);
            }
        }
        self.memory = Some((base, layout));
        Ok((base, size))
    }
}

impl Drop for VecStore {
    fn drop(&mut self) {
        if let Some((base, layout)) = self.memory.take() {
            // SAFETY: made by `grow` with this layout.
            unsafe { dealloc(base.as_ptr(), layout) };
        }
    }
}
