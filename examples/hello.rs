//! The first program: how many cores are there, and one process for each of them, started and joined.
//!
//! Shows `mp::cpu_count`, `#[mp::task]`, `mp::Process`, and that `join` gives the value the task returned.
//!
//! Run it: `cargo run --release --example hello`

/// Runs in a process of its own; what it returns travels back to the parent.
#[mp::task]
fn greet(number: usize) -> String {
    format!("hello from task {number} in process {}", std::process::id())
}

mp::main!(run);

fn run() -> mp::Result<()> {
    let cores = mp::cpu_count();
    println!(
        "{cores} cores to work on, process {} speaking",
        std::process::id()
    );

    // All of them are started before the first is joined, so they run at the same time.
    let mut children = Vec::new();
    for number in 1..=cores {
        children.push(mp::Process::new(greet, number).start()?);
    }
    for child in children {
        println!("{}", child.join()?);
    }

    // A task is still an ordinary function.
    println!("and here: {}", greet(0));
    Ok(())
}
