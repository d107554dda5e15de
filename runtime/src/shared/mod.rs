//! Shared data: values in the shared heap that several processes see and change. Relies on `heap`, `codec` and `sync`.
//!
//! | type | a lock | how it is worked on | what a killed process leaves |
//! |---|---|---|---|
//! | `Value` | inside | in a private copy, committed by one flip | the old value or the new one |
//! | `Atomic` | none | by one instruction | the same |
//! | `RawValue`, `RawArray` | none | word by word | some words old, some new |
//! | `Array` | inside | in place, by its holder or by whoever has a `Chunk` | elements half-written; the next holder is told |
//! | `Buffer` | none | in place until it is frozen | nothing: nobody else had it |
//!
//! What they hold is plain data, so every process of safe Rust leaves only values; what a killed one leaves is looked at
//! before it becomes one.

mod array;
mod atomic;
mod buffer;
mod bytes;
mod chunk;
mod flip;
mod guard;
mod lease;
mod raw;
mod value;
mod view;

/// What `flip` stands on; its loom test puts others in their stead.
mod words {
    pub(super) use std::sync::atomic::{AtomicU32, Ordering};
}

pub use array::Array;
pub use atomic::{Atomic, AtomicBits, AtomicNumber, AtomicValue};
pub use buffer::Buffer;
pub use chunk::Chunk;
pub use guard::ArrayGuard;
pub use raw::{RawArray, RawValue};
pub use value::{Value, ValueGuard};

#[cfg(test)]
mod tests;
