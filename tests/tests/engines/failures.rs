//! Items that fail, and calls that panic on this side.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::tasks::{Moody, add, add_below, checked, fail_on, moody, panic_on, square, take_moody};
use crate::{Engine, Verdict};

pub(crate) fn a_failure_names_its_item(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for bad in [0, 1, 63, 999] {
        let error = pool
            .map(fail_on, (0..1000).map(|x| (x, bad)))
            .expect_err("one item fails");
        assert!(error.is_task(), "{error}");
        assert_eq!(error.item(), Some(bad as usize), "{error}");
        assert_eq!(error.message(), format!("{bad} is bad"));
        assert!(
            error.task().is_some_and(|task| task.ends_with("fail_on")),
            "{error}"
        );
        assert!(error.worker().is_some() && error.pid().is_some(), "{error}");
    }
    let error = pool.apply(fail_on, (5, 5)).expect_err("it fails");
    assert_eq!((error.is_task(), error.item()), (true, None));
    Ok(())
}

pub(crate) fn a_panic_names_its_item_and_its_place(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for bad in [0, 500, 999] {
        let error = pool
            .map(panic_on, (0..1000).map(|x| (x, bad)))
            .expect_err("one item panics");
        assert!(error.is_panic(), "{error}");
        assert_eq!(error.item(), Some(bad as usize), "{error}");
        assert!(
            error
                .message()
                .contains(&format!("{bad} is a reason to panic")),
            "{error}"
        );
        assert!(
            error
                .location()
                .is_some_and(|place| place.contains("tasks.rs:")),
            "{error}"
        );
    }
    let error = pool.apply(panic_on, (5, 5)).expect_err("it panics");
    assert_eq!((error.is_panic(), error.item()), (true, None));
    Ok(())
}

pub(crate) fn the_users_own_results_are_values(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let results = pool.map(checked, 0..100)?;
    assert_eq!(results[2], Err("2 is too small".to_owned()));
    assert_eq!(results[3], Ok(0));
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 97);
    Ok(())
}

pub(crate) fn the_first_error_ends_an_endless_input(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let error = pool
        .map(fail_on, (0..).map(|x| (x, 20_000)))
        .expect_err("one item fails");
    assert_eq!(
        (error.is_task(), error.item()),
        (true, Some(20_000)),
        "{error}"
    );
    let error = pool.map_reduce(panic_on, add, (0..).map(|x| (x, 20_000)));
    let error = error.expect_err("one item panics");
    assert_eq!(
        (error.is_panic(), error.item()),
        (true, Some(20_000)),
        "{error}"
    );
    Ok(())
}

pub(crate) fn an_item_that_cannot_be_encoded(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for bad in [0, 1, 5000] {
        let items = (0..).map(|at| Moody(if at == bad { 13 } else { 1 }));
        let error = pool.map(take_moody, items).expect_err("13 does not travel");
        assert!(error.is_encode(), "{error}");
        assert!(error.to_string().contains("13 does not travel"), "{error}");
        assert_eq!(error.item(), Some(bad), "{error}");
    }
    assert!(
        pool.apply(take_moody, Moody(13))
            .expect_err("13")
            .is_encode()
    );
    let handle = pool.apply_async(take_moody, Moody(13));
    assert!(handle.expect_err("before anything is sent").is_encode());
    Ok(())
}

pub(crate) fn a_result_that_cannot_be_encoded_or_dropped(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let error = pool.map(moody, 0..=13).expect_err("13 does not travel");
    assert!(error.is_encode(), "{error}");
    assert_eq!(error.item(), Some(13), "{error}");
    let error = pool
        .apply(moody, 15)
        .map(std::mem::forget)
        .expect_err("15 panics");
    assert!(error.is_panic(), "{error}");
    assert!(
        error.message().contains("15 panics when it is dropped"),
        "{error}"
    );
    Ok(())
}

pub(crate) fn an_input_that_panics_half_way(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for at in [0, 1, 3000] {
        let items = (0..10_000).map(|x| {
            assert!(x != at, "the input has had enough");
            (x, u64::MAX)
        });
        assert!(catch_unwind(AssertUnwindSafe(|| pool.map(fail_on, items))).is_err());
        // Where what was encoded stands in blocks.
        let items = (0..10_000).map(|x| {
            assert!(x != at, "the input has had enough");
            vec![1; 3000]
        });
        assert!(catch_unwind(AssertUnwindSafe(|| pool.map(crate::tasks::reverse, items))).is_err());
    }
    assert_eq!(pool.map(square, 0..3)?, [0, 1, 4]);
    Ok(())
}

pub(crate) fn an_output_that_panics_when_decoded(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for bad in [0, 200] {
        let items = (0..300).map(|x| if x == bad { 14 } else { 0 });
        assert!(catch_unwind(AssertUnwindSafe(|| pool.map(moody, items))).is_err());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| pool.apply(moody, 14))).is_err());
    // The worker, too, may be unable to decode its argument.
    let error = pool
        .apply(take_moody, Moody(14))
        .expect_err("14 panics in the worker");
    assert!(error.is_panic(), "{error}");
    assert_eq!(pool.map(square, 0..3)?, [0, 1, 4]);
    Ok(())
}

pub(crate) fn a_reducer_that_fails(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    assert_eq!(pool.map_reduce(square, add_below, 0..10)?, Some(285));
    for count in [100, 10_000] {
        let error = pool
            .map_reduce(square, add_below, 0..count)
            .expect_err("the sum is too large");
        assert!(error.is_task(), "{error}");
        assert!(error.message().contains("is too large"), "{error}");
    }
    Ok(())
}

pub(crate) fn the_pool_goes_on_after_every_error(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for round in 0..100 {
        assert!(pool.map(fail_on, (0..100).map(|x| (x, round))).is_err());
        assert!(pool.map(panic_on, (0..100).map(|x| (x, round))).is_err());
        assert!(pool.apply(panic_on, (1, 1)).is_err());
        let squares = pool.map(square, round..round + 100)?;
        assert!(
            squares
                .iter()
                .zip(round..)
                .all(|(value, x)| *value == x * x)
        );
    }
    Ok(())
}
