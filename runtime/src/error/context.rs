//! What makes writing failures short: [`Context`], and the macros `bail!` and `ensure!`. Relies on
//! `failure` and on the levels, so that the macros take an error of any type.

use std::error::Error as StdError;
use std::fmt::Display;

use super::Failure;

/// Says what was being done when something failed: `.context(…)` of a `Result` or an `Option` makes
/// the error an [`mp::Failure`](Failure) with the text first and the error as its cause.
///
/// It takes the errors that `?` takes, and boxes that are `Send`. `Form` only tells these apart:
/// let it be inferred.
///
/// ```
/// use mp::Context as _;
///
/// #[mp::task]
/// fn port(line: &str) -> Result<u16, mp::Failure> {
///     let text = line.strip_prefix("port=").context("no port is given")?;
///     text.parse().with_context(|| format!("`{text}` is no port"))
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(port.run("port=80")?, 80);
/// assert_eq!(port.run("").unwrap_err().message(), "no port is given");
/// let error = port.run("port=x").unwrap_err();
/// assert_eq!(error.message(), "`x` is no port");
/// let cause = std::error::Error::source(&error).unwrap();
/// assert_eq!(cause.to_string(), "invalid digit found in string");
/// # Ok(())
/// # }
/// ```
pub trait Context<T, Form>: Sized {
    /// The value, or a failure that says `context`.
    ///
    /// # Errors
    ///
    /// Where this was an error or `None`.
    ///
    /// ```
    /// use mp::Context as _;
    ///
    /// let failure = "x".parse::<u8>().context("reading the age").unwrap_err();
    /// assert_eq!(failure.message(), "reading the age");
    /// assert_eq!(failure.causes(), ["invalid digit found in string"]);
    /// ```
    fn context<C: Display>(self, context: C) -> Result<T, Failure> {
        self.with_context(|| context)
    }

    /// The value, or a failure with the text that `context` gives; it is asked only where there is
    /// no value.
    ///
    /// # Errors
    ///
    /// Where this was an error or `None`.
    ///
    /// ```
    /// use mp::Context as _;
    ///
    /// let first = [1, 2].first().with_context(|| unreachable!("there is one") as &str);
    /// assert_eq!(first.unwrap(), &1);
    /// ```
    fn with_context<C: Display, F: FnOnce() -> C>(self, context: F) -> Result<T, Failure>;
}

// One impl for all `Result`s, so that what `parse` gives is inferred through it.
impl<T, E: Fails<Form>, Form> Context<T, Form> for Result<T, E> {
    #[inline]
    fn with_context<C: Display, F: FnOnce() -> C>(self, context: F) -> Result<T, Failure> {
        self.map_err(|error| error.fail().context(context()))
    }
}

impl<T> Context<T, Absent> for Option<T> {
    #[inline]
    fn with_context<C: Display, F: FnOnce() -> C>(self, context: F) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::new(context().to_string()))
    }
}

/// There is no error.
#[derive(Debug)]
pub enum Absent {}

/// An error that `?` takes.
#[derive(Debug)]
pub enum Taken {}

/// A box that it does not take.
#[derive(Debug)]
pub enum Boxed {}

/// What can be given a context. `Form` tells the impls apart that coherence would not let stand
/// side by side.
pub trait Fails<Form> {
    /// The failure that says the same.
    fn fail(self) -> Failure;
}

impl<E: Into<Failure>> Fails<Taken> for E {
    fn fail(self) -> Failure {
        self.into()
    }
}

impl Fails<Boxed> for Box<dyn StdError + Send + '_> {
    fn fail(self) -> Failure {
        Failure::from_boxed(self)
    }
}

impl Fails<Boxed> for Box<dyn StdError + Send + Sync + '_> {
    fn fail(self) -> Failure {
        Failure::from_boxed(self)
    }
}

/// Returns an [`mp::Failure`](Failure) from the function: of a text with arguments as `format!`
/// takes them, or of an error of any type.
///
/// The function returns a `Result` whose error is a `Failure`. Python: `raise`.
///
/// ```
/// #[mp::task]
/// fn root(x: f64) -> Result<f64, mp::Failure> {
///     if x < 0.0 {
///         mp::bail!("{x} has no root");
///     }
///     Ok(x.sqrt())
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(root.run(4.0)?, 2.0);
/// assert_eq!(root.run(-1.0).unwrap_err().message(), "-1 has no root");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! bail {
    ($text:literal $(,)?) => {
        return ::core::result::Result::Err($crate::Failure::new(::std::format!($text)))
    };
    ($error:expr $(,)?) => {
        return ::core::result::Result::Err(match $error {
            __mp_error => {
                use $crate::__private::Way as _;
                use $crate::__private::error_levels::*;
                (&&&&&&&$crate::__private::ErrorProbe::of(&__mp_error))
                    .failure_way()
                    .failure(__mp_error)
            }
        })
    };
    ($format:expr, $($arguments:tt)*) => {
        return ::core::result::Result::Err(
            $crate::Failure::new(::std::format!($format, $($arguments)*)),
        )
    };
}

/// Returns an [`mp::Failure`](Failure) from the function unless a condition holds: with what
/// [`bail!`](crate::bail) would take after it, or else with the condition as its text.
///
/// Python: `if not …: raise`.
///
/// ```
/// #[mp::task]
/// fn mean(xs: &[f64]) -> Result<f64, mp::Failure> {
///     mp::ensure!(!xs.is_empty(), "there are no numbers");
///     mp::ensure!(xs.iter().all(|x| x.is_finite()));
///     Ok(xs.iter().sum::<f64>() / xs.len() as f64)
/// }
///
/// # fn main() -> mp::Result<()> {
/// assert_eq!(mean.run(&[1.0, 3.0])?, 2.0);
/// assert_eq!(mean.run(&[]).unwrap_err().message(), "there are no numbers");
/// let error = mean.run(&[f64::NAN]).unwrap_err();
/// assert_eq!(error.message(), "Condition failed: `xs.iter().all(|x| x.is_finite())`");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err($crate::Failure::new(::core::concat!(
                "Condition failed: `",
                ::core::stringify!($condition),
                "`"
            )));
        }
    };
    ($condition:expr, $($failure:tt)+) => {
        if !$condition {
            $crate::bail!($($failure)+);
        }
    };
}
