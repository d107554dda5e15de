//! Who am I: every process has a name and a pid, and can ask for both.
//!
//! Shows default names (`Process-1`, `Process-2`, …), a name given with `.name(…)`, and that a child's child carries its
//! parent's numbers (`Process-2:1`), so that a name in a log says where the process came from.
//!
//! Run it: `cargo run --release --example names`

/// Says who runs it.
#[mp::task]
fn introduce() -> String {
    let me = mp::current_process();
    format!("I am {}, pid {}", me.name(), me.pid())
}

/// Starts a process from inside a process and passes on what both have to say.
#[mp::task]
fn introduce_family() -> Result<Vec<String>, mp::Failure> {
    let child = mp::Process::new(introduce, ()).start()?;
    Ok(vec![introduce(), child.join()?])
}

mp::main!(run);

fn run() -> mp::Result<()> {
    println!("{} (the program itself)", introduce());

    let plain = mp::Process::new(introduce, ()).start()?;
    let named = mp::Process::new(introduce, ()).name("librarian").start()?;
    println!("started {} and {}", plain.name(), named.name());
    println!("{} (a default name)", plain.join()?);
    println!("{} (a name of our own)", named.join()?);

    let family = mp::Process::new(introduce_family, ()).start()?.join()?;
    println!("{} (a parent)", family[0]);
    println!("{} (its child)", family[1]);
    Ok(())
}
