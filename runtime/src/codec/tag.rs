//! Tags: values of no size that know how one type of parameter or result is encoded. Rely on `writer`, `reader`, `serial`.
//!
//! Decoding is in two steps, because a parameter may be borrowed: `get` gives what is *held* for the time of the call, `lend`
//! makes the parameter of it. An owned value is moved out of its holder, a reference points into it or into the message.

use crate::error::Error;

mod cow;
mod lent;
mod owned;
mod unsupported;
mod view;

pub(super) use cow::{CowBlock, CowOs, CowPath, CowText};
pub(super) use lent::{LentPlain, LentSeq, LentValue};
pub(crate) use owned::{Block, Serde, Text};
pub(super) use owned::{Os, PathName, Raw};
pub(super) use unsupported::{Never, NeverRef};
pub(super) use view::{OsView, PathView, Slice, Str};

use super::{Reader, Writer};

/// How values of one type are put into a message and got from it.
pub trait Tag: Copy + Default + Send + Sync + 'static {
    /// The type of the parameter.
    type Of<'a>;
    /// What decoding yields, before it is lent.
    type Held<'m>;
    /// The encoded size, where it is the same for all values.
    const FIXED: Option<usize>;
    /// Whether a value may hold handles of shared objects. Values of a fixed size never do.
    const MAY_HOLD: bool = true;

    /// The bytes to reserve: the encoded size where it is known cheaply, else a guess.
    fn hint(self, value: &Self::Of<'_>) -> usize;

    /// Appends the value.
    fn put(self, value: &Self::Of<'_>, out: &mut Writer<'_>) -> Result<(), Error>;

    /// Decodes the value.
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Self::Held<'m>, Error>;

    /// Makes the parameter of what was decoded; once.
    fn lend<'h, 'm: 'h>(self, held: &'h mut Self::Held<'m>) -> Self::Of<'h>;
}

/// A tag of an owned type: what a task may return.
pub trait OwnedTag: for<'a> Tag<Of<'a> = Self::Value> {
    /// The type.
    type Value: 'static;

    /// Decodes the value itself.
    fn get_owned(self, from: &mut Reader<'_>) -> Result<Self::Value, Error>;

    /// Decodes `count` values that follow one another to the end of `out`; plain data by one copy.
    fn get_block(
        self,
        from: &mut Reader<'_>,
        count: usize,
        out: &mut Vec<Self::Value>,
    ) -> Result<(), Error> {
        for _ in 0..count {
            out.push(self.get_owned(from)?);
        }
        Ok(())
    }
}

/// A tag's name without its path and parameters, for tests.
#[cfg(test)]
pub(crate) fn name_of<G: Tag>(_: G) -> &'static str {
    let name = std::any::type_name::<G>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}
