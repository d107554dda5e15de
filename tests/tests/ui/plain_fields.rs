//! Fields that are not plain data, and a type that is not `Copy`.
#![allow(unused)]

#[derive(Clone, Copy, mp::Plain)]
#[repr(C)]
struct Pointer {
    x: u64,
    y: *const u64,
}

#[derive(mp::Plain)]
#[repr(C)]
struct NotCopy {
    x: u64,
}

fn main() {}
