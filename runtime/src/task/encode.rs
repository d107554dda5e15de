//! Arguments into bytes and results out of them, for whoever sends tasks. Relies on `input`, `params` and the codec.

use std::marker::PhantomData;

use super::input::{IntoInput, Sink};
use super::params::Refs;
use super::{Codec, Task};
use crate::codec::{OwnedTag, Reader, Writer};
use crate::error::{Error, Kind};

/// Appends the arguments of one call.
#[inline]
pub(crate) fn encode_input<T: Task>(
    input: &T::Input<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Error> {
    put_refs(T::codec(), PhantomData::<T>, T::refs(input), out)
}

/// The bytes to reserve for the arguments of one call.
#[inline]
pub(crate) fn input_hint<T: Task>(input: &T::Input<'_>) -> usize {
    hint_refs(T::codec(), PhantomData::<T>, T::refs(input))
}

/// Appends one item of a `map`.
#[inline]
pub(crate) fn encode_item<'a, T: Task, I: IntoInput<T::Params<'a>>>(
    item: &I,
    out: &mut Writer<'_>,
) -> Result<(), Error> {
    item.give(Put {
        codec: T::codec(),
        out,
        task: PhantomData::<&'a T>,
    })
}

/// The bytes to reserve for one item of a `map`.
#[inline]
pub(crate) fn item_hint<'a, T: Task, I: IntoInput<T::Params<'a>>>(item: &I) -> usize {
    item.give(Hint {
        codec: T::codec(),
        task: PhantomData::<&'a T>,
    })
}

/// The result of one call.
#[inline]
pub(crate) fn decode_output<T: Task>(from: &mut Reader<'_>) -> Result<T::Output, Error> {
    whole_output::<T, _>(T::result(), from)
}

/// A result, and nothing behind it.
#[inline]
fn whole_output<T: Task, G: OwnedTag<Value = T::Output>>(
    tag: G,
    from: &mut Reader<'_>,
) -> Result<T::Output, Error> {
    let output = tag.get_owned(from)?;
    match from.remaining() {
        left if G::FIXED.is_none() && left > 0 => Err(Error::new(
            Kind::Decode,
            format!("the type of the result leaves {left} bytes unread"),
        )),
        _ => Ok(output),
    }
}

/// `count` results that stand back to back; plain data by one copy.
#[inline]
pub(crate) fn decode_outputs<T: Task>(
    from: &mut Reader<'_>,
    count: usize,
    out: &mut Vec<T::Output>,
) -> Result<(), Error> {
    T::result().get_block(from, count, out)
}

#[inline]
fn put_refs<'r, 'a, T: Task, C: Codec<T>>(
    codec: C,
    _: PhantomData<T>,
    params: Refs<'r, T::Params<'a>>,
    out: &mut Writer<'_>,
) -> Result<(), Error>
where
    T::Params<'a>: 'r,
{
    codec.put(params, out)
}

#[inline]
fn hint_refs<'r, 'a, T: Task, C: Codec<T>>(
    codec: C,
    _: PhantomData<T>,
    params: Refs<'r, T::Params<'a>>,
) -> usize
where
    T::Params<'a>: 'r,
{
    codec.hint(params)
}

struct Put<'a, 'w, 's, T, C> {
    codec: C,
    out: &'w mut Writer<'s>,
    task: PhantomData<&'a T>,
}

impl<'a, T: Task, C: Codec<T>> Sink<T::Params<'a>> for Put<'a, '_, '_, T, C> {
    type Out = Result<(), Error>;

    #[inline]
    fn see<'r>(self, params: Refs<'r, T::Params<'a>>) -> Self::Out
    where
        T::Params<'a>: 'r,
    {
        self.codec.put(params, self.out)
    }
}

struct Hint<'a, T, C> {
    codec: C,
    task: PhantomData<&'a T>,
}

impl<'a, T: Task, C: Codec<T>> Sink<T::Params<'a>> for Hint<'a, T, C> {
    type Out = usize;

    #[inline]
    fn see<'r>(self, params: Refs<'r, T::Params<'a>>) -> usize
    where
        T::Params<'a>: 'r,
    {
        self.codec.hint(params)
    }
}
