//! Many items: in blocks (W3), one by one (W3f, W4a), and heavy ones (W8, W10).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::pool_of;
use crate::frame::{Case, Measured, Scale};
use crate::limits::{inside, spin, steps_in};

/// How many single calls are kept in flight.
const IN_FLIGHT: usize = 4096;

#[mp::task]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

/// Keeps a core busy.
#[mp::task]
fn toil(steps: u64) -> u64 {
    spin(steps)
}

/// Points inside the circle.
#[mp::task]
fn throw(seed: u64, points: u64) -> u64 {
    inside(seed, points)
}

/// Nanoseconds per point.
pub(crate) fn points(scale: Scale) -> Vec<Case> {
    let count = scale.of(100_000_000) as u64;
    let mut pool = pool_of(2);
    vec![Case::new("mp", "map(throw, 2 tasks), summed", move || {
        let pool = pool()?;
        pool.map(throw, [(1, 1), (2, 1)])?;
        let began = Instant::now();
        let hits: u64 = pool
            .map(throw, [(1, count / 2), (2, count / 2)])?
            .iter()
            .sum();
        let took = began.elapsed().as_secs_f64();
        let pi = 4.0 * hits as f64 / count as f64;
        if (pi - std::f64::consts::PI).abs() > 0.01 {
            return Err(format!("π is not {pi}").into());
        }
        Ok(took * 1e9 / count as f64)
    })]
}

pub(crate) fn blocks(scale: Scale) -> Vec<Case> {
    let count = scale.of(1_000_000) as u64;
    let items: Vec<u64> = (0..count).collect();
    let (mut pool, mut other) = (pool_of(2), pool_of(2));
    vec![
        Case::new("mp", "map(square, &items)", move || {
            let pool = pool()?;
            rate(&items, 5, |items| Ok(pool.map(square, items)?))
        }),
        Case::new("mp", "map(square, 0..n)", move || {
            let pool = other()?;
            rate(&[count], 5, |_| Ok(pool.map(square, 0..count)?)).map(|rate| rate * count as f64)
        }),
    ]
}

/// Millions of items a second; the results must have been right at both ends.
fn rate(
    items: &[u64],
    rounds: usize,
    mut map: impl FnMut(&[u64]) -> Result<Vec<u64>, Box<dyn std::error::Error>>,
) -> Measured {
    let began = Instant::now();
    for _ in 0..rounds {
        let squares = map(items)?;
        let wrong =
            |at: Option<&u64>, root: u64| at.is_none_or(|found| *found != root.wrapping_mul(root));
        if wrong(squares.first(), 0) || wrong(squares.last(), squares.len() as u64 - 1) {
            return Err("the wrong squares".into());
        }
    }
    Ok((rounds * items.len()) as f64 / began.elapsed().as_secs_f64() / 1e6)
}

pub(crate) fn single(scale: Scale) -> Vec<Case> {
    let count = scale.of(1_000_000) as u64;
    let mut pool = pool_of(2);
    vec![
        mapped("map(square, &items), chunk_size(1)", count, None),
        mapped("… and prefetch(1)", count / 10, Some(1)),
        Case::new("mp", "apply_async, 4,096 in flight", move || {
            asynchronous(&pool()?, count, IN_FLIGHT)
        }),
    ]
}

/// Single calls whose handles are waited for in turn; `mp`'s first row is the one that is compared.
pub(crate) fn handles(scale: Scale) -> Vec<Case> {
    let count = scale.of(1_000_000) as u64;
    let row = |variant: &'static str, in_flight: usize| {
        let mut pool = pool_of(2);
        Case::new("mp", variant, move || {
            asynchronous(&pool()?, count, in_flight)
        })
    };
    vec![
        row("apply_async, 64 in flight", 64),
        row("apply_async, 1 in flight", 1),
    ]
}

/// A map whose items travel one by one.
fn mapped(variant: &'static str, count: u64, prefetch: Option<usize>) -> Case {
    let items: Vec<u64> = (0..count).collect();
    let mut kept: Option<mp::Pool> = None;
    Case::new("mp", variant, move || {
        let pool = match &kept {
            Some(pool) => pool,
            None => {
                let builder = mp::Pool::builder().workers(2).chunk_size(1);
                let builder = match prefetch {
                    Some(messages) => builder.prefetch(messages),
                    None => builder,
                };
                kept.insert(builder.build()?)
            }
        };
        rate(&items, 1, |items| Ok(pool.map(square, items)?))
    })
}

/// Millions of calls a second, with so many in flight.
fn asynchronous(pool: &mp::Pool, count: u64, in_flight: usize) -> Measured {
    let began = Instant::now();
    let mut waiting = VecDeque::with_capacity(in_flight);
    let mut total = 0_u64;
    for number in 0..count {
        if waiting.len() == in_flight {
            total = total.wrapping_add(take(&mut waiting)?);
        }
        waiting.push_back(pool.apply_async(square, number)?);
    }
    while !waiting.is_empty() {
        total = total.wrapping_add(take(&mut waiting)?);
    }
    let rate = count as f64 / began.elapsed().as_secs_f64() / 1e6;
    let expected = (0..count).fold(0_u64, |total, number| {
        total.wrapping_add(number.wrapping_mul(number))
    });
    if total == expected {
        Ok(rate)
    } else {
        Err("the wrong total".into())
    }
}

fn take(waiting: &mut VecDeque<mp::Handle<u64>>) -> Result<u64, Box<dyn std::error::Error>> {
    Ok(waiting.pop_front().ok_or("nothing is waited for")?.get()?)
}

pub(crate) fn busy(scale: Scale) -> Vec<Case> {
    let tasks = scale.of(200);
    let (mut one, mut two) = (pool_of(1), pool_of(2));
    vec![Case::new(
        "mp",
        "map(toil, …), 2 workers against 1",
        move || {
            let steps = vec![steps_in(Duration::from_millis(2)); tasks];
            let time = |pool: mp::Pool| -> Measured {
                pool.map(toil, [1])?;
                let began = Instant::now();
                pool.map(toil, &steps)?;
                Ok(began.elapsed().as_secs_f64())
            };
            Ok(time(one()?)? / time(two()?)?)
        },
    )]
}
