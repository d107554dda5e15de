//! Raises a family of processes; its children enter through `mp::main!`. See `mp_tests::family`.

mp::main!(mp_tests::family::run);
