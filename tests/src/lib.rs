//! Helpers shared by the tests; the tests themselves are in `tests/`.
#![allow(missing_docs)]

pub mod doors;
pub mod family;
pub mod grief;
pub mod program;
pub mod serde_types;
