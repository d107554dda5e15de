//! A closure where a task is wanted.
fn main() -> mp::Result<()> {
    let k = 3;
    let pool = mp::Pool::new()?;
    println!("{:?}", pool.map(|x: u64| x * k, [1, 2])?);
    Ok(())
}
