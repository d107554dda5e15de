//! Two producers and a printer, each a process, and one pipe between them.
//!
//! Shows `mp::pipe`: its entrance is given to two processes, its exit to a third. In Python each producer puts an "END" into the pipe
//! and the printer counts them; here the pipe is at its end when nobody can send any more, so a producer that is killed
//! ends it as well.
//!
//! Run it: `cargo run --release --example pipemulti`

use mp::{Failure, Process, Receiver, Sender};

/// Sends ten messages.
#[mp::task]
fn add_to_pipe(v: u32, entrance: Sender<String>) -> Result<(), Failure> {
    for i in 0..10 {
        println!("put {v}:{i}");
        entrance.send(format!("{v}:{i}"))?;
    }
    Ok(())
}

/// Prints what comes, up to the end; gives how much that was.
#[mp::task]
fn print_from_pipe(exit: Receiver<String>) -> Result<usize, Failure> {
    let mut count = 0;
    for message in &exit {
        println!("Got: {}", message?);
        count += 1;
    }
    println!("pipe is empty");
    Ok(count)
}

mp::main!(run);

fn run() -> mp::Result<()> {
    let (entrance, exit) = mp::pipe()?;
    let printer = Process::new(print_from_pipe, exit).start()?;
    let producer1 = Process::new(add_to_pipe, (1, entrance.clone())).start()?;
    let producer2 = Process::new(add_to_pipe, (2, entrance)).start()?;
    producer1.join()?;
    producer2.join()?;
    println!("{} messages were printed", printer.join()?);
    Ok(())
}
