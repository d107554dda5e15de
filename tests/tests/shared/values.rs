//! `Value`: CPython's `_TestValue` as behaviour, its lock, and what a panic leaves.

use std::time::{Duration, Instant};

use mp::{Failure, Process, Value};

#[derive(Clone, Copy, Debug, PartialEq, mp::Plain)]
#[repr(C)]
pub(crate) struct Particle {
    pub(crate) place: [f64; 3],
    pub(crate) alive: bool,
    pub(crate) kind: Kind,
    pub(crate) mass: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, mp::Plain)]
#[repr(u16)]
pub(crate) enum Kind {
    Light = 0x0101,
    Heavy = 0x7f7f,
}

pub(crate) const LIGHT: Particle = Particle {
    place: [1.0, -2.0, 0.5],
    alive: true,
    kind: Kind::Light,
    mass: 0.25,
};
pub(crate) const HEAVY: Particle = Particle {
    place: [9.0, 8.0, 7.0],
    alive: false,
    kind: Kind::Heavy,
    mass: 1e9,
};

/// Discriminants below zero and out of order, one of them left to rustc.
#[derive(Clone, Copy, Debug, PartialEq, mp::Plain)]
#[repr(i8)]
enum Signed {
    Most = 127,
    Least = -128,
    Next,
}

/// What an enum with `align` has to be instead.
#[derive(Clone, Copy, Debug, PartialEq, mp::Plain)]
#[repr(C, align(16))]
struct Aligned {
    kind: Kind,
    sign: Signed,
}

#[derive(Clone, Copy, Debug, PartialEq, mp::Plain)]
#[repr(transparent)]
struct Over<T>(T);

#[derive(Clone, Copy, Debug, PartialEq, mp::Plain)]
#[repr(C)]
struct Nested<T, const N: usize> {
    letter: char,
    rows: [Over<T>; N],
    last: bool,
}

type Nest = Nested<Aligned, 2>;

const NEST: Nest = Nested {
    letter: '\u{10ffff}',
    rows: [
        Over(Aligned {
            kind: Kind::Heavy,
            sign: Signed::Least,
        }),
        Over(Aligned {
            kind: Kind::Light,
            sign: Signed::Next,
        }),
    ],
    last: true,
};

#[mp::task]
fn turned(rows: &[Nest], signs: Vec<Signed>, value: &Value<Aligned>) -> Result<Vec<Nest>, Failure> {
    value.update(|aligned| aligned.sign = signs[0])?;
    Ok(rows.iter().rev().copied().collect())
}

#[mp::test]
fn padding_signs_and_nesting_travel() {
    assert_eq!((size_of::<Aligned>(), size_of::<Nest>()), (16, 64));
    let other = Nested {
        letter: 'x',
        last: false,
        ..NEST
    };
    let value = Value::new(NEST.rows[0].0).unwrap();
    for sign in [Signed::Most, Signed::Least, Signed::Next] {
        let rows = turned.run(&[NEST, other], vec![sign], &value);
        assert_eq!(rows.unwrap(), [other, NEST]);
        let expected = Aligned {
            kind: Kind::Heavy,
            sign,
        };
        assert_eq!(value.get().unwrap(), expected);
    }
}

/// Python's `codes_values`, each with the value it is made with and the one that the child sets.
macro_rules! codes_values {
    ($each:ident) => {
        $each!(i32, 4343, 24234);
        $each!(f64, 3.625, -4.25);
        $each!(i16, -232, 234);
        $each!(i64, 1 << 40, -(1 << 61));
        $each!(u8, b'x', b'y');
        $each!(char, 'x', 'ß');
        $each!(bool, false, true);
        $each!((), (), ());
        $each!(u128, 1 << 100, u128::MAX);
        $each!([u16; 5], [1, 2, 3, 4, 5], [6; 5]);
        $each!([u8; 3], *b"abc", *b"xyz");
        $each!(Particle, LIGHT, HEAVY);
    };
}

macro_rules! setter {
    ($($name:ident $of:ty;)*) => {$(
        #[mp::task]
        fn $name(value: &Value<$of>, to: $of) -> Result<(), Failure> {
            value.set(to)?;
            assert_eq!(value.get()?, to);
            Ok(())
        }
    )*};
}
setter! {
    set_i32 i32; set_f64 f64; set_i16 i16; set_i64 i64; set_u8 u8; set_char char; set_bool bool; set_unit ();
    set_u128 u128; set_row [u16; 5]; set_bytes [u8; 3]; set_particle Particle;
}

trait Sets: mp::Plain + PartialEq + std::fmt::Debug {
    fn set_in_a_child(value: &Value<Self>, to: Self) -> mp::Result<()>;
}
macro_rules! sets {
    ($($name:ident $of:ty;)*) => {$(
        impl Sets for $of {
            fn set_in_a_child(value: &Value<Self>, to: Self) -> mp::Result<()> {
                Process::new($name, (value, to)).start()?.join()
            }
        }
    )*};
}
sets! {
    set_i32 i32; set_f64 f64; set_i16 i16; set_i64 i64; set_u8 u8; set_char char; set_bool bool; set_unit ();
    set_u128 u128; set_row [u16; 5]; set_bytes [u8; 3]; set_particle Particle;
}

#[mp::test]
fn test_value() {
    fn one<T: Sets>(first: T, second: T) {
        let value = Value::new(first).unwrap();
        assert_eq!(value.get().unwrap(), first);
        T::set_in_a_child(&value, second).unwrap();
        assert_eq!(value.get().unwrap(), second);
        *value.lock().unwrap() = first;
        assert_eq!(*value.lock().unwrap(), first);
    }
    macro_rules! each {
        ($of:ty, $first:expr, $second:expr) => {
            one::<$of>($first, $second)
        };
    }
    codes_values!(each);
}

#[mp::test]
fn test_getobj_getlock() {
    let value = Value::new(5).unwrap();
    let guard = value.lock().unwrap();
    assert_eq!(*guard, 5);
    assert!(value.is_locked());
    assert!(value.try_lock().unwrap().is_none());
    let begun = Instant::now();
    let late = value.lock_timeout(Duration::from_millis(20)).unwrap();
    assert!(late.is_none() && begun.elapsed() >= Duration::from_millis(20));
    drop(guard);
    assert!(!value.is_locked());
    *value.try_lock().unwrap().unwrap() += 1;
    *value
        .lock_timeout(Duration::from_secs(20))
        .unwrap()
        .unwrap() += 1;
    assert_eq!(value.get().unwrap(), 7);
}

#[mp::task]
fn add(value: &Value<u64>, times: u64) -> Result<(), Failure> {
    for round in 0..times {
        match round % 3 {
            0 => *value.lock()? += 1,
            1 => value.update(|value| *value += 1)?,
            _ => {
                let mut guard = value.lock()?;
                let seen = *guard;
                *guard = seen + 1;
            }
        }
    }
    Ok(())
}

#[mp::test]
fn no_addition_is_lost() {
    let value = Value::new(0).unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| Process::new(add, (&value, 9000)).start().unwrap())
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..3000 {
                    *value.lock().unwrap() += 1;
                }
            });
        }
    });
    for child in children {
        child.join().unwrap();
    }
    assert_eq!(value.get().unwrap(), 4 * 9000 + 2 * 3000);
}

#[mp::test]
fn a_panic_commits_nothing() {
    let value = Value::new([1_u64; 100]).unwrap();
    let panics = std::panic::catch_unwind(|| {
        value
            .update(|numbers| {
                numbers[..50].fill(2);
                panic!("in the middle");
            })
            .unwrap();
    });
    assert!(panics.is_err());
    assert_eq!(value.get().unwrap(), [1; 100]);
    let panics = std::panic::catch_unwind(|| {
        let mut guard = value.lock().unwrap();
        guard[7] = 3;
        panic!("in the middle");
    });
    assert!(panics.is_err());
    // The lock was given back, and it is no poison: nobody has died.
    assert_eq!(*value.lock().unwrap(), [1; 100]);
    assert_eq!(
        value
            .update(|numbers| std::mem::replace(&mut numbers[3], 9))
            .unwrap(),
        1
    );
    assert_eq!(value.get().unwrap()[3], 9);
}

#[mp::task]
fn die_with(value: &Value<[u64; 500]>, way: &str) -> Result<(), Failure> {
    let mut guard = value.lock()?;
    guard.fill(7);
    match way {
        "kill" => mp_tests::grief::end("kill"),
        "exit" => std::process::exit(3),
        _ => std::mem::forget(guard),
    }
    Ok(())
}

#[mp::test]
fn a_dead_holder_leaves_the_old_value() {
    for way in ["kill", "exit", "leak"] {
        let value = Value::new([1; 500]).unwrap();
        let child = Process::new(die_with, (&value, way)).start().unwrap();
        let pid = child.pid();
        let _ = child.join();
        match value.lock() {
            Err(mp::LockError::Poisoned(dead)) => {
                assert_eq!(dead.pid(), Some(pid), "{way}");
                let mut guard = dead.into_guard();
                assert_eq!(*guard, [1; 500]);
                guard.fill(2);
            }
            other => panic!("{way}: {other:?}"),
        }
        assert_eq!(*value.lock().unwrap(), [2; 500], "told once");
        // Who takes the lock for one call does not mind.
        let child = Process::new(die_with, (&value, way)).start().unwrap();
        let _ = child.join();
        assert_eq!(value.get().unwrap(), [2; 500]);
        // It leaves the news to the next lock.
        assert!(value.lock().is_err_and(|error| error.is_poisoned()));
        drop(value.lock().unwrap());
    }
}

#[mp::task]
fn die_with_a_number(value: &Value<u64>) {
    let _guard = value.lock();
    mp_tests::grief::end("kill");
}

#[mp::test]
fn get_leaves_the_news_of_a_dead_holder_to_lock() {
    let value = Value::new(1_u64).unwrap();
    let child = die_with_a_number.start(&value).unwrap();
    let pid = child.pid();
    assert!(child.join().is_err());
    assert_eq!(value.get().unwrap(), 1);
    value.set(2).unwrap();
    value.update(|x| *x += 1).unwrap();
    let error = value.lock().map(|guard| *guard).unwrap_err();
    assert!(error.is_poisoned() && error.to_string().contains(&pid.to_string()));
    drop(error);
    assert_eq!(*value.lock().unwrap(), 3);
}
