//! What `map` takes: anything to iterate over whose items can be given to the task. Relies on `params`.
//!
//! The conversions lend, they do not convert: an item that is a reference is encoded from where it is. There is one impl that an
//! integer variable fits, so that `1..=10` still infers; a second one (`u64` from `u32`) would end that.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::params::{ParamTuple, Refs};

/// One argument that can be given where a task's parameter is an `X`.
#[diagnostic::on_unimplemented(
    message = "the task's parameter is `{X}`, but it is given `{Self}`",
    label = "not a `{X}`"
)]
pub trait IntoArg<X> {
    /// Lends the argument as what the parameter is.
    #[doc(hidden)]
    fn with<R>(&self, see: impl FnOnce(&X) -> R) -> R;
}

#[diagnostic::do_not_recommend]
impl<X> IntoArg<X> for X {
    #[inline]
    fn with<R>(&self, see: impl FnOnce(&X) -> R) -> R {
        see(self)
    }
}

#[diagnostic::do_not_recommend]
impl<X> IntoArg<X> for &X {
    #[inline]
    fn with<R>(&self, see: impl FnOnce(&X) -> R) -> R {
        see(self)
    }
}

/// References that rustc would coerce by itself in a call.
macro_rules! coerced {
    ($([$($bounds:tt)*] $from:ty => $to:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<'a, 's: 'a, $($bounds)*> IntoArg<&'a $to> for &'s $from {
            #[inline]
            fn with<R>(&self, see: impl FnOnce(&&'a $to) -> R) -> R {
                let value: &'s $from = self;
                let value: &'a $to = value.as_ref();
                see(&value)
            }
        }
    )*};
}
coerced! {
    [T] Vec<T> => [T];
    [T] Box<[T]> => [T];
    [T, const N: usize] [T; N] => [T];
    [] String => str;
    [] PathBuf => Path;
    [] OsString => OsStr;
    [] str => Path;
    [] String => Path;
}

// The one copy: the text becomes a `String` in the other process anyway, but the parameter's own type must be shown here.
#[diagnostic::do_not_recommend]
impl IntoArg<String> for &str {
    #[inline]
    fn with<R>(&self, see: impl FnOnce(&String) -> R) -> R {
        see(&(*self).to_owned())
    }
}

#[diagnostic::do_not_recommend]
impl IntoArg<PathBuf> for &Path {
    #[inline]
    fn with<R>(&self, see: impl FnOnce(&PathBuf) -> R) -> R {
        see(&(*self).to_owned())
    }
}

/// One item that can be given to a task whose parameters are `P`: the bare argument of one, a tuple for several.
#[diagnostic::on_unimplemented(
    message = "the task takes `{P}`, but this gives it `{Self}`",
    label = "items are `{Self}`, the task's parameters are `{P}`"
)]
pub trait IntoInput<P: ParamTuple> {
    /// Shows the parameters to `sink`.
    #[doc(hidden)]
    fn give<S: Sink<P>>(&self, sink: S) -> S::Out;
}

/// What is done with parameters while they are lent.
#[doc(hidden)]
pub trait Sink<P: ParamTuple> {
    /// What comes of it.
    type Out;
    /// Sees the parameters.
    fn see<'r>(self, params: Refs<'r, P>) -> Self::Out
    where
        P: 'r;
}

#[diagnostic::do_not_recommend]
impl IntoInput<()> for () {
    fn give<S: Sink<()>>(&self, sink: S) -> S::Out {
        sink.see(())
    }
}

#[diagnostic::do_not_recommend]
impl<A: IntoArg<X>, X> IntoInput<(X,)> for A {
    #[inline]
    fn give<S: Sink<(X,)>>(&self, sink: S) -> S::Out {
        self.with(|x| sink.see((x,)))
    }
}

macro_rules! tuples {
    ($($arg:ident $param:ident $field:tt $name:ident),*) => {
        #[diagnostic::do_not_recommend]
        impl<$($arg: IntoArg<$param>, $param),*> IntoInput<($($param,)*)> for ($($arg,)*) {
            #[inline]
            fn give<Z: Sink<($($param,)*)>>(&self, sink: Z) -> Z::Out {
                tuples!(@nest self sink [$($name)*] $($field $name,)*)
            }
        }
    };
    (@nest $self:ident $sink:ident [$($all:ident)*] $field:tt $name:ident, $($rest:tt)*) => {
        $self.$field.with(|$name| tuples!(@nest $self $sink [$($all)*] $($rest)*))
    };
    (@nest $self:ident $sink:ident [$($all:ident)*]) => {
        $sink.see(($($all,)*))
    };
}

tuples!(A P 0 a, B Q 1 b);
tuples!(A P 0 a, B Q 1 b, C R 2 c);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e, F U 5 f);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e, F U 5 f, G V 6 g);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e, F U 5 f, G V 6 g, H W 7 h);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e, F U 5 f, G V 6 g, H W 7 h, I X 8 i);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e, F U 5 f, G V 6 g, H W 7 h, I X 8 i, J Y 9 j);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e, F U 5 f, G V 6 g, H W 7 h, I X 8 i, J Y 9 j, K Aa 10 k);
tuples!(A P 0 a, B Q 1 b, C R 2 c, D S 3 d, E T 4 e, F U 5 f, G V 6 g, H W 7 h, I X 8 i, J Y 9 j, K Aa 10 k, L Bb 11 l);

/// The items of a `map`: anything to iterate over whose items the task can be given.
#[diagnostic::on_unimplemented(
    message = "`map` needs something to iterate over, not `{Self}`",
    label = "not an iterator or a collection"
)]
pub trait Items<P: ParamTuple> {
    /// One of them.
    type Item: IntoInput<P>;
    /// The way through them.
    type Iter: Iterator<Item = Self::Item>;

    /// Goes through them.
    #[doc(hidden)]
    fn into_items(self) -> Self::Iter;
}

impl<P: ParamTuple, I: IntoIterator> Items<P> for I
where
    I::Item: IntoInput<P>,
{
    type Item = I::Item;
    type Iter = I::IntoIter;

    #[inline]
    fn into_items(self) -> I::IntoIter {
        self.into_iter()
    }
}
