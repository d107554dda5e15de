//! A task's name is taken like a constant's.
#![allow(unused)]

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

fn area(square: u64) -> u64 {
    square
}

fn main() {
    let square = square(3);
    let mut square = 4;
}
