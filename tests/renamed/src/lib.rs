//! Tasks in the least hospitable crate there is: `mp` has another name, there is no prelude, no lint may be overruled, and
//! the names that generated code could take for granted mean something else. That it compiles is the test; the
//! tests of `mp-tests` run what is in it.
#![no_implicit_prelude]
#![forbid(
    unsafe_code,
    missing_docs,
    unused,
    unreachable_pub,
    rust_2018_idioms,
    unused_qualifications,
    unused_results,
    trivial_casts,
    let_underscore_drop,
    missing_debug_implementations,
    deprecated
)]
#![deny(nonstandard_style, clippy::all, clippy::pedantic)]

pub mod hostile;

pub use hostile::{
    Colour, Pixel, brighter, bytes, checked, greet, half, lengths, r#match, nothing, shift, sum,
};

/// A task that is not there, with types that are not there either.
#[cfg(any())]
#[par::task(crate = par)]
pub fn absent(x: NoSuchType) -> NoSuchType {
    x
}

#[par::task(crate = par)]
#[cfg(any())]
fn absent_too(x: NoSuchType) -> NoSuchType {
    x
}
