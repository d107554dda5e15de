//! What the standard library takes for the like of the parts.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, mpsc};

use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};

#[divan::bench]
fn sync_channel(bencher: Bencher<'_, '_>) {
    let (to, from) = mpsc::sync_channel(1024);
    bencher.bench_local(|| {
        let _ = to.send(black_box(7_u64));
        from.recv()
    });
}

#[divan::bench(args = [64, 65_536])]
fn vec(bencher: Bencher<'_, '_>, len: usize) {
    let bytes = vec![7_u8; len];
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| black_box(&bytes).to_vec());
}

#[divan::bench]
fn arc_clone(bencher: Bencher<'_, '_>) {
    let arc = Arc::new(7);
    bencher.bench_local(|| arc.clone());
}

#[divan::bench]
fn mutex(bencher: Bencher<'_, '_>) {
    let lock = Mutex::new(());
    bencher.bench_local(|| drop(black_box(&lock).lock()));
}

#[divan::bench]
fn rwlock_read(bencher: Bencher<'_, '_>) {
    let lock = RwLock::new(());
    bencher.bench_local(|| drop(black_box(&lock).read()));
}

#[divan::bench]
fn atomic_add(bencher: Bencher<'_, '_>) {
    let number = AtomicU64::new(0);
    bencher.bench_local(|| number.fetch_add(1, Ordering::AcqRel));
}

#[divan::bench]
fn iterator(bencher: Bencher<'_, '_>) {
    let items: Vec<u64> = (0..10_000).collect();
    let one = |x: &u64| black_box(*x) + 1;
    bencher
        .counter(ItemsCount::new(items.len()))
        .bench_local(|| items.iter().map(one).collect::<Vec<u64>>());
}
