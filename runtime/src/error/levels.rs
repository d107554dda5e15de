//! How an error of any type becomes a [`Failure`]: chosen by autoref specialisation, in expanded
//! code.
//!
//! An expansion asks `(&&&&&&&ErrorProbe::of(&error)).failure_way()`. The first level that fits the
//! type answers; the last takes every type, and the bound [`Way`] refuses it. Never in generic
//! code: there the choice follows the bounds that are visible, not the type.

use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::ops::Deref;

use super::Failure;

/// Asks how an `E` becomes a failure.
pub struct ErrorProbe<E>(PhantomData<fn(E)>);

impl<E> ErrorProbe<E> {
    /// The probe of the type of `error`.
    pub fn of(_: &E) -> Self {
        ErrorProbe(PhantomData)
    }

    /// The probe of a type that has no value yet.
    pub(crate) const NEW: Self = ErrorProbe(PhantomData);
}

/// A way from `E` to a failure.
#[diagnostic::on_unimplemented(
    message = "a task cannot fail with `{E}`: it is no error, and has no text",
    label = "no error",
    note = "a task that can fail returns `Result<T, mp::Failure>`, and `?` makes a `Failure` of any error",
    note = "or implement `std::error::Error`, `Display` or `Debug` for `{E}`"
)]
pub trait Way<E> {
    /// The failure that says what `error` says.
    fn failure(self, error: E) -> Failure;
}

macro_rules! level {
    ($(#[$doc:meta])* $level:ident
        $($way:ident [$($bounds:tt)*] $probe:ty, |$thrown:ident: $error:ty| $failure:expr;)*) => {
        $(#[$doc])*
        pub trait $level {
            /// The way.
            type Way;
            /// Gives the way.
            fn failure_way(&self) -> Self::Way;
        }
        $(
            /// The way of one kind of error.
            #[derive(Debug)]
            pub struct $way;

            impl<$($bounds)*> $level for $probe {
                type Way = $way;
                #[inline]
                fn failure_way(&self) -> $way {
                    $way
                }
            }

            #[diagnostic::do_not_recommend]
            impl<$($bounds)*> Way<$error> for $way {
                #[cold]
                fn failure(self, $thrown: $error) -> Failure {
                    $failure
                }
            }
        )*
    };
}

level! {
    /// A failure itself, and every error.
    Level1
    Same [] &&&&&&ErrorProbe<Failure>, |failure: Failure| failure;
    Error [E: StdError] &&&&&&ErrorProbe<E>, |error: E| Failure::told(&error);
}

level! {
    /// What has an error inside: `Box<dyn Error + …>`, `anyhow::Error`, `eyre::Report`.
    Level2
    Pointer [E: Deref<Target: StdError>] &&&&&ErrorProbe<E>, |error: E| Failure::from_boxed(error);
}

level! {
    /// What converts into an error that may go to other threads.
    Level3
    Boxed [E: Into<Box<dyn StdError + Send + Sync>>] &&&&ErrorProbe<E>,
        |error: E| Failure::from_boxed::<Box<dyn StdError + Send + Sync>>(error.into());
}

level! {
    /// What converts into an error that stays on its thread.
    Level4
    BoxedHere [E: Into<Box<dyn StdError>>] &&&ErrorProbe<E>,
        |error: E| Failure::from_boxed::<Box<dyn StdError>>(error.into());
}

level! {
    /// What has a text.
    Level5
    Text [E: Display] &&ErrorProbe<E>, |error: E| Failure::new(error.to_string());
}

level! {
    /// What has a text for programmers.
    Level6
    DebugText [E: Debug] &ErrorProbe<E>, |error: E| Failure::new(format!("{error:?}"));
}

/// What has no text at all.
pub trait Level7 {
    /// Gives what is no way, and is refused.
    fn failure_way(&self) -> NoWay;
}

/// No way.
#[derive(Debug)]
pub struct NoWay;

impl<E> Level7 for ErrorProbe<E> {
    fn failure_way(&self) -> NoWay {
        NoWay
    }
}
