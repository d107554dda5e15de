//! Helpers shared by the tests; the tests themselves are in `tests/`.
#![allow(missing_docs)]

pub mod family;
pub mod grief;
pub mod program;

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
