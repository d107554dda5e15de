//! A result on its way to its caller: copied out of a ring's slot, or a block of the heap that is ours now.

use crate::codec::{Parcel, Reader};
use crate::error::Error;
use crate::heap::Heap;

use super::mail::{FRAMED, INLINE, Inline};

/// The bytes of a result. The block, if there is one, goes back when this is dropped.
pub(crate) struct Payload {
    heap: &'static Heap,
    body: Body,
    /// Whether the values stand in frames.
    pub(crate) framed: bool,
}

enum Body {
    Slot { bytes: Inline, len: u32 },
    Block { offset: u64, len: u64 },
}

impl Payload {
    #[inline]
    pub(crate) fn slot(heap: &'static Heap, bytes: Inline, len: u32, flags: u32) -> Self {
        let len = len.min(INLINE as u32);
        Payload {
            heap,
            body: Body::Slot { bytes, len },
            framed: flags & FRAMED != 0,
        }
    }

    #[inline]
    pub(crate) fn block(heap: &'static Heap, offset: u64, len: u64, flags: u32) -> Self {
        Payload {
            heap,
            body: Body::Block { offset, len },
            framed: flags & FRAMED != 0,
        }
    }

    /// How many bytes of the heap it holds.
    #[inline]
    pub(crate) fn weight(&self) -> u64 {
        match self.body {
            Body::Slot { .. } => 0,
            Body::Block { len, .. } => len,
        }
    }

    /// How many bytes of the heap may wait for their turn, before they are better decoded early.
    pub(crate) fn budget(&self) -> u64 {
        self.heap.limit() / 8
    }

    /// Reads it; everything is copied out of shared memory before it is looked at.
    #[inline]
    pub(crate) fn read<R>(
        &self,
        f: impl FnOnce(&mut Reader<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        match &self.body {
            Body::Slot { bytes, len } => {
                let mut flat = [0; INLINE];
                for (to, word) in flat.chunks_exact_mut(8).zip(bytes) {
                    to.copy_from_slice(&word.to_le_bytes());
                }
                // On a stack of its own, 16-byte aligned: values may be lent in place.
                let aligned = Aligned(flat);
                f(&mut Reader::from_slice(&aligned.0[..*len as usize]))
            }
            Body::Block { offset, len } => f(&mut Parcel::Block {
                offset: *offset,
                len: *len as usize,
            }
            .reader(self.heap)?),
        }
    }

    pub(crate) fn to_vec(&self) -> Result<Vec<u8>, Error> {
        self.read(|from| {
            let len = from.remaining();
            from.copy_bytes(len)
        })
    }
}

#[repr(align(16))]
struct Aligned([u8; INLINE]);

impl Drop for Payload {
    fn drop(&mut self) {
        if let Body::Block { offset, .. } = self.body {
            // A refusal means that the worker had named a block that is none.
            let _ = self.heap.free(offset);
        }
    }
}
