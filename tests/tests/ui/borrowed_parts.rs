//! Only a whole argument can be borrowed.
#![allow(unused)]

use std::borrow::Cow;
use std::collections::HashMap;

struct Borrows<'a>(&'a str);

#[mp::task]
fn option(x: Option<&str>) {}

#[mp::task]
fn list(x: Vec<(u64, &str)>) {}

#[mp::task]
fn slice(x: &[&str]) {}

#[mp::task]
fn tuple(x: (&str, u64)) {}

#[mp::task]
fn map<'a>(x: &HashMap<Cow<'a, str>, u64>) {}

#[mp::task]
fn lent(x: &Borrows<'_>) {}

fn main() {}
