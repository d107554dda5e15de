//! CPython's multiprocessing, where a `python3` is found: the script beside this file does the work and prints one figure.

use std::process::Command;

use crate::frame::{Case, Measured, Scale};

const WHO: &str = "CPython";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/rivals/messages.py");

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    if !matches!(workload, "W6" | "W6b" | "W6k" | "W6m" | "W6p") || !is_there() {
        return Vec::new();
    }
    let workload = workload.to_owned();
    let case = |what: &'static str| {
        let workload = workload.clone();
        let count = match workload.as_str() {
            "W6m" => scale.of(400),
            "W6p" => scale.of(4_000),
            _ => scale.of(40_000),
        };
        Case::new(WHO, what, move || {
            run(&[what, &workload, &count.to_string()])
        })
    };
    vec![case("Queue"), case("Pipe")]
}

fn is_there() -> bool {
    Command::new("python3")
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success())
}

fn run(arguments: &[&str]) -> Measured {
    let out = Command::new("timeout")
        .args(["60", "python3", SCRIPT])
        .args(arguments)
        .output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into());
    }
    Ok(String::from_utf8(out.stdout)?.trim().parse()?)
}
