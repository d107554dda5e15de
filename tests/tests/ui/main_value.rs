//! The function given to `mp::main!` returns something that `main` cannot.
#![allow(unused)]

mp::main!(run);

fn run() -> u64 {
    1
}
