#![allow(unsafe_code)]
//! The end that encodes: a cursor over memory somebody else provides. Relies on `plain` and the error type.
//!
//! The memory is raw (a block of the heap, a slot of a ring, or private memory), never seen as a slice: it may be shared.
//! Every byte up to `len` has been written, padding included, so the bytes of a message are always initialised.

use std::ptr::NonNull;
use std::sync::Arc;

use super::plain::{Plain, scrub_value};
use crate::error::{Error, Kind};
use crate::heap::Held;

/// The bytes before the payload of a frame: its length and a zero word, so that the payload begins at a multiple of 16.
pub(crate) const FRAME_HEAD: usize = 16;

/// Where a [`Writer`] gets its memory from.
///
/// # Safety
///
/// `grow` gives memory that is writable for the whole capacity it names, aligned to 16, begins with the `used` bytes that
/// were written before, is reached by nobody else through references, and stays until the next call or the end of the store.
pub unsafe trait Store {
    /// Gives room for at least `need` bytes in all, keeping the first `used`; answers the new base and capacity.
    fn grow(&mut self, used: usize, need: usize) -> Result<(NonNull<u8>, usize), Error>;

    /// Has the message hold a shared object for as long as it is there; answers as `grow`, which is free to move it, and the
    /// number of the object in there: a new one if `fresh`.
    fn hold(
        &mut self,
        used: usize,
        held: &Arc<Held>,
        fresh: bool,
    ) -> Result<(NonNull<u8>, usize, usize), Error> {
        let _ = (used, held, fresh);
        Err(Error::new(
            Kind::Encode,
            "a handle of a shared object cannot be sent this way",
        ))
    }

    /// How many objects the message holds, and the offsets of the last of them.
    fn held(&self) -> (usize, Vec<u64>) {
        (0, Vec::new())
    }
}

/// Encodes into memory of a `Store`.
pub struct Writer<'s> {
    base: NonNull<u8>,
    len: usize,
    cap: usize,
    /// Where the current message begins: alignments are relative to it.
    origin: usize,
    store: &'s mut dyn Store,
}

#[cold]
#[inline(never)]
fn grow(store: &mut dyn Store, len: usize, more: usize) -> Result<(NonNull<u8>, usize), Error> {
    let need = len
        .checked_add(more)
        .filter(|need| *need <= isize::MAX as usize)
        .ok_or_else(|| Error::new(Kind::Encode, "the message is larger than any memory"))?;
    let (base, cap) = store.grow(len, need)?;
    if cap < need {
        return Err(Error::new(Kind::Encode, "no room for the message"));
    }
    Ok((base, cap))
}

/// Writes back what [`Writer::apart`] has done.
struct Back<'w> {
    apart: Writer<'w>,
    base: &'w mut NonNull<u8>,
    len: &'w mut usize,
    cap: &'w mut usize,
    origin: &'w mut usize,
}

impl Drop for Back<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        (*self.base, *self.len) = (self.apart.base, self.apart.len);
        (*self.cap, *self.origin) = (self.apart.cap, self.apart.origin);
    }
}

/// An open frame of a [`Writer`].
#[must_use = "a frame must be ended or cancelled"]
#[derive(Debug)]
pub struct Frame {
    at: usize,
    outer: usize,
}

impl<'s> Writer<'s> {
    /// A writer without memory yet.
    pub fn new(store: &'s mut dyn Store) -> Self {
        Writer {
            base: NonNull::dangling(),
            len: 0,
            cap: 0,
            origin: 0,
            store,
        }
    }

    /// A writer over memory that is there already and of which `len` bytes are written.
    ///
    /// # Safety
    ///
    /// As for what [`Store::grow`] gives; the store knows this memory, and copies from it when it is asked to grow.
    #[inline]
    pub unsafe fn with_memory(
        base: NonNull<u8>,
        len: usize,
        cap: usize,
        store: &'s mut dyn Store,
    ) -> Self {
        debug_assert!(len <= cap);
        Writer {
            base,
            len,
            cap,
            origin: len,
            store,
        }
    }

    /// A writer over words of the caller's own, 16-byte aligned, which `store` knows to copy from.
    #[inline]
    pub(crate) fn over_words(words: &'s mut [u64], store: &'s mut dyn Store) -> Self {
        let room = size_of_val(words);
        // SAFETY: the words are borrowed for as long as the writer lives, and nothing is written yet.
        unsafe { Writer::with_memory(NonNull::from(words).cast(), 0, room, store) }
    }

    /// The bytes written so far.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is written yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The memory as it stands; another after the next call that writes.
    #[inline]
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Makes sure that `more` bytes can be written without asking the store.
    #[inline]
    pub fn reserve(&mut self, more: usize) -> Result<(), Error> {
        if self.cap - self.len < more {
            // By value, so that a writer whose address goes nowhere can live in registers.
            (self.base, self.cap) = grow(self.store, self.len, more)?;
        }
        Ok(())
    }

    /// Tells the compiler that there is room for `more` bytes, so that it leaves out the check.
    ///
    /// # Safety
    ///
    /// There is.
    #[inline(always)]
    pub(crate) unsafe fn promise_room(&self, more: usize) {
        // SAFETY: the caller's promise.
        unsafe { std::hint::assert_unchecked(self.cap - self.len >= more) }
    }

    /// Says that so many bytes are written.
    ///
    /// # Safety
    ///
    /// They are, and there is room for as many.
    #[inline]
    pub(super) unsafe fn set_len(&mut self, len: usize) {
        debug_assert!(len <= self.cap);
        self.len = len;
    }

    /// The bytes that can be written without asking the store.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.cap - self.len
    }

    /// Does something with a copy of this writer that is `work`'s alone: in a loop over small values whose code is all inlined,
    /// its place and its end are kept in registers. The copy is written back at the end, also when `work` panics.
    #[inline(always)]
    pub(crate) fn apart<R>(&mut self, work: impl FnOnce(&mut Writer<'_>) -> R) -> R {
        let mut back = Back {
            apart: Writer {
                base: self.base,
                len: self.len,
                cap: self.cap,
                origin: self.origin,
                store: &mut *self.store,
            },
            base: &mut self.base,
            len: &mut self.len,
            cap: &mut self.cap,
            origin: &mut self.origin,
        };
        work(&mut back.apart)
    }

    /// Has the message hold an object; gives the number by which it names it, a new one if `fresh`.
    pub(crate) fn hold(&mut self, held: &Arc<Held>, fresh: bool) -> Result<u64, Error> {
        let index;
        (self.base, self.cap, index) = self.store.hold(self.len, held, fresh)?;
        Ok(index as u64)
    }

    /// How many objects the message holds, and the offsets of the last of them.
    pub(crate) fn held(&self) -> (usize, Vec<u64>) {
        self.store.held()
    }

    /// Room for `count` bytes at the end, counted as written.
    ///
    /// # Safety
    ///
    /// The caller writes all of them before anything else is done with the writer.
    #[inline]
    unsafe fn claim(&mut self, count: usize) -> Result<*mut u8, Error> {
        self.reserve(count)?;
        // SAFETY: `len <= cap`, and the memory has `cap` bytes.
        let at = unsafe { self.base.as_ptr().add(self.len) };
        self.len += count;
        Ok(at)
    }

    /// Appends bytes.
    #[inline]
    pub fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // SAFETY: `claim` gave room for as many, which nobody else refers to.
        unsafe {
            let at = self.claim(bytes.len())?;
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
        }
        Ok(())
    }

    /// Appends zeroes.
    #[inline]
    pub fn put_zeroes(&mut self, count: usize) -> Result<(), Error> {
        // SAFETY: as in `put_bytes`.
        unsafe { self.claim(count)?.write_bytes(0, count) };
        Ok(())
    }

    /// Appends a number: a length, a count.
    #[inline]
    pub fn put_u64(&mut self, value: u64) -> Result<(), Error> {
        self.put_bytes(&value.to_le_bytes())
    }

    /// Appends one plain value, at any alignment; its padding is written as zeroes.
    #[inline]
    pub fn put_plain<T: Plain>(&mut self, value: &T) -> Result<(), Error> {
        // SAFETY: `claim` gave room for the value; what it has of padding is made zero at once.
        unsafe {
            let at = self.claim(size_of::<T>())?;
            at.cast::<T>().write_unaligned(*value);
            scrub_value::<T>(at);
        }
        Ok(())
    }

    /// Appends plain values by one copy.
    #[inline]
    pub fn put_plain_slice<T: Plain>(&mut self, values: &[T]) -> Result<(), Error> {
        let count = size_of_val(values);
        // SAFETY: `claim` gave room for the values; the padding of each is made zero at once.
        unsafe {
            let at = self.claim(count)?;
            std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), at, count);
            if T::PADDED {
                for index in 0..values.len() {
                    scrub_value::<T>(at.add(index * size_of::<T>()));
                }
            }
        }
        Ok(())
    }

    /// Appends zeroes until the length of the current message is a multiple of `align`, a power of two up to 16.
    #[inline]
    pub fn align_to(&mut self, align: usize) -> Result<(), Error> {
        debug_assert!(align.is_power_of_two() && align <= FRAME_HEAD);
        match (self.len - self.origin) & (align - 1) {
            0 => Ok(()),
            over => self.put_zeroes(align - over),
        }
    }

    /// Begins a frame, which is a message of its own, at the next multiple of 16.
    #[inline]
    pub fn begin_frame(&mut self) -> Result<Frame, Error> {
        self.align_to(FRAME_HEAD)?;
        let frame = Frame {
            at: self.len,
            outer: self.origin,
        };
        self.put_zeroes(FRAME_HEAD)?;
        self.origin = self.len;
        Ok(frame)
    }

    /// Ends the frame: its length is known now.
    #[inline]
    pub fn end_frame(&mut self, frame: Frame) -> Result<(), Error> {
        let payload = frame.at + FRAME_HEAD;
        let Some(length) = self.len.checked_sub(payload) else {
            return Err(Error::new(
                Kind::Encode,
                "a frame was ended that is not there",
            ));
        };
        self.origin = frame.outer;
        self.align_to(FRAME_HEAD)?;
        // SAFETY: the head lies below `len` (just checked), so in the memory.
        unsafe {
            let head = self.base.as_ptr().add(frame.at);
            head.cast::<[u8; 8]>()
                .write_unaligned((length as u64).to_le_bytes());
        }
        Ok(())
    }

    /// Takes back the frame and what was written in it: an item that could not be encoded.
    #[inline]
    pub fn cancel_frame(&mut self, frame: Frame) {
        self.truncate(frame.at);
        self.origin = frame.outer;
    }

    /// Forgets everything behind `len`. No frame that begins behind it may be ended any more.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.origin = self.origin.min(self.len);
    }
}
