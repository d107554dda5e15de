//! More workers than processors: short items are kept to a few of them, unless one of these takes long after all.

use std::collections::HashSet;
use std::time::Duration;

use mp::Pool;

/// Sleeps now and then; says who it was.
#[mp::task]
fn nap(ms: u64) -> u32 {
    if ms > 0 {
        std::thread::sleep(Duration::from_millis(ms));
    }
    std::process::id()
}

#[mp::test]
fn items_that_were_expected_to_be_short_are_shared_out_when_they_are_not() -> mp::Result<()> {
    let processors = mp::cpu_count();
    let workers = 4 * processors;
    let pool = Pool::builder().workers(workers).chunk_size(1).build()?;
    // That they are short is learned from these.
    pool.map(nap, std::iter::repeat_n(0, 2_000))?;
    // As many that sleep as there are workers, each with short ones behind it.
    let items = (0..workers as u64 * 10).map(|at| if at % 10 == 0 { 100 } else { 0 });
    let pids = pool.map(nap, items)?;
    let sleepers: HashSet<u32> = pids.iter().step_by(10).copied().collect();
    assert!(
        sleepers.len() > processors,
        "all sleepers were left to {} workers",
        sleepers.len()
    );
    Ok(())
}

#[mp::test]
fn a_crowd_loses_nothing() -> mp::Result<()> {
    let pool = Pool::builder().workers(24).chunk_size(1).build()?;
    for round in 0..20 {
        let pids = pool.map(nap, std::iter::repeat_n(0, 500 * round))?;
        assert_eq!(pids.len(), 500 * round);
        // Others at the same time, some of them long.
        let handles = (0..48)
            .map(|at| pool.apply_async(nap, at % 3))
            .collect::<mp::Result<Vec<_>>>()?;
        for handle in handles {
            handle.get()?;
        }
    }
    Ok(())
}
