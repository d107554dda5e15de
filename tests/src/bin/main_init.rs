//! A program that owns its `main` and opens the session itself.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    mp_tests::doors::main_runs();
    mp::init()?;
    mp_tests::doors::named()?;
    Ok(())
}
