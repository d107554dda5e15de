//! Calls of one item: what is measured of them is known to the next ones.

use crate as mp;
use crate::task::{Task, index_of};
use mp::{Pool, Result};

#[mp::task]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

fn index<T: Task>(_: T) -> Result<u32> {
    index_of::<T>()
}

#[mp::test(timeout = "60s")]
fn single_calls_learn_how_long_they_take() -> Result<()> {
    let pool = Pool::builder().workers(2).build()?;
    let task = index(square)?;
    let pace = || pool.inner.shared.lock().core.pace_of(task).each();
    assert_eq!(pace(), None);
    assert_eq!(pool.apply(square, 3)?, 9);
    let first = pace();
    assert!(first.is_some());
    for x in 0..100 {
        assert_eq!(pool.apply_async(square, x)?.get()?, x * x);
    }
    // Many short ones count more than the first.
    assert_ne!(pace(), first);
    Ok(())
}
