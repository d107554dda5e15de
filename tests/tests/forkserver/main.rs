#![allow(unsafe_code)]
//! The start method `forkserver`: what is different from `spawn`, and what its server adds to the things that can die. Everything
//! that must be the same is in the other tests, which `.ci/run` runs over both methods (`MP_START_METHOD`).

mod deaths;
mod locks;
mod memory;
mod preload;
mod refused;

use std::collections::HashSet;
use std::time::Duration;

use mp::{Pool, Process, StartMethod, Task};

type Verdict = Result<(), Box<dyn std::error::Error>>;

/// A process of this method, whatever the environment says.
fn forked<T: Task>(task: T, input: T::Input<'_>) -> Process<T> {
    Process::new(task, input).start_method(StartMethod::ForkServer)
}

/// The children of this process that the kernel knows and `known` does not name: the fork server.
fn server(known: &[u32]) -> Option<u32> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?.flatten();
    let lists =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let all: Vec<u32> = lists
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.collect::<Vec<_>>()
        })
        .filter(|pid| !known.contains(pid))
        .collect();
    assert!(all.len() <= 1, "{all:?}");
    all.first().copied()
}

#[mp::task]
fn double(x: u64) -> u64 {
    2 * x
}

#[mp::task]
fn nap(milliseconds: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

/// Its parent as the kernel and as `mp` have it; how many threads it has; its descriptors above the standard ones.
#[mp::task]
fn look_around() -> Result<(u32, Option<u32>, usize, Vec<String>), mp::Failure> {
    let parent = mp::parent_process().map(|parent| parent.pid());
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")?.flatten() {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        let number: u32 = entry.file_name().to_string_lossy().parse()?;
        if number > 2 && !target.starts_with("/proc") {
            open.push(target.to_string_lossy().into_owned());
        }
    }
    Ok((std::os::unix::process::parent_id(), parent, threads, open))
}

#[mp::test]
fn a_child_is_a_child_of_this_process() -> Verdict {
    let me = std::process::id();
    let child = forked(look_around, ()).start()?;
    let pid = child.pid();
    let hidden = server(&[pid]).ok_or("there is no server")?;
    let listed: Vec<_> = mp::active_children()
        .iter()
        .map(|child| child.pid())
        .collect();
    assert!(!listed.contains(&hidden));
    let (parent, told, threads, open) = child.join()?;
    assert_eq!((parent, told, threads), (me, Some(me), 1));
    // The heap and the lifeline; nothing of the server's.
    let spawned = Process::new(look_around, ())
        .start_method(StartMethod::Spawn)
        .start()?
        .join()?;
    assert_eq!(open.len(), spawned.3.len(), "{open:?} {:?}", spawned.3);
    // One server for all.
    assert_eq!(forked(double, 4).start()?.join()?, 8);
    assert_eq!(server(&[]), Some(hidden));
    Ok(())
}

#[mp::test]
fn the_method_is_chosen_for_one_or_for_all() -> Verdict {
    mp::set_start_method(StartMethod::Spawn);
    assert_eq!(mp::get_start_method()?, StartMethod::Spawn);
    assert_eq!(Process::new(double, 1).start()?.join()?, 2);
    assert_eq!(server(&[]), None);
    mp::set_start_method(StartMethod::ForkServer);
    assert_eq!(mp::get_start_method()?, StartMethod::ForkServer);
    assert_eq!(Process::new(double, 1).start()?.join()?, 2);
    assert!(server(&[]).is_some());
    let pool = Pool::builder().workers(3).build()?;
    assert_eq!(pool.map(double, [1, 2, 3])?, [2, 4, 6]);
    Ok(())
}

#[mp::test(timeout = "3m")]
fn a_thousand_children() -> Verdict {
    let mut pids = HashSet::new();
    for round in 0..10 {
        let children = (0..100)
            .map(|x| forked(double, round * 100 + x).start())
            .collect::<mp::Result<Vec<_>>>()?;
        for (x, child) in (0..).zip(children) {
            pids.insert(child.pid());
            assert_eq!(child.join()?, 2 * (round * 100 + x));
        }
    }
    // Numbers may come back, but not so soon.
    assert!(pids.len() > 900, "{}", pids.len());
    Ok(())
}

#[mp::test]
fn many_threads_ask_at_once() -> Verdict {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u64)
            .map(|thread| {
                scope.spawn(move || -> mp::Result<()> {
                    for round in 0..20 {
                        let x = thread * 100 + round;
                        assert_eq!(forked(double, x).start()?.join()?, 2 * x);
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a thread has panicked")??;
        }
        Ok(())
    })
}

#[mp::task]
fn family_of(depth: u32) -> Result<u32, mp::Failure> {
    if depth == 0 {
        return Ok(1);
    }
    let pool = Pool::builder()
        .workers(2)
        .start_method(StartMethod::ForkServer)
        .build()?;
    let below = pool.map(family_of, [depth - 1, depth - 1])?;
    let child = forked(family_of, depth - 1).start()?;
    Ok(1 + below.iter().sum::<u32>() + child.join()?)
}

#[mp::test(timeout = "2m")]
fn children_have_servers_of_their_own() -> Verdict {
    assert_eq!(forked(family_of, 2).start()?.join()?, 13);
    Ok(())
}

/// Without the judge, through the second door.
#[test]
fn an_ordinary_test_can_fork() {
    let child = forked(double, 8).start().unwrap();
    assert_eq!(child.join().unwrap(), 16);
}

#[mp::task]
fn variable_and_place(key: &str) -> Result<(Option<String>, String), mp::Failure> {
    let here = std::env::current_dir()?;
    Ok((std::env::var(key).ok(), here.to_string_lossy().into_owned()))
}

/// What has changed here since the server began counts for children all the same.
#[mp::test]
fn environment_and_directory_are_those_of_now() -> Verdict {
    let ask = || forked(variable_and_place, "FLAVOUR");
    let begin = std::env::current_dir()?.to_string_lossy().into_owned();
    assert_eq!(ask().start()?.join()?, (None, begin.clone()));
    // SAFETY: no other thread of this process reads or changes the environment.
    unsafe { std::env::set_var("FLAVOUR", "sour") };
    std::env::set_current_dir("/proc")?;
    assert_eq!(
        ask().start()?.join()?,
        (Some("sour".into()), "/proc".into())
    );
    let below = ask()
        .current_dir("self/..")
        .env("FLAVOUR", "sweet")
        .start()?
        .join()?;
    assert_eq!(below, (Some("sweet".into()), "/proc".into()));
    assert_eq!(ask().env_remove("FLAVOUR").start()?.join()?.0, None);
    std::env::set_current_dir(&begin)?;
    assert_eq!(ask().start()?.join()?, (Some("sour".into()), begin));
    let error = ask().current_dir("/no/such/place").start();
    assert!(error.expect_err("there is no such place").is_system());
    Ok(())
}

/// The pool's calls that end workers, and the flag that a warned worker sees.
#[mp::test]
fn a_pool_of_copies() -> Verdict {
    let pool = Pool::builder()
        .workers(2)
        .start_method(StartMethod::ForkServer)
        .threads_per_worker(3)
        .build()?;
    let threads = pool.apply(variable_and_place, "OMP_NUM_THREADS")?.0;
    assert_eq!(threads.as_deref(), Some("3"));
    for _ in 0..5 {
        let error = pool
            .apply(mp_tests::grief::end, "kill")
            .expect_err("it dies");
        assert!(error.is_death() && error.signal() == Some(9), "{error}");
        assert_eq!(pool.map(double, 0..100)?.len(), 100);
    }
    let error = pool
        .on(nap)
        .timeout(Duration::from_millis(30))
        .apply(60_000);
    assert!(error.expect_err("its time is up").is_timeout());
    let patient = pool
        .on(wait_until_cancelled)
        .timeout(Duration::from_millis(30));
    assert!(patient.grace(Duration::from_secs(20)).apply(())?);
    Ok(())
}

#[mp::task]
fn wait_until_cancelled() -> bool {
    while !mp::cancelled() {
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}
