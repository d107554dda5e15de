//! Makes README's table of figures from what the bench wrote:
//! `cargo run -p mp-benches --bin readme -- FIGURES.json … [--readme README.md]`.
//!
//! A line for each workload: the bare limit, threads, the best of the other process libraries, CPython, and `mp`. It stands between
//! two markers, which stay. Several files are taken as one run.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Deserialize;

const BEGIN: &str = "<!-- figures: made by `cargo run -p mp-benches --bin readme` -->";
const END: &str = "<!-- end of the figures -->";

/// One row of the bench.
#[derive(Deserialize, Clone, Debug)]
struct Row {
    workload: String,
    who: String,
    variant: String,
    unit: String,
    median: Option<f64>,
    runs: u32,
}

/// What each line of the table is about, in its order.
const LINES: &[(&str, &str)] = &[
    ("W1", "start a process, run a task, get its value, join"),
    ("W1b", "100 of them at once"),
    ("W2", "pool of 2: start, one task, close, join"),
    ("W3", "map x·x over 1,000,000 u64, 2 workers"),
    ("W3f", "the same, one item a message"),
    ("W4", "one call on a live pool, there and back"),
    ("W5", "argument of 100 MiB"),
    ("W5r", "result of 100 MiB"),
    ("W6", "queue of u64, one to one"),
    ("W6b", "the same, two to one"),
    ("W6k", "messages of 1 KiB"),
    ("W6m", "messages of 1 MiB"),
    ("W6p", "message there and back"),
    ("W7", "lock and unlock, alone"),
    ("W7b", "2 processes count to 2 million under a lock"),
    ("W8", "π, time for a random point, 2 workers"),
    ("W10", "tasks of 2 ms, 2 workers against 1"),
    ("W21", "blur 400 MiB in place, 5 passes, 2 workers"),
];

fn main() -> ExitCode {
    match make() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("readme: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make() -> Result<(), Box<dyn std::error::Error>> {
    let mut readme = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let mut rows: Vec<Row> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--readme" {
            readme = arguments.next().ok_or("--readme needs a file")?.into();
            continue;
        }
        let text = fs::read_to_string(&argument).map_err(|error| format!("{argument}: {error}"))?;
        let more: Vec<Row> =
            serde_json::from_str(&text).map_err(|error| format!("{argument}: {error}"))?;
        rows.extend(more);
    }
    if rows.is_empty() {
        return Err("which file of figures? (peers --json FILE)".into());
    }
    let text = fs::read_to_string(&readme)?;
    let whole = between(&text, &table(&rows)).ok_or("the markers are not in the README")?;
    fs::write(&readme, whole)?;
    Ok(())
}

/// The text with the table between its markers.
fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let machine: Vec<&str> = rows
        .iter()
        .filter(|row| row.workload == "machine")
        .map(|row| row.variant.as_str())
        .collect();
    if let Some(machine) = machine.first() {
        let runs = rows.iter().map(|row| row.runs).max().unwrap_or(0);
        out += &format!("Medians of {runs} runs, all in one, by turns; {machine}.\n\n");
    }
    out += "| | bare limit | threads | other process libraries | CPython | `mp` |\n|---|---|---|---|---|---|\n";
    for (workload, what) in LINES {
        let of: Vec<&Row> = rows
            .iter()
            .filter(|row| row.workload == *workload)
            .collect();
        if of.is_empty() {
            continue;
        }
        let cells = [
            first(&of, &["limit"]),
            best(&of, &["rayon", "crossbeam"]),
            best(&of, &["procspawn", "ipc-channel", "iceoryx2"]),
            best(&of, &["CPython"]),
            all(&of, "mp"),
        ];
        out += &format!("| {what} | {} |\n", cells.join(" | "));
    }
    out
}

/// Whether a large number of this unit is good.
fn is_rate(unit: &str) -> bool {
    unit.ends_with("/s") || unit == "×"
}

fn first(rows: &[&Row], who: &[&str]) -> String {
    let row = rows.iter().find(|row| who.contains(&row.who.as_str()));
    row.map_or(String::new(), |row| figure(row))
}

fn best(rows: &[&Row], who: &[&str]) -> String {
    let theirs = rows
        .iter()
        .filter(|row| who.contains(&row.who.as_str()) && row.median.is_some());
    let best = theirs.max_by(|one, other| {
        let order = one.median.partial_cmp(&other.median);
        let order = order.unwrap_or(std::cmp::Ordering::Equal);
        if is_rate(&one.unit) {
            order
        } else {
            order.reverse()
        }
    });
    best.map_or("–".to_owned(), |row| {
        format!("{} ({}, {})", figure(row), row.who, row.variant)
    })
}

/// The first row of `mp`, and what else it measured.
fn all(rows: &[&Row], who: &str) -> String {
    let own: Vec<&&Row> = rows.iter().filter(|row| row.who == who).collect();
    let mut out: Vec<String> = Vec::new();
    for (at, row) in own.iter().enumerate() {
        out.push(if at == 0 {
            format!("**{}** ({})", figure(row), row.variant)
        } else {
            format!("{} ({})", figure(row), row.variant)
        });
    }
    out.join("; ")
}

fn figure(row: &Row) -> String {
    let Some(value) = row.median else {
        return "failed".to_owned();
    };
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$} {}", row.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(workload: &str, who: &str, unit: &str, median: f64) -> Row {
        Row {
            workload: workload.to_owned(),
            who: who.to_owned(),
            variant: format!("by {who}"),
            unit: unit.to_owned(),
            median: Some(median),
            runs: 3,
        }
    }

    #[test]
    fn a_line_names_the_best_of_each_kind() {
        let rows = [
            row("W6", "crossbeam", "M/s", 60.0),
            row("W6", "ipc-channel", "M/s", 0.7),
            row("W6", "iceoryx2", "M/s", 3.8),
            row("W6", "mp", "M/s", 90.0),
            row("W1", "limit", "µs", 1000.0),
            row("W1", "procspawn", "µs", 1500.0),
            row("W1", "mp", "µs", 1100.0),
        ];
        let table = table(&rows);
        assert!(
            table.contains(
                "| 1000 µs | – | 1500 µs (procspawn, by procspawn) | – | **1100 µs** (by mp) |"
            ),
            "{table}"
        );
        assert!(
            table.contains(
                "60.0 M/s (crossbeam, by crossbeam) | 3.80 M/s (iceoryx2, by iceoryx2) |"
            ),
            "{table}"
        );
    }

    #[test]
    fn the_table_takes_the_place_of_the_old_one() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = between(&text, "new").unwrap();
        assert_eq!(between(&once, "new").unwrap(), once);
        assert!(once.contains("before\n") && once.ends_with("\nafter\n") && !once.contains("old"));
        assert!(between("no markers", "new").is_none());
    }
}
