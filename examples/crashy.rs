#![allow(unsafe_code)]
//! A sweep that survives its own crashes: foreign code that ends the process on some inputs, and a list of which.
//!
//! Shows `Pool::try_map`: one `Result` for each input. A worker that crashes takes only the input it was on with it; the pool
//! starts another and goes on. The error names the signal, so that a crash is not mistaken for a failure.
//!
//! Run it: `cargo run --release --example crashy -- 200`

use std::process::ExitCode;

/// Stands for a function of a C library with two faults: it reads through a wild pointer where the input divides by 17, and
/// gives up where it divides by 29.
///
/// # Safety
/// `input` is not divisible by 17.
unsafe extern "C" fn fragile(input: u64) -> u64 {
    if input.is_multiple_of(29) {
        std::process::abort();
    }
    let table = [3_u64, 1, 4, 1, 5, 9, 2, 6];
    let place = if input.is_multiple_of(17) {
        std::ptr::without_provenance(8)
    } else {
        std::ptr::from_ref(&table[input as usize % table.len()])
    };
    // SAFETY: the caller's promise; here it is broken, and this process pays for it.
    unsafe { place.read_volatile() * input }
}

/// Runs the foreign function in a worker, where it can do no harm to anybody else.
#[mp::task]
fn evaluate(input: u64) -> u64 {
    // SAFETY: none for some inputs; that is what the process of its own is for.
    unsafe { fragile(input) }
}

mp::main!(run);

fn run() -> mp::Result<ExitCode> {
    let count = match std::env::args().nth(1).map(|text| text.parse::<u64>()) {
        None => 200,
        Some(Ok(count)) => count,
        Some(Err(error)) => {
            eprintln!("crashy: how many inputs? {error}");
            return Ok(ExitCode::from(2));
        }
    };
    let pool = mp::Pool::new()?;
    let results = pool.try_map(evaluate, 1..=count)?;

    let mut sum = 0_u64;
    let mut crashed = 0;
    for (input, result) in (1..=count).zip(&results) {
        match result {
            Ok(value) => sum = sum.wrapping_add(*value),
            Err(error) => {
                crashed += 1;
                let signal = error
                    .signal()
                    .map_or("no signal".into(), |it| format!("signal {it}"));
                println!("input {input} has crashed: {signal}");
            }
        }
    }
    let good = results.len() - crashed;
    println!("{good} of {count} inputs have a value, their sum is {sum}; {crashed} crashed");
    Ok(ExitCode::SUCCESS)
}
