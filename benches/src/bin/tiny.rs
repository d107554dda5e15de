//! The smallest Rust program: what no process with Rust's std in it can be faster than. It does not link `mp`.

fn main() {}
