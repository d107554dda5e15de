//! Starting, by system calls (strace) and page faults (the kernel's count), over a process and all
//! that it starts.
//!
//! Two runs of `start`, a short and a long one: their difference is what each start costs. Calls
//! that wait are left out, as their number is a matter of luck.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use mp_benches::budgets::{Cost, Counts, Rows};

use crate::Outcome;

const START: &str = env!("CARGO_BIN_EXE_start");

/// The row, and what `start` calls it.
const WAYS: &[(&str, &str)] = &[
    ("start/spawn", "mp"),
    ("start/forkserver", "forkserver"),
    ("start/pool-2", "pool"),
    ("start/pool-2-forkserver", "forkserver-pool"),
];

/// The end of the rows that count page faults.
const FAULTS: &str = "-faults";

/// How many starts the short and the long run have.
const SHORT: u32 = 5;
const LONG: u32 = 25;

/// The smallest count of so many tries is taken.
const TRIES: usize = 3;

const WAITING: &[&str] = &[
    "clock_nanosleep",
    "epoll_pwait",
    "epoll_wait",
    "futex",
    "futex_waitv",
    "nanosleep",
    "poll",
    "ppoll",
    "restart_syscall",
    "sched_yield",
    "waitid",
];

/// How much a row may differ from its budget of so much. Page faults depend on the kernel and on
/// what it has in memory.
pub(crate) fn leeway(name: &str, budget: f64) -> f64 {
    match name {
        name if name.ends_with(FAULTS) => budget * 0.15,
        name if name.starts_with("start/") => (budget * 0.03).max(2.0),
        _ => budget * 0.03,
    }
}

/// The system calls, and the page faults, of each way to start that is wanted.
pub(crate) fn count(wants: impl Fn(&str) -> bool) -> Outcome<Rows> {
    let mut rows = Rows::new();
    for (name, way) in WAYS {
        if wants(name) {
            rows.insert((*name).to_owned(), each(|count| calls(way, count))?);
        }
        let name = format!("{name}{FAULTS}");
        if wants(&name) {
            rows.insert(name, each(|count| faults(way, count))?);
        }
    }
    Ok(rows)
}

/// What one start costs.
fn each(run: impl Fn(u32) -> Outcome<BTreeMap<String, f64>>) -> Outcome<Cost> {
    let mut least: Option<Cost> = None;
    for _ in 0..TRIES {
        let (short, mut parts) = (run(SHORT)?, run(LONG)?);
        for (name, count) in &mut parts {
            *count -= short.get(name).copied().unwrap_or(0.0);
        }
        let total = parts.values().sum();
        let cost = Counts { total, parts }.by(u64::from(LONG - SHORT));
        if least.as_ref().is_none_or(|least| cost.total < least.total) {
            least = Some(cost);
        }
    }
    least.ok_or_else(|| "nothing was tried".into())
}

fn calls(way: &str, count: u32) -> Outcome<BTreeMap<String, f64>> {
    let file = std::env::temp_dir().join(format!("mp-counts-{}.strace", std::process::id()));
    let mut strace = Command::new("timeout");
    strace
        .args(["60", "strace", "-f", "-c", "-o"])
        .args([file.as_path(), Path::new(START)]);
    let ran = finish(&mut strace, way, count);
    let text = fs::read_to_string(&file);
    let _ = fs::remove_file(&file);
    ran?;
    Ok(table(&text?))
}

/// The table of `strace -c`: the fourth column is the count, the last one the name.
fn table(text: &str) -> BTreeMap<String, f64> {
    let mut calls = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(count), Some(name)) = (fields.get(3), fields.last()) else {
            continue;
        };
        if let Ok(count) = count.parse()
            && *name != "total"
            && !WAITING.contains(name)
        {
            calls.insert((*name).to_owned(), count);
        }
    }
    calls
}

fn faults(way: &str, count: u32) -> Outcome<BTreeMap<String, f64>> {
    let before = faults_of_children()?;
    finish(Command::new("timeout").args(["60", START]), way, count)?;
    let faults = faults_of_children()? - before;
    Ok(BTreeMap::from([("page faults".to_owned(), faults)]))
}

/// The minor page faults of all processes that ended below this one: the ninth field behind the
/// name.
fn faults_of_children() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(')').ok_or("/proc/self/stat has no name")?;
    let field = fields.split_whitespace().nth(8);
    Ok(field.ok_or("/proc/self/stat is short")?.parse()?)
}

fn finish(command: &mut Command, way: &str, count: u32) -> Outcome {
    command.arg(way).arg(count.to_string());
    // Cargo names folders to the loader, which looks into all of them.
    let out = command.env_clear().stdout(Stdio::null()).output()?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(format!("starting by {way} ended with {}: {said}", out.status).into())
}
