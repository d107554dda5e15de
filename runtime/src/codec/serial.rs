//! Everything that is not plain data goes through serde: the one file that names bincode. Relies on `guard`, `writer`
//! and `reader`.
//!
//! The format is bincode's with fixed-width little-endian numbers; it is private, both ends are the same binary. Decoding needs
//! no byte limit of bincode's own: text and bytes are always taken by reference from a message whose length is
//! known (so a forged length finds nothing to allocate), and the guard bounds counts and depth.

use std::any::type_name;
use std::mem::MaybeUninit;

use bincode::config::{Configuration, Fixint, LittleEndian};
use bincode::error::{DecodeError, EncodeError};
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde::{Deserializer, Serialize, Serializer};

use super::guard::{self, Budget};
use super::{Reader, Writer};
use crate::error::{Error, Kind};

const CONFIG: Configuration<LittleEndian, Fixint> = bincode::config::legacy();

/// What is decoded from a private copy on the stack; longer messages get one on the heap.
const ON_STACK: usize = 512;

/// Appends `value`.
pub(crate) fn put<T: Serialize + ?Sized>(value: &T, out: &mut Writer<'_>) -> Result<(), Error> {
    let budget = Budget::unlimited();
    let start = out.len();
    let mut sink = Sink { out, error: None };
    let guarded = Guarded(value, &budget);
    match bincode::serde::encode_into_writer(guarded, &mut sink, CONFIG) {
        Ok(()) => {}
        Err(cause) => {
            let own = sink.error.take();
            return Err(own.unwrap_or_else(|| refused_encode::<T>(&cause)));
        }
    }
    // What the other end would refuse is refused here, where the value is known.
    if !budget.fits(out.len().saturating_sub(start)) {
        return Err(Error::new(
            Kind::Encode,
            format!(
                "`{}` has more elements without content than a message may hold",
                type_name::<T>()
            ),
        ));
    }
    for held in budget.into_held() {
        out.hold(&held)?;
    }
    Ok(())
}

/// Decodes one value and goes on behind it.
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
    let budget = Budget::of(bytes.len());
    let (value, used) = bincode::serde::seed_decode_from_slice(
        Seed(&budget, std::marker::PhantomData),
        bytes,
        CONFIG,
    )
    .map_err(|cause| refused_decode::<T>(&cause))?;
    from.skip(used)?;
    Ok(value)
}

/// A value on its way through the guard.
struct Guarded<'a, T: ?Sized>(&'a T, &'a Budget);

impl<T: Serialize + ?Sized> Serialize for Guarded<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        guard::serialize(self.0, serializer, self.1)
    }
}

struct Seed<'a, T>(&'a Budget, std::marker::PhantomData<T>);

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        guard::deserialize(deserializer, self.0)
    }
}

/// bincode's view of a [`Writer`]; keeps the error of the memory behind it.
struct Sink<'a, 's> {
    out: &'a mut Writer<'s>,
    error: Option<Error>,
}

impl bincode::enc::write::Writer for Sink<'_, '_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.out.put_bytes(bytes).map_err(|error| {
            self.error = Some(error);
            EncodeError::Other("no room")
        })
    }
}

#[cold]
fn refused_encode<T: ?Sized>(cause: &EncodeError) -> Error {
    let why = match cause {
        EncodeError::Other(text) => (*text).to_owned(),
        EncodeError::OtherString(text) => text.clone(),
        EncodeError::Serde(_) => {
            "a sequence or map must know its length before it is written (is there a `#[serde(flatten)]`?)".to_owned()
        }
        other => other.to_string(),
    };
    Error::new(
        Kind::Encode,
        format!("`{}` cannot be encoded: {why}", type_name::<T>()),
    )
}

#[cold]
fn refused_decode<T>(cause: &DecodeError) -> Error {
    let why = match cause {
        DecodeError::Other(text) => (*text).to_owned(),
        DecodeError::OtherString(text) => text.clone(),
        DecodeError::UnexpectedEnd { .. } => "the message ends too early".to_owned(),
        DecodeError::Utf8 { inner } => inner.to_string(),
        DecodeError::Serde(_) => {
            "it needs a format that describes itself (`#[serde(untagged)]`, `tag`, `flatten` and \
             `deserialize_any` do); values travel in one that does not"
                .to_owned()
        }
        other => other.to_string(),
    };
    Error::new(
        Kind::Decode,
        format!("`{}` cannot be decoded: {why}", type_name::<T>()),
    )
}
