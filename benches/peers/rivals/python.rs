//! CPython's multiprocessing, where a `python3` is found: the scripts beside this file do the work and print one figure.

use std::process::Command;

use crate::frame::{Case, Measured, Scale};

const WHO: &str = "CPython";
const MESSAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/rivals/messages.py");
const POOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/rivals/pools.py");

/// 100 MiB of f64.
const NUMBERS: usize = 100 << 17;

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    const METHODS: &[&str] = &["spawn", "forkserver", "fork"];
    const POOL: &[&str] = &["Pool, fork"];
    let (script, variants, count) = match workload {
        "W1" => (POOLS, METHODS, scale.of(20)),
        "W1b" => (POOLS, METHODS, 1),
        "W2" => (POOLS, METHODS, scale.of(20)),
        "W3" => (POOLS, POOL, scale.of(1_000_000)),
        "W3f" => (POOLS, POOL, scale.of(40_000)),
        "W4" => (POOLS, POOL, scale.of(4_000)),
        "W5" | "W5r" => (POOLS, POOL, scale.of(NUMBERS)),
        "W7" => (POOLS, &["Lock"][..], scale.of(1_000_000)),
        "W7b" => (POOLS, &["Lock"][..], scale.of(200_000)),
        "W8" => (POOLS, POOL, scale.of(2_000_000)),
        "W10" => (POOLS, POOL, scale.of(200)),
        "W6m" => (MESSAGES, &["Queue", "Pipe"][..], scale.of(400)),
        "W6p" => (MESSAGES, &["Queue", "Pipe"][..], scale.of(4_000)),
        "W6" | "W6b" | "W6k" => (MESSAGES, &["Queue", "Pipe"][..], scale.of(40_000)),
        _ => return Vec::new(),
    };
    if !is_there() {
        return Vec::new();
    }
    let workload = workload.to_owned();
    let case = |variant: &&'static str| {
        let (workload, variant) = (workload.clone(), *variant);
        Case::new(WHO, variant, move || {
            run(script, &[variant, &workload, &count.to_string()])
        })
    };
    variants.iter().map(case).collect()
}

fn is_there() -> bool {
    Command::new("python3")
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success())
}

fn run(script: &str, arguments: &[&str]) -> Measured {
    let out = Command::new("timeout")
        .args(["60", "python3", script])
        .args(arguments)
        .output()?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into());
    }
    Ok(String::from_utf8(out.stdout)?.trim().parse()?)
}
