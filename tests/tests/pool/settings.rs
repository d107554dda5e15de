//! What a pool can be told when it is made.

use mp::Pool;
use mp_tests::grief::sleep_ms;

#[mp::task]
fn variables(names: Vec<String>) -> Vec<Option<String>> {
    names.iter().map(|name| std::env::var(name).ok()).collect()
}

#[mp::task]
fn my_name() -> (String, bool) {
    let me = mp::current_process();
    (me.name().to_owned(), me.is_daemon())
}

#[mp::test]
fn workers_and_names() -> mp::Result<()> {
    for wrong in [0, 1_000_000] {
        let error = Pool::builder().workers(wrong).build();
        assert!(error.expect_err("no such pool").is_usage());
    }
    let pool = Pool::builder().workers(3).name("Cruncher").build()?;
    assert_eq!(pool.workers(), 3);
    assert_eq!(pool.worker_pids().len(), 3);
    let all = mp::active_children();
    let mut names: Vec<&str> = all.iter().map(|child| child.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Cruncher-1", "Cruncher-2", "Cruncher-3"]);
    assert!(
        all.iter()
            .all(|child| child.is_worker() && child.is_alive())
    );
    let (name, daemon) = pool.apply(my_name, ())?;
    assert!(names.contains(&name.as_str()) && daemon, "{name}");
    assert_eq!(Pool::new()?.workers(), mp::cpu_count());
    Ok(())
}

#[mp::test]
fn threads_of_libraries() -> mp::Result<()> {
    let names = [
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "RAYON_NUM_THREADS",
    ];
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let pool = Pool::builder().workers(1).threads_per_worker(3).build()?;
    let told = pool.apply(variables, names.clone())?;
    assert!(
        told.iter().all(|value| value.as_deref() == Some("3")),
        "{told:?}"
    );
    // Left alone, they are the parent's.
    let own = variables(names.clone());
    let pool = Pool::builder().workers(1).build()?;
    assert_eq!(pool.apply(variables, names)?, own);
    Ok(())
}

#[mp::test]
fn many_workers_at_once() -> mp::Result<()> {
    let pool = Pool::builder().workers(40).build()?;
    let mut pids = pool.worker_pids();
    pids.dedup();
    assert_eq!(pids.len(), 40);
    assert_eq!(pool.map(sleep_ms, [1; 400])?.len(), 400);
    Ok(())
}

#[mp::test]
fn many_pools_at_once() -> mp::Result<()> {
    let pools: Vec<Pool> = (0..12)
        .map(|_| Pool::builder().workers(2).build())
        .collect::<mp::Result<_>>()?;
    let handles: Vec<_> = pools
        .iter()
        .map(|pool| pool.apply_async(sleep_ms, 5))
        .collect::<mp::Result<_>>()?;
    for handle in handles {
        assert_eq!(handle.get()?, 5);
    }
    // Some in a thread of its own that ends before the pool is used: workers belong to the process.
    let pool = std::thread::spawn(|| Pool::builder().workers(1).build());
    let pool = pool.join().expect("no panic")?;
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(pool.apply(sleep_ms, 1)?, 1);
    Ok(())
}
