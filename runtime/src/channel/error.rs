//! What a failed put gives back. Relies on the error type.

use std::fmt;

use crate::error::{Error, Kind};

/// A value that could not be sent or put, with the reason. Nothing was enqueued, and the value is as it was: a
/// [`Receiver`](crate::Receiver) in it receives here still.
///
/// Becomes an [`mp::Error`](crate::Error) by `?`, which drops the value.
///
/// ```
/// mp::main! {
///     let (sender, receiver) = mp::pipe::<String>()?;
///     drop(receiver);
///     let refused = sender.send("for nobody".to_string()).unwrap_err();
///     assert!(refused.error().is_closed());
///     assert_eq!(refused.into_value(), "for nobody");
/// }
/// ```
pub struct SendError<T> {
    value: T,
    error: Error,
    full: bool,
}

impl<T> SendError<T> {
    pub(super) fn new(value: T, error: Error) -> Self {
        SendError {
            value,
            error,
            full: false,
        }
    }

    /// There was no room for it, now or in the time that was given.
    pub(super) fn full(value: T, error: Error) -> Self {
        SendError {
            value,
            error,
            full: true,
        }
    }

    /// The value.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Why it was not sent: `is_closed` (nobody can take it any more), `is_timeout` (no room), `is_encode`, `is_heap_full`.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// The value and the reason.
    pub fn into_parts(self) -> (T, Error) {
        (self.value, self.error)
    }

    /// Whether there was merely no room, and it may be tried again. As Python's `queue.Full`.
    pub fn is_full(&self) -> bool {
        self.full
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T> std::error::Error for SendError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl<T> From<SendError<T>> for Error {
    fn from(refused: SendError<T>) -> Error {
        refused.error
    }
}

/// The end of a channel: nothing more comes, or nobody takes it.
#[cold]
pub(super) fn closed(what: &str) -> Error {
    Error::new(Kind::Closed, what)
}

/// No room, or nothing there, in time.
#[cold]
pub(super) fn late(what: &str) -> Error {
    Error::new(Kind::Timeout, what)
}

/// Why nothing was sent.
pub(super) enum Refused {
    /// There is no room for it.
    Full,
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Error(error)
    }
}
