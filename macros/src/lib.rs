//! The doors of the procedural macros; what is behind them is in `task`, `entry`, `test` and `plain`.
//!
//! Behind the doors everything is `proc_macro2`: parsed, understood, and only then expanded, so that it can be tested
//! as an ordinary function from tokens to tokens.

mod args;
mod entry;
mod errors;
mod plain;
mod task;
mod test;

use proc_macro::TokenStream;

/// Makes a function a task: something that can be called here and run in another process.
///
/// ```text
/// #[mp::task]
/// fn dot(a: &[f64], b: &[f64]) -> f64 { … }
///
/// dot(&x, &y)                      // an ordinary call, in this process
/// xs.iter().map(*square)           // the function itself
/// dot.run(&x, &y)?                 // in a process of its own, waited for
/// pool.map(square, 1..=10)?        // in the workers of a pool
/// ```
///
/// **Parameters** are owned values or borrows (`&[f64]`, `&str`, `&Path`, `&T`) of anything that
/// serde can take apart and put together; plain data (numbers, `#[derive(mp::Plain)]`) travel as
/// one block. **The result** is owned.
///
/// **Errors**: a task can fail if it returns `Result<T>` with one argument (of `anyhow`, `eyre`,
/// `std::io`, `mp`, of an alias in scope), or `Result<T, E>` where `E` is written `Failure`,
/// `anyhow::Error`, `eyre::Report`, `mp::Error` or `Box<dyn Error + …>`. Its caller gets `T`, or an
/// `mp::Error` with the text of the error and of its causes. Any other `Result<T, E>` is a value,
/// if `E` travels.
///
/// **Arguments**: `name = "…"` (the name in messages and in the table; otherwise the path),
/// `timeout = "30s"` (how long one call may run in a pool; `ms`, `s`, `m`), `retries = 2` (how
/// often a failed one runs again there; both are defaults that a call made with `pool.on(task)`
/// overrides), `fallible` (whatever `Result` it returns, its error fails the task; or
/// `fallible = false`: it is a value), `crate = path` (where this library is found under another name).
///
/// **The price**: the task's name is taken like a static's, so no `let`, parameter or pattern may
/// bind `square` where the task is visible. A task is a free function, not generic, not `async`,
/// not `unsafe`; `#[must_use]` and `#[track_caller]` have no effect.
#[proc_macro_attribute]
pub fn task(args: TokenStream, item: TokenStream) -> TokenStream {
    let here = proc_macro::Span::call_site();
    task::task(args.into(), item.into(), (here.line(), here.column())).into()
}

/// Writes the program's `main`, through which children of this program enter, too.
///
/// ```text
/// mp::main!(run);                             // a function that may return what `main` may
/// mp::main! { let pool = mp::Pool::new()?; … }   // the body; `?` works on any error
/// mp::main! { #[tokio::main] async fn main() { … } }
/// ```
///
/// No child ever runs a statement of it. Under another crate name: `mp::main!(crate = other; run)`.
#[proc_macro]
pub fn main(input: TokenStream) -> TokenStream {
    entry::main(input.into()).into()
}

/// A test that runs as a process of its own, judged for what it leaves behind: children, zombies, descriptors.
///
/// The body returns `()` or a `Result<(), E: Debug>`. `#[ignore]` and `#[should_panic]` work as ever. **Arguments**:
/// `timeout = "30s"` (`ms`, `s`, `m`), `crate = path`.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    test::test(args.into(), item.into()).into()
}

/// Says that a type is plain data: its bytes are the value, and slices of it travel as one block.
///
/// For `#[repr(C)]` or `#[repr(transparent)]` structs of plain fields, and for enums without fields that have an integer
/// `repr` and no `align` (a struct may have one). The type must be `Copy`. Under another crate name: `#[plain(crate = other)]`.
#[proc_macro_derive(Plain, attributes(plain))]
pub fn plain(input: TokenStream) -> TokenStream {
    plain::plain(input.into()).into()
}
