//! A shared heap that is smaller than what a call would like to have in flight: less is in flight, and the call goes on.

use mp::Pool;
use mp_tests::program;

const MIB: usize = 1 << 20;

/// Runs the test of that name once more, in a session whose heap holds so much; whether this is that run.
fn limited(mib: usize, name: &str) -> bool {
    let name = format!("memory::{name}");
    program::again(&name, "MP_HEAP_LIMIT", &format!("{mib}M")).is_none()
}

#[mp::task]
fn weigh(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

/// Takes its time, so that others wait.
#[mp::task]
fn slow_weigh(bytes: Vec<u8>) -> u64 {
    std::thread::sleep(std::time::Duration::from_millis(2));
    weigh(&bytes)
}

#[mp::task]
fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

#[mp::task]
fn blow_up(value: u8) -> Vec<u8> {
    vec![value; MIB]
}

#[mp::task]
fn names(names: Vec<String>) -> usize {
    names.iter().map(String::len).sum()
}

fn block(value: usize, len: usize) -> Vec<u8> {
    vec![value as u8; len]
}

fn pool(workers: usize) -> mp::Result<Pool> {
    Pool::builder().workers(workers).build()
}

#[mp::test(timeout = "120s")]
fn arguments_that_fit_one_by_one() -> mp::Result<()> {
    if !limited(24, "arguments_that_fit_one_by_one") {
        return Ok(());
    }
    let pool = pool(4)?;
    for len in [3 * MIB, 9 * MIB] {
        let right = |item: usize| (item as u8 as u64) * len as u64;
        let blocks: Vec<Vec<u8>> = (0..20).map(|item| block(item, len)).collect();
        let sums = pool.map(weigh, &blocks)?;
        assert!((0..20).all(|item| sums[item] == right(item)));
        let sums = pool.map(slow_weigh, (0..12).map(|item| block(item, len)))?;
        assert!((0..12).all(|item| sums[item] == right(item)));
        let sums = pool.try_map(slow_weigh, (0..12).map(|item| block(item, len)))?;
        for (item, sum) in sums.into_iter().enumerate() {
            assert_eq!(sum?, right(item));
        }
        let sums = pool.imap(slow_weigh, (0..12).map(|item| block(item, len)))?;
        for (item, sum) in sums.enumerate() {
            assert_eq!(sum?, right(item));
        }
    }
    // In chunks that do not fit, of items that do.
    let words: Vec<Vec<String>> = (0..40).map(|_| vec!["x".repeat(1000); 1000]).collect();
    let lengths = pool.on(names).chunk_size(40).map(&words)?;
    assert_eq!(lengths, vec![1_000_000; 40]);
    Ok(())
}

#[mp::test(timeout = "120s")]
fn results_that_fit_one_by_one() -> mp::Result<()> {
    if !limited(32, "results_that_fit_one_by_one") {
        return Ok(());
    }
    let pool = pool(2)?;
    for len in [MIB / 2, 2 * MIB, 4 * MIB] {
        let blocks: Vec<Vec<u8>> = (0..20).map(|item| block(item, len)).collect();
        assert!(pool.map(reversed, &blocks)? == blocks);
        let streamed: mp::Result<Vec<_>> = pool.imap(reversed, &blocks)?.collect();
        assert!(streamed? == blocks);
    }
    for chunk in [1, 10, 100] {
        let values = pool
            .on(blow_up)
            .chunk_size(chunk)
            .map((0..200).map(|x| x as u8))?;
        assert!(
            values
                .iter()
                .zip(0..)
                .all(|(value, x)| *value == block(x, MIB))
        );
    }
    Ok(())
}

#[mp::test(timeout = "120s")]
fn an_item_that_never_fits_is_told() -> mp::Result<()> {
    if !limited(16, "an_item_that_never_fits_is_told") {
        return Ok(());
    }
    let pool = pool(2)?;
    let blocks: Vec<Vec<u8>> = [1, 2, 40, 1].map(|mib| block(1, mib * MIB)).into();
    for _ in 0..3 {
        let error = pool.map(weigh, &blocks).expect_err("the third never fits");
        assert!(error.is_heap_full(), "{error}");
        assert_eq!(error.item(), Some(2), "{error}");
        let each = pool.try_map(weigh, &blocks)?;
        let streamed = pool.imap(weigh, &blocks)?.collect::<Vec<_>>();
        for results in [each, streamed] {
            assert_eq!(results.len(), 4);
            for (item, result) in results.into_iter().enumerate() {
                match result {
                    Ok(sum) => assert_eq!(sum, blocks[item].len() as u64),
                    Err(error) => {
                        assert!(error.is_heap_full() && error.item() == Some(2), "{error}");
                        assert_eq!(item, 2);
                    }
                }
            }
        }
        let error = pool.apply(weigh, &blocks[2]).expect_err("it never fits");
        assert!(error.is_heap_full(), "{error}");
        assert!(
            pool.map_async(weigh, &blocks)
                .is_err_and(|error| error.is_heap_full())
        );
        let each = pool.on(weigh).try_map_async(&blocks)?.get()?;
        assert_eq!(each.iter().filter(|sum| sum.is_ok()).count(), 3);
    }
    // Nothing of it is left.
    assert_eq!(pool.map(weigh, &blocks[..2])?, [MIB as u64, 2 * MIB as u64]);
    Ok(())
}

/// Several calls share what there is.
#[mp::test(timeout = "120s")]
fn calls_that_are_hungry_at_the_same_time() -> mp::Result<()> {
    if !limited(24, "calls_that_are_hungry_at_the_same_time") {
        return Ok(());
    }
    let pool = pool(2)?;
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4)
            .map(|caller| {
                let pool = &pool;
                scope.spawn(move || {
                    let results = pool.try_map(
                        slow_weigh,
                        (0..20).map(|item| block(item + caller, 2 * MIB)),
                    )?;
                    for (item, sum) in results.into_iter().enumerate() {
                        assert_eq!(sum?, ((item + caller) * 2 * MIB) as u64);
                    }
                    Ok::<_, mp::Error>(())
                })
            })
            .collect();
        for call in calls {
            call.join().expect("no panic")?;
        }
        Ok(())
    })
}
