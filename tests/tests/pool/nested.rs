//! Pools in pool workers, processes in pool workers, pools in processes, and the pool that everybody shares.

use mp::{Failure, Pool, Process};
use mp_tests::grief::{end, sleep_ms};

/// Adds up `fan` to the power of `depth` ones, each level in pools inside the workers of the one above.
#[mp::task]
fn tree(depth: u32, fan: u64) -> Result<u64, Failure> {
    if depth == 0 {
        return Ok(1);
    }
    let pool = Pool::new()?;
    Ok(pool
        .map(tree, (0..fan).map(|_| (depth - 1, fan)))?
        .iter()
        .sum())
}

#[mp::task]
fn default_workers() -> Result<usize, Failure> {
    Ok(Pool::new()?.workers())
}

#[mp::task]
fn names_of_workers(deeper: bool) -> Result<Vec<String>, Failure> {
    let mut names = vec![mp::current_process().name().to_owned()];
    if deeper {
        let pool = Pool::builder().workers(1).build()?;
        names.extend(pool.apply(names_of_workers, false)?);
        names.extend(Process::new(names_of_workers, false).start()?.join()?);
    }
    Ok(names)
}

#[mp::task]
fn a_worker_of_mine_dies() -> Result<String, Failure> {
    let pool = Pool::builder().workers(1).build()?;
    match pool.apply(end, "kill") {
        Ok(()) => Err(Failure::new("it cannot have returned")),
        Err(error) => Ok(error.to_string()),
    }
}

#[mp::task]
fn a_child_of_mine_dies() -> Result<String, Failure> {
    match Process::new(end, "exit 4").start()?.join() {
        Ok(()) => Err(Failure::new("it cannot have returned")),
        Err(error) => Ok(error.to_string()),
    }
}

#[mp::task]
fn with_the_shared_pool(count: u64) -> Result<u64, Failure> {
    Ok(mp::map(sleep_ms, std::iter::repeat_n(1, count as usize))?
        .iter()
        .sum())
}

#[mp::test]
fn three_levels_of_pools() -> mp::Result<()> {
    let pool = Pool::builder().workers(2).build()?;
    assert_eq!(pool.apply(tree, (2, 3))?, 9);
    assert_eq!(pool.map(tree, [(1, 4), (2, 2)])?, [4, 4]);
    assert_eq!(pool.apply(default_workers, ())?, 1);
    Ok(())
}

#[mp::test]
fn names_below_workers() -> mp::Result<()> {
    let pool = Pool::builder().workers(1).name("Outer").build()?;
    let names = pool.apply(names_of_workers, true)?;
    assert_eq!(names, ["Outer-1", "PoolWorker-1:1", "Process-1:2"]);
    Ok(())
}

#[mp::test]
fn deaths_below_workers_are_told_on_the_way_up() -> mp::Result<()> {
    let pool = Pool::builder().workers(2).build()?;
    let text = pool.apply(a_worker_of_mine_dies, ())?;
    assert!(text.contains("SIGKILL"), "{text}");
    let text = pool.apply(a_child_of_mine_dies, ())?;
    assert!(text.contains("exit code 4"), "{text}");
    let text = Process::new(a_worker_of_mine_dies, ()).start()?.join()?;
    assert!(text.contains("SIGKILL"), "{text}");
    Ok(())
}

/// Keeps a pool busy until it is killed.
#[mp::task]
fn busy_for_ever(depth: u32) -> Result<(), Failure> {
    let pool = Pool::builder().workers(2).build()?;
    if depth == 0 {
        pool.map(sleep_ms, std::iter::repeat(20))?;
    }
    pool.map(busy_for_ever, [depth - 1; 2])?;
    Ok(())
}

#[mp::test]
fn a_worker_that_is_killed_takes_its_own_pools_with_it() -> mp::Result<()> {
    // The judge sees whether a process, or what it owned, is left.
    for round in 0..12 {
        let pool = Pool::builder().workers(2).build()?;
        let handle = pool.apply_async(busy_for_ever, 1 + round % 2)?;
        std::thread::sleep(std::time::Duration::from_millis(u64::from(round) * 5));
        // An item that was not begun when its worker died is given to the next one.
        while !handle.is_ready() {
            for pid in pool.worker_pids() {
                let pid = nix::unistd::Pid::from_raw(pid as i32);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(handle.get().expect_err("it cannot end well").is_death());
    }
    let child = Process::new(busy_for_ever, 2).start()?;
    std::thread::sleep(std::time::Duration::from_millis(60));
    child.kill()?;
    assert!(child.join().expect_err("it was killed").is_death());
    Ok(())
}

#[mp::test]
fn the_shared_pool_from_many_threads() -> mp::Result<()> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| mp::map(sleep_ms, (0..50).map(|x| x % 3))))
            .collect();
        for thread in threads {
            let values = thread.join().expect("no panic")?;
            assert!(values.iter().zip(0..50).all(|(value, x)| *value == x % 3));
        }
        Ok::<_, mp::Error>(())
    })?;
    assert!(mp::active_children().iter().all(|child| child.is_worker()));
    assert_eq!(mp::active_children().len(), mp::cpu_count());
    // In workers and children, too; each process has its own.
    assert_eq!(mp::map(with_the_shared_pool, [3, 4])?, [3, 4]);
    assert_eq!(Process::new(with_the_shared_pool, 5).start()?.join()?, 5);
    Ok(())
}

#[test]
fn a_pool_in_an_ordinary_test() {
    let pool = Pool::builder().workers(2).build().unwrap();
    assert_eq!(pool.map(sleep_ms, 0..4).unwrap(), [0, 1, 2, 3]);
}
