//! The examples in which something goes wrong, or is stopped.

use super::programs::{both, lines, program, run};

#[test]
fn crashy_finishes_and_lists_the_crashes() {
    let output = run("crashy", &["100"]);
    let crashed: Vec<&str> = lines(&output)
        .filter(|line| line.contains("has crashed"))
        .collect();
    let wanted: Vec<String> = (1..=100)
        .filter(|input| input % 17 == 0 || input % 29 == 0)
        .map(|input| {
            let signal = if input % 29 == 0 { 6 } else { 11 };
            format!("input {input} has crashed: signal {signal}")
        })
        .collect();
    assert_eq!(crashed, wanted, "{output}");
    assert!(output.contains("92 of 100 inputs have a value"), "{output}");
    let none = run("crashy", &["0"]);
    assert!(none.contains("0 of 0 inputs"), "{none}");
}

#[test]
fn primes_stops_when_there_are_enough() {
    let output = run("primes", &["5"]);
    let primes: Vec<u64> = lines(&output)
        .filter_map(|line| line.parse().ok())
        .collect();
    assert_eq!(primes.len(), 5, "{output}");
    let is_prime = |number: u64| !(2..40_000).any(|divisor| number.is_multiple_of(divisor));
    assert!(primes.iter().all(|prime| is_prime(*prime)), "{output}");
    assert!(output.contains("5 primes among"), "{output}");
    assert!(run("primes", &["0"]).contains("0 primes among 0 numbers"));
}

#[test]
fn deadline_cuts_off_what_is_stuck() {
    let output = run("deadline", &[]);
    let late: Vec<&str> = lines(&output)
        .filter(|line| line.contains("was cut off"))
        .collect();
    assert_eq!(late.len(), 3, "{output}");
    for (line, number) in late.iter().zip(["7", "17", "27"]) {
        assert!(line.starts_with(&format!("{number} was cut off")), "{line}");
    }
    assert!(output.contains("6 ends after 8 steps"), "{output}");
    assert!(output.contains("3 of 30 items were cut off"), "{output}");
}

#[test]
fn numbers_that_are_none_are_refused() {
    for name in ["crashy", "primes"] {
        let output = program(name)
            .arg("many")
            .output()
            .expect("timeout is there");
        assert_eq!(output.status.code(), Some(2));
        let (_, errors) = both(&output);
        assert!(errors.starts_with(name), "{errors}");
    }
}
