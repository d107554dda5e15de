//! What `#[mp::test]` cannot be on. Only its own refusals: what it expands to is there under `--test` alone.
#![allow(unused)]

#[mp::test]
async fn later() {}

#[mp::test]
fn with_parameter(x: u64) {}

#[mp::test]
fn generic<T>() {}

#[mp::test]
#[test]
fn twice() {}

#[mp::test]
struct NoFunction;

#[mp::test(timeout = 3, time = "3s")]
fn no_string() {}

#[mp::test(timeout = "3 hours")]
fn no_time() {}

fn main() {}
