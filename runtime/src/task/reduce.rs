//! Folding in the worker: a task `fn(T, T) -> T` takes two results as they are, nothing is encoded between them.

use std::any::Any;
use std::marker::PhantomData;

use super::Task;
use super::report::Report;
use crate::error::Failure;

/// A task that folds two values of `O` into one: `fn add(a: O, b: O) -> O`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not fold two values of `{O}` into one",
    label = "not a task `fn({O}, {O}) -> {O}`",
    note = "the task that folds takes two results by value and returns one: `#[mp::task] fn add(a: {O}, b: {O}) -> {O}`"
)]
pub trait Reducer<O>: Task<Output = O> {
    /// The call.
    #[doc(hidden)]
    fn fold(a: O, b: O) -> Result<O, Failure>;
}

#[diagnostic::do_not_recommend]
impl<O: 'static, T> Reducer<O> for T
where
    T: for<'a> Task<Params<'a> = (O, O), Output = O>,
{
    #[inline]
    fn fold(a: O, b: O) -> Result<O, Failure> {
        T::invoke((a, b))
    }
}

/// Folds the second of two `Option<O>` into the first.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Reduce(fn(&mut dyn Any, &mut dyn Any) -> Result<(), Report>);

impl Reduce {
    /// Leaves the first empty where folding fails.
    #[inline]
    pub(crate) fn fold(self, first: &mut dyn Any, second: &mut dyn Any) -> Result<(), Report> {
        (self.0)(first, second)
    }
}

fn fold<T: Reducer<O>, O: 'static>(
    first: &mut dyn Any,
    second: &mut dyn Any,
) -> Result<(), Report> {
    let first = first.downcast_mut::<Option<O>>();
    let second = second.downcast_mut::<Option<O>>();
    let (Some(first), Some(second)) = (first, second) else {
        return Err(Report::Decode(
            "the task that folds does not take the results of the task".to_owned(),
        ));
    };
    match (first.take(), second.take()) {
        (Some(a), Some(b)) => *first = Some(T::fold(a, b).map_err(Report::Failure)?),
        (one, None) | (None, one) => *first = one,
    }
    Ok(())
}

/// Asks whether `T`, whose result is an `O`, folds.
#[doc(hidden)]
pub struct ReduceProbe<T, O>(PhantomData<fn() -> (T, O)>);

impl<T, O> ReduceProbe<T, O> {
    /// The only value.
    pub const NEW: Self = ReduceProbe(PhantomData);
}

/// Tried first: it does.
#[doc(hidden)]
pub trait Folds {
    /// How.
    fn reduce(&self) -> Option<Reduce>;
}

impl<T: Reducer<O>, O: 'static> Folds for &ReduceProbe<T, O> {
    fn reduce(&self) -> Option<Reduce> {
        Some(Reduce(fold::<T, O>))
    }
}

/// Tried last: it does not.
#[doc(hidden)]
pub trait FoldsNot {
    /// Not at all.
    fn reduce(&self) -> Option<Reduce>;
}

impl<T, O> FoldsNot for ReduceProbe<T, O> {
    fn reduce(&self) -> Option<Reduce> {
        None
    }
}
