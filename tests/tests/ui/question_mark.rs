//! Errors that no `mp::Failure` is made of by itself: the message says what to write.
use std::error::Error;

use mp::Context as _;

fn boxed() -> Result<u64, Box<dyn Error + Send + Sync>> {
    Err("inside".into())
}

#[mp::task]
fn box_of_an_error() -> Result<u64, mp::Failure> {
    Ok(boxed()?)
}

#[mp::task]
fn number() -> Result<u64, mp::Failure> {
    Ok(Err::<u64, u32>(3)?)
}

#[mp::task]
fn as_the_messages_say() -> Result<u64, mp::Failure> {
    Err::<u64, u32>(3).map_err(|error| mp::Failure::new(error.to_string()))?;
    boxed().context("outside")?;
    Ok(boxed().map_err(mp::Failure::from_boxed)?)
}

fn main() {}
