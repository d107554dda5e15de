//! Mistakes in the body are reported where they are, once.
#![allow(unused)]

#[mp::task]
fn wrong(x: u64) -> u64 {
    let y: String = x;
    "text"
}

#[mp::task]
fn unknown(x: NoSuchType) -> u64 {
    1
}

fn main() {}
