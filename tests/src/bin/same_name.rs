//! Two tasks in two modules that were given one name: an error of the first call, which shows both.

mod a {
    #[mp::task(name = "work")]
    pub(super) fn work(x: u32) -> u32 {
        x + 1
    }
}

mod b {
    #[mp::task(name = "work")]
    pub(super) fn other(x: u32) -> u32 {
        x + 2
    }
}

mp::main!(run);

fn run() -> mp::Result<()> {
    println!("{} {}", a::work.run(1)?, b::other.run(1)?);
    Ok(())
}
