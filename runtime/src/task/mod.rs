//! Tasks: the trait `#[mp::task]` implements, the table of all tasks of the program, and how a batch of one is run.
//!
//! Relies on the codec and the error type. Generated code is small: whatever it does is an ordinary function here
//! (`trampoline`, `params`, `reduce`), reached through `__private`.

mod encode;
mod input;
mod panic;
mod params;
mod reduce;
mod report;
mod returned;
mod table;
mod test_entry;
mod trampoline;

use crate::codec::OwnedTag;
use crate::error::Failure;

pub(crate) use encode::{
    decode_output, decode_outputs, encode_input, encode_item, input_hint, item_hint,
};
pub use input::{IntoArg, IntoInput, Items};
pub(crate) use panic::{install_panic_hook, panicked};
pub use params::ParamTuple;
pub(crate) use params::{ParamsCodec, Refs};
pub use reduce::Reducer;
pub(crate) use report::Report;
pub(crate) use returned::MainReturn;
pub(crate) use table::Entry;
pub(crate) use table::{defaults, fixed_in, fixed_out, index_of, name_at, name_of, table};
pub(crate) use test_entry::{TestEntry, find_test};
pub(crate) use trampoline::{Batch, Stop};

/// A function that can be called here and run in other processes: what [`#[mp::task]`](macro@crate::task) makes.
///
/// Implemented by that attribute only; its hidden items change without notice.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "not a task",
    note = "put `#[mp::task]` on the function, and hand over its name alone: `square`, not `*square`",
    note = "a closure cannot be a task: write a function, and pass what the closure captures as an argument"
)]
pub trait Task: Copy + Send + Sync + 'static {
    /// What one call takes: the bare argument of one parameter, a tuple of several, `()`.
    type Input<'a>;
    /// The parameters, always a tuple.
    type Params<'a>: ParamTuple;
    /// What one call gives; of a task that can fail (`Result<T, mp::Failure>`), the `T`.
    type Output: 'static;
    /// What a worker builds once and lends to every call; `()` so far.
    type State: 'static;

    /// The task's row in the table.
    #[doc(hidden)]
    fn entry() -> &'static Entry;

    /// The parts of the input, by reference.
    #[doc(hidden)]
    fn refs<'r, 'a>(input: &'r Self::Input<'a>) -> Refs<'r, Self::Params<'a>>;

    /// How the parameters are encoded.
    #[doc(hidden)]
    fn codec() -> impl Codec<Self>;

    /// How the result is encoded.
    #[doc(hidden)]
    fn result() -> impl ResultTag<Self>;

    /// The task as something that folds two results into one, where it is that.
    #[doc(hidden)]
    fn reducer() -> Option<reduce::Reduce> {
        None
    }

    /// The call.
    #[doc(hidden)]
    fn invoke(params: Self::Params<'_>) -> Result<Self::Output, Failure>;
}

/// The tags of the parameters of `T`.
#[doc(hidden)]
pub trait Codec<T: Task>: for<'a> ParamsCodec<Params<'a> = <T as Task>::Params<'a>> {}

#[diagnostic::do_not_recommend]
impl<T, C> Codec<T> for C
where
    T: Task,
    C: for<'a> ParamsCodec<Params<'a> = <T as Task>::Params<'a>>,
{
}

/// The tag of the result of `T`.
#[doc(hidden)]
pub trait ResultTag<T: Task>: OwnedTag<Value = <T as Task>::Output> {}

#[diagnostic::do_not_recommend]
impl<T: Task, G: OwnedTag<Value = T::Output>> ResultTag<T> for G {}

/// What expanded code names; `lib.rs` re-exports it in its own `__private`.
#[doc(hidden)]
pub(crate) mod __private {
    pub use super::params::{ParamTuple, ParamsCodec, Refs};
    pub use super::reduce::{Reduce, ReduceProbe};
    pub use super::returned::{
        AnyResult, MainResult, Outcome, done, error_of, failed, failure, no_parameters, parameter,
        result,
    };
    pub use super::table::{Entry, Registered};
    pub use super::test_entry::{RegisteredTest, TestEntry};
    pub use super::{Codec, ResultTag};
    pub use inventory;
    pub use std::process::ExitCode;

    /// The levels of the probe as methods only: no name of theirs can be taken for one of the user's.
    pub mod levels {
        pub use crate::codec::__private::levels::{
            Level1 as _, Level2 as _, Level3 as _, Level4 as _, Level5 as _, Level6 as _,
        };
    }

    /// Likewise for the probe of reducers.
    pub mod reduce_levels {
        pub use crate::task::reduce::{Folds as _, FoldsNot as _};
    }
}

#[cfg(test)]
mod tests;
