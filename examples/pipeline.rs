//! A pipeline of three stages over two queues: read lines, parse them, add them up. For access logs of web servers, or any
//! text of which the first word of a line is what is counted (`--csv COLUMN` counts a column of a CSV instead).
//!
//! Shows bounded queues between processes. The reader is faster than the parsers, so the first queue fills up and holds it
//! back: nothing piles up, whatever the size of the input, and the numbers at the end say who has waited for whom.
//!
//! Run it: `cargo run --release --example pipeline`, or with files of your own: `… -- access.log`, `… -- --csv 2 table.csv`

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mp::{Failure, Process, Queue};
use serde::{Deserialize, Serialize};

/// Lines go through the queues a hundred at a time.
const BATCH: usize = 100;

/// What a line says.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Format {
    /// A log in the common format of web servers.
    Log,
    /// A table; the column that is counted, from 1.
    Csv(usize),
}

/// A line, understood.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    key: String,
    bytes: u64,
}

/// Reads lines into a queue; gives how many, and how long it had to wait for room.
#[mp::task]
fn read(path: &Path, lines: &Queue<Vec<String>>) -> Result<(usize, Duration), Failure> {
    let file = std::io::BufReader::new(std::fs::File::open(path)?);
    let (mut count, mut waited) = (0, Duration::ZERO);
    let mut batch = Vec::with_capacity(BATCH);
    let mut pass_on = |batch: &mut Vec<String>| {
        let begun = Instant::now();
        let full = lines.is_full();
        let put = lines.put(std::mem::take(batch));
        if full {
            waited += begun.elapsed();
        }
        put
    };
    for line in file.lines() {
        batch.push(line?);
        count += 1;
        if batch.len() == BATCH {
            pass_on(&mut batch)?;
        }
    }
    pass_on(&mut batch)?;
    Ok((count, waited))
}

/// Understands lines, until there are no more; gives how many it could not understand.
#[mp::task]
fn parse(
    format: Format,
    lines: &Queue<Vec<String>>,
    entries: &Queue<Vec<Entry>>,
) -> Result<usize, Failure> {
    let mut bad = 0;
    for batch in lines {
        let batch = batch?;
        let all = batch.len();
        let parsed: Vec<Entry> = batch
            .iter()
            .filter_map(|line| entry(format, line))
            .collect();
        bad += all - parsed.len();
        entries.put(parsed)?;
    }
    Ok(bad)
}

fn entry(format: Format, line: &str) -> Option<Entry> {
    match format {
        // 10.0.0.1 - - [10/Oct/2025:13:55:36 +0000] "GET /a/b HTTP/1.1" 200 2326
        Format::Log => {
            let mut quoted = line.split('"');
            let request = quoted.nth(1)?;
            let mut numbers = quoted.next()?.split_whitespace();
            let status = numbers.next()?;
            let bytes = numbers
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            let path = request.split_whitespace().nth(1)?;
            let key = format!("{status} {path}");
            Some(Entry { key, bytes })
        }
        Format::Csv(column) => {
            let key = line
                .split(',')
                .nth(column.checked_sub(1)?)?
                .trim()
                .to_string();
            let bytes = line.len() as u64;
            (!key.is_empty()).then_some(Entry { key, bytes })
        }
    }
}

/// Adds up, until there are no more entries.
#[mp::task]
fn add_up(entries: &Queue<Vec<Entry>>) -> Result<BTreeMap<String, (u64, u64)>, Failure> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for batch in entries {
        for Entry { key, bytes } in batch? {
            let (count, sum) = sums.entry(key).or_default();
            *count += 1;
            *sum += bytes;
        }
    }
    Ok(sums)
}

mp::main!(run);

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let (format, path) = arguments()?;
    // Small, so that it can be seen who waits.
    let lines = Queue::bounded(8)?;
    let entries = Queue::bounded(8)?;
    let sums = Process::new(add_up, &entries).name("add_up").start()?;
    let parsers = (0..2)
        .map(|_| Process::new(parse, (format, &lines, &entries)).start())
        .collect::<mp::Result<Vec<_>>>()?;
    let begun = Instant::now();
    let reader = Process::new(read, (path.as_path(), &lines)).start()?;

    // Each stage is closed when the one before it is done.
    let outcome = reader.join();
    lines.close();
    let mut bad = 0;
    for parser in parsers {
        bad += parser.join()?;
    }
    entries.close();
    let sums = sums.join()?;
    let (count, waited) = outcome?;

    let mut most: Vec<_> = sums.iter().collect();
    most.sort_by_key(|(key, (count, _))| (std::cmp::Reverse(*count), (*key).clone()));
    for (key, (count, bytes)) in most.iter().take(8) {
        println!("{count:>9}  {bytes:>12} bytes  {key}");
    }
    println!(
        "{count} lines in {:.2?}, {} kinds, {bad} not understood; the reader was held back for {:.2?}",
        begun.elapsed(),
        sums.len(),
        waited
    );
    Ok(())
}

fn arguments() -> Result<(Format, PathBuf), String> {
    let mut arguments = std::env::args_os().skip(1);
    let mut format = Format::Log;
    let mut path = None;
    while let Some(argument) = arguments.next() {
        if argument == "--csv" {
            let column = arguments
                .next()
                .and_then(|text| text.to_str()?.parse().ok());
            let column = column.filter(|column| *column > 0);
            format = Format::Csv(column.ok_or("--csv needs the number of a column, from 1")?);
        } else {
            path = Some(PathBuf::from(argument));
        }
    }
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("logs/access.log");
    Ok((format, path.unwrap_or_else(default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let line =
            r#"10.0.0.7 - ann [10/Oct/2025:13:55:36 +0000] "GET /a?b HTTP/1.1" 404 12 "-" "x""#;
        let key = "404 /a?b".to_string();
        assert_eq!(entry(Format::Log, line), Some(Entry { key, bytes: 12 }));
        assert_eq!(entry(Format::Log, "nonsense"), None);
        let key = "b".to_string();
        assert_eq!(
            entry(Format::Csv(2), "a, b,c"),
            Some(Entry { key, bytes: 6 })
        );
        assert_eq!(entry(Format::Csv(4), "a,b,c"), None);
    }
}
