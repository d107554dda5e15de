//! Implementations that swallow errors, take nothing, or take fields in an order of their own: what
//! stands behind them arrives as it was, or the sender is told.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mp::{Pool, Queue};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(T::deserialize(from).unwrap_or_default())
}

#[derive(Serialize, Deserialize)]
struct Lenient {
    #[serde(deserialize_with = "lenient")]
    value: Option<serde_json::Value>,
}

#[mp::task]
fn beside(lenient: Lenient, number: u32) -> (bool, u32) {
    (lenient.value.is_some(), number)
}

#[mp::test]
fn what_is_behind_a_swallowed_error_is_whole() -> mp::Result<()> {
    let pool = Pool::builder().workers(1).build()?;
    for depth in [1, 30, 100, 165, 175, 400] {
        let value = (0..depth).fold(serde_json::json!(1), |inside, _| {
            serde_json::json!([inside])
        });
        let lenient = Lenient { value: Some(value) };
        assert_eq!(pool.apply(beside, (lenient, 7))?, (true, 7), "{depth} deep");
    }
    Ok(())
}

/// Each part that serde buffers may need more stack than the one before.
#[mp::test]
fn parts_of_growing_depth_travel() -> mp::Result<()> {
    let queue = Queue::unbounded()?;
    let nested = |depth| (0..depth).fold(serde_json::json!(1), |one, _| serde_json::json!([one]));
    let values: Vec<_> = [1, 100, 300, 200, 900, 1_500].map(nested).into();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let travelled = thread.spawn(move || {
        queue.put(values.clone())?;
        Ok::<_, mp::Error>(queue.get()? == values)
    });
    let travelled = travelled.expect("a thread");
    assert!(travelled.join().expect("no panic")?);
    Ok(())
}

/// Writes a unit, and reads nothing.
struct Ignored;

impl Serialize for Ignored {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Ignored)
    }
}

#[derive(Serialize, Deserialize)]
struct Shifted {
    ignored: Ignored,
    number: Option<u32>,
}

#[mp::task]
fn number_of(_ignored: Ignored, shifted: Option<Shifted>, number: u32) -> u32 {
    shifted.and_then(|shifted| shifted.number).unwrap_or(number)
}

#[mp::test]
fn a_reader_that_takes_nothing_shifts_nothing() -> mp::Result<()> {
    let pool = Pool::builder().workers(1).build()?;
    assert_eq!(pool.apply(number_of, (Ignored, None, 7))?, 7);
    let ignored = Ignored;
    let shifted = Shifted {
        ignored,
        number: Some(8),
    };
    let error = pool
        .apply(number_of, (Ignored, Some(shifted), 7))
        .unwrap_err();
    assert!(
        error.is_encode() && error.to_string().contains("Shifted"),
        "{error}"
    );
    Ok(())
}

/// As GeoJSON has it: named `lat` and `lon`, but the longitude first where there are no names.
#[derive(Debug, PartialEq, Serialize)]
struct Point {
    lat: f64,
    lon: f64,
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Point;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a point")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Point, A::Error> {
                let mut next = || all.next_element().map(Option::unwrap_or_default);
                let (lon, lat) = (next()?, next()?);
                Ok(Point { lat, lon })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Point, A::Error> {
                let mut point = Point { lat: 0.0, lon: 0.0 };
                while let Some(name) = all.next_key::<String>()? {
                    match name.as_str() {
                        "lat" => point.lat = all.next_value()?,
                        _ => point.lon = all.next_value()?,
                    }
                }
                Ok(point)
            }
        }

        from.deserialize_struct("Point", &["lat", "lon"], Either)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Derived {
    lat: f64,
    lon: f64,
}

#[mp::test]
fn a_visitor_written_by_hand_takes_fields_by_name() -> mp::Result<()> {
    let (points, derived) = (Queue::unbounded()?, Queue::unbounded()?);
    for _ in 0..3 {
        points.put(Point { lat: 1.0, lon: 2.0 })?;
        assert_eq!(points.get()?, Point { lat: 1.0, lon: 2.0 });
        derived.put(Derived { lat: 1.0, lon: 2.0 })?;
        assert_eq!(derived.get()?, Derived { lat: 1.0, lon: 2.0 });
    }
    Ok(())
}

/// Ten numbers, of which the third is a panic.
struct Torn;

impl Serialize for Torn {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((0..10u64).map(|at| match at {
            3 => panic!("the third"),
            at => at,
        }))
    }
}

#[derive(Debug, Deserialize)]
struct Caught {
    numbers: Vec<u64>,
}

impl Serialize for Caught {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut parts = to.serialize_struct("Caught", 1)?;
        let torn = catch_unwind(AssertUnwindSafe(|| parts.serialize_field("numbers", &Torn)));
        if let Ok(done) = torn {
            done?;
        }
        parts.end()
    }
}

#[mp::test]
fn a_value_of_which_a_part_panicked_is_not_sent() -> mp::Result<()> {
    let queue = Queue::unbounded()?;
    for _ in 0..3 {
        let numbers = vec![1];
        let refused = queue.put(Caught { numbers });
        let error = mp::Error::from(refused.expect_err("it is refused"));
        assert!(
            error.is_encode() && error.to_string().contains("Caught"),
            "{error}"
        );
    }
    assert_eq!(queue.try_get()?.map(|caught| caught.numbers), None);
    Ok(())
}
