//! procspawn: measured inside the small program `procspawned`, because its workers are its program executed again. Its pools
//! panic with a `Shmem` argument, so vectors go by value.

use std::process::Command;

use crate::frame::{Case, Measured, Scale};

const WHO: &str = "procspawn";
const PROGRAM: &str = env!("CARGO_BIN_EXE_procspawned");

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let row = |variant: &'static str, what: &'static str, count: usize, at_once: usize| {
        let times = match workload {
            // It tells the time of one process; the table shows that of a hundred.
            "W1b" => 100.0 / 1000.0,
            _ => 1.0,
        };
        vec![Case::new(WHO, variant, move || {
            Ok(run(&[what, &count.to_string(), &at_once.to_string()])? * times)
        })]
    };
    match workload {
        "W1" => row("spawn, join", "one", scale.of(200), 1),
        "W1b" => row("100 × spawn, 100 × join", "one", scale.of(5), 100),
        "W2" => row("Pool of 2, spawn, join, shutdown", "pool", scale.of(60), 1),
        "W3f" => row(
            "Pool::spawn, 1,024 in flight",
            "single",
            scale.of(20_000),
            1,
        ),
        "W4" => row("Pool::spawn, join, p50", "call", scale.of(5_000), 1),
        "W5" => row("Pool::spawn(Vec<f64>)", "sum", 3, 1),
        "W5r" => row("Pool::spawn → Vec<f64>", "result", 3, 1),
        "W8" => row("Pool of 2", "pi", scale.of(40_000_000), 1),
        _ => Vec::new(),
    }
}

fn run(arguments: &[&str]) -> Measured {
    let output = Command::new(PROGRAM).args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("procspawned: {} {}", output.status, said.trim()).into()
    })
}
