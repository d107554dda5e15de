//! Primes from an endless search, stopped when there are enough of them.
//!
//! Shows `Pool::imap_unordered`: the input has no end, it is pulled only as far as keeps the workers busy, values come as they are
//! ready, and leaving the loop calls off the rest.
//!
//! Run it: `cargo run --release --example primes -- 20`

use std::process::ExitCode;

/// Where the search begins: large enough that a test takes a moment.
const BEGIN: u64 = 1_000_000_007;

/// Whether the number is a prime, by trial division.
#[mp::task]
fn is_prime(number: u64) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && !divisors.any(|divisor| number.is_multiple_of(divisor))
}

mp::main!(run);

fn run() -> mp::Result<ExitCode> {
    let wanted = match std::env::args().nth(1).map(|text| text.parse::<usize>()) {
        None => 20,
        Some(Ok(wanted)) => wanted,
        Some(Err(error)) => {
            eprintln!("primes: how many? {error}");
            return Ok(ExitCode::from(2));
        }
    };
    let pool = mp::Pool::new()?;
    let candidates = (BEGIN..).step_by(2);
    let (mut found, mut tested) = (Vec::new(), 0);
    if wanted > 0 {
        for (item, prime) in pool.imap_unordered(is_prime, candidates)? {
            tested += 1;
            if prime? {
                found.push(BEGIN + 2 * item as u64);
                if found.len() == wanted {
                    break;
                }
            }
        }
    }
    // They come as they are ready, not in order.
    found.sort_unstable();
    for prime in &found {
        println!("{prime}");
    }
    println!("{} primes among {tested} numbers", found.len());
    Ok(ExitCode::SUCCESS)
}
