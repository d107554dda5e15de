//! The function given to `mp::main!` has parameters.
#![allow(unused)]

mp::main!(run);

fn run(x: u64) {
    let _ = x;
}
