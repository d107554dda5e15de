//! [`Failure`], the error that tasks return: a text and the texts of its causes, made of any error
//! there is.
//!
//! Coherence decides which errors `?` takes. One blanket impl is possible, and it is the one over
//! `Into<Box<dyn Error>>`: errors of every kind, text, `anyhow`, `eyre`. A box that is also `Send`
//! does not convert into a plain one in std, and a second impl for it would overlap;
//! [`Failure::from_boxed`] takes it.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Deref;

use super::{Error, Kind};

/// The error of a task: `?` makes it of nearly any error; its text and its causes travel to the
/// caller, where it arrives as an [`Error`] with [`is_task`](Error::is_task).
///
/// A task that returns `Result<T, mp::Failure>` gives the caller a plain `T`. `?` takes every
/// `std::error::Error`, `String`, `&str`, `Box<dyn Error>`, `anyhow::Error`, `eyre::Report`:
/// whatever converts into a `Box<dyn Error>`. Coherence leaves out a box that is `Send`:
/// `.map_err(mp::Failure::from_boxed)?`. `Failure` is no `std::error::Error` itself, or `?` could
/// not make it of all the types that are.
///
/// Python: the exception that a function raises in a worker.
///
/// ```
/// #[mp::task]
/// fn parse(text: &str) -> Result<u32, mp::Failure> {
///     if text.is_empty() {
///         return Err("there is no text".into());
///     }
///     Ok(text.parse()?)
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(parse.run("7")?, 7);
/// let error = parse.run("x").unwrap_err();
/// assert!(error.is_task());
/// assert_eq!(error.message(), "invalid digit found in string");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
}

impl Failure {
    /// A failure with a text of its own.
    ///
    /// ```
    /// assert_eq!(mp::Failure::new("no such row").message(), "no such row");
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            causes: Vec::new(),
        }
    }

    /// A failure of an error of any kind in a box (or in another pointer), for those that `?`
    /// cannot take by itself.
    ///
    /// ```
    /// type AnyError = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// fn read() -> Result<u32, AnyError> {
    ///     Ok("x".parse()?)
    /// }
    ///
    /// #[mp::task]
    /// fn load() -> Result<u32, mp::Failure> {
    ///     read().map_err(mp::Failure::from_boxed)
    /// }
    ///
    /// assert_eq!(load().unwrap_err().message(), "invalid digit found in string");
    /// ```
    pub fn from_boxed<P: Deref<Target: StdError>>(error: P) -> Self {
        Failure::told(&*error)
    }

    /// The failure with a text before it; the text it had becomes the nearest cause.
    ///
    /// ```
    /// let failure = mp::Failure::new("the disk is full").context("saving the table");
    /// assert_eq!(failure.message(), "saving the table");
    /// assert_eq!(failure.causes(), ["the disk is full"]);
    /// ```
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        let cause = std::mem::replace(&mut self.message, context.to_string());
        self.causes.insert(0, cause);
        self
    }

    /// A failure with the texts of its causes, the nearest first.
    pub(crate) fn with_causes(message: String, causes: Vec<String>) -> Self {
        Failure { message, causes }
    }

    /// What `error` says, and what its sources say.
    pub(super) fn told<E: StdError + ?Sized>(error: &E) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        Failure::with_causes(error.to_string(), causes)
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The texts of the causes, the nearest first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// The same as a chain of `std::error::Error`, for `source`.
    pub(crate) fn into_error(self) -> Error {
        let mut chain: Option<Cause> = None;
        for text in self.causes.into_iter().rev() {
            chain = Some(Cause {
                text,
                next: chain.map(Box::new),
            });
        }
        let error = Error::new(Kind::Task, self.message);
        match chain {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}

/// What `?` turns into a [`Failure`]: everything that converts into a `Box<dyn Error>`.
///
/// rustc prints the label alone where a `?` is refused, so the label says what to write.
#[diagnostic::on_unimplemented(
    message = "no `mp::Failure` can be made of `{Self}` by itself",
    label = "write `.map_err(mp::Failure::from_boxed)?` for a box, \
             `.map_err(|error| mp::Failure::new(…))?` for what has a text"
)]
pub trait IntoFailure {
    /// The failure that says the same.
    #[doc(hidden)]
    fn into_failure(self) -> Failure;
}

#[diagnostic::do_not_recommend]
impl<'a, E: Into<Box<dyn StdError + 'a>>> IntoFailure for E {
    #[cold]
    fn into_failure(self) -> Failure {
        let error: Box<dyn StdError + 'a> = self.into();
        Failure::told(&*error)
    }
}

impl<E: IntoFailure> From<E> for Failure {
    fn from(error: E) -> Self {
        error.into_failure()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        Ok(())
    }
}

/// One link of a failure's causes, after they have travelled as text.
#[derive(Debug)]
struct Cause {
    text: String,
    next: Option<Box<Cause>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}
