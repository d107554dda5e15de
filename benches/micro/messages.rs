//! Rings and codec: a message is put in and taken out again by the same thread, so that it finds room and is never waited for.

use std::hint::black_box;
use std::sync::mpsc;

use divan::{Bencher, counter::BytesCount};

use crate::made;
use serde::{Deserialize, Serialize};

/// Plain bytes: no code of serde's runs.
#[divan::bench_group]
mod ring {
    use super::*;

    #[divan::bench]
    fn limit_sync_channel(bencher: Bencher<'_, '_>) {
        let (to, from) = mpsc::sync_channel(1024);
        bencher.bench_local(|| {
            let _ = to.send(black_box(7u64));
            from.recv()
        });
    }

    #[divan::bench]
    fn pipe(bencher: Bencher<'_, '_>) {
        let (to, from) = made(mp::pipe());
        bencher.bench_local(|| {
            let _ = to.send(black_box(7u64));
            from.recv()
        });
    }

    #[divan::bench]
    fn queue_bounded(bencher: Bencher<'_, '_>) {
        let queue = made(mp::Queue::bounded(1024));
        bencher.bench_local(|| {
            let _ = queue.put(black_box(7u64));
            queue.get()
        });
    }

    #[divan::bench]
    fn queue_unbounded(bencher: Bencher<'_, '_>) {
        let queue = made(mp::Queue::unbounded());
        bencher.bench_local(|| {
            let _ = queue.put(black_box(7u64));
            queue.get()
        });
    }

    /// Up to 4 KiB they stand in the ring, larger ones in a block of the heap.
    #[divan::bench(args = [0, 64, 1024, 4096, 65_536, 1 << 20])]
    fn pipe_bytes(bencher: Bencher<'_, '_>, len: usize) {
        let (to, from) = made(mp::pipe::<Vec<u8>>());
        let (bytes, mut into) = (vec![7u8; len], Vec::new());
        bencher.counter(BytesCount::new(len)).bench_local(|| {
            let _ = to.send_bytes(black_box(&bytes));
            into.clear();
            from.recv_bytes_into(&mut into)
        });
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Person {
    name: String,
    age: u32,
    scores: Vec<f64>,
}

/// The same way with values that are encoded and decoded; to be read against `ring`.
#[divan::bench_group]
mod codec {
    use super::*;

    fn through<T: mp::Message + Clone>(bencher: Bencher<'_, '_>, value: &T) {
        let (to, from) = made(mp::pipe());
        bencher
            .with_inputs(|| value.clone())
            .bench_local_values(|value| {
                let _ = to.send(value);
                from.recv()
            });
    }

    #[divan::bench]
    fn tuple(bencher: Bencher<'_, '_>) {
        through(bencher, &(1u8, 2u64, true))
    }

    #[divan::bench]
    fn string(bencher: Bencher<'_, '_>) {
        through(bencher, &"a few words of text".to_owned())
    }

    #[divan::bench]
    fn strukt(bencher: Bencher<'_, '_>) {
        through(
            bencher,
            &Person {
                name: "Ada Lovelace".to_owned(),
                age: 36,
                scores: vec![1.0; 8],
            },
        )
    }

    #[divan::bench(args = [1, 100, 10_000])]
    fn numbers(bencher: Bencher<'_, '_>, len: usize) {
        through(bencher, &vec![7u64; len])
    }

    #[divan::bench(args = [1, 100, 10_000])]
    fn strings(bencher: Bencher<'_, '_>, len: usize) {
        through(bencher, &vec!["word".to_owned(); len])
    }
}
