//! `map`, `map_reduce` and `apply` that succeed.

use mp::Pool;

use crate::tasks::{
    add, concat, dot, grow, length, nap, no_parameters, nothing, pair, reverse, square, text,
};
use crate::{Engine, Verdict};

pub(crate) fn nothing_one_and_many_items(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    assert_eq!(pool.map(square, Vec::<u64>::new())?, []);
    assert_eq!(pool.map(square, std::iter::empty::<u64>())?, []);
    assert_eq!(pool.map_reduce(square, add, Vec::<u64>::new())?, None);
    assert_eq!(pool.map(square, [7])?, [49]);
    assert_eq!(pool.map_reduce(square, add, [7])?, Some(49));
    assert_eq!(pool.apply(square, 8)?, 64);
    assert_eq!(pool.apply(no_parameters, ())?, 7);
    for count in [2, 3, 511, 512, 513, 1000, 30_000] {
        let expected: Vec<u64> = (0..count).map(|x| x * x).collect();
        assert_eq!(pool.map(square, 0..count)?, expected, "{count} items");
        let total = pool.map_reduce(square, add, 0..count)?;
        assert_eq!(total, Some(expected.iter().sum()), "{count} items");
    }
    // An iterator that does not know its length.
    let odd = (0..20_000).filter(|x| x % 2 == 1);
    let expected: Vec<u64> = odd.clone().map(|x| x * x).collect();
    assert_eq!(pool.map(square, odd)?, expected);
    Ok(())
}

pub(crate) fn items_of_every_kind(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let texts: Vec<String> = (0..500).map(|x| "ü".repeat(x)).collect();
    let lengths: Vec<usize> = texts.iter().map(String::len).collect();
    assert_eq!(pool.map(length, &texts)?, lengths);
    assert_eq!(
        pool.map(text, 95..105)?.concat(),
        "9596979899100101102103104"
    );
    let items = (0..40_u8).map(|times| ((u32::from(times), "x".repeat(times.into())), times));
    let pairs = pool.map(pair, items)?;
    assert_eq!(pairs.len(), 40);
    assert!(
        pairs
            .iter()
            .enumerate()
            .all(|(at, pairs)| pairs.len() == at)
    );
    assert_eq!(pairs[3][2], (3, "xxx".to_owned()));
    Ok(())
}

pub(crate) fn data_are_lent(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let rows: Vec<Vec<f64>> = (0..100).map(|row| vec![f64::from(row); 50]).collect();
    let vector = vec![2.0; 50];
    let dots = pool.map(dot, rows.iter().map(|row| (row, &vector)))?;
    assert!(
        dots.iter()
            .zip(0..)
            .all(|(value, row)| *value == 100.0 * f64::from(row))
    );
    assert_eq!(pool.apply(dot, (&vector, &rows[1][..10]))?, 20.0);
    Ok(())
}

pub(crate) fn values_without_size(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    assert_eq!(pool.map(nothing, 0..10_000)?.len(), 10_000);
    pool.apply(nothing, 1)?;
    assert_eq!(
        pool.map(no_parameters, std::iter::repeat_n((), 3000))?,
        [7; 3000]
    );
    assert_eq!(pool.map(length, vec![""; 700])?, [0; 700]);
    Ok(())
}

pub(crate) fn large_items_and_large_results(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let items: Vec<Vec<u8>> = (0..12).map(|x| vec![x; 5 << 20]).collect();
    let back = pool.map(reverse, items.clone())?;
    assert!(back == items);
    // Small items, large results, and all sizes around the room in a slot and a chunk.
    let sizes = [0, 1, 31, 32, 33, 64, 4095, 65_536, 300_000, 9 << 20];
    let back = pool.map(grow, sizes)?;
    assert_eq!(back.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
    assert_eq!(pool.map(grow, vec![200_000; 200])?.len(), 200);
    assert_eq!(pool.apply(reverse, vec![1; 64 << 20])?.len(), 64 << 20);
    Ok(())
}

pub(crate) fn many_small_items(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    // Optimised, ten million; without, what takes about as long.
    let count = if cfg!(debug_assertions) {
        1_000_000
    } else {
        10_000_000
    };
    let squares = pool.map(square, 0..count)?;
    assert_eq!(squares.len() as u64, count);
    assert!(squares.iter().zip(0..).all(|(value, x)| *value == x * x));
    let texts = pool.map(text, 0..count / 20)?;
    assert!(
        texts
            .iter()
            .zip(0u64..)
            .all(|(value, x)| *value == x.to_string())
    );
    Ok(())
}

pub(crate) fn chunks_of_every_size(engine: Engine) -> Verdict {
    for (chunk, prefetch) in [
        (1, 1),
        (1, 700),
        (2, 3),
        (513, 1),
        (usize::MAX, usize::MAX),
        (0, 0),
    ] {
        let pool = Pool::builder()
            .workers(2)
            .inline(engine.inline)
            .chunk_size(chunk)
            .prefetch(prefetch)
            .build()?;
        let squares = pool.map(square, 0..5000)?;
        assert!(squares.iter().zip(0..).all(|(value, x)| *value == x * x));
        assert_eq!(pool.map(text, 0..2000)?.len(), 2000);
        assert_eq!(pool.map_reduce(square, add, 0..100)?, Some(328_350));
    }
    Ok(())
}

pub(crate) fn reduce_keeps_the_order(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    for count in [1, 2, 10, 1000, 6000] {
        let expected: String = (0..count).map(|x: u64| x.to_string()).collect();
        assert_eq!(pool.map_reduce(text, concat, 0..count)?, Some(expected));
    }
    Ok(())
}

pub(crate) fn many_threads_call_one_pool(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8u64)
            .map(|thread| {
                let pool = &pool;
                scope.spawn(move || -> mp::Result<()> {
                    for round in 0..40 {
                        let from = thread * 1000 + round;
                        assert_eq!(pool.apply(square, from)?, from * from);
                        let squares = pool.map(square, from..from + 300)?;
                        assert!(squares.iter().zip(from..).all(|(value, x)| *value == x * x));
                        let later = pool.apply_async(nap, round % 3)?;
                        assert_eq!(
                            pool.map_reduce(square, add, [from, 1])?,
                            Some(from * from + 1)
                        );
                        assert_eq!(later.get()?, round % 3);
                    }
                    Ok(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no thread panics")?;
        }
        Ok(())
    })
}

pub(crate) fn different_tasks_at_the_same_time(engine: Engine) -> Verdict {
    let pool = engine.pool(2)?;
    let slow: Vec<_> = (0..6)
        .map(|_| pool.apply_async(nap, 30))
        .collect::<Result<_, _>>()?;
    let texts = pool.map(text, 0..1000)?;
    assert_eq!(texts[999], "999");
    assert_eq!(pool.map(square, 0..1000)?[999], 998_001);
    for handle in slow {
        assert_eq!(handle.get()?, 30);
    }
    Ok(())
}
