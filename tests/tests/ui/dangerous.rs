#![allow(unsafe_code)]
//! A task that asks something of its caller.

#[mp::task]
unsafe fn dangerous(x: u64) {
    let _ = x;
}

fn main() {}
