//! Handles in serde's buffers: where a value is read out of a buffer (`untagged`, `tag`,
//! `flatten`), the types that the codec knows handles by are lost. There a handle is bytes that
//! mean something to one message only.
//!
//! Relies on `handle`. A thread-local names the message that is being decoded, for the time of that
//! decoding.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use serde::de::{Deserializer, Error as _, Visitor};

use super::handle::Held;
use crate::error::Error;

/// What stands in a buffer of serde's for a handle: the mark of the message that is being decoded,
/// and a number in it.
const SHOWN: usize = 24;

/// The message that this thread is decoding, as far as its handles may stand in buffers of serde's.
#[derive(Clone, Copy)]
struct Incoming {
    /// Made when a handle first goes into a buffer.
    mark: Option<[u8; 16]>,
    block: u64,
}

thread_local! {
    static INCOMING: Cell<Option<Incoming>> = const { Cell::new(None) };
    /// What the values in this message have taken over, of which there is one only.
    static TAKEN: RefCell<Vec<Arc<dyn Any + Send + Sync>>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, handles in serde's buffers are those of one message; of the one around it again
/// afterwards.
///
/// The mark is a fresh random number, so that bytes of another message, or of no message, are not
/// taken for handles.
pub(crate) struct Buffered {
    mark: Option<[u8; 16]>,
    block: u64,
    outer: Option<Incoming>,
    outer_taken: Vec<Arc<dyn Any + Send + Sync>>,
}

impl Buffered {
    /// Takes over something of which there is one, as `is_it` knows it again: serde may read a
    /// value out of its buffer several times until one type fits, and each time it is the same.
    pub(crate) fn take_once<T: Any + Send + Sync>(
        is_it: impl Fn(&T) -> bool,
        take: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Arc<T>, Error> {
        let is_buffered = INCOMING.try_with(|now| now.get().is_some()) == Ok(true);
        if !is_buffered {
            return take().map(Arc::new);
        }
        let known = TAKEN.try_with(|taken| {
            // One that a value still has is not given to another.
            let taken = taken.borrow();
            let free = taken.iter().filter(|one| Arc::strong_count(one) == 1);
            let mut known = free.cloned().filter_map(|one| one.downcast::<T>().ok());
            known.find(|one| is_it(one))
        });
        if let Ok(Some(known)) = known {
            return Ok(known);
        }
        let new = Arc::new(take()?);
        let kept: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&new);
        let _ = TAKEN.try_with(|taken| taken.borrow_mut().push(kept));
        Ok(new)
    }

    pub(crate) fn begin(block: u64) -> Self {
        let incoming = Some(Incoming { mark: None, block });
        let outer = INCOMING.try_with(|now| now.replace(incoming));
        Buffered {
            mark: None,
            block,
            outer: outer.ok().flatten(),
            outer_taken: TAKEN.try_with(RefCell::take).unwrap_or_default(),
        }
    }

    /// What the buffer is shown for the object with a number.
    pub(crate) fn shown(&mut self, number: u64) -> [u8; SHOWN] {
        let block = self.block;
        let mark = *self.mark.get_or_insert_with(|| {
            let mut mark = [0; 16];
            for half in mark.chunks_mut(8) {
                let random = std::hash::RandomState::new().build_hasher().finish();
                half.copy_from_slice(&random.to_le_bytes());
            }
            let mark_of = Some(Incoming {
                mark: Some(mark),
                block,
            });
            let _ = INCOMING.try_with(|now| now.set(mark_of));
            mark
        });
        let mut shown = [0; SHOWN];
        shown[..16].copy_from_slice(&mark);
        shown[16..].copy_from_slice(&number.to_le_bytes());
        shown
    }
}

impl Drop for Buffered {
    fn drop(&mut self) {
        let _ = INCOMING.try_with(|now| now.set(self.outer));
        let outer = std::mem::take(&mut self.outer_taken);
        // Dropped when it is not borrowed any more: what no value has kept is let go of.
        let taken = TAKEN.try_with(|taken| taken.replace(outer));
        drop(taken);
    }
}

/// The object whose handle stands in a buffer of serde's. `else_` is the error of what is none.
#[cold]
pub(super) fn held<'de, D: Deserializer<'de>>(
    from: D,
    else_: &'static str,
) -> Result<Arc<Held>, D::Error> {
    /// Takes what [`Buffered::shown`] gives.
    struct Shown(&'static str);

    impl Visitor<'_> for Shown {
        type Value = [u8; SHOWN];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            bytes.try_into().map_err(|_| E::custom(self.0))
        }
    }

    let shown = from.deserialize_bytes(Shown(else_))?;
    let (mark, number) = shown.split_at(16);
    let incoming = INCOMING.try_with(Cell::get).ok().flatten();
    let incoming = incoming.filter(|incoming| incoming.mark.is_some_and(|its| its == mark));
    let number = number.try_into().map(u64::from_le_bytes);
    match (incoming, number) {
        (Some(incoming), Ok(number)) => {
            Held::named(incoming.block, number).map_err(|error| D::Error::custom(error.message()))
        }
        _ => Err(D::Error::custom(else_)),
    }
}
