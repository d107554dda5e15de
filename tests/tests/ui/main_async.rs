//! A `main` that needs a runtime.
#![allow(unused)]
mp::main! {
    async fn main() {}
}
