//! A `Buffer` as an argument and as a result: what handing it over costs beside a call without one, at any size (W5b).

use std::time::Instant;

use super::pool_of;
use crate::frame::{Case, Measured, Scale};
use crate::limits::BYTES;

#[mp::task]
fn nothing(_: u64) -> u64 {
    1
}

/// Looks at the first and the last byte.
#[mp::task]
fn ends(bytes: &mp::Buffer<u8>) -> u64 {
    let (first, last) = (bytes.first().copied(), bytes.last().copied());
    u64::from(first == Some(7) && last == Some(7))
}

#[mp::task]
fn make(len: usize) -> Result<mp::Buffer<f64>, mp::Failure> {
    Ok(mp::Buffer::filled(1.0, len)?)
}

pub(crate) fn hand_overs(scale: Scale) -> Vec<Case> {
    let calls = scale.of(20_000);
    let sizes = [
        (
            "apply(ends, &buffer of 1 KiB) - apply(nothing, 0), p50",
            1 << 10,
        ),
        (
            "apply(ends, &buffer of 1 GiB) - apply(nothing, 0), p50",
            1 << 30,
        ),
    ];
    sizes
        .into_iter()
        .map(|(variant, full)| {
            let len = if scale == Scale::Full {
                full
            } else {
                full.min(1 << 20)
            };
            let mut pool = pool_of(1);
            let mut buffer = None;
            Case::new("mp", variant, move || {
                let pool = pool()?;
                if buffer.is_none() {
                    buffer = Some(mp::Buffer::filled(7u8, len)?);
                }
                let Some(buffer) = &buffer else {
                    return Err("no buffer".into());
                };
                let with = middle(calls, || pool.apply(ends, buffer))?;
                let without = middle(calls, || pool.apply(nothing, 0))?;
                Ok(with - without)
            })
        })
        .collect()
}

fn middle(calls: usize, call: impl Fn() -> mp::Result<u64>) -> Measured {
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        let answer = call()?;
        times.push(began.elapsed().as_secs_f64() * 1e6);
        if answer != 1 {
            return Err("the wrong answer".into());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Rows of W5r: the result is a buffer.
pub(crate) fn results(scale: Scale) -> Vec<Case> {
    let length = scale.of(BYTES / 8);
    let (mut kept, fresh) = (pool_of(1), || mp::Pool::builder().workers(1).build());
    vec![
        Case::new("mp", "apply(make a Buffer, n), warm", move || {
            let pool = kept()?;
            timed_make(&pool, length)?;
            timed_make(&pool, length)
        }),
        Case::new("mp", "apply(make a Buffer, n), first use", move || {
            timed_make(&fresh()?, length)
        }),
    ]
}

fn timed_make(pool: &mp::Pool, length: usize) -> Measured {
    let began = Instant::now();
    let numbers = pool.apply(make, length)?;
    let took = began.elapsed().as_secs_f64();
    if numbers.len() != length || numbers.last() != Some(&1.0) {
        return Err("the wrong numbers".into());
    }
    Ok((length * 8) as f64 / took / 1e9)
}
