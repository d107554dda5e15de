//! How the workers of a pool come, are replaced, and go; how a pool ends.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mp::{Failure, Pool};

static SEED: AtomicU64 = AtomicU64::new(0);

#[mp::task]
fn plant(seed: u64) {
    assert_eq!(SEED.swap(seed, Ordering::Relaxed), 0, "initialised twice");
}

#[mp::task]
fn grow(x: u64) -> u64 {
    SEED.load(Ordering::Relaxed) + x
}

#[mp::task]
fn cannot(why: &str) -> Result<(), Failure> {
    match why {
        "panic" => panic!("no seed"),
        "abort" => std::process::abort(),
        _ => Err(Failure::new("no seed")),
    }
}

/// Fails from the second time on.
#[mp::task]
fn once(marker: &Path) -> Result<(), Failure> {
    std::fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(marker)?;
    Ok(())
}

#[mp::task]
fn leave_a_note(folder: &Path) -> Result<(), Failure> {
    std::fs::write(folder.join(std::process::id().to_string()), "")?;
    Ok(())
}

#[mp::task]
fn who(_: u64) -> u32 {
    std::process::id()
}

#[mp::task]
fn nap(ms: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(ms));
    ms
}

#[mp::task]
fn die(_: u64) {
    std::process::abort();
}

const LONG: u64 = 60_000;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn pool(workers: usize) -> Pool {
    Pool::builder().workers(workers).build().unwrap()
}

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mp-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn count(&self) -> usize {
        std::fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[mp::test]
fn every_worker_is_initialised_once() {
    let pool = Pool::builder()
        .workers(3)
        .initializer(plant, 100)
        .build()
        .unwrap();
    let values = pool.on(grow).chunk_size(1).map(0..200).unwrap();
    assert_eq!(values, (100..300).collect::<Vec<_>>());
    // Also those that come later.
    assert!(pool.apply(die, 0).unwrap_err().is_death());
    assert!(pool.apply(die, 0).unwrap_err().is_death());
    let values = pool.on(grow).chunk_size(1).map(0..200).unwrap();
    assert_eq!(values, (100..300).collect::<Vec<_>>());
    assert_eq!(SEED.load(Ordering::Relaxed), 0);
}

#[mp::test]
fn a_pool_that_cannot_be_initialised_says_why() {
    for why in ["panic", "failure", "abort"] {
        let error = Pool::builder()
            .workers(2)
            .initializer(cannot, why)
            .build()
            .unwrap_err();
        let kind = (error.is_panic(), error.is_task(), error.is_death());
        assert_eq!(
            kind,
            (why == "panic", why == "failure", why == "abort"),
            "{error}"
        );
        if why != "abort" {
            assert!(error.message().contains("no seed"), "{error}");
            assert!(error.task().unwrap().ends_with("cannot"), "{error}");
        }
    }
    // Where it fails later, calls end with it.
    let folder = Folder::new("once");
    let marker = folder.0.join("marker");
    let pool = Pool::builder()
        .workers(1)
        .initializer(once, &marker)
        .build()
        .unwrap();
    assert_eq!(pool.apply(nap, 1).unwrap(), 1);
    assert!(pool.apply(die, 0).unwrap_err().is_death());
    let error = pool.apply(nap, 1).unwrap_err();
    assert!(
        error.is_task() && error.message().contains("initialised"),
        "{error}"
    );
    std::fs::remove_file(&marker).unwrap();
    // Asked for again, workers are tried again.
    pool.resize(1).unwrap();
    assert_eq!(pool.apply(nap, 1).unwrap(), 1);
}

#[mp::test]
fn finalizers_run_at_an_orderly_end() {
    let folder = Folder::new("notes");
    let start = || {
        Pool::builder()
            .workers(2)
            .finalizer(leave_a_note, &folder.0)
            .build()
            .unwrap()
    };
    let pool = start();
    pool.map(nap, [1; 4]).unwrap();
    pool.close();
    pool.join().unwrap();
    assert_eq!(folder.count(), 2);
    let pool = start();
    pool.apply(nap, 1).unwrap();
    drop(pool);
    assert_eq!(folder.count(), 4);
    // Workers that are ended by a signal have no time for it.
    start().terminate();
    assert_eq!(folder.count(), 4);
    let pool = Pool::builder()
        .workers(1)
        .tasks_per_worker(1)
        .finalizer(leave_a_note, &folder.0)
        .build()
        .unwrap();
    pool.map(nap, [1; 3]).unwrap();
    pool.close();
    pool.join().unwrap();
    assert!(folder.count() >= 4 + 3);
}

#[mp::test]
fn workers_are_replaced_after_so_many_items() {
    for (workers, most, items) in [(1, 1, 20), (2, 5, 100), (3, 7, 200)] {
        let pool = Pool::builder()
            .workers(workers)
            .tasks_per_worker(most)
            .build()
            .unwrap();
        let pids = pool.on(who).chunk_size(1).map(0..items).unwrap();
        assert_eq!(pids.len(), items as usize);
        let distinct: HashSet<u32> = pids.iter().copied().collect();
        for pid in &distinct {
            let served = pids.iter().filter(|served| *served == pid).count();
            assert!(served <= most, "{served} of {most}");
        }
        // In chunks, too.
        let values = pool.map(nap, [0; 500]).unwrap();
        assert_eq!(values, [0; 500]);
        for item in 0..10 {
            assert_eq!(pool.apply(nap, item % 2).unwrap(), item % 2);
        }
        assert_eq!(
            pool.imap(nap, [0; 100])
                .unwrap()
                .filter(Result::is_ok)
                .count(),
            100
        );
    }
}

#[mp::test]
fn a_pool_changes_its_size_while_it_works() {
    let pool = pool(1);
    let all = pool.map_async(nap, [1; 600]).unwrap();
    for workers in [4, 2, 1, 3] {
        pool.resize(workers).unwrap();
        assert_eq!(pool.workers(), workers);
        std::thread::sleep(ms(30));
    }
    assert_eq!(all.get().unwrap().len(), 600);
    assert_eq!(pool.map(nap, [1; 30]).unwrap().len(), 30);
    assert_eq!(pool.worker_pids().len(), 3);
    pool.resize(1).unwrap();
    let begun = Instant::now();
    while pool.worker_pids().len() > 1 && begun.elapsed() < ms(10_000) {
        std::thread::sleep(ms(5));
    }
    assert_eq!(pool.worker_pids().len(), 1);
    assert!(pool.resize(0).unwrap_err().is_usage());
    pool.close();
    assert!(pool.resize(2).unwrap_err().is_closed());
}

#[mp::test]
fn a_pool_ends_in_every_way_and_twice() {
    // All done in time.
    let all = pool(2);
    let handle = all.map_async(nap, [1; 10]).unwrap();
    assert!(all.shutdown(ms(30_000)));
    assert!(all.shutdown(ms(30_000)));
    assert_eq!(handle.get().unwrap().len(), 10);
    assert!(all.apply(nap, 1).unwrap_err().is_closed());
    // Not done in time.
    let late = pool(1);
    let handles = [
        late.apply_async(nap, LONG).unwrap(),
        late.apply_async(nap, LONG).unwrap(),
    ];
    assert!(late.join_timeout(ms(1)).unwrap_err().is_usage());
    late.close();
    assert!(!late.join_timeout(ms(20)).unwrap());
    assert!(!late.shutdown(ms(20)));
    for handle in handles {
        assert!(handle.get().unwrap_err().is_cancelled());
    }
    late.join().unwrap();
    late.terminate();
    late.kill();
    // By force, from another thread, while calls wait.
    for force in [Pool::terminate, Pool::kill] {
        let pool = pool(2);
        std::thread::scope(|scope| {
            let map = scope.spawn(|| pool.map(nap, [LONG; 10]).unwrap_err());
            let each = scope.spawn(|| pool.on(nap).chunk_size(1).try_map([LONG; 4]).unwrap());
            let one = scope.spawn(|| pool.apply(nap, LONG).unwrap_err());
            std::thread::sleep(ms(50));
            force(&pool);
            force(&pool);
            assert!(map.join().unwrap().is_cancelled());
            assert!(one.join().unwrap().is_cancelled());
            let each = each.join().unwrap();
            assert!(
                each.iter()
                    .all(|result| result.as_ref().is_err_and(mp::Error::is_cancelled))
            );
        });
        assert!(pool.worker_pids().is_empty());
        let mut left = pool.imap(nap, [1]);
        assert!(left.as_mut().is_err_and(|error| error.is_closed()));
    }
    // With an iterator over it still open.
    let pool = pool(1);
    let mut values = pool.imap(nap, std::iter::repeat(LONG)).unwrap();
    pool.terminate();
    assert!(values.next().unwrap().unwrap_err().is_cancelled());
}
