//! Signatures that no task can have: one error each, at the token that is to blame.
#![allow(unused)]

use std::borrow::Cow;
use std::fmt::Debug;

#[mp::task]
fn generic<T: Clone>(x: T) {}

#[mp::task]
fn sized<const N: usize>(x: [u8; N]) {}

#[mp::task]
fn bounded<'a, 'b: 'a>(x: &'a str, y: &'b str) {}

#[mp::task]
async fn later(x: u64) -> u64 {
    x
}

#[mp::task]
const fn constant(x: u64) -> u64 {
    x
}

#[mp::task]
extern "C" fn foreign(x: u64) {}

#[mp::task]
fn nested(x: Vec<impl Debug>) {}

#[mp::task]
fn hidden() -> impl Debug {}

#[mp::task]
fn object(x: &dyn Debug) {}

#[mp::task]
fn mutable(x: &mut Vec<u64>) {
    x.push(1);
}

#[mp::task]
fn borrowed(x: &str) -> &str {
    x
}

#[mp::task]
fn borrowed_slice<'a>(x: &'a [u64]) -> Option<&'a [u64]> {
    Some(x)
}

#[mp::task]
fn borrowed_cow<'a>(x: &'a str) -> Cow<'a, str> {
    x.into()
}

#[mp::task]
fn hidden_lifetime(x: Cow<str>) {}

#[mp::task]
fn forever(x: &'static str) {}

#[mp::task]
fn state(#[state] model: &u64) {}

#[mp::task]
fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8, j: u8, k: u8, l: u8, m: u8) {}

#[mp::task]
async fn several<T>(x: &mut T) -> &str {
    ""
}

fn main() {}
