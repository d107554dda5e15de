//! A hundred mebibytes as an argument (W5) and as a result (W5r). A fresh pool shows the first use, a kept one the rest.

use std::time::Instant;

use super::pool_of;
use crate::frame::{Case, Measured, Scale};
use crate::limits::{BYTES, sum};

#[mp::task]
fn total(numbers: &[f64]) -> f64 {
    sum(numbers)
}

#[mp::task]
fn make(length: usize) -> Vec<f64> {
    vec![1.0; length]
}

pub(crate) fn sums(scale: Scale) -> Vec<Case> {
    let numbers = vec![1.0_f64; scale.of(BYTES / 8)];
    let same = numbers.clone();
    let (mut kept, fresh) = (pool_of(1), || mp::Pool::builder().workers(1).build());
    vec![
        Case::new("mp", "apply(total, &numbers), warm", move || {
            let pool = kept()?;
            timed_sum(&pool, &numbers)?;
            timed_sum(&pool, &numbers)
        }),
        Case::new("mp", "apply(total, &numbers), first use", move || {
            timed_sum(&fresh()?, &same)
        }),
    ]
}

fn timed_sum(pool: &mp::Pool, numbers: &[f64]) -> Measured {
    let began = Instant::now();
    let sum = pool.apply(total, numbers)?;
    let took = began.elapsed().as_secs_f64();
    if sum != numbers.len() as f64 {
        return Err("the wrong sum".into());
    }
    Ok(size_of_val(numbers) as f64 / took / 1e9)
}

pub(crate) fn results(scale: Scale) -> Vec<Case> {
    let length = scale.of(BYTES / 8);
    let (mut kept, fresh) = (pool_of(1), || mp::Pool::builder().workers(1).build());
    vec![
        Case::new("mp", "apply(make, n), warm", move || {
            let pool = kept()?;
            timed_make(&pool, length)?;
            timed_make(&pool, length)
        }),
        Case::new("mp", "apply(make, n), first use", move || {
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
