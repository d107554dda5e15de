//! Some hundred types with random attributes of serde, nested in each other, with random values:
//! each value arrives as serde promises, or its sender has an error that names the type and the
//! field.
//!
//! The types are made by the program `serde_types` of this crate (`src/serde_types`), with what
//! must become of their values (`sample`). `MP_SERDE_VALUES` sets how many values of each type are
//! tried, `MP_SERDE_SEED` which.
#![allow(missing_docs)]

#[macro_use]
mod sample;
#[macro_use]
mod ways;
mod generated;
mod reference;
mod tally;

use std::path::Path;

use tally::Tally;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    }
}

#[mp::test(timeout = "600s")]
fn what_arrives_is_what_serde_promises() {
    let mut tally = Tally::new(setting("MP_SERDE_VALUES", 24), setting("MP_SERDE_SEED", 1));
    generated::all(&mut tally);
    println!("{tally}");
    tally.judge();
}

/// The oracles of the test above are tried against a format that keeps all that serde says.
#[test]
fn the_oracles_agree_with_the_reference() {
    let mut tally =
        Tally::of_reference(setting("MP_SERDE_VALUES", 24), setting("MP_SERDE_SEED", 1));
    generated::all(&mut tally);
    println!("{tally}");
    tally.judge();
}

#[test]
fn the_generator_makes_what_is_checked_in() {
    use mp_tests::serde_types::{COUNT, SEED, generate};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serde_types/generated");
    for (name, text) in generate(SEED, COUNT) {
        let found = std::fs::read_to_string(folder.join(&name)).expect("it is checked in");
        assert!(
            found == text,
            "{name} is not what the generator makes: cargo run -p mp-tests --bin serde_types"
        );
    }
}
