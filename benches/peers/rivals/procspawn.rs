//! procspawn: a small program of its own does the work and prints one figure.

use std::process::Command;

use crate::frame::{Case, Measured, Scale};
use crate::limits::BYTES;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rival-procspawn");

pub(crate) fn cases(workload: &'static str, scale: Scale) -> Vec<Case> {
    let (variant, count) = match workload {
        "W1" => ("spawn(7, echo).join()", scale.of(200)),
        "W1b" => ("100 × spawn, 100 × join", scale.of(5)),
        "W2" => ("Pool of 2, spawn, join, shutdown", scale.of(100)),
        "W4" => ("Pool::spawn, join, back to back, p50", scale.of(5_000)),
        "W5" => ("Vec<f64> by value, second use", scale.of(BYTES / 8)),
        _ => return Vec::new(),
    };
    vec![Case::new("procspawn", variant, move || {
        run(workload, count)
    })]
}

fn run(workload: &str, count: usize) -> Measured {
    let output = Command::new(PROGRAM)
        .args([workload, &count.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("{} {}", output.status, said.trim()).into()
    })
}
