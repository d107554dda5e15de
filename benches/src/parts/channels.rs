//! Rings and codec: one thread puts a message in and takes it out again, so it finds room and never
//! waits.

use std::hint::black_box;

use serde::{Deserialize, Serialize};

use super::{BATCH, Body, Part, batch};

pub(super) const PARTS: &[Part] = &[
    Part::new("pipe/u64", BATCH, || {
        let (to, from) = mp::pipe()?;
        batch(move || {
            to.send(black_box(7_u64))?;
            black_box(from.recv()?);
            Ok(())
        })
    }),
    // Up to 4 KiB stand in the ring, larger ones in a block of the heap.
    Part::new("pipe/bytes-64", BATCH, || bytes(64)),
    Part::new("pipe/bytes-4096", BATCH, || bytes(4096)),
    Part::new("pipe/bytes-65536", BATCH, || bytes(65_536)),
    Part::new("queue/bounded", BATCH, || queue(mp::Queue::bounded(1024)?)),
    Part::new("queue/unbounded", BATCH, || queue(mp::Queue::unbounded()?)),
    // Encode and decode; to be read against `pipe/u64`, whose plain data pass no serializer.
    Part::new("codec/tuple", BATCH, || through((1_u8, 2_u64, true))),
    Part::new("codec/string", BATCH, || {
        through("a few words of text".to_owned())
    }),
    Part::new("codec/struct", BATCH, || through(person())),
    Part::new("codec/enum", BATCH, || {
        through(Order::Move { x: 1.5, y: 2.5 })
    }),
    Part::new("codec/tagged", BATCH, || {
        through(Tagged::Move { x: 1.5, y: 2.5 })
    }),
    Part::new("codec/numbers-100", BATCH, || through(vec![7_u64; 100])),
    Part::new("codec/strings-100", BATCH, || {
        through(vec!["word".to_owned(); 100])
    }),
];

/// A struct as people send it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Person {
    name: String,
    pub(super) age: u32,
    scores: Vec<f64>,
}

/// A command as people send it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Order {
    Stop,
    Say(String),
    Move { x: f64, y: f64 },
}

/// The same with its kind in a field, as in JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(super) enum Tagged {
    Stop,
    Say { text: String },
    Move { x: f64, y: f64 },
}

pub(super) fn person() -> Person {
    Person {
        name: "Ada Lovelace".to_owned(),
        age: 36,
        scores: vec![1.0; 8],
    }
}

fn queue(queue: mp::Queue<u64>) -> mp::Result<Body> {
    batch(move || {
        queue.put(black_box(7))?;
        black_box(queue.get()?);
        Ok(())
    })
}

fn bytes(len: usize) -> mp::Result<Body> {
    let (to, from) = mp::pipe::<Vec<u8>>()?;
    let (bytes, mut into) = (vec![7_u8; len], Vec::new());
    batch(move || {
        to.send_bytes(black_box(&bytes))?;
        into.clear();
        from.recv_bytes_into(&mut into)?;
        Ok(())
    })
}

/// The same value goes round and round, so that none is made for it.
fn through<T: mp::Message>(value: T) -> mp::Result<Body> {
    let (to, from) = mp::pipe()?;
    let mut kept = Some(value);
    batch(move || {
        if let Some(value) = kept.take() {
            to.send(value)?;
        }
        kept = Some(from.recv()?);
        Ok(())
    })
}
