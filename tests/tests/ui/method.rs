//! A method is no task; it stays where it is, and its callers are not told that it is missing.
#![allow(unused)]

struct Counter(u64);

impl Counter {
    #[mp::task]
    fn add(&self, x: u64) -> u64 {
        self.0 + x
    }

    #[mp::task]
    fn new(x: u64) -> Self {
        Counter(x)
    }
}

fn main() {
    Counter::new(1).add(2);
}
