#![allow(unused)]
mp::main!();
