//! Dispatch without processes: an inline pool does the work in the caller, and all of scheduler, marshalling and delivery is as
//! with workers. (The bare scheduler, without messages: the ignored test `dispatch_rates` of the runtime.)

use std::hint::black_box;

use divan::{Bencher, counter::ItemsCount};

use crate::made;

const ITEMS: usize = 10_000;

#[mp::task]
fn add_one(x: u64) -> u64 {
    x + 1
}

fn inline_pool(chunk_size: usize) -> mp::Result<mp::Pool> {
    mp::Pool::builder()
        .inline(true)
        .chunk_size(chunk_size)
        .build()
}

#[divan::bench]
fn limit_iterator(bencher: Bencher<'_, '_>) {
    let items: Vec<u64> = (0..ITEMS as u64).collect();
    let one = |x: &u64| black_box(*x) + 1;
    bencher
        .counter(ItemsCount::new(ITEMS))
        .bench_local(|| items.iter().map(one).collect::<Vec<u64>>());
}

#[divan::bench(args = [1, 100, 10_000])]
fn map_in_chunks_of(bencher: Bencher<'_, '_>, chunk_size: usize) {
    let pool = made(inline_pool(chunk_size));
    let items: Vec<u64> = (0..ITEMS as u64).collect();
    bencher
        .counter(ItemsCount::new(ITEMS))
        .bench_local(|| pool.map(add_one, &items));
}

#[divan::bench]
fn apply(bencher: Bencher<'_, '_>) {
    let pool = made(inline_pool(1));
    bencher.bench_local(|| pool.apply(add_one, black_box(7)));
}

#[divan::bench]
fn apply_async(bencher: Bencher<'_, '_>) {
    let pool = made(inline_pool(1));
    bencher.bench_local(|| {
        pool.apply_async(add_one, black_box(7))
            .and_then(|handle| handle.get())
    });
}
