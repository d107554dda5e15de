//! Nothing in `mp::main!`.
#![allow(unused)]
mp::main!();
