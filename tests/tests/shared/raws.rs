//! `RawValue` and `RawArray`: CPython's `TestSharedCTypes` as behaviour, without locks.

use mp::{Failure, Process, RawArray, RawValue, Value};

use crate::values::{HEAVY, Kind, LIGHT, Particle};

/// Python's `_double`.
#[mp::task]
fn double(
    x: &RawValue<i32>,
    y: RawValue<f64>,
    particle: &RawValue<Particle>,
    row: &RawArray<f64>,
    text: &RawArray<u8>,
) -> Result<(), Failure> {
    x.set(x.get()? * 2);
    y.set(y.get()? * 2.0);
    let mut one = particle.get()?;
    one.place = one.place.map(|x| x * 2.0);
    one.kind = Kind::Heavy;
    particle.set(one);
    for index in 0..row.len() {
        row.set(index, row.get(index)? * 2.0);
    }
    for index in 0..text.len() {
        text.set(index, text.get(index)?.to_ascii_uppercase());
    }
    Ok(())
}

#[mp::test]
fn test_sharedctypes() {
    let x = RawValue::new(7).unwrap();
    let y = RawValue::new(1.0 / 3.0).unwrap();
    let particle = RawValue::new(LIGHT).unwrap();
    let row = RawArray::from_fn(10, |index| index as f64).unwrap();
    let text = RawArray::new(b"hello").unwrap();
    Process::new(double, (&x, y.clone(), &particle, &row, &text))
        .start()
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(x.get().unwrap(), 14);
    assert_eq!(y.get().unwrap(), 2.0 / 3.0);
    let expected = Particle {
        place: [2.0, -4.0, 1.0],
        kind: Kind::Heavy,
        ..LIGHT
    };
    assert_eq!(particle.get().unwrap(), expected);
    assert_eq!(
        row.to_vec().unwrap(),
        (0..10).map(|index| index as f64 * 2.0).collect::<Vec<_>>()
    );
    assert_eq!(text.to_vec().unwrap(), b"HELLO");
    assert_eq!(
        format!("{x:?} {text:?}"),
        "RawValue(14) RawArray([72, 69, 76, 76, 79])"
    );
}

/// Python's `test_copy`: here a copy is the value itself.
#[mp::test]
fn test_copy() {
    let first = Value::new(LIGHT).unwrap();
    let second = Value::new(first.get().unwrap()).unwrap();
    first.set(HEAVY).unwrap();
    assert_eq!(second.get().unwrap(), LIGHT);
}

#[mp::task]
fn flip(value: &RawValue<[u64; 4]>, times: u64) {
    for round in 0..times {
        value.set([round; 4]);
    }
}

#[mp::test]
fn every_word_is_old_or_new() {
    let value = RawValue::new([0_u64; 4]).unwrap();
    let child = Process::new(flip, (&value, 300_000)).start().unwrap();
    let mut seen = [0; 4];
    while child.is_alive() {
        for (old, new) in seen.iter_mut().zip(value.get().unwrap()) {
            assert!(*old <= new && new < 300_000);
            *old = new;
        }
    }
    child.join().unwrap();
    assert_eq!(value.get().unwrap(), [299_999; 4]);
}

#[mp::test]
fn neighbours_do_not_disturb_each_other() {
    let row = RawArray::filled(0_u8, 64).unwrap();
    std::thread::scope(|scope| {
        for index in 0..4 {
            let row = &row;
            scope.spawn(move || {
                for round in 0..50_000_u32 {
                    row.set(index, round as u8);
                    assert_eq!(row.get(index).unwrap(), round as u8);
                }
            });
        }
    });
    assert!(RawArray::<u64>::new(&[]).unwrap().is_empty());
    assert_eq!(RawArray::filled((), 9).unwrap().len(), 9);
    let beyond = std::panic::catch_unwind(|| row.get(64));
    assert!(beyond.is_err());
}
