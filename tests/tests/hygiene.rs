//! What the macros must put up with: names, places and attributes of all kinds. Most of it is proved by compiling; the
//! rest runs in child processes.

use std::collections::HashSet;

/// In child processes, from a plain test: through the second door.
#[test]
fn tasks_of_another_crate_run() {
    use mp_renamed::{
        Colour, Pixel, brighter, bytes, checked, greet, half, lengths, r#match, nothing, shift, sum,
    };
    let pixel = Pixel {
        rgb: [1, 2, 3],
        light: 0.5,
        colour: Colour::Blue,
    };
    let bright = brighter.run(&[pixel, pixel], 1.0).unwrap();
    assert_eq!(
        (bright.len(), bright[1].light, bright[1].colour),
        (2, 1.5, Colour::Blue)
    );
    nothing.run().unwrap();
    assert_eq!(sum.run(1, 2).unwrap(), 3);
    assert_eq!(r#match.run(1).unwrap(), 2);
    assert_eq!(lengths.run("abc", &["d".to_owned()]).unwrap(), (3, 1));
    assert_eq!(shift.run(1, (2, 3), 4).unwrap(), 3);
    assert_eq!(checked.run(4).unwrap(), 8);
    let error = checked.run(u64::MAX).unwrap_err();
    assert!(
        error.is_task() && error.message() == "too large",
        "{error:?}"
    );
    assert_eq!(error.task(), Some("mp_renamed::hostile::checked"));
    assert_eq!(half.run(4).unwrap(), 2);
    let messages = [3, 0].map(|x| half.run(x).unwrap_err().message().to_owned());
    assert_eq!(messages, ["3 is odd", "Condition failed: `x > 0`"]);
    assert_eq!(bytes.run(b"four").unwrap(), 4);
    assert_eq!(greet.run("you".into()).unwrap(), "hello, you");
    assert_eq!(greet("me".into()), "hello, me");
}

mod square {
    #[mp::task]
    pub fn square(x: u64) -> u64 {
        x * x
    }
}
// Beside a module of the same name.
pub use square::square;

#[test]
fn a_task_beside_a_module_of_its_name() {
    assert_eq!(square(3), 9);
    assert_eq!([1, 2, 3].map(*square), [1, 4, 9]);
    assert_eq!(square.run(4).unwrap(), 16);
    assert_eq!(square::square.run(5).unwrap(), 25);
}

#[test]
fn several_tasks_of_one_name() {
    let one = {
        #[mp::task]
        fn same() -> u8 {
            1
        }
        same.run()
    };
    let two = {
        #[mp::task]
        fn same() -> u8 {
            2
        }
        same.run()
    };
    assert_eq!((one.unwrap(), two.unwrap()), (1, 2));
}

/// What no compiler sees: two modules that give their tasks one name.
#[test]
fn two_tasks_that_are_given_one_name() {
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_same_name"));
    let (status, out, err) = mp_tests::program::output(program);
    assert_eq!((status.code(), out.as_str()), (Some(1), ""), "{err}");
    let expected = "Error: task `work`: two tasks have the name `work` (`same_name::a::work`, line 4, and \
                    `same_name::b::other`, line 11): give one of them another name";
    assert_eq!(err.trim_end(), expected);
}

/// A type that nobody else sees.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Private(String);

#[mp::task]
fn with_private(x: Private, more: &[Private], one: &Private) -> Vec<Private> {
    [&[x, one.clone()], more].concat()
}

mod deep {
    pub(super) mod deeper {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(in super::super) struct Hidden(pub(in super::super) u8);

        #[mp::task]
        pub(in super::super) fn hidden(x: Hidden) -> Hidden {
            Hidden(x.0 + 1)
        }

        #[mp::task]
        pub(in crate::deep) fn half_hidden(x: &Hidden) -> u8 {
            x.0
        }

        #[mp::task]
        pub(self) fn own() -> u8 {
            3
        }

        #[mp::task]
        pub(crate) fn of_crate() -> u8 {
            own()
        }
    }

    #[mp::task]
    pub(super) fn through(x: deeper::Hidden) -> u8 {
        deeper::half_hidden(&x) + deeper::of_crate()
    }
}

#[test]
fn private_types_and_every_visibility() {
    let p = |text: &str| Private(text.to_owned());
    let all = with_private.run(p("a"), &[p("b")], &p("c")).unwrap();
    assert_eq!(all, [p("a"), p("c"), p("b")]);
    assert_eq!(
        deep::deeper::hidden.run(deep::deeper::Hidden(1)).unwrap().0,
        2
    );
    assert_eq!(deep::through.run(deep::deeper::Hidden(1)).unwrap(), 4);
}

/// A type with methods in which tasks live.
struct Holder;

trait Holds {
    fn held(&self) -> mp::Result<u64>;
}

impl Holds for Holder {
    fn held(&self) -> mp::Result<u64> {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Local(u64);
        #[mp::task]
        fn in_method(x: Local) -> u64 {
            x.0
        }
        in_method.run(Local(7))
    }
}

fn generic<T: Into<u64>>(x: T) -> mp::Result<u64> {
    #[mp::task]
    fn in_generic(x: u64) -> u64 {
        x + 1
    }
    in_generic.run(x.into())
}

macro_rules! tasks {
    ($($name:ident = $value:expr;)*) => {$(
        #[mp::task]
        fn $name() -> u64 {
            let value = $value;
            value
        }
    )*};
}
tasks! { first = 1; second = 2; }

#[test]
fn tasks_inside_functions_methods_and_macros() {
    assert_eq!(Holder.held().unwrap(), 7);
    assert_eq!(generic(1_u8).unwrap() + generic(1_u16).unwrap(), 4);
    let closure = || {
        #[mp::task]
        fn in_closure() -> u64 {
            5
        }
        in_closure.run()
    };
    assert_eq!(closure().unwrap(), 5);
    assert_eq!((first.run().unwrap(), second.run().unwrap()), (1, 2));
}

// The name of the task in its own parameters, its body, and another's parameters.
#[mp::task]
fn count(count: u64) -> u64 {
    let count = if count == 0 {
        0
    } else {
        1 + self::count(count - 1)
    };
    assert!(count < 1000);
    count
}

#[mp::task]
fn fib(n: u64) -> u64 {
    if n < 2 {
        n
    } else {
        fib(n - 1) + fib.run(n - 2).unwrap()
    }
}

#[mp::task]
fn diverges(code: i32) -> ! {
    std::process::exit(code)
}

#[mp::task]
fn own_error(x: i32) -> Result<i32, String> {
    u8::try_from(x)
        .map(i32::from)
        .map_err(|error| error.to_string())
}

#[mp::task]
fn full_failure(text: &str) -> std::result::Result<i32, mp::Failure> {
    Ok(text.parse::<i32>()?)
}

#[test]
fn bodies_of_every_kind() {
    assert_eq!(count.run(3).unwrap(), 3);
    assert_eq!(fib.run(4).unwrap(), 3);
    let error = diverges.run(7).unwrap_err();
    assert!(
        error.is_death() && error.exit_code() == Some(7),
        "{error:?}"
    );
    assert_eq!(own_error.run(3).unwrap(), Ok(3));
    assert!(own_error.run(-1).unwrap().is_err());
    assert_eq!(full_failure.run("3").unwrap(), 3);
    assert!(full_failure.run("x").unwrap_err().is_task());
}

/// Types and modules that are called like those the attribute knows.
mod lookalikes {
    use std::result::Result as StdResult;

    /// Not the one of std.
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct Result<T>(pub(super) T);

    /// Not the crate.
    pub(super) mod anyhow {
        /// Not the one of the crate.
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        pub(crate) struct Error(pub(crate) u8);
    }

    /// Not the one of the library.
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct Failure;

    #[mp::task(fallible = false)]
    pub(super) fn own_result(x: u64) -> Result<u64> {
        Result(x)
    }

    #[mp::task(fallible)]
    pub(super) fn std_result(x: u64) -> StdResult<u64, mp::Failure> {
        mp::ensure!(x > 0, "{x} is too small");
        Ok(x)
    }

    #[mp::task(fallible = false)]
    pub(super) fn own_error(code: u8) -> std::result::Result<u64, anyhow::Error> {
        Err(anyhow::Error(code))
    }

    #[mp::task]
    pub(super) fn own_error_fails(code: u8) -> std::result::Result<u64, anyhow::Error> {
        Err(anyhow::Error(code))
    }

    #[mp::task(fallible = false)]
    pub(super) fn own_failure() -> std::result::Result<u64, Failure> {
        Err(Failure)
    }

    #[mp::task(fallible)]
    pub(super) fn own_failure_fails() -> std::result::Result<u64, Failure> {
        Err(Failure)
    }
}

#[test]
fn types_that_are_called_like_others() {
    use lookalikes::*;
    assert_eq!(own_result.run(3).unwrap(), Result(3));
    assert_eq!(std_result.run(3).unwrap(), 3);
    let error = std_result.run(0).unwrap_err();
    assert_eq!(error.message(), "0 is too small");
    assert_eq!(own_error.run(3).unwrap(), Err(anyhow::Error(3)));
    let error = own_error_fails.run(3).unwrap_err();
    assert!(error.is_task() && error.message() == "Error(3)", "{error}");
    assert_eq!(own_failure.run().unwrap(), Err(Failure));
    let error = own_failure_fails.run().unwrap_err();
    assert!(error.is_task() && error.message() == "Failure", "{error}");
}

#[mp::task]
#[deprecated = "old"]
fn old() -> u8 {
    1
}

#[cfg(any())]
#[mp::task]
fn never(x: NoType) {}

#[mp::task]
#[cfg(not(any()))]
fn always() -> u8 {
    2
}

#[mp::task]
#[cfg(any())]
fn always() -> u8 {
    3
}

#[test]
fn attributes() {
    #[allow(deprecated)]
    let value = old.run();
    assert_eq!((value.unwrap(), always.run().unwrap()), (1, 2));
}

#[test]
fn names_in_errors_are_those_of_the_functions() {
    #[mp::task(name = "the panicking one")]
    fn named() {
        panic!("on purpose")
    }
    #[mp::task]
    fn unnamed() {
        panic!("on purpose")
    }
    let names: HashSet<_> = [named.run(), unnamed.run()]
        .into_iter()
        .map(|ran| ran.unwrap_err().task().unwrap_or_default().to_owned())
        .collect();
    let expected = [
        "the panicking one",
        "hygiene::names_in_errors_are_those_of_the_functions::unnamed",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
}

/// `mp::test` under another name of the crate, with everything it keeps.
mod tests_of_tests {
    use mp as other;

    #[mp::test]
    fn plain() {
        assert_eq!(super::square.run(2).unwrap(), 4);
    }

    #[other::test(crate = other, timeout = "20s")]
    fn with_question_mark() -> mp::Result<()> {
        assert_eq!(super::square.run(2)?, 4);
        Ok(())
    }

    #[mp::test]
    #[should_panic = "as it should"]
    fn panics() {
        panic!("as it should");
    }

    #[mp::test]
    #[should_panic(expected = "InvalidDigit")]
    fn returns_an_error() -> Result<(), std::num::ParseIntError> {
        "x".parse::<u8>().map(drop)
    }

    #[mp::test]
    #[ignore = "never ends"]
    fn ignored() {
        loop {
            std::thread::park();
        }
    }
}
