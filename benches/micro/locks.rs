//! Locks and shared values that nobody else wants.

use std::hint::black_box;
use std::sync::{Mutex, RwLock, atomic};

use divan::Bencher;

use crate::made;

#[divan::bench]
fn limit_mutex(bencher: Bencher<'_, '_>) {
    let lock = Mutex::new(());
    bencher.bench_local(|| drop(black_box(&lock).lock()));
}

#[divan::bench]
fn lock(bencher: Bencher<'_, '_>) {
    let lock = made(mp::Lock::new());
    bencher.bench_local(|| drop(black_box(&lock).lock()));
}

#[divan::bench]
fn rlock_twice(bencher: Bencher<'_, '_>) {
    let lock = made(mp::RLock::new());
    bencher.bench_local(|| {
        let outer = lock.lock();
        let inner = lock.lock();
        (inner.is_ok(), outer.is_ok())
    });
}

#[divan::bench]
fn limit_rwlock_read(bencher: Bencher<'_, '_>) {
    let lock = RwLock::new(());
    bencher.bench_local(|| drop(black_box(&lock).read()));
}

#[divan::bench]
fn rwlock_read(bencher: Bencher<'_, '_>) {
    let lock = made(mp::RwLock::new());
    bencher.bench_local(|| drop(black_box(&lock).read()));
}

#[divan::bench]
fn rwlock_write(bencher: Bencher<'_, '_>) {
    let lock = made(mp::RwLock::new());
    bencher.bench_local(|| drop(black_box(&lock).write()));
}

#[divan::bench]
fn semaphore(bencher: Bencher<'_, '_>) {
    let semaphore = made(mp::Semaphore::new(2));
    bencher.bench_local(|| drop(black_box(&semaphore).acquire()));
}

#[divan::bench]
fn event_set_and_clear(bencher: Bencher<'_, '_>) {
    let event = made(mp::Event::new());
    bencher.bench_local(|| (event.set().is_ok(), event.clear().is_ok()));
}

#[divan::bench]
fn limit_atomic_add(bencher: Bencher<'_, '_>) {
    let number = atomic::AtomicU64::new(0);
    bencher.bench_local(|| number.fetch_add(1, atomic::Ordering::AcqRel));
}

#[divan::bench]
fn atomic_add(bencher: Bencher<'_, '_>) {
    let number = made(mp::Atomic::new(0u64));
    bencher.bench_local(|| number.fetch_add(1, atomic::Ordering::AcqRel));
}

#[divan::bench]
fn value_get(bencher: Bencher<'_, '_>) {
    let value = made(mp::Value::new(7u64));
    bencher.bench_local(|| value.get());
}

#[divan::bench]
fn value_update(bencher: Bencher<'_, '_>) {
    let value = made(mp::Value::new(7u64));
    bencher.bench_local(|| value.update(|number| *number += 1));
}

#[divan::bench]
fn array_in_place(bencher: Bencher<'_, '_>) {
    let array = made(mp::Array::new(&[0u64; 8]));
    bencher.bench_local(|| {
        if let Ok(mut numbers) = array.lock() {
            numbers[3] += 1;
        }
    });
}
