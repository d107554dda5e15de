//! Arguments of the attribute: each mistake is reported, the task is there nevertheless.
#![allow(unused)]

#[mp::task(nam = "x")]
fn unknown(x: u64) -> u64 {
    x
}

#[mp::task(timeout = "3 hours", retries = -3)]
fn defaults() {}

#[mp::task(total_f64 = <f64>, total_u32 = <u32>)]
fn instances() {}

#[mp::task(name)]
fn no_value() {}

#[mp::task(name = 3, retry)]
fn no_string() {}

#[mp::task(name = "")]
fn empty() {}

#[mp::task("name")]
fn no_key() {}

#[mp::task(name = "a", name = "b")]
fn twice() {}

#[mp::task(crate = 3)]
fn no_path() {}

fn main() {
    let _ = unknown(3);
    let _ = mp::map(unknown, 1..3);
}
