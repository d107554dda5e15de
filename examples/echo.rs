//! An echo that stops when it is told to: one process waits for messages, for a signal to stop, and for a line of its
//! standard input, all at once.
//!
//! Shows `mp::wait` over a pipe, an event, a child and a descriptor, and `mp::duplex`, a pipe in both directions.
//!
//! Run it: `echo typed | cargo run --release --example echo`

use std::io::BufRead;
use std::time::Duration;

use mp::{Duplex, Event, Failure, Process, Readable};

/// Sends back what comes, in capitals, until it is told to stop; gives how much it was.
#[mp::task]
fn echo(line: Duplex<String, String>, stop: &Event) -> Result<u32, Failure> {
    let mut count = 0;
    loop {
        // Whatever of the two is ready first.
        let ready = mp::wait(&[&line, stop], None)?;
        if ready.contains(&0) {
            match line.recv() {
                Ok(text) => line.send(text.to_uppercase())?,
                Err(error) if error.is_closed() => return Ok(count),
                Err(error) => return Err(error.into()),
            }
            count += 1;
        } else {
            return Ok(count);
        }
    }
}

mp::main!(run);

fn run() -> mp::Result<()> {
    let (here, there) = mp::duplex()?;
    let stop = Event::new()?;
    let child = Process::new(echo, (there, &stop)).name("echo").start()?;

    for word in ["hello", "from", "another", "process"] {
        here.send(word.to_string())?;
        println!("{word} -> {}", here.recv()?);
    }
    let stdin = std::io::stdin();
    let typed = Readable(&stdin);
    let ready = mp::wait(&[&here, &child, &typed], Some(Duration::from_millis(500)))?;
    if ready == [2] {
        let mut line = String::new();
        if stdin.lock().read_line(&mut line).is_ok_and(|len| len > 0) {
            here.send(line.trim().to_string())?;
            println!("typed: {}", here.recv()?);
        }
    } else {
        println!("nothing was typed");
    }

    stop.set()?;
    // The child lets go of its end, and then ends itself.
    mp::wait(&[&here], None)?;
    assert!(here.recv().is_err_and(|error| error.is_closed()));
    println!("{} lines were echoed", child.join()?);
    Ok(())
}
