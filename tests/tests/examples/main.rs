//! Every example of the README, run as a user would run it: what it prints, what it says of bad input, and that it ends.
//!
//! The programs are built by cargo at first need, in the profile of this test, and each run is bounded in time.

mod blur;
mod channels;
mod faults;
mod programs;
mod wordcount;

use programs::{lines, run};

#[test]
fn hello_starts_a_process_for_each_core() {
    let output = run("hello", &[]);
    let pids: Vec<&str> = lines(&output)
        .filter(|line| line.starts_with("hello from task"))
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(pids.len(), mp::cpu_count(), "{output}");
    let mut different = pids.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), pids.len(), "{output}");
}

#[test]
fn names_are_given_and_made() {
    let output = run("names", &[]);
    for part in [
        "I am MainProcess",
        "I am Process-1, pid",
        "I am librarian, pid",
        "I am Process-3:1, pid",
    ] {
        assert!(output.contains(part), "{part} is missing:\n{output}");
    }
}

#[test]
fn quicksort_sorts_in_pools_inside_workers() {
    let output = run("quicksort", &["20000", "2"]);
    assert!(
        output.contains("20000 numbers sorted, 2 levels"),
        "{output}"
    );
    let splits = lines(&output)
        .filter(|line| line.contains("splits into"))
        .count();
    let sorts = lines(&output)
        .filter(|line| line.contains(" sorts "))
        .count();
    assert_eq!((splits, sorts), (3, 4), "{output}");
}

#[test]
fn sweep_uses_all_results() {
    let output = run("sweep", &[]);
    assert!(output.contains("most chaotic at r = 4.0000"), "{output}");
    assert_eq!(lines(&output).count(), 2 * mp::cpu_count() + 2, "{output}");
}

#[test]
fn pi_comes_out_the_same_both_ways() {
    let output = run("pi", &["200000", "3"]);
    let estimates: Vec<f64> = lines(&output)
        .filter_map(|line| {
            line.split_once("pi is about ")?
                .1
                .split(',')
                .next()?
                .parse()
                .ok()
        })
        .collect();
    assert_eq!(estimates.len(), 2, "{output}");
    assert_eq!(estimates[0], estimates[1], "{output}");
    assert!(
        (estimates[0] - std::f64::consts::PI).abs() < 0.05,
        "{output}"
    );
    assert!(output.contains("times as fast"), "{output}");
}

#[test]
fn bank_loses_nothing() {
    let output = run("bank", &["25", "7"]);
    assert!(output.contains("25 tellers were killed"), "{output}");
    assert!(
        output.contains("there were 50000, and there are 50000"),
        "{output}"
    );
}
