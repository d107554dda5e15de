//! `mp::main!` with a body that ends in something that never returns.

mp::main! {
    println!("exit: ok");
    std::process::exit(0)
}
