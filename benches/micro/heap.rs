//! The shared heap: a vector of so many bytes is made and let go of. Memory that was used before is used again, so pages are
//! there after the first round; `copy_of` writes all of them.

use std::hint::black_box;

use divan::{Bencher, counter::BytesCount};

use crate::made;

const SIZES: [usize; 5] = [0, 64, 4096, 65_536, 1 << 20];

#[divan::bench(args = SIZES)]
fn limit_vec(bencher: Bencher<'_, '_>, len: usize) {
    let bytes = vec![7u8; len];
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| black_box(&bytes).to_vec());
}

#[divan::bench(args = SIZES)]
fn buffer_copy_of(bencher: Bencher<'_, '_>, len: usize) {
    let bytes = vec![7u8; len];
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| mp::Buffer::copy_of(black_box(&bytes)));
}

#[divan::bench]
fn limit_arc_clone(bencher: Bencher<'_, '_>) {
    let arc = std::sync::Arc::new(7);
    bencher.bench_local(|| arc.clone());
}

#[divan::bench]
fn buffer_clone(bencher: Bencher<'_, '_>) {
    let buffer = made(mp::Buffer::copy_of(&[7u8; 64]));
    bencher.bench_local(|| buffer.clone());
}

#[divan::bench]
fn object_made_and_dropped(bencher: Bencher<'_, '_>) {
    bencher.bench_local(mp::Lock::new);
}

#[divan::bench]
fn queue_made_and_dropped(bencher: Bencher<'_, '_>) {
    bencher.bench_local(mp::Queue::<u64>::unbounded);
}
