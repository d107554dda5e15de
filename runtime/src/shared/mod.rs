//! Shared data: values in the shared heap that several processes see. Relies on `heap` and `codec`.

mod buffer;

pub use buffer::Buffer;

#[cfg(test)]
mod tests;
