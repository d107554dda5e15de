//! The same without `mp::main!`: its children enter through the second door.

fn main() -> mp::Result<()> {
    mp_tests::family::run()
}
