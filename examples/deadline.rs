//! Slow items cut off and reported: everything that is done in time has its value, the rest an error that says so.
//!
//! Shows `pool.on(task).timeout(…)`: the time of an item runs from the moment its worker began it; when it is up, that one
//! worker is killed and replaced, and no other item suffers.
//!
//! Run it: `cargo run --release --example deadline`

use std::time::{Duration, Instant};

/// How long an item may take.
const LIMIT: Duration = Duration::from_millis(200);

/// Follows the Collatz sequence of a number to its end; some inputs get stuck on the way, as they will.
#[mp::task]
fn follow(mut number: u64, stuck: bool) -> u32 {
    let mut steps = 0;
    while number != 1 || stuck {
        number = if number.is_multiple_of(2) {
            number / 2
        } else {
            3 * number + 1
        };
        steps += 1;
        if stuck {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    steps
}

mp::main!(run);

fn run() -> mp::Result<()> {
    let pool = mp::Pool::builder().workers(2).build()?;
    let items: Vec<(u64, bool)> = (1..=30).map(|number| (number, number % 10 == 7)).collect();

    let began = Instant::now();
    let results = pool
        .on(follow)
        .timeout(LIMIT)
        .try_map(items.iter().copied())?;
    let took = began.elapsed();

    let mut late = 0;
    for ((number, _), result) in items.iter().zip(results) {
        match result {
            Ok(steps) => println!("{number} ends after {steps} steps"),
            Err(error) if error.is_timeout() => {
                late += 1;
                println!("{number} was cut off: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    println!(
        "{late} of {} items were cut off, all done in {took:.1?}",
        items.len()
    );
    Ok(())
}
