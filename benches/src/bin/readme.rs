//! Writes the README's table from the figures of `peers`: `cargo run -p mp-benches --bin readme -- FILE [FILE …]`.
//!
//! Each file is what `peers … --json FILE` wrote; of a workload that several of them have, the last one counts. The table
//! goes between the two markers in README.md, one line a workload: the middle value of `mp`'s first row, of its first row
//! with a fork server, of the best peer between processes, of CPython's best, and of what bounds it: the limit, and the
//! best of the threads.

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use serde_json::Value;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const BEGIN: &str = "<!-- figures: begin (written by `cargo run -p mp-benches --bin readme`) -->";
const END: &str = "<!-- figures: end -->";

/// Name and heading of each line, in the table's order.
const LINES: &[(&str, &str)] = &[
    ("W1", "start a process, one task, join"),
    ("W1b", "100 at once, all joined"),
    ("W2", "a pool of 2: start, one task, close, join"),
    ("W3", "`map` of x·x over a million `u64`"),
    ("W3f", "the same, one item per dispatch"),
    ("W4", "one call on a live pool, there and back"),
    ("W5", "a task takes 100 MiB of `f64`"),
    ("W5r", "a task returns 100 MiB"),
    ("W6", "a pipe or queue of `u64`, one to one"),
    ("W6b", "the same, two to one"),
    ("W6k", "messages of 1 KiB"),
    ("W6m", "messages of 1 MiB"),
    ("W6p", "a message there and back"),
    ("W7", "lock and unlock, nobody else wants it"),
    ("W7b", "2 processes count to a million each"),
    ("W8", "π, per point, 2 workers"),
    ("W9", "memory of an idle worker"),
    ("W10", "tasks of 2 ms, 2 workers against 1"),
    ("W21", "blur 400 MiB in place"),
];

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    match write(&files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("readme: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(files: &[String]) -> Result<(), Box<dyn Error>> {
    if files.is_empty() {
        return Err("which files of figures?".into());
    }
    let mut rows: Vec<Value> = Vec::new();
    for file in files {
        let new: Vec<Value> = serde_json::from_str(&fs::read_to_string(file)?)?;
        rows.retain(|row| {
            let same = |new: &Value| text(new, "workload") == text(row, "workload");
            !new.iter().any(same)
        });
        rows.extend(new);
    }
    let readme = fs::read_to_string(README)?;
    let (before, rest) = readme.split_once(BEGIN).ok_or("README.md has no marker")?;
    let (_, after) = rest.split_once(END).ok_or("README.md has no end marker")?;
    fs::write(
        README,
        format!("{before}{BEGIN}\n{}{END}{after}", table(&rows)),
    )?;
    Ok(())
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn table(rows: &[Value]) -> String {
    let mut out = String::new();
    if let Some(machine) = rows.iter().find(|row| text(row, "workload") == "machine") {
        let measured = rows
            .iter()
            .filter(|row| text(row, "workload") != "machine")
            .filter_map(|row| row["runs"].as_u64());
        out += &format!(
            "{}: {}, {}, Linux {}, {}, huge pages {}; medians of {} runs.\n\n",
            text(machine, "date"),
            text(machine, "who"),
            text(machine, "variant"),
            text(machine, "kernel"),
            text(machine, "compiler")
                .split('(')
                .next()
                .unwrap_or_default()
                .trim(),
            text(machine, "huge_pages"),
            measured.max().unwrap_or(0)
        );
    }
    out += "| workload | `mp` | `mp`, fork server | best peer between processes | CPython | by hand | threads |\n";
    out += "|---|---|---|---|---|---|---|\n";
    for (name, what) in LINES {
        let of: Vec<&Value> = rows
            .iter()
            .filter(|row| text(row, "workload") == *name)
            .collect();
        if of.is_empty() {
            continue;
        }
        out += &format!("| {what} | {} |\n", cells(&of).join(" | "));
    }
    out
}

/// The figures of one workload.
fn cells(rows: &[&Value]) -> [String; 6] {
    let forkserver = |row: &Value| text(row, "variant").contains("forkserver");
    let who = |row: &Value, names: &[&str]| names.contains(&text(row, "who"));
    let first = |right: &dyn Fn(&Value) -> bool| {
        let found = rows.iter().find(|row| right(row) && row["median"].is_f64());
        found.map_or(String::new(), |row| figure(row))
    };
    let best = |names: &[&str], named: bool| {
        let right = rows
            .iter()
            .filter(|row| who(row, names) && row["median"].is_f64());
        let found = right.max_by(|one, other| {
            let [one, other] = [one, other].map(|row| row["median"].as_f64().unwrap_or(f64::NAN));
            match more_is_better(text(rows[0], "unit")) {
                true => one.total_cmp(&other),
                false => other.total_cmp(&one),
            }
        });
        found.map_or(String::new(), |row| match named {
            true => format!("{} ({})", figure(row), text(row, "who")),
            false => figure(row),
        })
    };
    [
        first(&|row| who(row, &["mp"]) && !forkserver(row)),
        first(&|row| who(row, &["mp"]) && forkserver(row)),
        best(&["procspawn", "ipc-channel", "iceoryx2"], true),
        best(&["CPython"], false),
        first(&|row| who(row, &["limit"])),
        best(&["rayon", "crossbeam"], true),
    ]
}

fn more_is_better(unit: &str) -> bool {
    unit.ends_with("/s") || unit == "×"
}

fn figure(row: &Value) -> String {
    let value = row["median"].as_f64().unwrap_or(f64::NAN);
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$} {}", text(row, "unit"))
}
