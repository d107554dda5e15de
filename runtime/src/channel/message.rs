#![allow(unsafe_code)]
//! What travels through a pipe or a queue: how a value becomes bytes, and where they stand.
//!
//! Relies on the codec and the heap. A task's parameters have their encoding chosen by autoref specialisation in expanded code,
//! where the types are concrete. `Sender<T>` and `Queue<T>` are generic, and there the choice would follow the visible bounds; so
//! numbers, `bool`, `char`, vectors of those and `String` are recognised by their `TypeId` (a comparison that the compiler
//! makes when it builds the concrete `T`), and travel as raw bytes, as they do for tasks; all else goes through serde.
//!
//! A message of up to [`INLINE`] bytes stands in the ring. A larger one, and every one that carries handles of shared objects,
//! stands in a block of the heap that the ring names. Such a block begins with a *stamp*, the id of the object whose ring it
//! is in and the number of the message: whoever takes a block checks it, so that a block that was freed and belongs to
//! somebody else by now is never taken for the message that a dead process left half-way.

use std::any::TypeId;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::departure::{self, Party};
use super::room::UNIT;
use crate::codec::{self, BlockStore, OwnedTag, Reader, Store, Tag, Writer};
use crate::error::{Error, Kind};
use crate::heap::{Block, Heap};

/// Messages up to so many bytes stand in the ring itself.
pub(super) const INLINE: usize = 4096;
/// The bytes of a stamp: the id of the object, the number of the message, its length, who holds it and how often it was taken.
const STAMP: usize = 32;
const WORDS: usize = STAMP / UNIT;

/// What can travel through a pipe or a queue: whatever derives serde's `Serialize` and `Deserialize`, and handles of shared
/// objects. Implemented by itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel to another process",
    label = "cannot be sent",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it; what is sent must be owned"
)]
pub trait Message: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> Message for T {}

#[inline(always)]
fn is<A: 'static, B: 'static>() -> bool {
    TypeId::of::<A>() == TypeId::of::<B>()
}

/// The value, if `A` is `B`.
#[inline(always)]
fn as_type<A: 'static, B: 'static>(value: &A) -> Option<&B> {
    // SAFETY: the types are the same (just checked).
    is::<A, B>().then(|| unsafe { &*std::ptr::from_ref(value).cast::<B>() })
}

/// The value itself, if `B` is `A`.
#[inline(always)]
fn into_type<B: 'static, A: 'static>(value: B) -> Option<A> {
    if !is::<A, B>() {
        return None;
    }
    let value = ManuallyDrop::new(value);
    // SAFETY: the types are the same (just checked), and the value is moved out once.
    Some(unsafe { std::ptr::from_ref(&*value).cast::<A>().read() })
}

macro_rules! for_plain {
    ($do:ident) => {
        $do! { u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64, bool, char, () }
    };
}

/// The encoded size, where it is the same for all values.
#[inline(always)]
pub(super) fn fixed<T: 'static>() -> Option<usize> {
    macro_rules! sizes {
        ($($plain:ty),*) => {$(
            if is::<T, $plain>() {
                return Some(size_of::<$plain>());
            }
        )*};
    }
    for_plain!(sizes);
    None
}

/// No less than the encoded size, where that is known without encoding (and no code of the user's runs on either side).
#[inline(always)]
pub(super) fn bound<T: 'static>(value: &T) -> Option<usize> {
    macro_rules! blocks {
        ($($plain:ty),*) => {$(
            if let Some(values) = as_type::<T, Vec<$plain>>(value) {
                return Some(Tag::hint(codec::Block::<$plain>::default(), values));
            }
        )*};
    }
    if let Some(size) = fixed::<T>() {
        return Some(size);
    }
    if let Some(text) = as_type::<T, String>(value) {
        return Some(codec::Text.hint(text));
    }
    for_plain!(blocks);
    None
}

/// Whether decoding a `T` runs none of the user's code.
#[inline(always)]
pub(super) fn is_simple<T: 'static>() -> bool {
    macro_rules! blocks {
        ($($plain:ty),*) => {
            $(is::<T, Vec<$plain>>() ||)* is::<T, String>()
        };
    }
    fixed::<T>().is_some() || for_plain!(blocks)
}

/// Appends the value.
#[inline(always)]
pub(super) fn put<T: Message>(value: &T, out: &mut Writer<'_>) -> Result<(), Error> {
    macro_rules! plain {
        ($($plain:ty),*) => {$(
            if let Some(value) = as_type::<T, $plain>(value) {
                return out.put_plain(value);
            }
            if let Some(values) = as_type::<T, Vec<$plain>>(value) {
                return Tag::put(codec::Block::<$plain>::default(), values, out);
            }
        )*};
    }
    for_plain!(plain);
    if let Some(text) = as_type::<T, String>(value) {
        return Tag::put(codec::Text, text, out);
    }
    Tag::put(codec::Serde::<T>::default(), value, out)
}

/// Decodes a value, which is all of the message.
#[inline(always)]
pub(super) fn get<T: Message>(mut from: Reader<'_>) -> Result<T, Error> {
    macro_rules! plain {
        ($($plain:ty),*) => {$(
            if is::<T, $plain>() {
                return whole(from.get_plain::<$plain>()?, &from);
            }
            if is::<T, Vec<$plain>>() {
                return whole(codec::Block::<$plain>::default().get_owned(&mut from)?, &from);
            }
        )*};
    }
    for_plain!(plain);
    if is::<T, String>() {
        return whole(codec::Text.get_owned(&mut from)?, &from);
    }
    whole(codec::Serde::<T>::default().get_owned(&mut from)?, &from)
}

#[inline(always)]
fn whole<B: 'static, T: 'static>(value: B, from: &Reader<'_>) -> Result<T, Error> {
    from.finish()?;
    into_type(value).ok_or_else(|| Error::new(Kind::Decode, "the message is of another type"))
}

/// Memory that does not grow: room in a ring, which is as large as the message.
struct Fixed;

// SAFETY: it never gives any.
unsafe impl Store for Fixed {
    fn grow(&mut self, _: usize, need: usize) -> Result<(NonNull<u8>, usize), Error> {
        let text = format!("a message of {need} bytes is larger than was said");
        Err(Error::new(Kind::Encode, text))
    }
}

/// Encodes into `cap` bytes at `base`; gives how many were written.
///
/// # Safety
///
/// They are writable, and nobody else looks at them.
#[inline(always)]
pub(super) unsafe fn put_at<T: Message>(
    value: &T,
    base: NonNull<u8>,
    cap: usize,
) -> Result<usize, Error> {
    let mut store = Fixed;
    // SAFETY: the caller's promise; the store never copies from it.
    let mut out = unsafe { Writer::with_memory(base, 0, cap, &mut store) };
    put(value, &mut out)?;
    Ok(out.len())
}

/// Where a message is while it waits for its place.
pub(super) enum Encoded {
    /// In the scratch memory, so many bytes.
    Short(usize),
    /// In a block of this process's; freed if it is dropped.
    Long(Long),
}

/// A message in a block of its own, with room for its stamp.
pub(super) struct Long {
    heap: &'static Heap,
    block: Block,
    /// Bytes, the stamp included.
    len: usize,
    /// What leaves this process with it.
    party: Party,
}

impl Long {
    /// The bytes that count for a limit of bytes: what would fit a ring takes none of them.
    pub(super) fn block_bytes(&self) -> u64 {
        if self.len > INLINE {
            self.block.size as u64
        } else {
            0
        }
    }

    /// Stamps the block and gives what the ring says of it. It is still this process's.
    pub(super) fn stamp(&self, stamp: Stamp) -> Result<[u64; 4], Error> {
        let words = stamp_words(self.heap, self.block.offset)?;
        for (word, value) in words
            .iter()
            .zip([stamp.id, stamp.number, self.len as u64, 0])
        {
            word.store(value, Ordering::Relaxed);
        }
        Ok([
            self.block.offset,
            self.len as u64,
            stamp.number,
            self.block_bytes(),
        ])
    }

    /// Makes it the session's; what it carries has left. It is committed next, and nothing can fail in between.
    pub(super) fn give(&self) -> Result<(), Error> {
        self.heap.give(self.block.offset, crate::heap::ROOT)?;
        for traveller in &self.party {
            traveller.leave();
        }
        Ok(())
    }

    /// It is named by a ring now: this process does not free it.
    pub(super) fn sent(self) {
        let mut this = ManuallyDrop::new(self);
        drop(std::mem::take(&mut this.party));
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        let _ = self.heap.free(self.block.offset);
    }
}

/// What tells a block of one message from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Of the object whose ring names it.
    pub(super) id: u64,
    /// Of the message.
    pub(super) number: u64,
}

impl Stamp {
    /// With a number that no other message of the session has.
    pub(super) fn unique(heap: &Heap, id: u64) -> Stamp {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed) & ((1 << 33) - 1);
        Stamp {
            id,
            number: u64::from(heap.me().pack()) << 33 | next,
        }
    }
}

fn stamp_words(heap: &Heap, offset: u64) -> Result<&'static [AtomicU64; WORDS], Error> {
    let base = heap.at(offset, STAMP)?;
    if !offset.is_multiple_of(UNIT as u64) {
        return Err(Error::new(Kind::Protocol, "a block at an odd place"));
    }
    // SAFETY: inside the mapping, which is never unmapped, and aligned; stamps are reached as atomics by everybody.
    Ok(unsafe { base.cast().as_ref() })
}

/// What a ring says of a message in a block, as it was read from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    offset: u64,
    len: usize,
    pub(super) number: u64,
    pub(super) bytes: u64,
}

impl Named {
    pub(super) fn of([offset, len, number, bytes]: [u64; 4]) -> Named {
        Named {
            offset,
            len: usize::try_from(len).unwrap_or(usize::MAX),
            number,
            bytes,
        }
    }

    /// What the block at `offset` says of itself, if there is one.
    pub(super) fn at(heap: &Heap, offset: u64) -> Option<Named> {
        let bytes = heap.size_of(offset).ok()? as u64;
        let words = stamp_words(heap, offset).ok()?;
        let [_, number, len, _] = words.each_ref().map(|word| word.load(Ordering::Relaxed));
        Some(Named::of([offset, len, number, bytes]))
    }

    /// Who holds it, by the packed slot (0 for nobody), and how often it was taken.
    pub(super) fn holder(&self, heap: &Heap) -> (u32, u32) {
        let word =
            stamp_words(heap, self.offset).map_or(0, |words| words[3].load(Ordering::Acquire));
        (word as u32, (word >> 32) as u32)
    }

    /// Has this process hold it, in place of `before`; whether it does.
    pub(super) fn take_from(&self, heap: &Heap, before: (u32, u32)) -> bool {
        let word = |(holder, times): (u32, u32)| u64::from(times) << 32 | u64::from(holder);
        let mine = word((heap.me().pack(), before.1.wrapping_add(1)));
        stamp_words(heap, self.offset).is_ok_and(|words| {
            words[3]
                .compare_exchange(word(before), mine, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        })
    }

    /// The message, to be copied out while it stays where it is.
    pub(super) fn reader(&self, heap: &Heap) -> Result<Reader<'static>, Error> {
        if self.len < STAMP || self.len > heap.size_of(self.offset)? {
            return Err(super::ring::broken(
                "a message that is longer than its block",
            ));
        }
        heap.warm(self.offset, self.len);
        let base = heap.at(self.offset, self.len)?;
        // SAFETY: inside the mapping, which is never unmapped; the reader copies before it looks.
        let mut reader = unsafe { Reader::untrusted(base, self.len) }.in_block(self.offset);
        reader.skip(STAMP)?;
        Ok(reader)
    }

    /// Whether the block is still there for whoever reads the ring: it belongs to the session, and is this message.
    pub(super) fn is_there(&self, heap: &Heap, id: u64) -> bool {
        heap.owner(self.offset)
            .is_ok_and(|owner| owner == crate::heap::ROOT)
            && stamp_words(heap, self.offset).is_ok_and(|words| {
                words[0].load(Ordering::Relaxed) == id
                    && words[1].load(Ordering::Relaxed) == self.number
            })
    }

    /// Makes it this process's; freed when what this gives is dropped.
    pub(super) fn take(&self, heap: &'static Heap) -> Result<Long, Error> {
        heap.give(self.offset, heap.me())?;
        let size = heap.size_of(self.offset)?;
        let long = Long {
            heap,
            block: Block {
                offset: self.offset,
                size,
            },
            len: self.len,
            party: Party::new(),
        };
        if self.len < STAMP || self.len > size {
            return Err(super::ring::broken(
                "a message that is longer than its block",
            ));
        }
        Ok(long)
    }

    /// Where it is.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

impl Long {
    /// The message, to be copied out.
    pub(super) fn reader(&self) -> Result<Reader<'static>, Error> {
        let named = Named {
            offset: self.block.offset,
            len: self.len,
            number: 0,
            bytes: 0,
        };
        named.reader(self.heap)
    }
}

/// Memory in which a message is written when its size is not known beforehand.
pub(super) struct Scratch(Box<[u64; (STAMP + INLINE) / UNIT]>);

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch(Box::new([0; (STAMP + INLINE) / UNIT]))
    }

    /// Encodes a value: here, or in a block where it is long or carries handles.
    pub(super) fn encode<T: Message>(
        &mut self,
        heap: &'static Heap,
        value: &T,
    ) -> Result<Encoded, Error> {
        let words = &mut *self.0;
        let mut store = BlockStore::over_words(heap, words);
        let mut out = Writer::over_words(words, &mut store);
        out.put_zeroes(STAMP)?;
        let (done, party) = departure::noting(|| put(value, &mut out));
        done?;
        let len = out.len();
        Ok(match store.into_block() {
            None => Encoded::Short(len - STAMP),
            Some(block) => Encoded::Long(Long {
                heap,
                block,
                len,
                party,
            }),
        })
    }

    /// What was encoded here.
    pub(super) fn bytes(&self, len: usize) -> &[u8] {
        // SAFETY: all words are initialised, and any bytes are bytes.
        let all = unsafe {
            std::slice::from_raw_parts(self.0.as_ptr().cast::<u8>(), size_of_val(&*self.0))
        };
        &all[STAMP..][..len.min(INLINE)]
    }
}

/// Encodes a value into a block, whose size is about `hint`.
pub(super) fn encode_long<T: Message>(
    heap: &'static Heap,
    value: &T,
    hint: usize,
) -> Result<Long, Error> {
    long(heap, hint, |out| put(value, out))
}

/// A block with what `put` writes.
pub(super) fn long(
    heap: &'static Heap,
    hint: usize,
    put: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
) -> Result<Long, Error> {
    let mut store = BlockStore::new(heap);
    let mut out = Writer::new(&mut store);
    out.reserve(hint.saturating_add(STAMP))?;
    out.put_zeroes(STAMP)?;
    put(&mut out)?;
    let len = out.len();
    match store.into_block() {
        Some(block) => Ok(Long {
            heap,
            block,
            len,
            party: Party::new(),
        }),
        None => Err(Error::new(Kind::Encode, "there is no room for the message")),
    }
}
