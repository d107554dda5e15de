//! Checks that generated code calls, so that a wrong type is told on the user's own token and in our words: what a task
//! takes and returns, what `main` returns, what a test returns.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::process::Termination;

use crate::codec::__private::{Probe, Travels};
use crate::error::__private::{ErrorProbe, Way};
use crate::error::Failure;

/// A parameter's tag, if the parameter can travel. The probe comes first, so that the message names the type.
#[doc(hidden)]
#[inline]
pub fn parameter<T: ?Sized, G: Travels<T>>(_: &Probe<T>, tag: G) -> G {
    tag
}

/// The tags of no parameters.
#[doc(hidden)]
pub const fn no_parameters() {}

/// The tags of types that a task may return.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a task cannot return `{T}`: it cannot travel to another process",
    label = "cannot be sent",
    note = "a task that can fail returns `Result<T, mp::Failure>`, and `?` makes a `Failure` of any error; \
            a `Result` with an error of another type, or behind an alias, needs `#[mp::task(fallible)]`",
    note = "a value of your own derives `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Returned<T: ?Sized> {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized, G: Travels<T>> Returned<T> for G {}

/// A result's tag, if the result can travel.
#[doc(hidden)]
#[inline]
pub fn result<T: ?Sized, G: Returned<T>>(_: &Probe<T>, tag: G) -> G {
    tag
}

/// `mp::Failure` and nothing else.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is called `Failure`, but is not `mp::Failure`",
    label = "not `mp::Failure`",
    note = "a task's `Result` with `mp::Failure` gives the caller the value alone: with an error of your own, \
            say `#[mp::task(fallible)]` for the same, or `#[mp::task(fallible = false)]` to return it as a value"
)]
pub trait IsFailure {
    /// The failure itself.
    fn into_failure(self) -> Failure;
}

impl IsFailure for Failure {
    #[inline]
    fn into_failure(self) -> Failure {
        self
    }
}

/// What a task with `mp::Failure` returned, as the trampoline wants it.
#[doc(hidden)]
#[inline]
pub fn failure<T, E: IsFailure>(returned: Result<T, E>) -> Result<T, Failure> {
    returned.map_err(IsFailure::into_failure)
}

/// `std::result::Result`, under whatever alias.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a task fails by returning a `std::result::Result`, and `{Self}` is none",
    label = "not a `std::result::Result`",
    note = "`Result<T>`, and whatever `#[mp::task(fallible)]` returns, is taken for an alias of std's `Result`; \
            say `#[mp::task(fallible = false)]` to return another type as a value"
)]
pub trait AnyResult {
    /// What the caller gets.
    type Value;
    /// What fails the task.
    type Error;

    /// The result by its own name.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl<T, E> AnyResult for Result<T, E> {
    type Value = T;
    type Error = E;

    #[inline]
    fn into_result(self) -> Self {
        self
    }
}

/// Asks how the error of what a task returned becomes a failure.
#[doc(hidden)]
#[inline]
pub fn error_of<R: AnyResult>(_: &R) -> ErrorProbe<R::Error> {
    ErrorProbe::NEW
}

/// What a task with an error of any type returned, as the trampoline wants it.
#[doc(hidden)]
#[inline]
pub fn failed<R: AnyResult, W: Way<R::Error>>(returned: R, way: W) -> Result<R::Value, Failure> {
    returned.into_result().map_err(|error| way.failure(error))
}

/// What the function given to `mp::main!` may return.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`mp::main!` needs a function that returns `()`, `Result<(), E>` or an `ExitCode`, not `{Self}`",
    label = "returns `{Self}`",
    note = "an `async` function needs its runtime: `mp::main! {{ #[tokio::main] async fn main() {{ … }} }}`"
)]
pub trait MainReturn: Termination {}

#[diagnostic::do_not_recommend]
impl<T: Termination> MainReturn for T {}

/// What the statements of `mp::main!` return: `?` works on any error.
#[doc(hidden)]
pub type MainResult = Result<(), Box<dyn StdError>>;

/// The end of those statements.
#[doc(hidden)]
#[inline]
pub fn done() -> MainResult {
    Ok(())
}

/// What the body of a test came to: nothing, or the text of its error.
#[doc(hidden)]
pub struct Outcome(pub(super) Result<(), String>);

impl Outcome {
    /// Of what the body returned.
    pub fn of<R: TestReturn>(returned: R) -> Self {
        Outcome(returned.into_result())
    }
}

/// What the body of a `#[mp::test]` may return.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a test returns `()` or `Result<(), E>`, not `{Self}`",
    label = "returns `{Self}`"
)]
pub trait TestReturn {
    /// The text of the error, where it is one.
    fn into_result(self) -> Result<(), String>;
}

impl TestReturn for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Debug> TestReturn for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| format!("the test returned an error: {error:?}"))
    }
}
