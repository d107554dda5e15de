//! What cannot be in shared memory: pointers, and what has not been said to be plain.
#![allow(unused)]

#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Copy, mp::Plain)]
#[repr(C)]
struct Named {
    name: &'static str,
}

fn text() {
    mp::Value::new(String::from("a pointer to text"));
}

fn derive_is_missing(points: &[Point]) {
    mp::Array::new(points);
}

fn reference() {
    mp::RawValue::new(&5);
}

#[mp::task]
fn parameter(value: &mp::Value<Point>) {}

fn atomics() -> mp::Result<()> {
    mp::Atomic::new(5_u128);
    mp::Atomic::new(true)?.fetch_add(true, std::sync::atomic::Ordering::SeqCst);
    Ok(())
}

fn the_guard_is_borrowed(row: mp::Array<u64>) -> mp::Result<()> {
    let mut guard = row.lock()?;
    let first = &mut guard[0];
    let pieces = guard.chunks(2)?;
    *first = 1;
    Ok(())
}

fn main() {}
