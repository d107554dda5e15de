//! `wordcount` on a tree with everything in it that trees of real files have.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::programs::{both, lines, program, run};

/// A folder of its own for one test, removed with everything in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("wordcount-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder for the test");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `wordcount` should print for these contents, counted in the plainest way.
fn expected(contents: &[Vec<u8>]) -> String {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for text in contents {
        for word in text
            .split(|byte| !byte.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
        {
            *counts
                .entry(String::from_utf8_lossy(word).to_lowercase())
                .or_default() += 1;
        }
    }
    let total: u64 = counts.values().sum();
    let mut ranking: Vec<(String, u64)> = counts.into_iter().collect();
    ranking.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let top: String = ranking
        .iter()
        .take(20)
        .map(|(word, count)| format!("{count} {word}\n"))
        .collect();
    format!("{top}TOTAL {total} words in {} files\n", contents.len())
}

#[test]
fn counts_the_shipped_text_without_arguments() {
    let output = run("wordcount", &[]);
    assert_eq!(lines(&output).count(), 21, "{output}");
    assert_eq!(output, run("wordcount", &["--sequential"]));
    assert_eq!(output, run("wordcount", &["--workers", "1"]));
}

#[test]
fn every_way_of_counting_agrees_on_a_real_tree() {
    let scratch = Scratch::new("tree");
    let mut contents = vec![
        b"The cat; the HAT. caf\xe9 \xff\xfe the".to_vec(),
        "word ".repeat(300_000).into_bytes(),
        "antidisestablishmentarianism ".repeat(7).into_bytes(),
        Vec::new(),
    ];
    contents.extend(
        (0..400).map(|n| format!("file number {n} of many, {}", "x".repeat(n)).into_bytes()),
    );
    for (n, content) in contents.iter().enumerate() {
        let folder = scratch.0.join(format!("a{}/b{}", n % 3, n % 7));
        fs::create_dir_all(&folder).expect("a folder");
        let name = OsString::from_vec([format!("file {n} ").as_bytes(), b"\xff"].concat());
        fs::write(folder.join(name), content).expect("a file");
    }
    symlink("..", scratch.0.join("a0/loop")).expect("a link");
    let fifo = Command::new("mkfifo")
        .arg(scratch.0.join("a1/pipe"))
        .status()
        .expect("mkfifo");
    assert!(fifo.success());

    let expected = expected(&contents);
    for options in [
        &[][..],
        &["--sequential"],
        &["--workers", "1"],
        &["--workers=3"],
    ] {
        let output = program("wordcount")
            .args(options)
            .arg(&scratch.0)
            .output()
            .expect("timeout is there");
        let (out, err) = both(&output);
        assert!(output.status.success(), "{options:?}: {err}");
        assert_eq!(out, expected, "{options:?}");
        assert_eq!(err, "", "{options:?}");
    }
}

#[test]
fn what_cannot_be_read_is_named_in_order_and_not_counted() {
    let scratch = Scratch::new("problems");
    let good = scratch.0.join("good");
    fs::write(&good, "one two").expect("a file");
    let dangling = scratch.0.join("dangling");
    symlink("nowhere", &dangling).expect("a link");
    let missing = [scratch.0.join("z"), dangling, scratch.0.join("b")];
    let output = program("wordcount")
        .args(&missing)
        .arg(&good)
        .output()
        .expect("timeout is there");
    let (out, err) = both(&output);
    assert!(output.status.success(), "{err}");
    assert_eq!(out, "1 one\n1 two\nTOTAL 2 words in 1 files\n");
    let names: Vec<&str> = lines(&err)
        .filter_map(|line| line.split(": ").nth(1)?.rsplit('/').next())
        .collect();
    assert_eq!(names, ["b", "dangling", "z"], "{err}");
}

#[test]
fn wrong_options_are_explained() {
    for arguments in [&["--workers", "0"][..], &["--workers"], &["--nonsense"]] {
        let output = program("wordcount")
            .args(arguments)
            .output()
            .expect("timeout is there");
        let (out, err) = both(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            out.is_empty() && err.contains("usage:"),
            "{arguments:?}: {err}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = program("wordcount")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("timeout is there");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", both(&output).1);
    assert_eq!(both(&output).1, "");
}
