//! The tasks, beside names that hide the ones everybody expects.

extern crate par;

/// Not the ones of std.
pub mod core {}
/// Not the one of std.
pub mod std {}
/// Not the crate.
pub mod mp {}

/// None of these is what its name says.
#[derive(::std::clone::Clone, ::std::fmt::Debug)]
pub struct Vec;
/// Likewise.
pub trait Clone {
    /// A method that every type has, named like those of generated code.
    fn tag(&self) {}
    /// Likewise.
    fn start(&self) {}
    /// Likewise.
    fn reduce(&self) {}
}
impl<T> Clone for Vec2<T> {}
/// Something to implement it for.
#[derive(::std::fmt::Debug)]
pub struct Vec2<T>(pub T);
/// Likewise.
#[allow(non_camel_case_types)]
pub type Option = Vec;
/// Likewise.
pub type Result = Vec;
/// Likewise.
pub type Level1 = Vec;
/// Likewise.
pub type Probe = Vec;

/// A plain structure.
#[repr(C)]
#[derive(::std::clone::Clone, ::std::marker::Copy, ::std::fmt::Debug, par::Plain)]
#[plain(crate = par)]
pub struct Pixel {
    /// Red, green, blue.
    pub rgb: [u8; 3],
    /// Not a byte.
    pub light: f64,
    /// Which.
    pub colour: Colour,
}

/// A plain enum.
#[repr(u8)]
#[derive(
    ::std::clone::Clone, ::std::marker::Copy, ::std::fmt::Debug, ::std::cmp::PartialEq, par::Plain,
)]
#[plain(crate = par)]
pub enum Colour {
    /// One.
    Red,
    /// Another.
    Blue = 7,
}

/// Borrowed plain data of this crate.
#[par::task(crate = par)]
pub fn brighter(pixels: &[Pixel], by: f64) -> ::std::vec::Vec<Pixel> {
    let mut pixels = ::std::borrow::ToOwned::to_owned(pixels);
    for pixel in &mut pixels {
        pixel.light += by;
    }
    pixels
}

/// Two equal parameters.
#[par::task(crate = par)]
pub fn sum(a: u64, b: u64) -> u64 {
    a + b
}

/// Nothing at all.
#[par::task(crate = "par")]
pub fn nothing() {}

/// A keyword for a name.
#[par::task(crate = par)]
pub fn r#match(r#fn: u64) -> u64 {
    r#fn + 1
}

/// A type in the signature that is hidden by this module's own.
#[par::task(crate = par)]
#[allow(clippy::needless_lifetimes)]
pub fn lengths<'x, 'y>(a: &'x str, b: &'y [::std::string::String]) -> (usize, usize)
where
    u64: ::std::marker::Copy,
{
    (a.len(), b.len())
}

/// Patterns for parameters.
#[par::task(crate = par, name = "shift a point")]
pub fn shift(mut x: i64, (dx, _): (i64, i64), _: u8) -> i64 {
    x += dx;
    x
}

/// The failure of this library, under its own name.
#[par::task(crate = par)]
pub fn checked(x: u64) -> ::std::result::Result<u64, par::Failure> {
    x.checked_mul(2)
        .ok_or_else(|| par::Failure::new("too large"))
}

/// A boxed error, of a failure made in a word.
#[par::task(crate = par)]
pub fn half(
    x: u64,
) -> ::std::result::Result<u64, ::std::boxed::Box<dyn ::std::error::Error + ::std::marker::Send>> {
    fn halved(x: u64) -> ::std::result::Result<u64, par::Failure> {
        par::ensure!(x > 0);
        if x % 2 == 1 {
            par::bail!("{x} is odd");
        }
        par::ensure!(x < 1 << 60, Vec);
        ::std::result::Result::Ok(x / 2)
    }
    halved(x).map_err(|failure| {
        let error: ::std::boxed::Box<
            dyn ::std::error::Error + ::std::marker::Send + ::std::marker::Sync,
        > = ::std::convert::From::from(failure.message());
        let error: ::std::boxed::Box<dyn ::std::error::Error + ::std::marker::Send> = error;
        error
    })
}

/// The task's own name, bound in its parameters and in its body.
#[par::task(crate = par)]
#[allow(clippy::let_and_return)]
pub fn bytes(bytes: &[u8]) -> usize {
    let bytes = bytes.len();
    bytes
}

/// A `where` it should not be: documentation with "quotes" and `{braces}`.
#[par::task(crate = par)]
#[allow(clippy::needless_pass_by_value)]
pub fn greet(name: ::std::borrow::Cow<'_, str>) -> ::std::string::String {
    ::std::format!("hello, {name}")
}
