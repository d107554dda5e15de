//! Which tag a type gets: the compiler chooses by autoref specialisation, once per parameter, in expanded code.
//!
//! Relies on the tags. An expansion writes, for each parameter type (with its lifetimes elided or `'_`) and for the result:
//!
//! ```text
//! { use ::mp::__private::levels::*; (&&&&&&::mp::__private::Probe::<$ty>::NEW).tag() }
//! ```
//!
//! with six `&`: a level is a trait for `&…&Probe<…>`, and method look-up tries the one with most `&` first. The last
//! level takes every type; a function with the bound [`Travels`] (the probe its first argument, so that the message
//! names the type) then refuses it with a message of its own. Never in generic code: there the choice
//! follows the bounds that are visible, not the type.

use std::marker::PhantomData;

/// Asks for the tag of `T`.
pub struct Probe<T: ?Sized>(PhantomData<fn(&T) -> &T>);

impl<T: ?Sized> Probe<T> {
    /// The only value.
    pub const NEW: Self = Probe(PhantomData);
}

/// The tags of types that may travel; all except those of the last two levels.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot travel to another process",
    label = "cannot be sent",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or pass something that is owned"
)]
pub trait Travels<T: ?Sized> {}

/// The levels, the first tried first.
pub(crate) mod levels {
    use std::borrow::Cow;
    use std::ffi::{OsStr, OsString};
    use std::path::{Path, PathBuf};

    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::{Probe, Travels};
    use crate::codec::Plain;
    use crate::codec::tag::*;

    macro_rules! level {
        ($(#[$doc:meta])* $level:ident $refs:tt $([$($bounds:tt)*] $probed:ty => $tag:ty;)*) => {
            $(#[$doc])*
            pub trait $level {
                /// The tag of the probed type.
                type Tag;
                /// Gives the tag of the probed type.
                fn tag(&self) -> Self::Tag;
            }
            $(level!{ @one $level $refs [$($bounds)*] $probed => $tag })*
        };
        (@one $level:ident [& $($refs:tt)*] [$($bounds:tt)*] $probed:ty => $tag:ty) => {
            level!{ @one $level [$($refs)*] [$($bounds)*] & $probed => $tag }
        };
        (@one $level:ident [] [$($bounds:tt)*] $probed:ty => $tag:ty) => {
            impl<$($bounds)*> $level for $probed {
                type Tag = $tag;
                #[inline]
                fn tag(&self) -> $tag {
                    Default::default()
                }
            }
        };
    }

    level! {
        /// Plain data, blocks of it, text and paths, and views of them.
        Level1 [& & & & &]
        [T: Plain] Probe<T> => Raw<T>;
        [T: Plain] Probe<Vec<T>> => Block<T>;
        [] Probe<String> => Text;
        [] Probe<OsString> => Os;
        [] Probe<PathBuf> => PathName;
        [T: Plain] Probe<&[T]> => Slice<T>;
        [] Probe<&str> => Str;
        [] Probe<&OsStr> => OsView;
        [] Probe<&Path> => PathView;
        [] Probe<Cow<'_, str>> => CowText;
        [] Probe<Cow<'_, OsStr>> => CowOs;
        [] Probe<Cow<'_, Path>> => CowPath;
        [T: Plain] Probe<Cow<'_, [T]>> => CowBlock<T>;
    }

    level! {
        /// References to plain data, blocks of it, text and paths.
        Level2 [& & & &]
        [T: Plain] Probe<&T> => LentPlain<T>;
        [T: Plain] Probe<&Vec<T>> => LentValue<Block<T>>;
        [] Probe<&String> => LentValue<Text>;
        [] Probe<&OsString> => LentValue<Os>;
        [] Probe<&PathBuf> => LentValue<PathName>;
    }

    level! {
        /// Whatever serde knows.
        Level3 [& & &]
        [T: Serialize + DeserializeOwned + 'static] Probe<T> => Serde<T>;
    }

    level! {
        /// References to whatever serde knows.
        Level4 [& &]
        [T: Serialize + DeserializeOwned + 'static] Probe<&T> => LentValue<Serde<T>>;
        [T: Serialize + DeserializeOwned + 'static] Probe<&[T]> => LentSeq<T>;
    }

    level! {
        /// References to what cannot travel.
        Level5 [&]
        [T: ?Sized] Probe<&T> => NeverRef<T>;
    }

    level! {
        /// What cannot travel.
        Level6 []
        [T] Probe<T> => Never<T>;
    }

    macro_rules! travels {
        ($([$($bounds:tt)*] $tag:ty;)*) => {$(
            #[diagnostic::do_not_recommend]
            impl<T: ?Sized, $($bounds)*> Travels<T> for $tag {}
        )*};
    }
    travels! {
        [U: Plain] Raw<U>;
        [U: Plain] Block<U>;
        [] Text;
        [] Os;
        [] PathName;
        [U: Plain] Slice<U>;
        [] Str;
        [] OsView;
        [] PathView;
        [] CowText;
        [] CowOs;
        [] CowPath;
        [U: Plain] CowBlock<U>;
        [U: Plain] LentPlain<U>;
        [G: OwnedTag] LentValue<G>;
        [U] Serde<U>;
        [U] LentSeq<U>;
    }
}
