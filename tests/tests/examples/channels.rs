//! The examples of pipes and queues.

use std::io::Write;
use std::process::Stdio;

use crate::programs::{lines, program, run};

#[test]
fn pipemulti_prints_everything_once_and_in_order() {
    let output = run("pipemulti", &[]);
    for producer in [1, 2] {
        let got: Vec<&str> = lines(&output)
            .filter_map(|line| line.strip_prefix("Got: "))
            .filter(|message| message.starts_with(&format!("{producer}:")))
            .collect();
        let all: Vec<String> = (0..10).map(|i| format!("{producer}:{i}")).collect();
        assert_eq!(got, all, "{output}");
    }
    assert!(output.contains("pipe is empty"), "{output}");
    assert!(output.contains("20 messages were printed"), "{output}");
}

#[test]
fn pipeline_adds_up_the_log_it_ships() {
    let output = run("pipeline", &[]);
    assert!(output.contains("3003 lines in"), "{output}");
    assert!(output.contains(", 3 not understood;"), "{output}");
    let first = lines(&output).next().unwrap_or_default();
    assert!(first.ends_with("bytes  200 /"), "{output}");
}

#[test]
fn pipeline_counts_a_column_of_a_table() {
    let table = std::env::temp_dir().join(format!("mp-pipeline-{}.csv", std::process::id()));
    let rows: String = (0..5000)
        .map(|row| format!("{row},{},x\n", row % 3))
        .collect();
    std::fs::write(&table, rows).unwrap();
    let output = run("pipeline", &["--csv", "2", table.to_str().unwrap()]);
    std::fs::remove_file(&table).unwrap();
    let counts: Vec<&str> = lines(&output)
        .take(3)
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(counts, ["1667", "1667", "1666"], "{output}");
}

#[test]
fn echo_answers_and_stops() {
    let mut child = program("echo")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"typed by hand\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("hello -> HELLO"), "{text}");
    assert!(text.contains("typed: TYPED BY HAND"), "{text}");
    assert!(text.contains("5 lines were echoed"), "{text}");
}
