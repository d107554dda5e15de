//! Starting processes and pools (W1, W1b, W2), and what an idle worker weighs (W9): measured in the small program `start`.

use crate::frame::{Case, Scale};
use crate::limits::program;

pub(crate) fn one(scale: Scale) -> Vec<Case> {
    let count = scale.of(200).to_string();
    let of = move |what: &'static str| {
        let count = count.clone();
        move || program(&[what, &count])
    };
    vec![
        Case::new("mp", "Process::new(echo, 7).start(), join", of("mp")),
        Case::new("mp", "the same, forkserver", of("forkserver")),
    ]
}

pub(crate) fn many(scale: Scale) -> Vec<Case> {
    let count = scale.of(5).to_string();
    let of = move |what: &'static str| {
        let count = count.clone();
        move || Ok(program(&[what, &count, "100"])? * 100.0 / 1000.0)
    };
    vec![
        Case::new("mp", "100 × start, 100 × join", of("mp")),
        Case::new("mp", "the same, forkserver", of("forkserver")),
    ]
}

pub(crate) fn pool(scale: Scale) -> Vec<Case> {
    let count = scale.of(100).to_string();
    let of = move |what: &'static str| {
        let count = count.clone();
        move || Ok(program(&[what, &count])? / 1000.0)
    };
    vec![
        Case::new("mp", "Pool of 2, apply, close, join", of("pool")),
        Case::new(
            "mp",
            "the same, forkserver (which is there already)",
            of("forkserver-pool"),
        ),
    ]
}

pub(crate) fn idle() -> Vec<Case> {
    vec![
        Case::new("mp", "PSS, pool of 2", || program(&["pss", "2"])),
        Case::new("mp", "private dirty, pool of 2", || {
            program(&["dirty", "2"])
        }),
    ]
}
