//! A program that has never heard of `mp::main!`: its children enter through the second door, and no one becomes a bomb.

fn main() -> mp::Result<()> {
    mp_tests::doors::main_runs();
    mp_tests::doors::named()
}
