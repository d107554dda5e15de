//! `mp`: Python's `multiprocessing`, made anew in Rust.
#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("mp runs on 64-bit Linux only: it stands on memfd, futex, pidfd and robust lists");

mod error;
mod pool;
mod sys;

pub use error::{Error, Failure, Result};
