//! The function given to `mp::main!` is `async`.
#![allow(unused)]

mp::main!(run);

async fn run() {}
