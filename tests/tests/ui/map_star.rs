//! The function inside a task where the task is wanted, and the task where a function is.
#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

fn main() -> mp::Result<()> {
    let pool = mp::Pool::new()?;
    println!("{:?}", pool.map(*square, [1, 2])?);
    println!("{:?}", [1, 2].map(square));
    Ok(())
}
