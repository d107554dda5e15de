//! A body that does not parse: one error, and no second one that there is no `main`.
#![allow(unused)]
mp::main! {
    let x = ;
}
