#![allow(unused)]
mp::main! {
    let x = ;
}
