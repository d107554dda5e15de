//! CPython's multiprocessing, where a `python3` is found: the scripts beside this file do the work and print one figure.

use std::process::Command;

use crate::frame::{Case, Measured, Scale};
use crate::limits::BYTES;

const WHO: &str = "CPython";
const MESSAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/rivals/messages.py");
const WORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/rivals/work.py");

pub(crate) fn cases(workload: &'static str, scale: Scale) -> Vec<Case> {
    if !is_there() {
        return Vec::new();
    }
    let methods = |spawn: usize, forkserver: usize, fork: usize| {
        let each = [("spawn", spawn), ("forkserver", forkserver), ("fork", fork)];
        let case = |(method, count): (&'static str, usize)| {
            work(workload, method, method, scale.of(count))
        };
        each.map(case).into()
    };
    let one = |variant: &'static str, count: usize| {
        vec![work(workload, variant, "fork", scale.of(count))]
    };
    match workload {
        "W1" => methods(20, 40, 200),
        "W1b" => methods(1, 1, 2),
        "W2" => methods(10, 20, 40),
        "W3" => one("Pool.map", 1_000_000),
        "W3f" => one("Pool.map, chunksize=1", 40_000),
        "W4" => one("Pool.apply, p50", 5_000),
        "W5" => one("array of doubles, sum(), second use", BYTES / 8),
        "W5r" => one("array of doubles, second use", BYTES / 8),
        "W7" => vec![work(workload, "Lock", "Lock", scale.of(1_000_000))],
        "W7b" => one("Value, get_lock() and += 1", 100_000),
        "W8" => one("Pool.map, 2 tasks, summed", 2_000_000),
        "W10" => one("Pool.map, 2 workers against 1", 200),
        "W6m" => messages(workload, scale.of(400)),
        "W6p" => messages(workload, scale.of(4_000)),
        "W6" | "W6b" | "W6k" => messages(workload, scale.of(40_000)),
        _ => Vec::new(),
    }
}

fn work(workload: &'static str, variant: &'static str, how: &'static str, count: usize) -> Case {
    Case::new(WHO, variant, move || {
        run(&[WORK, workload, how, &count.to_string()])
    })
}

fn messages(workload: &'static str, count: usize) -> Vec<Case> {
    let case = |what: &'static str| {
        Case::new(WHO, what, move || {
            run(&[MESSAGES, what, workload, &count.to_string()])
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
        .args(["60", "python3"])
        .args(arguments)
        .output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into());
    }
    Ok(String::from_utf8(out.stdout)?.trim().parse()?)
}
