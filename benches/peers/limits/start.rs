//! Starting processes: what posix_spawn and fork cost without anything else. Measured inside the small program `start`, so
//! that the size of this bench does not matter.

use std::process::Command;

use crate::frame::{Case, Measured, Scale};

const TINY: &str = env!("CARGO_BIN_EXE_tiny");
const START: &str = env!("CARGO_BIN_EXE_start");
const ZYGOTE: &str = env!("CARGO_BIN_EXE_zygote");

/// Runs `start` with these arguments; it prints one number and bounds itself in time.
pub(crate) fn program(arguments: &[&str]) -> Measured {
    number_of(START, arguments)
}

fn number_of(program: &str, arguments: &[&str]) -> Measured {
    let output = Command::new(program).args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        format!(
            "{program} {}: {} {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )
        .into()
    })
}

pub(crate) fn one(scale: Scale) -> Vec<Case> {
    let count = scale.of(200).to_string();
    let of = move |what: &'static str| {
        let count = count.clone();
        move || program(&[what, &count, "1", TINY])
    };
    let zygote = scale.of(200).to_string();
    vec![
        Case::new(
            "limit",
            "posix_spawn, same binary, returns at once",
            of("self"),
        ),
        Case::new(
            "limit",
            "posix_spawn, a Rust program without mp",
            of("tiny"),
        ),
        Case::new("limit", "fork, _exit", of("fork")),
        Case::new("limit", "zygote: request, fork, _exit", move || {
            number_of(ZYGOTE, &[&zygote, "1"])
        }),
    ]
}

pub(crate) fn many(scale: Scale) -> Vec<Case> {
    let count = scale.of(5).to_string();
    let of = move |what: &'static str| {
        let count = count.clone();
        // `start` tells the time of one process; the table shows that of a hundred.
        move || Ok(program(&[what, &count, "100", TINY])? * 100.0 / 1000.0)
    };
    let zygote = scale.of(5).to_string();
    vec![
        Case::new(
            "limit",
            "posix_spawn, same binary, returns at once",
            of("self"),
        ),
        Case::new(
            "limit",
            "posix_spawn, a Rust program without mp",
            of("tiny"),
        ),
        Case::new("limit", "fork, _exit", of("fork")),
        Case::new("limit", "zygote: request, fork, _exit", move || {
            Ok(number_of(ZYGOTE, &[&zygote, "100"])? * 100.0 / 1000.0)
        }),
    ]
}

pub(crate) fn pool(scale: Scale) -> Vec<Case> {
    let count = scale.of(100).to_string();
    let run = move || Ok(program(&["self", &count, "2", TINY])? * 2.0 / 1000.0);
    vec![Case::new(
        "limit",
        "2 × posix_spawn, same binary, at once",
        run,
    )]
}
