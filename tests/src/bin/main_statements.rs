//! `mp::main!` with statements.

mp::main! {
    mp_tests::doors::main_runs();
    mp_tests::doors::named()?;
}
