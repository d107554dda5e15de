//! Everything that is not plain data goes through serde, in a format that describes itself. Relies
//! on the writer and reader.
//!
//! `format` says what the bytes are. Writing: `ser` → `compound` → `encoder`, with `packed`,
//! `shapes`, `handles`, `paths`. Reading: `de` → `decoder`, with `access`, `body`, `numbers`,
//! `any`. `depth` keeps both from the end of the stack; `primitive` is where bincode writes
//! numbers.
//!
//! A sender finds out by itself what a reader would refuse: the first value of a type, of a list of
//! names, and each with something that serde cannot buffer, is decoded again from its own bytes
//! (`rehearse`) before it leaves.

use std::any::type_name;
use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Reader, Writer};
use crate::error::{Error, Kind};
use decoder::Decoder;
use depth::Depth;
use encoder::{Encoder, Side};
use fault::Fault;

mod access;
mod any;
mod body;
mod compound;
mod de;
mod decoder;
mod depth;
mod encoder;
mod fault;
mod format;
mod handles;
mod numbers;
mod packed;
pub(crate) mod paths;
mod primitive;
mod ser;
mod shapes;

/// What is decoded from a private copy on the stack; longer messages get one on the heap.
const ON_STACK: usize = 512;

/// Appends `value`, which is read back as an `R`.
#[inline]
pub(crate) fn put<T, R>(value: &T, out: &mut Writer<'_>) -> Result<(), Error>
where
    T: Serialize + ?Sized,
    R: DeserializeOwned,
{
    let start = out.len();
    let mut side = Side::new(out);
    let mut encoder = Encoder::new(&mut side);
    let done = encoder.nested(value);
    if done.is_ok()
        && !encoder.side.is_remarkable()
        && !encoder.was_interrupted()
        && is_checked::<R>()
    {
        encoder.finish();
        return Ok(());
    }
    look_closer::<T, R>(value, start, done, encoder)
}

/// The end of [`put`] where something has to be looked at.
#[cold]
#[inline(never)]
fn look_closer<T, R>(
    value: &T,
    start: usize,
    done: Result<(), Fault>,
    mut encoder: Encoder<'_, '_>,
) -> Result<(), Error>
where
    T: Serialize + ?Sized,
    R: DeserializeOwned,
{
    let done = done.and_then(|()| encoder.side.failed.take().map_or(Ok(()), Err));
    let done = done.and_then(|()| match encoder.was_interrupted() {
        true => Err(Fault::new("a part of it panicked while it was written")),
        false => Ok(()),
    });
    let done = done.and_then(|()| match encoder.side.is_doubtful(is_checked::<R>()) {
        true => rehearse::<T, R>(value, start, &mut encoder),
        false => Ok(()),
    });
    if let Err(mut fault) = done {
        // serde's own words for a path that another attribute stands before.
        if fault.text() == "path contains invalid UTF-8 characters" {
            fault.note(encoder::PATH_ADVICE);
        }
        let what = format!("`{}` cannot be encoded", type_name::<T>());
        return Err(fault.into_error(Kind::Encode, &what));
    }
    let (held, out) = encoder.finish_with_held();
    for held in held {
        out.hold(&held, true)?;
    }
    Ok(())
}

/// Decodes again what was written, so that what the reader would refuse is the sender's error.
fn rehearse<T, R>(value: &T, start: usize, encoder: &mut Encoder<'_, '_>) -> Result<(), Fault>
where
    T: Serialize + ?Sized,
    R: DeserializeOwned,
{
    let bytes = encoder.copy_from(start);
    let end = encoder.used();
    let read_back = || {
        read::<R>(&bytes, 0, true).map(|(again, used)| {
            drop(again);
            used
        })
    };
    match catch_unwind(AssertUnwindSafe(read_back)) {
        Ok(Ok(used)) if used == bytes.len() => {}
        Ok(Ok(used)) => {
            let text = format!(
                "of the {} bytes that it writes it reads {used}",
                bytes.len()
            );
            return Err(Fault::new(text));
        }
        // Handles are not taken for a rehearsal, so nothing is known of what is behind the first. A
        // bare one is all that there is.
        Ok(Err(refused)) if refused.met_handle => {
            if encoder.side.unchecked.is_empty() {
                set_checked::<R>();
            }
            return Ok(());
        }
        // Where it is read, it may panic or not; its own panic when it is dropped is of no use.
        Err(payload) => {
            std::mem::forget(payload);
            return Ok(());
        }
        Ok(Err(mut refused)) => {
            if refused.hint.is_some() {
                // Where is what serde cannot buffer?
                encoder.side.stops_at_wide = true;
                let found = encoder.nested(value).err();
                if let Some(found) = found.filter(|found| !found.is_here()) {
                    return Err(found);
                }
                encoder.rewind(end);
            }
            refused.fault.before("what it writes cannot be read back: ");
            return Err(refused.explained());
        }
    }
    encoder.side.all_checked();
    set_checked::<R>();
    Ok(())
}

/// Decodes one value and goes on behind it.
#[inline]
pub(crate) fn get<T: DeserializeOwned>(from: &mut Reader<'_>) -> Result<T, Error> {
    let mut stack = [MaybeUninit::uninit(); ON_STACK];
    let heap;
    let bytes = if from.is_trusted() {
        from.clone().borrow(from.remaining())?
    } else if let Some(bytes) = from.peek_rest(&mut stack) {
        bytes
    } else {
        heap = from.clone().copy_bytes(from.remaining())?;
        &heap
    };
    match read(bytes, from.block(), false) {
        Ok((value, used)) => {
            from.skip(used)?;
            Ok(value)
        }
        Err(refused) => Err(refused.into_error::<T>()),
    }
}

/// Why a value cannot be read.
struct Refused {
    fault: Fault,
    met_handle: bool,
    hint: Option<&'static str>,
}

impl Refused {
    fn explained(mut self) -> Fault {
        if let Some(hint) = self.hint {
            self.fault.note(hint);
        }
        self.fault
    }

    #[cold]
    #[inline(never)]
    fn into_error<T>(self) -> Error {
        let what = format!("`{}` cannot be decoded", type_name::<T>());
        self.explained().into_error(Kind::Decode, &what)
    }
}

/// A value, and how many bytes it took; or why there is none.
#[inline]
fn attempt<T: DeserializeOwned>(
    bytes: &[u8],
    decoder: &mut Decoder<'_>,
) -> Result<(T, usize), Fault> {
    match T::deserialize(&mut *decoder) {
        Ok(value) if decoder.lost.is_none() && decoder.depth.is_at_top() => {
            let mut used = decoder.read_of(bytes);
            if used == 0 {
                // The reader has taken nothing of it.
                decoder.skip()?;
                used = decoder.read_of(bytes);
            }
            Ok((value, used))
        }
        Ok(_) => Err(decoder.lost.take().unwrap_or_else(interrupted)),
        Err(fault) => Err(fault),
    }
}

#[cold]
fn interrupted() -> Fault {
    Fault::new("a part of it panicked while it was read")
}

/// The value in a message.
#[inline]
fn read<T: DeserializeOwned>(
    bytes: &[u8],
    block: u64,
    is_rehearsal: bool,
) -> Result<(T, usize), Box<Refused>> {
    let mut decoder = Decoder::new(bytes, block, Depth::new());
    decoder.is_rehearsal = is_rehearsal;
    match attempt(bytes, &mut decoder) {
        Ok(read) => Ok(read),
        Err(fault) => read_again(bytes, fault, &mut decoder),
    }
}

/// Tries again on a larger stack, where the value needs one.
#[cold]
#[inline(never)]
fn read_again<'b, T: DeserializeOwned>(
    bytes: &'b [u8],
    mut fault: Fault,
    decoder: &mut Decoder<'b>,
) -> Result<(T, usize), Box<Refused>> {
    let depth = decoder.depth.clone();
    // One part may be deeper than the one that asked first.
    let mut tried = 0;
    while decoder.needs_levels > tried {
        tried = decoder.needs_levels;
        let again = depth::with_levels(tried, |stack| {
            *decoder = decoder.again(bytes, depth.again_on(stack));
            attempt(bytes, decoder)
        });
        match again {
            Ok(read) => return Ok(read),
            Err(again) => fault = again,
        }
    }
    Err(Box::new(Refused {
        fault,
        met_handle: decoder.met_handle,
        hint: decoder.hint,
    }))
}

/// The types of which a value has been rehearsed, by the code that reads them.
static CHECKED: [AtomicUsize; 256] = [const { AtomicUsize::new(0) }; 256];
static ALL_CHECKED: Mutex<Option<HashSet<usize>>> = Mutex::new(None);

/// Types whose readers are one piece of code are read alike.
#[inline(always)]
fn reader_of<R: DeserializeOwned>() -> usize {
    (read_again::<R> as for<'d> fn(&'static [u8], _, &'d mut Decoder<'static>) -> _) as usize
}

#[inline(always)]
fn is_checked<R: DeserializeOwned>() -> bool {
    let reader = reader_of::<R>();
    CHECKED[reader / 16 % CHECKED.len()].load(Ordering::Relaxed) == reader
        || is_among_checked(reader)
}

#[cold]
#[inline(never)]
fn is_among_checked(reader: usize) -> bool {
    let all = ALL_CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_checked = all.as_ref().is_some_and(|all| all.contains(&reader));
    if is_checked {
        CHECKED[reader / 16 % CHECKED.len()].store(reader, Ordering::Relaxed);
    }
    is_checked
}

fn set_checked<R: DeserializeOwned>() {
    let mut all = ALL_CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    all.get_or_insert_default().insert(reader_of::<R>());
}
