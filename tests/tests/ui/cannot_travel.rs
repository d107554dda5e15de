//! Parameters and results that cannot be sent to another process.
#![allow(unused)]

use std::rc::Rc;

struct NoSerde;

struct Borrows<'a>(&'a str);

#[mp::task]
fn owned(x: u64, y: NoSerde) {}

#[mp::task]
fn lent(y: &NoSerde) {}

#[mp::task]
fn inside(y: Vec<NoSerde>) {}

#[mp::task]
fn counted(x: Rc<u64>) {}

#[mp::task]
fn pointer(x: *const u64) {}

#[mp::task]
fn function(x: fn(u64) -> u64) {}

#[mp::task]
fn object(x: Box<dyn std::fmt::Debug>) {}

#[mp::task]
fn borrows(x: Borrows<'_>) {}

#[mp::task]
fn result() -> NoSerde {
    NoSerde
}

#[mp::task]
fn error() -> Result<u64, std::io::Error> {
    Ok(1)
}

fn main() {}
