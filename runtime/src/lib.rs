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

pub use codec::Plain;
pub use error::{Error, Failure, Result};

/// What expanded code names; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::codec::__private::*;
}
