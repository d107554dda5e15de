//! The tasks of the suite.

use std::time::Duration;

use mp::Failure;

#[mp::task]
pub(crate) fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

#[mp::task]
pub(crate) fn add(a: u64, b: u64) -> u64 {
    a.wrapping_add(b)
}

#[mp::task]
pub(crate) fn text(x: u64) -> String {
    x.to_string()
}

#[mp::task]
pub(crate) fn concat(a: String, b: String) -> String {
    a + &b
}

#[mp::task]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[mp::task]
pub(crate) fn length(of: &str) -> usize {
    of.len()
}

#[mp::task]
pub(crate) fn nothing(_x: u64) {}

#[mp::task]
pub(crate) fn no_parameters() -> u8 {
    7
}

#[mp::task]
pub(crate) fn reverse(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

#[mp::task]
pub(crate) fn grow(bytes: usize) -> Vec<u8> {
    vec![bytes as u8; bytes]
}

#[mp::task]
pub(crate) fn pair(both: (u32, String), times: u8) -> Vec<(u32, String)> {
    vec![both; usize::from(times)]
}

#[mp::task]
pub(crate) fn nap(milliseconds: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(milliseconds));
    milliseconds
}

#[mp::task]
pub(crate) fn fail_on(x: u64, bad: u64) -> Result<u64, Failure> {
    if x == bad {
        Err(Failure::new(format!("{x} is bad")))
    } else {
        Ok(x)
    }
}

#[mp::task]
pub(crate) fn panic_on(x: u64, bad: u64) -> u64 {
    assert!(x != bad, "{x} is a reason to panic");
    x
}

#[mp::task]
pub(crate) fn checked(x: u64) -> Result<u64, String> {
    x.checked_sub(3).ok_or_else(|| format!("{x} is too small"))
}

/// Is encoded unless it is 13, decoded unless it is 14, and dropped unless it is 15.
#[derive(Debug, PartialEq)]
pub(crate) struct Moody(pub(crate) u64);

impl serde::Serialize for Moody {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 == 13 {
            return Err(serde::ser::Error::custom("13 does not travel"));
        }
        to.serialize_u64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Moody {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(from)?;
        assert!(value != 14, "14 panics when it is decoded");
        Ok(Moody(value))
    }
}

impl Drop for Moody {
    fn drop(&mut self) {
        assert!(
            self.0 != 15 || std::thread::panicking(),
            "15 panics when it is dropped"
        );
    }
}

#[mp::task]
pub(crate) fn moody(x: u64) -> Moody {
    Moody(x)
}

#[mp::task]
pub(crate) fn take_moody(x: Moody) -> u64 {
    x.0
}

#[mp::task]
pub(crate) fn add_below(a: u64, b: u64) -> Result<u64, Failure> {
    let sum = a + b;
    if sum > 1000 {
        return Err(Failure::new(format!("the sum {sum} is too large")));
    }
    Ok(sum)
}
