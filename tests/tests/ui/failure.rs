//! `Result`s with a failure, not as they should be.
#![allow(unused)]

mod other {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Failure;
}

type Outcome<T> = Result<T, mp::Failure>;

#[mp::task]
fn alias(x: u64) -> Outcome<u64> {
    Ok(x)
}

#[mp::task]
fn own(x: u64) -> Result<u64, other::Failure> {
    Ok(x)
}

#[mp::task]
fn error(x: u64) -> mp::Result<u64> {
    Ok(x)
}

fn main() {}
