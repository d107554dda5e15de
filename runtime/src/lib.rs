//! `mp`: Python's `multiprocessing`, made anew in Rust.
#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("mp runs on 64-bit Linux only: it stands on memfd, futex, pidfd and robust lists");

mod codec;
mod error;
#[allow(dead_code, unused_imports)] // until the layers above use all of it
mod heap;
#[allow(dead_code)]
mod sys;
#[allow(dead_code)] // likewise
mod task;

// Expansions of the macros say `::mp`, also in this crate's own tests.
#[cfg(test)]
extern crate self as mp;

pub use codec::Plain;
pub use error::{Error, Failure, Result};
#[doc(inline)]
pub use mp_macros::{Plain, main, task, test};
pub use task::{IntoArg, IntoInput, Items, ParamTuple, Reducer, Task};

/// What expanded code names; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::codec::__private::{
        OwnedTag, Plain, Probe, Reader, Scrub, Tag, Travels, Writer, plain_value, valid_field,
    };
    pub use crate::task::__private::*;
}
