//! A `Result` at the end is not dropped in silence.
#![allow(unused)]

mp::main! {
    std::fs::remove_file("x")
}
