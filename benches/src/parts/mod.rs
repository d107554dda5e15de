//! The parts of `mp` one by one, in one process that waits for nothing: one list for two front
//! ends. `micro` takes their time, `counts` their instructions.
//!
//! A body does one batch of operations. All it needs is made beforehand, so only the operation is
//! measured.

mod channels;
mod dispatch;
mod objects;

pub use dispatch::add_one;

use std::fmt;

/// How many operations one call of most bodies does.
const BATCH: u64 = 100;

/// What is measured: each call does one batch of operations.
pub type Body = Box<dyn FnMut() -> mp::Result<()>>;

/// One hot path.
pub struct Part {
    /// Its group and its name, as in the budgets.
    pub name: &'static str,
    /// How many operations one call of the body does.
    pub operations: u64,
    make: fn() -> mp::Result<Body>,
}

impl Part {
    const fn new(name: &'static str, operations: u64, make: fn() -> mp::Result<Body>) -> Self {
        Part {
            name,
            operations,
            make,
        }
    }

    /// Makes what the operation needs, and the body.
    ///
    /// # Errors
    ///
    /// What `mp` says when an object or a pool cannot be made.
    pub fn body(&self) -> mp::Result<Body> {
        (self.make)()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// All parts, in the order in which they are measured.
pub fn all() -> impl Iterator<Item = &'static Part> {
    channels::PARTS
        .iter()
        .chain(objects::PARTS)
        .chain(dispatch::PARTS)
}

/// The body that does this one operation a batch of times.
fn batch(mut once: impl FnMut() -> mp::Result<()> + 'static) -> mp::Result<Body> {
    Ok(Box::new(move || (0..BATCH).try_for_each(|_| once())))
}
