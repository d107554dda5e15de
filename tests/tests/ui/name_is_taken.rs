//! A task's name is taken: no binding may carry it where the task is visible.
#![allow(unused)]

#[mp::task]
fn square(x: u64) -> u64 {
    x * x
}

mod lib {
    #[mp::task]
    pub fn count(x: u64) -> u64 {
        x
    }
}

fn parameter(square: u64) -> u64 {
    square + 1
}

fn closure() {
    let squares = [1, 2].map(|square| square + 1);
}

fn variable() {
    let square = square(3);
}

fn mutable() {
    let mut square = 4;
}

fn loops() {
    for square in 0..3 {
        println!("{square}");
    }
}

fn patterns() {
    if let Some(square) = Some(3) {
        println!("{square}");
    }
}

fn arms() {
    match (1, 2) {
        (square, _) => println!("{square}"),
    }
}

fn imports() {
    use lib::*;
    let count = 3;
    println!("{}", count + 1);
}

fn main() {}
