//! Two tasks of one name in one module.
#[mp::task]
fn work(x: u32) -> u32 {
    x + 1
}

#[mp::task]
fn work(x: u32) -> u32 {
    x + 2
}

fn main() -> mp::Result<()> {
    println!("{}", work.run(1)?);
    Ok(())
}
