//! The attribute on something else.
#![allow(unused)]

#[mp::task]
struct Square;

#[mp::task]
impl Square {}

#[mp::task]
mod square {}

trait Squares {
    #[mp::task]
    fn square(x: u64) -> u64;
}

fn main() {}
