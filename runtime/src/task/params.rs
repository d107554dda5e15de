//! The parameters of a task as one thing: a tuple of values, and the tuple of their tags. Relies on the codec.

use crate::codec::{Reader, Tag, Writer};
use crate::error::Error;

/// The parameters of a task: a tuple, also for one.
pub trait ParamTuple {
    /// References to each.
    #[doc(hidden)]
    type Refs<'r>
    where
        Self: 'r;
}

/// References to each parameter of `P`.
#[doc(hidden)]
pub type Refs<'r, P> = <P as ParamTuple>::Refs<'r>;

/// How the parameters of one task are encoded, one after another: a tuple of tags.
#[doc(hidden)]
pub trait ParamsCodec: Copy + Send + Sync + 'static {
    /// The parameters.
    type Params<'a>: ParamTuple;
    /// What decoding yields, before it is lent to the call.
    type Held<'m>;
    /// The encoded size, where it is the same for all values.
    const FIXED: Option<usize>;
    /// Whether a parameter may hold handles of shared objects.
    const MAY_HOLD: bool;

    /// The bytes to reserve.
    fn hint<'r, 'a>(self, params: Refs<'r, Self::Params<'a>>) -> usize
    where
        Self::Params<'a>: 'r;

    /// Appends the parameters.
    fn put<'r, 'a>(
        self,
        params: Refs<'r, Self::Params<'a>>,
        out: &mut Writer<'_>,
    ) -> Result<(), Error>
    where
        Self::Params<'a>: 'r;

    /// Decodes the parameters.
    fn get<'m>(self, from: &mut Reader<'m>) -> Result<Self::Held<'m>, Error>;

    /// Makes the parameters of what was decoded; once.
    fn lend<'h, 'm: 'h>(self, held: &'h mut Self::Held<'m>) -> Self::Params<'h>;
}

/// The sum of sizes, where all are known.
const fn sum(sizes: &[Option<usize>]) -> Option<usize> {
    let mut total = 0_usize;
    let mut at = 0;
    while at < sizes.len() {
        match sizes[at] {
            Some(size) => total = total.saturating_add(size),
            None => return None,
        }
        at += 1;
    }
    Some(total)
}

macro_rules! tuples {
    ($($tag:ident $field:tt),*) => {
        impl<$($tag),*> ParamTuple for ($($tag,)*) {
            type Refs<'r> = ($(&'r $tag,)*) where Self: 'r;
        }

        #[allow(unused_variables, clippy::unused_unit)]
        impl<$($tag: Tag),*> ParamsCodec for ($($tag,)*) {
            type Params<'a> = ($($tag::Of<'a>,)*);
            type Held<'m> = ($($tag::Held<'m>,)*);
            const FIXED: Option<usize> = sum(&[$($tag::FIXED),*]);
            const MAY_HOLD: bool = false $(|| $tag::MAY_HOLD)*;

            #[inline]
            fn hint<'r, 'a>(self, params: Refs<'r, Self::Params<'a>>) -> usize
            where
                Self::Params<'a>: 'r,
            {
                0 $(+ self.$field.hint(params.$field))*
            }

            #[inline]
            fn put<'r, 'a>(
                self,
                params: Refs<'r, Self::Params<'a>>,
                out: &mut Writer<'_>,
            ) -> Result<(), Error>
            where
                Self::Params<'a>: 'r,
            {
                $(self.$field.put(params.$field, out)?;)*
                Ok(())
            }

            #[inline]
            fn get<'m>(self, from: &mut Reader<'m>) -> Result<Self::Held<'m>, Error> {
                Ok(($(self.$field.get(from)?,)*))
            }

            #[inline]
            fn lend<'h, 'm: 'h>(self, held: &'h mut Self::Held<'m>) -> Self::Params<'h> {
                ($(self.$field.lend(&mut held.$field),)*)
            }
        }
    };
}

tuples!();
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
