#![allow(unsafe_code)]
//! The cursor that writes values: heads, numbers, text, shapes. Relies on `format`, `shapes`,
//! `handles` and the writer.
//!
//! The cursor's place and end stand in a struct that no cold function gets by reference: those get
//! [`Side`], and give the new place back by value. So a loop over small values keeps them in
//! registers.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::depth::{self, Depth};
use super::fault::Fault;
use super::format::{INLINE, LONGEST, kind, wide, word};
use super::handles::Noted;
use super::primitive::{self, Primitive};
use super::shapes::{self, Entry, Owner, Recorded};
use super::{packed, paths};
use crate::codec::Writer;
use crate::heap::Held;

/// Writes one value and all that is in it.
pub(super) struct Encoder<'w, 's> {
    at: *mut u8,
    end: *mut u8,
    begin: *mut u8,
    depth: Depth,
    pub(super) side: &'w mut Side<'w, 's>,
}

/// What is needed now and then.
pub(super) struct Side<'w, 's> {
    out: &'w mut Writer<'s>,
    /// The names of structs that are being recorded, the innermost last.
    pub(super) names: Vec<&'static str>,
    /// Lists met in this value that have not been decoded again yet.
    pub(super) unchecked: Vec<&'static Entry>,
    /// Whether the value should be decoded again for another reason: what serde cannot buffer is in
    /// it, or a list without a number.
    is_wide: bool,
    /// Whether room that was claimed is not filled yet.
    pub(super) is_filling: bool,
    /// Whether what serde cannot buffer is an error: to find out where it is.
    pub(super) stops_at_wide: bool,
    /// Whether a part of the value failed, so that the whole does, even if the user's code goes on.
    pub(super) failed: Option<Fault>,
    noted: Option<Box<Noted>>,
}

/// Room for bytes that are counted as written.
pub(super) struct Room<'r> {
    at: *mut u8,
    end: *mut u8,
    of: PhantomData<&'r mut u8>,
}

impl Room<'_> {
    /// Writes the next bytes; `false` where there is no room for them.
    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) -> bool {
        if self.end.addr() - self.at.addr() < N {
            return false;
        }
        // SAFETY: there is room for as many.
        unsafe {
            self.at.cast::<[u8; N]>().write_unaligned(bytes);
            self.at = self.at.add(N);
        }
        true
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.at == self.end
    }
}

/// The first byte of the memory, its next and its end.
type Memory = (*mut u8, *mut u8, *mut u8);

impl<'w, 's> Side<'w, 's> {
    pub(super) fn new(out: &'w mut Writer<'s>) -> Self {
        Side {
            out,
            names: Vec::new(),
            unchecked: Vec::new(),
            is_wide: false,
            is_filling: false,
            stops_at_wide: false,
            failed: None,
            noted: None,
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, used: usize, more: usize) -> Result<Memory, Fault> {
        // SAFETY: the cursor has written as many bytes.
        unsafe { self.out.set_len(used) };
        // So that many small values do not ask many times.
        self.out.reserve(more.max(64)).map_err(Fault::own)?;
        Ok(self.room())
    }

    fn room(&mut self) -> Memory {
        let base = self.out.base().as_ptr();
        // SAFETY: `len` and what is left are inside the writer's memory.
        unsafe {
            let at = base.add(self.out.len());
            (base, at, at.add(self.out.room()))
        }
    }

    /// Whether anything is to be looked at before the value leaves.
    #[inline(always)]
    pub(super) fn is_remarkable(&self) -> bool {
        self.is_wide || !self.unchecked.is_empty() || self.failed.is_some() || self.noted.is_some()
    }

    /// Whether the value should be decoded again, if one of its type was.
    pub(super) fn is_doubtful(&self, type_is_checked: bool) -> bool {
        self.is_wide || !self.unchecked.is_empty() || !type_is_checked
    }

    /// The lists in the value have been decoded again.
    pub(super) fn all_checked(&mut self) {
        for entry in self.unchecked.drain(..) {
            entry.checked.store(true, Ordering::Relaxed);
        }
    }

    #[cold]
    fn check_later(&mut self, entry: &'static Entry) {
        self.unchecked.push(entry);
    }
}

impl<'w, 's> Encoder<'w, 's> {
    pub(super) fn new(side: &'w mut Side<'w, 's>) -> Self {
        let (begin, at, end) = side.room();
        Encoder {
            at,
            end,
            begin,
            depth: Depth::new(),
            side,
        }
    }

    /// How many bytes of the memory are written.
    #[inline(always)]
    pub(super) fn used(&self) -> usize {
        self.at.addr() - self.begin.addr()
    }

    /// The writer knows now how far it is written.
    #[inline]
    pub(super) fn finish(self) {
        let used = self.used();
        // SAFETY: the cursor has written as many bytes.
        unsafe { self.side.out.set_len(used) };
    }

    /// The same; gives the objects whose handles are in the value, for the writer to hold.
    pub(super) fn finish_with_held(self) -> (Vec<Arc<Held>>, &'w mut Writer<'s>) {
        let used = self.used();
        let side = self.side;
        // SAFETY: the cursor has written as many bytes.
        unsafe { side.out.set_len(used) };
        let held = side.noted.take().map_or_else(Vec::new, |noted| noted.all);
        (held, side.out)
    }

    /// Forgets what was written from here on.
    pub(super) fn rewind(&mut self, used: usize) {
        debug_assert!(used <= self.used());
        // SAFETY: inside what was written.
        self.at = unsafe { self.begin.add(used) };
    }

    /// Room for `count` bytes, counted as written.
    ///
    /// # Safety
    /// The caller writes all of them before anything else is done with the cursor.
    #[inline(always)]
    unsafe fn claim(&mut self, count: usize) -> Result<*mut u8, Fault> {
        if self.end.addr() - self.at.addr() < count {
            (self.begin, self.at, self.end) = self.side.grow(self.used(), count)?;
        }
        let at = self.at;
        // SAFETY: there is room for as many.
        self.at = unsafe { at.add(count) };
        Ok(at)
    }

    #[inline(always)]
    pub(super) fn put<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), Fault> {
        // SAFETY: all `N` bytes are written.
        unsafe { self.claim(N)?.cast::<[u8; N]>().write_unaligned(bytes) };
        Ok(())
    }

    #[inline]
    pub(super) fn put_slice(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        // SAFETY: all bytes are written; the memory is the writer's alone.
        unsafe {
            let at = self.claim(bytes.len())?;
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
        }
        Ok(())
    }

    /// Room for `count` bytes; the caller fills it and says so ([`filled`](Self::filled)).
    #[inline]
    pub(super) fn room_for(&mut self, count: usize) -> Result<Room<'_>, Fault> {
        // SAFETY: a value in which room is not filled fails as a whole, and its bytes are never
        // read.
        let at = unsafe { self.claim(count)? };
        self.side.is_filling = true;
        Ok(Room {
            at,
            // SAFETY: inside the memory that was claimed.
            end: unsafe { at.add(count) },
            of: PhantomData,
        })
    }

    /// All room that was asked for is filled.
    #[inline]
    pub(super) fn filled(&mut self) {
        self.side.is_filling = false;
    }

    /// A number behind its kind.
    #[inline(always)]
    pub(super) fn number<T: Primitive<N>, const N: usize>(
        &mut self,
        kind: u8,
        value: T,
    ) -> Result<(), Fault> {
        let bytes = primitive::to_bytes(value).ok_or_else(no_bytes)?;
        // SAFETY: both parts are written.
        unsafe {
            let at = self.claim(1 + N)?;
            at.write(kind);
            at.add(1).cast::<[u8; N]>().write_unaligned(bytes);
        }
        Ok(())
    }

    /// A number of a packed list.
    #[inline(always)]
    pub(super) fn bare<T: Primitive<N>, const N: usize>(&mut self, value: T) -> Result<(), Fault> {
        self.put(primitive::to_bytes(value).ok_or_else(no_bytes)?)
    }

    /// Text or bytes behind their length.
    #[inline]
    pub(super) fn text(&mut self, kind: u8, bytes: &[u8]) -> Result<(), Fault> {
        self.put(wide(kind, bytes.len() as u64))?;
        self.put_slice(bytes)
    }

    /// Changes a head that was written.
    #[inline(always)]
    pub(super) fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        debug_assert!(at + N <= self.used());
        // SAFETY: the head lies before the cursor, in memory that was written.
        unsafe { self.begin.add(at).cast::<[u8; N]>().write_unaligned(bytes) };
    }

    /// Puts bytes in between what was written; for what is rare.
    #[cold]
    #[inline(never)]
    pub(super) fn insert(&mut self, at: usize, bytes: &[u8]) -> Result<(), Fault> {
        let behind = self.used() - at;
        self.put_slice(bytes)?;
        // SAFETY: what stood behind `at` moves back by as many bytes as were just added at the end;
        // the bytes go between.
        unsafe {
            let place = self.begin.add(at);
            std::ptr::copy(place, place.add(bytes.len()), behind);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len());
        }
        Ok(())
    }

    /// Writes what is inside another value.
    #[inline(always)]
    pub(super) fn nested<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        if packed::is_leaf::<T>() {
            return value.serialize(self);
        }
        if let Some(path) = paths::not_text(value) {
            return self.path(path);
        }
        self.nested_by(1, value)
    }

    /// Writes what is inside a map.
    #[inline]
    pub(super) fn nested_in_map<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        if let Some(path) = paths::not_text(value) {
            return self.path(path);
        }
        self.nested_by(depth::MAP_LEVELS, value)
    }

    /// Writes what is inside another value, so many levels down.
    #[inline(always)]
    pub(super) fn nested_by<T: Serialize + ?Sized>(
        &mut self,
        levels: u32,
        value: &T,
    ) -> Result<(), Fault> {
        let done = match self.depth.enter(levels) {
            true => value.serialize(&mut *self),
            false => self.deep(value),
        };
        self.depth.leave(levels);
        done
    }

    /// Whether a panic was caught in the middle of the value, which is not whole then.
    #[inline(always)]
    pub(super) fn was_interrupted(&self) -> bool {
        self.side.is_filling || !self.depth.is_at_top()
    }

    /// Writes what an option has: no level of its own.
    #[inline(always)]
    pub(super) fn some<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        if let Some(path) = paths::not_text(value) {
            return self.path(path);
        }
        match self.depth.has_room() {
            true => value.serialize(&mut *self),
            false => self.deep(value),
        }
    }

    #[cold]
    #[inline(never)]
    fn deep<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.depth.check(0)?;
        depth::on_fresh_stack(|| {
            let floor = self.depth.on_fresh_stack();
            let done = value.serialize(&mut *self);
            self.depth.back_to(floor);
            done
        })
    }

    /// A path that is no text: serde refuses it, so it goes round it.
    #[cold]
    fn path(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.is_wide(true, PATH_HINT)?;
        self.text(kind::PATH, bytes)
    }

    /// Here is something that serde cannot buffer if it `is_wide`.
    #[inline]
    pub(super) fn is_wide(&mut self, is_wide: bool, hint: &'static str) -> Result<(), Fault> {
        if is_wide && self.side.stops_at_wide {
            return Err(Fault::new(&hint[2..]));
        }
        self.side.is_wide |= is_wide;
        Ok(())
    }

    /// Names an object of which the value has a handle.
    #[cold]
    pub(super) fn handle(&mut self, held: &Arc<Held>) -> Result<(), Fault> {
        let Side { noted, out, .. } = &mut *self.side;
        let noted = noted.get_or_insert_with(|| Box::new(Noted::beside(out.held())));
        let number = noted.number(held);
        self.put([kind::HANDLE])?;
        self.put(number.to_le_bytes())
    }

    /// A list that was predicted was written; a value with it should be decoded again if none was
    /// yet.
    #[inline(always)]
    pub(super) fn is_used(&mut self, entry: &'static Entry) {
        if !entry.checked.load(Ordering::Relaxed) {
            self.side.check_later(entry);
        }
    }

    /// A tuple struct is written; a value with it should be decoded again if none was yet.
    #[inline]
    pub(super) fn tuple_is_used(&mut self, owner: Owner) {
        if let Some(entry) = shapes::predicted(owner).entry {
            return self.is_used(entry);
        }
        match shapes::recorded(owner, &[]) {
            Recorded::Entry(entry) => self.is_used(entry),
            Recorded::Number(_) | Recorded::Nowhere => self.side.is_wide = true,
        }
    }

    /// The names of a struct are recorded from here on; a variant's own is the first.
    #[cold]
    #[inline(never)]
    pub(super) fn start_recording(&mut self, variant: Option<&'static str>) -> usize {
        let from = self.side.names.len();
        self.side.names.extend(variant);
        from
    }

    /// The head of a list that was recorded, from the `from`-th name on; it stands at `head`.
    #[cold]
    #[inline(never)]
    pub(super) fn recorded(&mut self, owner: Owner, head: usize, from: usize) -> Result<(), Fault> {
        let names = self.side.names.split_off(from);
        match shapes::recorded(owner, &names) {
            Recorded::Entry(entry) => {
                self.is_used(entry);
                self.patch(head, word(owner.kind, entry.number));
                Ok(())
            }
            Recorded::Number(number) => {
                self.side.is_wide = true;
                self.patch(head, word(owner.kind, number));
                Ok(())
            }
            Recorded::Nowhere => {
                self.side.is_wide = true;
                let list = shapes::listed(&names);
                let len = u32::try_from(list.len()).map_err(|_| too_long())?;
                self.patch(head, word(owner.kind, INLINE));
                self.insert(head + 4, &[&len.to_le_bytes()[..], &list].concat())
            }
        }
    }

    /// The value has a part that failed, and so fails as a whole.
    #[cold]
    #[inline(never)]
    pub(super) fn broken(&mut self, fault: Fault) -> Fault {
        if self.side.failed.is_none() {
            self.side.failed = Some(Fault::new(fault.to_string()));
        }
        fault
    }

    /// The bytes written since `from`.
    pub(super) fn copy_from(&self, from: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.used() - from];
        let Some(to) = NonNull::new(bytes.as_mut_ptr()) else {
            return bytes;
        };
        // SAFETY: they lie before the cursor, in memory that was written; the vector has room for
        // as many.
        unsafe {
            std::ptr::copy_nonoverlapping(self.begin.add(from), to.as_ptr(), bytes.len());
        }
        bytes
    }
}

/// What a sender or a reader is told of numbers that serde cannot buffer.
pub(super) const WIDE_HINT: &str = "; serde cannot buffer 128-bit integers inside `untagged`, `tag` or `flatten`: send such a number \
     as text (`#[serde(with = …)]`) or as two `u64`";
/// And of paths.
pub(super) const PATH_HINT: &str = "; serde cannot buffer a path that is no text inside `untagged`, `tag` or `flatten`: write it as \
     bytes (`#[serde(with = \"mp::serde_path\")]`)";

/// And of one that serde itself refuses, since an attribute stands before it.
pub(super) const PATH_ADVICE: &str = ": write it as bytes (`#[serde(with = \"mp::serde_path\")]`)";

#[cold]
fn no_bytes() -> Fault {
    Fault::new("a number has no bytes")
}

#[cold]
pub(super) fn too_long() -> Fault {
    Fault::new(format!("it has more than {LONGEST} parts"))
}
