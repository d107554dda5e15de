#![allow(unsafe_code)]
//! The end that decodes: a cursor over memory, bounded by the message. Relies on `plain`, the error type and `sys::advice`.
//!
//! Two modes. *Trusted*: nobody writes the memory any more, so it may be lent in place (a worker and its arguments).
//! *Untrusted*: a live process may still write it (a parent and results), so no reference into it is ever formed, every byte
//! is copied out once into private memory, and only the copy is looked at. [`copy_out`] is the one place that
//! reads; the fence behind it keeps the compiler from reading the source again after the copy was validated (without it,
//! two copies in a row may be merged into one that starts at the source).

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, compiler_fence};

use super::plain::Plain;
use super::writer::FRAME_HEAD;
use crate::error::{Error, Kind};
use crate::sys::advice;

/// Fresh memory of this size or more is asked for in huge pages before it is filled.
const HUGE: usize = 2 << 20;

/// How many elements without any bytes a message may hold beside those its length bounds: a forged count of them would
/// cost no memory, but hours of work.
pub(crate) const ZERO_SIZED: usize = 1 << 20;

/// Decodes from the memory of one message.
#[derive(Clone)]
pub struct Reader<'m> {
    at: *const u8,
    end: *const u8,
    /// Where the message begins: alignments are relative to it. So one field alone changes as the reader goes on, and a loop over
    /// small values keeps it in a register.
    begin: *const u8,
    trusted: bool,
    /// The block whose tail says what the message holds; 0 if there is none.
    block: u64,
    memory: PhantomData<&'m [u8]>,
}

/// Copies `count` bytes out of memory that others may be writing.
///
/// # Safety
///
/// As for `copy_nonoverlapping` of bytes, except that the source may change meanwhile.
#[inline]
unsafe fn copy_out(from: *const u8, to: *mut u8, count: usize) {
    // SAFETY: the caller's promise. Bytes that change meanwhile are copied in either state; validation comes after.
    unsafe { std::ptr::copy_nonoverlapping(from, to, count) };
    compiler_fence(Ordering::SeqCst);
}

#[cold]
#[inline(never)]
fn too_short(need: usize, left: usize) -> Error {
    Error::new(
        Kind::Decode,
        format!("the message is too short: {need} bytes are needed, {left} are left"),
    )
}

#[cold]
#[inline(never)]
pub(crate) fn invalid<T: ?Sized>() -> Error {
    let name = std::any::type_name::<T>();
    Error::new(Kind::Decode, format!("the bytes are no valid `{name}`"))
}

impl<'m> Reader<'m> {
    /// Reads memory that nobody writes any more; parts of it may be lent.
    ///
    /// # Safety
    ///
    /// `len` initialised bytes at `at` that stay as they are for `'m`.
    #[inline]
    pub unsafe fn trusted(at: NonNull<u8>, len: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Reader::over(at.as_ptr(), len, true) }
    }

    /// # Safety
    ///
    /// `len` bytes at `at` are of one piece of memory, with the promises of [`Reader::trusted`] or [`Reader::untrusted`].
    #[inline]
    unsafe fn over(at: *const u8, len: usize, trusted: bool) -> Self {
        Reader {
            at,
            // SAFETY: the end of that piece of memory, or inside it.
            end: unsafe { at.add(len) },
            begin: at,
            trusted,
            block: 0,
            memory: PhantomData,
        }
    }

    /// Reads memory that a live process may still write.
    ///
    /// # Safety
    ///
    /// `len` initialised bytes at `at` stay mapped and readable for `'m`.
    #[inline]
    pub unsafe fn untrusted(at: NonNull<u8>, len: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Reader::over(at.as_ptr(), len, false) }
    }

    /// Reads bytes of this process.
    #[inline]
    pub fn from_slice(bytes: &'m [u8]) -> Self {
        // SAFETY: the bytes are borrowed for `'m`.
        unsafe { Reader::over(bytes.as_ptr(), bytes.len(), true) }
    }

    /// Reads a part of the message that stands elsewhere: memory that the message holds for as long as it is there.
    pub(crate) fn elsewhere(&self, at: NonNull<u8>, len: usize) -> Reader<'m> {
        let at: *const u8 = at.as_ptr();
        Reader {
            at,
            end: at.wrapping_add(len),
            begin: at,
            ..*self
        }
    }

    /// The same, of a message that stands in a block of the heap, which holds what it names.
    #[inline]
    pub(crate) fn in_block(mut self, block: u64) -> Self {
        self.block = block;
        self
    }

    /// The block the message stands in; 0 if it stands elsewhere, and names no objects.
    #[inline]
    pub(crate) fn block(&self) -> u64 {
        self.block
    }

    /// The bytes that are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.end.addr() - self.at.addr()
    }

    /// Whether parts of the memory may be lent.
    #[inline]
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Refuses a message that is longer than what was read from it.
    #[inline]
    pub fn finish(&self) -> Result<(), Error> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(Error::new(
                Kind::Decode,
                format!("{left} bytes are left over at the end of the message"),
            )),
        }
    }

    /// Tells the compiler that at least `count` bytes are left, of a message that is trusted, so that it leaves out the checks.
    ///
    /// # Safety
    ///
    /// It is so.
    #[inline(always)]
    pub(crate) unsafe fn promise(&self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { std::hint::assert_unchecked(self.trusted && self.remaining() >= count) }
    }

    /// Goes on by `count` bytes; answers where they begin.
    #[inline]
    fn step(&mut self, count: usize) -> Result<*const u8, Error> {
        if count > self.remaining() {
            return Err(too_short(count, self.remaining()));
        }
        let at = self.at;
        // SAFETY: there are so many, so this stays inside the message or at its end.
        self.at = unsafe { at.add(count) };
        Ok(at)
    }

    /// Goes on by `count` bytes without looking at them.
    #[inline]
    pub fn skip(&mut self, count: usize) -> Result<(), Error> {
        self.step(count).map(drop)
    }

    /// Goes on until the bytes read from this message are a multiple of `align`, a power of two.
    #[inline]
    pub fn align_to(&mut self, align: usize) -> Result<(), Error> {
        debug_assert!(align.is_power_of_two());
        let done = self.at.addr() - self.begin.addr();
        self.skip(done.wrapping_neg() & (align - 1))
    }

    /// The next `count` bytes as a message of their own.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<Reader<'m>, Error> {
        let begin = self.step(count)?;
        Ok(Reader {
            at: begin,
            end: self.at,
            begin,
            ..*self
        })
    }

    /// The payload of the frame that begins here, as a message of its own; goes on to the next frame.
    #[inline]
    pub fn frame(&mut self) -> Result<Reader<'m>, Error> {
        let length = self.get_u64()?;
        self.skip(FRAME_HEAD - size_of::<u64>())?;
        let length =
            usize::try_from(length).map_err(|_| too_short(usize::MAX, self.remaining()))?;
        let payload = self.take(length)?;
        // The padding of the last frame need not be there.
        self.skip((length.wrapping_neg() & (FRAME_HEAD - 1)).min(self.remaining()))?;
        Ok(payload)
    }

    /// Goes on to the next frame.
    #[inline]
    pub fn skip_frame(&mut self) -> Result<(), Error> {
        self.frame().map(drop)
    }

    /// A number that [`Writer::put_u64`](super::Writer::put_u64) wrote.
    #[inline]
    pub fn get_u64(&mut self) -> Result<u64, Error> {
        let at = self.step(8)?;
        let mut bytes = [0; 8];
        // SAFETY: `step` answered for eight bytes.
        unsafe { copy_out(at, bytes.as_mut_ptr(), 8) };
        Ok(u64::from_le_bytes(bytes))
    }

    /// A count of elements of `size` bytes each, at least that many of which must be left in the message.
    #[inline]
    pub(crate) fn get_count(&mut self, size: usize) -> Result<usize, Error> {
        let count = usize::try_from(self.get_u64()?).unwrap_or(usize::MAX);
        let bound = self.remaining().checked_div(size).unwrap_or(ZERO_SIZED);
        if count > bound {
            return Err(too_short(
                count.saturating_mul(size.max(1)),
                self.remaining(),
            ));
        }
        Ok(count)
    }

    /// Lends the next `count` bytes where they lie; in a trusted message only.
    #[inline]
    pub fn borrow(&mut self, count: usize) -> Result<&'m [u8], Error> {
        if !self.trusted {
            return Err(Error::new(
                Kind::Decode,
                "memory that another process may write cannot be lent",
            ));
        }
        let at = self.step(count)?;
        // SAFETY: inside the message, which is initialised and not written by anybody for `'m`.
        Ok(unsafe { std::slice::from_raw_parts(at, count) })
    }

    /// The next `count` bytes, copied.
    pub fn copy_bytes(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.get_plain_block(count, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies what is left to `room` and lends the copy, without going on.
    pub(crate) fn peek_rest<'r>(&self, room: &'r mut [MaybeUninit<u8>]) -> Option<&'r [u8]> {
        let room = room.get_mut(..self.remaining())?;
        // SAFETY: both sides have `left` bytes, and all of them are initialised by the copy.
        unsafe {
            copy_out(self.at, room.as_mut_ptr().cast(), room.len());
            Some(std::slice::from_raw_parts(room.as_ptr().cast(), room.len()))
        }
    }

    /// A plain value, at any alignment.
    #[inline]
    pub fn get_plain<T: Plain>(&mut self) -> Result<T, Error> {
        let at = self.step(size_of::<T>())?;
        if T::ANY && self.trusted {
            // SAFETY: inside the message, which nobody writes; every pattern is a value.
            return Ok(unsafe { at.cast::<T>().read_unaligned() });
        }
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: inside the message; the copy initialises every byte of `value`, and is a value if `valid` says so.
        unsafe {
            copy_out(at, value.as_mut_ptr().cast(), size_of::<T>());
            let bytes = std::slice::from_raw_parts(value.as_ptr().cast(), size_of::<T>());
            if !(T::ANY || T::valid(bytes)) {
                return Err(invalid::<T>());
            }
            Ok(value.assume_init())
        }
    }

    /// Appends `count` plain values to `out`: one copy, validated afterwards.
    pub fn get_plain_block<T: Plain>(
        &mut self,
        count: usize,
        out: &mut Vec<T>,
    ) -> Result<(), Error> {
        let size = count.saturating_mul(size_of::<T>());
        if size > self.remaining() {
            return Err(too_short(size, self.remaining()));
        }
        make_room(out, count)?;
        let at = self.step(size)?;
        let room = out.spare_capacity_mut().as_mut_ptr();
        // SAFETY: `out` has room for `count` more; the copy initialises all their bytes, which are values if `valid_all`
        // says so, and only then are they counted.
        unsafe {
            copy_out(at, room.cast(), size);
            let bytes = std::slice::from_raw_parts(room.cast::<u8>(), size);
            if count > 0 && !T::valid_all(bytes) {
                return Err(invalid::<T>());
            }
            out.set_len(out.len() + count);
        }
        Ok(())
    }

    /// Lends `count` plain values where they lie; `None`, and nothing is read, where they cannot be lent: the message is
    /// untrusted, or they lie at an odd address.
    pub fn lend_plain<T: Plain>(&mut self, count: usize) -> Result<Option<&'m [T]>, Error> {
        let at: *const T = match size_of::<T>() {
            0 => NonNull::dangling().as_ptr(),
            _ => self.at.cast(),
        };
        if !self.trusted || !at.is_aligned() {
            return Ok(None);
        }
        let bytes = self.borrow(count.saturating_mul(size_of::<T>()))?;
        if count > 0 && !T::valid_all(bytes) {
            return Err(invalid::<T>());
        }
        // SAFETY: aligned, inside the message (which nobody writes for `'m`), and valid (both just checked).
        Ok(Some(unsafe { std::slice::from_raw_parts(at, count) }))
    }
}

/// An empty vector with room for `count` elements, in huge pages where it is large.
pub(crate) fn vec_with_room<T>(count: usize) -> Result<Vec<T>, Error> {
    let mut out = Vec::new();
    make_room(&mut out, count)?;
    Ok(out)
}

/// Room for `more` elements; memory that is fresh and large is asked for in huge pages.
fn make_room<T>(out: &mut Vec<T>, more: usize) -> Result<(), Error> {
    if out.capacity() - out.len() >= more {
        return Ok(());
    }
    let exact = if out.is_empty() {
        out.try_reserve_exact(more)
    } else {
        out.try_reserve(more)
    };
    exact.map_err(|cause| {
        let bytes = more.saturating_mul(size_of::<T>());
        Error::new(Kind::Decode, format!("no memory for {bytes} bytes")).with_source(cause)
    })?;
    let room = out.spare_capacity_mut();
    if size_of_val(room) >= HUGE {
        advice::huge(room);
    }
    Ok(())
}
