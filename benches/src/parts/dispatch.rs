//! Dispatch without processes. An inline pool does the work in the caller; input, scheduler,
//! trampoline and delivery are as with workers. Calls whose handle is waited for later are not
//! here: another thread takes part in them, by chance.

use std::hint::black_box;

use super::channels::{Order, Person, Tagged, person};
use super::{BATCH, Body, Part, batch};

/// The items of a `map`.
const ITEMS: u64 = 1000;

pub(super) const PARTS: &[Part] = &[
    // By item: input, trampoline, delivery. The message stands in a block.
    Part::new("map/plain", ITEMS, || {
        let items: Vec<u64> = (0..ITEMS).collect();
        mapped(ITEMS, move |pool| pool.map(add_one, &items).map(drop))
    }),
    Part::new("map/string", ITEMS, || {
        let items = vec!["a few words of text".to_owned(); ITEMS as usize];
        mapped(ITEMS, move |pool| pool.map(length, &items).map(drop))
    }),
    Part::new("map/struct", ITEMS, || {
        let items = vec![person(); ITEMS as usize];
        mapped(ITEMS, move |pool| pool.map(grown_up, &items).map(drop))
    }),
    Part::new("map/enum", ITEMS, || {
        let items = vec![Order::Move { x: 1.5, y: 2.5 }; ITEMS as usize];
        mapped(ITEMS, move |pool| pool.map(moved, &items).map(drop))
    }),
    Part::new("map/tagged", ITEMS, || {
        let items = vec![Tagged::Move { x: 1.5, y: 2.5 }; ITEMS as usize];
        mapped(ITEMS, move |pool| pool.map(turned, &items).map(drop))
    }),
    // By job: the scheduler's part is in each of them.
    Part::new("job/map", ITEMS, || {
        let items: Vec<u64> = (0..ITEMS).collect();
        mapped(1, move |pool| pool.map(add_one, &items).map(drop))
    }),
    Part::new("job/apply", BATCH, || {
        let pool = inline(1)?;
        batch(move || {
            black_box(pool.apply(add_one, black_box(7))?);
            Ok(())
        })
    }),
];

/// The least that a task can do.
#[mp::task]
pub fn add_one(x: u64) -> u64 {
    x + 1
}

#[mp::task]
fn length(text: String) -> usize {
    text.len()
}

#[mp::task]
fn grown_up(mut person: Person) -> Person {
    person.age += 1;
    person
}

#[mp::task]
fn moved(order: Order) -> Order {
    match order {
        Order::Move { x, y } => Order::Move { x: y, y: x },
        Order::Stop | Order::Say(_) => Order::Stop,
    }
}

#[mp::task]
fn turned(order: Tagged) -> Tagged {
    match order {
        Tagged::Move { x, y } => Tagged::Move { x: y, y: x },
        Tagged::Stop | Tagged::Say { .. } => Tagged::Stop,
    }
}

fn inline(chunk_size: u64) -> mp::Result<mp::Pool> {
    mp::Pool::builder()
        .inline(true)
        .chunk_size(chunk_size as usize)
        .build()
}

fn mapped(
    chunk_size: u64,
    call: impl Fn(&mp::Pool) -> mp::Result<()> + 'static,
) -> mp::Result<Body> {
    let pool = inline(chunk_size)?;
    Ok(Box::new(move || call(&pool)))
}
