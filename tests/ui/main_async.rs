#![allow(unused)]
mp::main! {
    async fn main() {}
}
