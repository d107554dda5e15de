//! Counts the words of files and folders on all cores, and prints the most frequent ones.
//!
//! A word is a maximal run of ASCII letters, lower-cased. The output is the 20 most frequent words as `COUNT WORD`, the
//! largest count first, ties by word, then `TOTAL n words in m files`. What cannot be read is named on stderr and not
//! counted. Names and contents need not be UTF-8. With no PATH it counts the text in `examples/data`.
//!
//! Shows `pool.map_reduce` on real input: one task per file, and a second task that folds the counts together inside the
//! workers, so that only a few tables travel back whatever the number of files.
//!
//! Run it: `cargo run --release --example wordcount -- [--workers N | --sequential] [PATH…]`

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use walk::{Problem, Walk, problem, walk};
use words::Words;

#[path = "wordcount/walk.rs"]
mod walk;
#[path = "wordcount/words.rs"]
mod words;

const TOP: usize = 20;
const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
const USAGE: &str = "usage: wordcount [--workers N | --sequential] [--] [PATH...]";

/// What was counted in one file, or in many.
#[derive(Default, Serialize, Deserialize)]
struct Counts {
    words: Words,
    files: u64,
    problems: Vec<Problem>,
}

thread_local! {
    /// Files are read through this, piece by piece, so the size of a file does not matter.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// Counts the words of one file.
#[mp::task]
fn count(path: PathBuf) -> Counts {
    let mut counts = Counts::default();
    let read = File::open(&path)
        .and_then(|file| BUFFER.with_borrow_mut(|buffer| counts.words.read(file, buffer)));
    match read {
        Ok(()) => counts.files = 1,
        // A file that fails half-way does not count by half.
        Err(error) => {
            counts = Counts {
                problems: vec![problem(&path, &error)],
                ..Counts::default()
            };
        }
    }
    counts
}

/// Folds two counts into one.
#[mp::task]
fn merge(mut all: Counts, more: Counts) -> Counts {
    all.words.merge(more.words);
    all.files += more.files;
    all.problems.extend(more.problems);
    all
}

mp::main!(run);

fn run() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("wordcount: {text}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut found = walk(options.paths);
    let counted = match options.by {
        By::Loop => Ok(count_in_a_loop(&mut found)),
        By::Workers(workers) => count_in_processes(&mut found, workers),
    };
    let mut counts = match counted {
        Ok(counts) => counts,
        Err(error) => {
            let file = error.item().and_then(|item| found.files.get(item));
            let file = file.map_or(String::new(), |path| format!("{}: ", path.display()));
            eprintln!("wordcount: {file}{error}");
            return ExitCode::FAILURE;
        }
    };
    counts.problems.extend(found.problems);
    counts.problems.sort();
    for (path, text) in &counts.problems {
        eprintln!("wordcount: {}: {text}", path.display());
    }
    match print(&counts, &mut io::stdout().lock()) {
        // Whoever reads our output may have seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("wordcount: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// One task per file, in worker processes; the workers fold what they counted.
fn count_in_processes(files: &mut Walk, workers: Option<usize>) -> mp::Result<Counts> {
    let pool = match workers {
        Some(workers) => mp::Pool::builder().workers(workers).build()?,
        None => mp::Pool::new()?,
    };
    let counts = pool.map_reduce(count, merge, files)?;
    Ok(counts.unwrap_or_default())
}

/// The same two functions, called in a plain loop: what the processes are measured against.
fn count_in_a_loop(files: &mut Walk) -> Counts {
    files.fold(Counts::default(), |all, path| merge(all, count(path)))
}

fn print(counts: &Counts, out: &mut impl Write) -> io::Result<()> {
    let mut text = String::new();
    for (times, word) in counts.words.most_frequent(TOP) {
        text += &format!("{times} {word}\n");
    }
    text += &format!(
        "TOTAL {} words in {} files\n",
        counts.words.total(),
        counts.files
    );
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The command line.
#[derive(Debug, PartialEq)]
struct Options {
    by: By,
    paths: Vec<PathBuf>,
}

#[derive(Debug, PartialEq)]
enum By {
    Loop,
    Workers(Option<usize>),
}

impl Options {
    fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let mut by = By::Workers(None);
        let mut paths = Vec::new();
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--") => paths.extend(arguments.by_ref().map(PathBuf::from)),
                Some("--sequential") => by = By::Loop,
                Some("--workers") => by = By::Workers(Some(number(arguments.next().as_deref())?)),
                Some(text) if text.starts_with("--workers=") => {
                    by = By::Workers(Some(number(
                        text.split_once('=').map(|(_, n)| OsStr::new(n)),
                    )?));
                }
                Some(text) if text.starts_with('-') && text.len() > 1 => {
                    return Err(format!("unknown option {text}"));
                }
                _ => paths.push(argument.into()),
            }
        }
        if paths.is_empty() {
            paths.push(TEXT.into());
        }
        Ok(Options { by, paths })
    }
}

fn number(text: Option<&OsStr>) -> Result<usize, String> {
    text.and_then(OsStr::to_str)
        .and_then(|text| text.parse().ok())
        .filter(|&workers| workers > 0)
        .ok_or_else(|| "--workers needs a number of at least 1".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        Options::parse(arguments.iter().map(OsString::from))
    }

    fn options(by: By, paths: &[&str]) -> Result<Options, String> {
        Ok(Options {
            by,
            paths: paths.iter().map(PathBuf::from).collect(),
        })
    }

    #[test]
    fn options_are_understood() {
        assert_eq!(parse(&[]), options(By::Workers(None), &[TEXT]));
        assert_eq!(parse(&["a", "b"]), options(By::Workers(None), &["a", "b"]));
        assert_eq!(
            parse(&["--workers", "3", "a"]),
            options(By::Workers(Some(3)), &["a"])
        );
        assert_eq!(
            parse(&["a", "--workers=1"]),
            options(By::Workers(Some(1)), &["a"])
        );
        assert_eq!(
            parse(&["--sequential", "--", "--workers"]),
            options(By::Loop, &["--workers"])
        );
        assert_eq!(parse(&["-"]), options(By::Workers(None), &["-"]));
        for wrong in [
            &["--workers"][..],
            &["--workers", "0"],
            &["--workers=x"],
            &["--help"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_reported_and_not_counted() {
        let counts = merge(count("/no/such/file".into()), count("/".into()));
        assert_eq!((counts.files, counts.words.total()), (0, 0));
        assert_eq!(counts.problems.len(), 2);
        assert_eq!(counts.problems[0].0, "/no/such/file");
    }

    #[test]
    fn the_output_is_as_documented() {
        let mut counts = Counts {
            files: 2,
            ..Counts::default()
        };
        counts
            .words
            .read(&b"the cat and the hat"[..], &mut [0; 8])
            .unwrap();
        let mut out = Vec::new();
        print(&counts, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(
            out,
            "2 the\n1 and\n1 cat\n1 hat\nTOTAL 5 words in 2 files\n"
        );
    }

    #[test]
    fn the_text_that_is_shipped_is_counted() {
        let counts = count_in_a_loop(&mut walk(vec![PathBuf::from(TEXT)]));
        assert!(counts.problems.is_empty());
        assert!(counts.files >= 3 && counts.words.total() >= 3_000);
    }
}
