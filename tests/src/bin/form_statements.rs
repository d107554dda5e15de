//! `mp::main!` with the body of `main`: items, tasks, `?` on errors of any type, no `Ok(())` at the end.

mp::main! {
    use std::num::ParseIntError;

    #[mp::task]
    fn parse(text: &str) -> Result<u64, mp::Failure> {
        Ok(text.parse()?)
    }

    fn double(text: &str) -> Result<u64, ParseIntError> {
        Ok(text.parse::<u64>()? * 2)
    }

    assert_eq!(parse.run("7")?, 7);
    assert_eq!(double("4")?, 8);
    assert!(parse.run("x").is_err());
    if double("1")? == 0 {
        Err("no")?
    }
    for text in ["1", "2"] {
        assert!(double(text)? > 0);
    }
    println!("statements: ok")
}
