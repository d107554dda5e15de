//! Attributes that do nothing on a task are warned of; here the warning is an error, so that it can be seen.
#![allow(unused)]
#![deny(deprecated)]

#[mp::task]
#[must_use]
fn square(x: u64) -> u64 {
    x * x
}

#[mp::task]
#[track_caller]
fn place() -> u32 {
    std::panic::Location::caller().line()
}

#[mp::task]
#[must_use = "or else"]
#[track_caller]
fn both() -> u64 {
    1
}

fn main() {
    square(3);
}
