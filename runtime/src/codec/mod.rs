//! Bytes: how arguments and results are written into memory and read back. Relies on the error type, the heap and `sys::advice`.
//!
//! A parameter's type chooses its *tag* when the program is compiled ([`probe::Probe`]); the tag, of no size, knows how such
//! values are put and got ([`Tag`]). Plain data go as raw bytes, text and paths as bytes, all else through serde.
//!
//! A message is one item (*bare*), or items back to back where each has the same size (*fixed*), or *frames*: a head of 16
//! bytes (the length as `u64`, a zero word), the payload, zeroes up to a multiple of 16. Inside a message values follow
//! each other without heads of their own; a block of plain data is a count (`u64`), zeroes up to its alignment (at most
//! 16, relative to the begin of the message), and its bytes.

mod block;
mod plain;
mod probe;
mod reader;
mod serial;
mod tag;
mod vec_store;
mod writer;

pub(crate) use block::{BlockStore, Holds, Parcel, Room};
pub use plain::Plain;
pub(crate) use plain::scrub_value;
pub(crate) use reader::{Reader, vec_with_room};
pub(crate) use serial::paths;
pub(crate) use tag::{Block, OwnedTag, Serde, Tag, Text};
pub(crate) use vec_store::VecStore;
pub(crate) use writer::{FRAME_HEAD, Store, Writer};

/// What expanded code names; `lib.rs` re-exports it in its own `__private`.
#[doc(hidden)]
pub(crate) mod __private {
    pub use super::plain::{Plain, Scrub, plain_value, valid_field};
    pub(crate) use super::probe::levels;
    pub use super::probe::{Probe, Travels};
    pub use super::reader::Reader;
    pub use super::tag::{OwnedTag, Tag};
    pub use super::writer::Writer;

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::{Serde, VecStore};
    use crate::error::Error;

    /// Memory that values are encoded into one after the other: for benches and fuzzing.
    #[derive(Default)]
    pub struct Encoded(VecStore);

    impl Encoded {
        /// The bytes of a value that goes through serde.
        #[inline]
        pub fn put<T: Serialize + DeserializeOwned + 'static>(
            &mut self,
            value: &T,
        ) -> Result<&[u8], Error> {
            let mut out = Writer::new(&mut self.0);
            out.reserve(64)?;
            Serde::<T>::default().put(value, &mut out)?;
            let len = out.len();
            Ok(self.0.bytes(len))
        }
    }

    /// The bytes of a value that goes through serde.
    pub fn encode_bytes<T: Serialize + DeserializeOwned + 'static>(
        value: &T,
    ) -> Result<Vec<u8>, Error> {
        Encoded::default().put(value).map(<[u8]>::to_vec)
    }

    /// The value of such bytes, which may be any.
    pub fn decode_bytes<T: Serialize + DeserializeOwned + 'static>(
        bytes: &[u8],
    ) -> Result<T, Error> {
        Serde::<T>::default().get_owned(&mut Reader::from_slice(bytes))
    }
}

#[cfg(test)]
mod tests;
