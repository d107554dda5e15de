//! Tasks that do not fold.
#![allow(unused)]

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

#[mp::task]
fn add_floats(a: f64, b: f64) -> f64 {
    a + b
}

#[mp::task]
fn add_one(a: u64) -> u64 {
    a
}

fn main() -> mp::Result<()> {
    let pool = mp::Pool::new()?;
    pool.map_reduce(square, add_floats, 1..3)?;
    pool.map_reduce(square, add_one, 1..3)?;
    Ok(())
}
