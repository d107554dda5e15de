//! What cannot be plain data.
#![allow(unused)]

#[derive(Clone, Copy, mp::Plain)]
struct NoLayout {
    x: u64,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C, packed)]
struct Packed {
    x: u64,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C)]
struct Borrows<'a> {
    x: &'a u64,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C)]
union Either {
    x: u64,
    y: f64,
}

#[derive(Clone, Copy, mp::Plain)]
enum NoInteger {
    A,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(u8)]
enum Fields {
    A(u64),
    B { x: u64 },
}

fn main() {}
