//! The pool that `mp::map` uses: made at the first call, ended when `main` returns.

use std::sync::{Mutex, PoisonError};

use super::Pool;
use crate::error::Result;
use crate::task::{Items, Task};

static GLOBAL: Mutex<Option<Pool>> = Mutex::new(None);

fn global() -> Result<Pool> {
    let mut global = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
    match &*global {
        Some(pool) => Ok(pool.clone()),
        None => Ok(global.insert(Pool::new()?).clone()),
    }
}

/// Runs the task on every item, in a pool that all of the program shares, and gives the values in order: see
/// [`Pool::map`]. The pool has one worker for every processor, and is made at the first call.
///
/// # Errors
/// As [`Pool::new`] and [`Pool::map`].
///
/// ```
/// #[mp::task]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// # #[cfg(any())] fn main() {} // so that rustdoc leaves the program as it is
/// mp::main! {
///     assert_eq!(mp::map(square, [1, 2, 3])?, [1, 4, 9]);
/// }
/// ```
pub fn map<'a, T: Task, I: Items<T::Params<'a>>>(task: T, items: I) -> Result<Vec<T::Output>> {
    global()?.map(task, items)
}

/// Ends the global pool, if there is one.
pub(crate) fn close() {
    let pool = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner).take();
    drop(pool);
}
