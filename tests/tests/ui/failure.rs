//! `Result`s that are neither values nor failures, and failures that are not what they are called.
#![allow(unused)]

mod other {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Failure;

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Result<T>(pub T);
}

type Outcome<T> = Result<T, mp::Failure>;

struct NoText;

#[mp::task]
fn alias(x: u64) -> Outcome<u64> {
    Ok(x)
}

#[mp::task]
fn error_of_std(x: u64) -> Result<u64, std::num::ParseIntError> {
    Ok(x)
}

#[mp::task]
fn own(x: u64) -> Result<u64, other::Failure> {
    Ok(x)
}

#[mp::task]
fn own_result(x: u64) -> other::Result<u64> {
    other::Result(x)
}

#[mp::task(fallible)]
fn no_text(x: u64) -> Result<u64, NoText> {
    Ok(x)
}

#[mp::task(fallible)]
fn no_result(x: u64) -> Vec<u64> {
    vec![x]
}

fn main() {}
