//! A function without the attribute, where a task is wanted.
#![allow(unused)]

fn plain(x: u64) -> u64 {
    x
}

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

fn main() -> mp::Result<()> {
    let pool = mp::Pool::new()?;
    pool.map(plain, [1, 2])?;
    pool.apply(plain, 1)?;
    pool.map(|x: u64| x, [1])?;
    pool.map_reduce(square, |a, b| a + b, [1])?;
    mp::map(plain, [1])?;
    mp::Process::new(plain, 1).start()?;
    plain.start(1)?;
    Ok(())
}
