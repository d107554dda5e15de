//! Panics where they end the process: built by a test with `panic = "abort"`.

use mp::{Pool, Process};
use mp_tests::grief::{self, sleep_ms};

mp::main!(run);

#[mp::task]
fn panics_on(x: u64, bad: u64) -> u64 {
    assert!(x != bad, "{x} is the end");
    x
}

fn run() -> mp::Result<()> {
    if cfg!(not(panic = "abort")) {
        println!("built to unwind: nothing to see");
        return Ok(());
    }
    let check = |error: mp::Error| {
        assert!(error.is_panic(), "{error}");
        assert!(error.message().contains("a panic was asked for"), "{error}");
        assert!(
            error
                .location()
                .is_some_and(|place| place.contains("grief.rs:")),
            "{error}"
        );
        assert_eq!(error.signal(), Some(6), "{error}");
        assert!(
            error
                .backtrace()
                .is_some_and(|trace| trace.contains("grief.rs:")),
            "{error:?}"
        );
        assert!(error.pid().is_some() && error.worker().is_some() && error.task().is_some());
    };
    check(
        Process::new(grief::end, "panic")
            .start()?
            .join()
            .expect_err("it panics"),
    );
    let pool = Pool::builder().workers(2).build()?;
    for _ in 0..3 {
        check(pool.apply(grief::end, "panic").expect_err("it panics"));
        let error = pool
            .map(panics_on, (0..500).map(|x| (x, 77)))
            .expect_err("it panics");
        assert_eq!(
            (error.is_panic(), error.item()),
            (true, Some(77)),
            "{error}"
        );
        assert!(error.message().contains("77 is the end"), "{error}");
        assert_eq!(pool.map(sleep_ms, [1, 2, 3])?, [1, 2, 3]);
    }
    // An abort without a panic is none.
    let error = pool.apply(grief::end, "abort").expect_err("it aborts");
    assert!(error.is_death() && error.signal() == Some(6), "{error}");
    println!("all done");
    Ok(())
}
