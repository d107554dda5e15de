//! Layouts that would leave bytes of plain data without a value, or without a type.
#![allow(unused)]

#[derive(Clone, Copy, mp::Plain)]
#[repr(u8, align(16))]
enum Aligned {
    A = 1,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(u8)]
#[repr(align(2))]
enum AlignedApart {
    A,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C)]
enum OfC {
    A,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C, packed(2))]
struct PackedByTwo {
    x: u64,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(align(8))]
struct OnlyAligned {
    x: u8,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C)]
struct Reference {
    x: &'static u64,
}

fn main() {}
