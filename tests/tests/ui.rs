//! Every refusal and its message, as rustc prints it. A message that has changed for the better is accepted with
//! `TRYBUILD=overwrite cargo test -p mp-tests --test ui`.

#[test]
fn refusals() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
