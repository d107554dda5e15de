//! `fallible` where it makes no sense, and not as it is written.
#![allow(unused)]

#[mp::task(fallible)]
fn nothing(x: u64) {}

#[mp::task(fallible)]
fn pair(x: u64) -> (u64, u64) {
    (x, x)
}

#[mp::task(fallible = "yes")]
fn text(x: u64) -> Result<u64, mp::Failure> {
    Ok(x)
}

#[mp::task]
fn borrowed(x: &str) -> anyhow::Result<&str> {
    Ok(x)
}

fn main() {}
