//! Tags of `Cow`: borrowed where a reference to the same would be lent in place, owned otherwise. Rely on `view`.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::mem::take;
use std::path::{Path, PathBuf};

use super::Tag;
use super::owned::tag_type;
use super::view::{OsView, PathView, Slice, Str};
use crate::codec::{Plain, Reader, Writer};
use crate::error::Error;

/// One tag: its values are put, got and held as those of `$view` are.
macro_rules! cow {
    ($(#[$doc:meta])* $tag:ident $(<$param:ident>)?, $borrowed:ty, $view:ty, $held:ident => $lent:expr) => {
        tag_type! { $(#[$doc])* $tag $(<$param>)? }

        impl $(<$param: Plain>)? Tag for $tag $(<$param>)? {
            type Of<'a> = Cow<'a, $borrowed>;
            type Held<'m> = <$view as Tag>::Held<'m>;
            const FIXED: Option<usize> = None;
            const MAY_HOLD: bool = <$view>::MAY_HOLD;

            #[inline]
            fn hint(self, value: &Self::Of<'_>) -> usize {
                <$view>::default().hint(&&**value)
            }

            #[inline]
            fn put(self, value: &Self::Of<'_>, out: &mut Writer<'_>) -> Result<(), Error> {
                <$view>::default().put(&&**value, out)
            }

            #[inline]
            fn get<'m>(self, from: &mut Reader<'m>) -> Result<Self::Held<'m>, Error> {
                <$view>::default().get(from)
            }

            #[inline]
            fn lend<'h, 'm: 'h>(self, $held: &'h mut Self::Held<'m>) -> Self::Of<'h> {
                $lent
            }
        }
    };
}

cow!(
    /// A `Cow<'_, str>`.
    CowText, str, Str, held => take(held)
);

cow!(
    /// A `Cow<'_, [T]>` of plain values.
    CowBlock<T>, [T], Slice<T>, held => take(held)
);

cow!(
    /// A `Cow<'_, OsStr>`.
    CowOs, OsStr, OsView, held => take(held)
);

cow!(
    /// A `Cow<'_, Path>`.
    CowPath, Path, PathView, held => match take(held) {
        Cow::Borrowed(name) => Cow::Borrowed(Path::new(name)),
        Cow::Owned(name) => Cow::Owned(PathBuf::from(name)),
    }
);
