#![allow(unsafe_code)]
//! Shared objects: they live as long as somebody holds them, whoever is killed, and wherever.

use super::super::handle::Handle;
use super::super::object::{HEAD, Object};
use super::super::undertaker::{Destructor, Dying, Undertaker};
use super::super::{Body, ObjectKind, Place, ROOT, Roll};
use super::*;
use crate::sys::testing::{copy, step};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

/// An object with a roll of its own and the block of a message.
#[repr(C)]
struct Test {
    roll: Roll<2>,
    message: AtomicU64,
}

// SAFETY: nothing but atomics, in C layout.
unsafe impl Body for Test {}

static DESTROYED: AtomicUsize = AtomicUsize::new(0);

fn destroy(undertaker: &mut Undertaker<'_>, dying: &Dying<'_>) {
    DESTROYED.fetch_add(1, Ordering::Relaxed);
    if let Some(body) = dying.body::<Test>() {
        let message = body.message.load(Ordering::Acquire);
        if message != 0 {
            let _ = undertaker.free(message);
        }
    }
}

inventory::submit! { Destructor { kind: ObjectKind::Test, run: destroy } }

fn object(heap: &'static Heap) -> Handle {
    Handle::make_zeroed::<Test>(heap, ObjectKind::Test, 7, |_| ()).unwrap()
}

fn held(heap: &'static Heap, place: Place) -> std::sync::Arc<crate::heap::Held> {
    crate::heap::Held::attach(heap, place).unwrap()
}

fn message(heap: &Heap, places: &[Place]) -> Block {
    let block = heap
        .alloc(64 + Heap::carried_bytes(places.len()), 64)
        .unwrap();
    for place in places {
        heap.carry(block.offset, *place, false).unwrap();
    }
    block
}

#[test]
fn an_object_lives_as_long_as_its_handles() {
    let heap = heap(8 << 20);
    let first = object(heap);
    let place = first.place();
    let second = first.clone();
    drop(first);
    assert!(Object::with_id(heap, place).is_ok());
    assert!(
        heap.free(place.offset).is_err(),
        "an object is not freed by hand"
    );
    drop(second);
    assert!(Object::with_id(heap, place).is_err());
    assert_empty(heap);
    // Another at the same place is another.
    let other = object(heap);
    assert_eq!(other.place().offset, place.offset);
    assert!(crate::heap::Held::attach(heap, place).is_err());
    drop(other);
    assert_empty(heap);
}

#[test]
fn an_object_outlives_its_maker_with_whoever_holds_it() {
    let heap = heap(8 << 20);
    let table = heap.processes();
    let slot = table.reserve(Some(heap.me())).unwrap();
    let child = joined(heap, slot);
    let made = object(child);
    let place = made.place();
    let mine = held(heap, place);
    // The maker dies without letting go.
    std::mem::forget(made);
    heap.adopt(slot);
    assert!(Object::with_id(heap, place).is_ok());
    drop(mine);
    assert_empty(heap);
    table.release(slot).unwrap();
}

#[test]
fn a_message_holds_what_it_names() {
    let heap = heap(8 << 20);
    let table = heap.processes();
    let slot = table.reserve(Some(heap.me())).unwrap();
    for by_burial in [false, true] {
        let (one, two) = (object(heap), object(heap));
        let places = [one.place(), two.place(), one.place()];
        let block = message(heap, &places);
        assert_eq!(heap.carried(block.offset), 2);
        // It may move to a larger block.
        let larger = heap.alloc(4096, 64).unwrap();
        heap.carry_over(block.offset, larger.offset).unwrap();
        heap.free(block.offset).unwrap();
        heap.give(larger.offset, slot).unwrap();
        drop((one, two));
        assert!(Object::with_id(heap, places[0]).is_ok());
        drop(held(heap, places[1]));
        assert!(Object::with_id(heap, places[1]).is_ok());
        if by_burial {
            heap.adopt(slot);
        } else {
            heap.free(larger.offset).unwrap();
        }
        assert_empty(heap);
    }
    table.release(slot).unwrap();
}

#[test]
fn objects_in_messages_in_objects_end_one_after_the_other() {
    let heap = heap(32 << 20);
    let mut last = object(heap);
    for _ in 0..20_000 {
        let next = object(heap);
        let block = message(heap, &[last.place()]);
        heap.give(block.offset, ROOT).unwrap();
        next.body::<Test>()
            .message
            .store(block.offset, Ordering::Release);
        last = next;
    }
    let before = DESTROYED.load(Ordering::Relaxed);
    drop(last);
    assert!(DESTROYED.load(Ordering::Relaxed) >= before + 20_000);
    assert_empty(heap);
}

#[test]
fn many_hold_one() {
    let heap = heap(32 << 20);
    let shared = object(heap);
    let blocks: Vec<Block> = (0..30_000)
        .map(|_| message(heap, &[shared.place()]))
        .collect();
    let place = shared.place();
    drop(shared);
    for (index, block) in blocks.iter().enumerate() {
        assert!(Object::with_id(heap, place).is_ok(), "{index}");
        heap.free(block.offset).unwrap();
    }
    assert_empty(heap);
}

#[test]
fn rolls_grow_and_keep_their_entries() {
    let heap = heap(8 << 20);
    let shared = object(heap);
    let roll = &shared.body::<Test>().roll;
    let of = shared.place();
    let claimed: Vec<u32> = (1..=1000)
        .map(|word| roll.claim(heap, of, word, 0).unwrap())
        .collect();
    for (word, index) in (1..).zip(&claimed) {
        let entry = roll.get(heap, of, *index).unwrap();
        assert_eq!(entry.load(Ordering::Relaxed), word);
    }
    let from: Vec<u32> = roll
        .entries_from(heap, of, 500)
        .map(|(index, _)| index)
        .collect();
    let count = roll.entries(heap, of).count() as u32;
    assert_eq!(from, (500..count).chain(0..500).collect::<Vec<_>>());
    assert!(roll.get(heap, of, count).is_none());
    roll.get(heap, of, 77).unwrap().store(0, Ordering::Relaxed);
    assert_eq!(roll.claim(heap, of, 5, 50).unwrap(), 77);
    drop(shared);
    assert_empty(heap);
}

/// So that getting an entry of a long roll takes few steps.
#[test]
fn a_long_roll_has_few_chunks() {
    let heap = heap(64 << 20);
    let shared = object(heap);
    let roll = &shared.body::<Test>().roll;
    let of = shared.place();
    let last = roll.ensure(heap, of, 1_000_000).unwrap();
    last.store(1, Ordering::Relaxed);
    let links = roll.links(heap, of).len();
    assert!(links < 24, "{links}");
    let count = roll.entries(heap, of).count();
    assert!((1_000_001..2_100_000).contains(&count), "{count}");
    let indices = roll.entries(heap, of).map(|(index, _)| index);
    assert!(indices.eq(0..count as u32));
    for (at, entry) in roll.entries(heap, of).step_by(99_991) {
        assert!(std::ptr::eq(entry, roll.get(heap, of, at).unwrap()));
    }
    drop(shared);
    assert_empty(heap);
}

/// Links that go round end where the heap is full of entries.
#[test]
fn a_long_roll_that_goes_round_ends() {
    let heap = heap(8 << 20);
    let shared = object(heap);
    let roll = &shared.body::<Test>().roll;
    let of = shared.place();
    for word in 1..=100_000 {
        assert_eq!(roll.claim(heap, of, word, 0).unwrap() as u64, word - 1);
    }
    let links = roll.links(heap, of);
    let (first, last) = (links[0], links[links.len() - 1]);
    for to in [links[links.len() - 3], links[1], first] {
        last.store(to.load(Ordering::Relaxed), Ordering::Relaxed);
        let count = roll.entries(heap, of).count();
        assert!((100_000..=1 << 20).contains(&count), "{count}");
        assert!(roll.ensure(heap, of, 1 << 21).is_err());
        for (_, entry) in roll.entries(heap, of) {
            entry.store(1, Ordering::Relaxed);
        }
        assert!(roll.claim(heap, of, 1, 0).is_err());
    }
    drop(shared);
    assert_empty(heap);
}

/// What was given back last is found first; a hint that says anything at all hides nothing.
#[test]
fn a_hint_saves_time_and_a_wrong_one_nothing_else() {
    let heap = heap(8 << 20);
    let shared = object(heap);
    let roll = &shared.body::<Test>().roll;
    let of = shared.place();
    for word in 1..=9000 {
        assert_eq!(roll.claim(heap, of, word, 0).unwrap() as u64, word - 1);
    }
    let give_back = |index| {
        roll.get(heap, of, index)
            .unwrap()
            .store(0, Ordering::Relaxed)
    };
    for index in [2, 8999, 4711] {
        give_back(100);
        give_back(index);
        roll.freed(heap, of, index);
        assert_eq!(roll.claim(heap, of, 1, 0).unwrap(), index);
        roll.get(heap, of, 100).unwrap().store(1, Ordering::Relaxed);
    }
    // All that are left, so that a claim must find the one that is free.
    let count = roll.entries(heap, of).count();
    let is_free = |(_, entry): &(u32, &AtomicU64)| entry.load(Ordering::Relaxed) == 0;
    for _ in 0..roll.entries(heap, of).filter(is_free).count() {
        roll.claim(heap, of, 1, 0).unwrap();
    }
    assert_eq!(roll.entries(heap, of).count(), count);
    let hint = roll.hint(heap, of).unwrap();
    for wild in [
        0,
        1,
        100,
        count as u64,
        u64::from(u32::MAX),
        1 << 32,
        u64::MAX,
    ] {
        give_back(300);
        hint.store(wild, Ordering::Relaxed);
        assert_eq!(roll.claim(heap, of, 1, 0).unwrap(), 300, "{wild}");
    }
    drop(shared);
    assert_empty(heap);
}

/// A roll that cannot grow says so, and is as it was: what it has can be given back and had again.
#[test]
fn a_roll_that_cannot_grow_loses_nothing() {
    let heap = heap(8 << 20);
    let shared = object(heap);
    let roll = &shared.body::<Test>().roll;
    let of = shared.place();
    // Some of its chunks are there before the heap is full.
    for word in 1..=1000 {
        roll.claim(heap, of, word, 0).unwrap();
    }
    let mut filling = Vec::new();
    for bytes in [1 << 20, GRANULE as usize, 4096, 512, 64] {
        while let Ok(block) = heap.alloc(bytes, 8) {
            filling.push(block);
        }
    }
    let mut count = 1000;
    let error = loop {
        match roll.claim(heap, of, count + 1, 0) {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_heap_full(), "{error}");
    assert!(roll.claim(heap, of, 1, 0).unwrap_err().is_heap_full());
    let words = roll
        .entries(heap, of)
        .map(|(_, entry)| entry.load(Ordering::Relaxed));
    assert!(words.eq(1..=count));
    roll.get(heap, of, 500).unwrap().store(0, Ordering::Relaxed);
    assert_eq!(roll.claim(heap, of, 501, 0).unwrap(), 500);
    for block in filling {
        heap.free(block.offset).unwrap();
    }
    roll.claim(heap, of, count + 1, 0).unwrap();
    drop(shared);
    assert_empty(heap);
}

#[test]
fn a_million_objects_come_and_go() {
    let heap = heap(8 << 20);
    let kept = object(heap);
    heap.trim();
    let rounds = if cfg!(debug_assertions) {
        50_000
    } else {
        1_000_000
    };
    for _ in 0..rounds {
        drop(object(heap));
    }
    drop(kept);
    assert_empty(heap);
    assert!(heap.stats().high_water <= 2 << 20);
}

#[test]
fn scribbled_objects_are_errors_and_no_more() {
    let heap = heap(8 << 20);
    let mut random = Random(99);
    for _ in 0..300 {
        let shared = object(heap);
        let place = shared.place();
        let block = message(heap, &[place]);
        for _ in 0..20 {
            let _ = shared.body::<Test>().roll.claim(heap, place, 1, 0);
        }
        let words = heap.segment.words(place.offset, HEAD / 8 + 4).unwrap();
        for _ in 0..1 + random.below(6) {
            words[random.below(words.len())].store(random.next(), Ordering::Relaxed);
        }
        let _ = heap.free(block.offset);
        let _ = crate::heap::Held::attach(heap, place);
        for _ in 0..20 {
            let _ = shared.body::<Test>().roll.claim(heap, place, 1, 0);
        }
        drop(shared);
        let _ = heap.allocator.free(place.offset);
    }
}

/// Everything a process does with objects, as one that ends here or there.
fn life(heap: &'static Heap, crowded: Place) {
    let (one, two) = (object(heap), object(heap));
    let block = message(heap, &[two.place()]);
    one.body::<Test>()
        .message
        .store(block.offset, Ordering::Release);
    heap.give(block.offset, ROOT).unwrap();
    // The roll of this one is full: it grows.
    let other = held(heap, crowded);
    let second = message(heap, &[crowded]);
    drop(other);
    drop(two);
    heap.free(second.offset).unwrap();
    drop(one);
    // Arguments, which their reader takes over: it is still there, or it was the last.
    let three = object(heap);
    let arguments = [(); 2].map(|()| message(heap, &[three.place()]));
    heap.hand_over(arguments[0].offset);
    drop(three);
    heap.hand_over(arguments[1].offset);
    for block in arguments {
        heap.free(block.offset).unwrap();
    }
}

#[test]
fn a_kill_after_any_instruction_leaves_nothing() {
    let heap = heap(8 << 20);
    let table = heap.processes();
    let slot = table.reserve(Some(heap.me())).unwrap();
    let crowded = object(heap);
    let blocks: Vec<Block> = (0..7).map(|_| message(heap, &[crowded.place()])).collect();
    let twin = super::steps::twin(heap);
    let place = crowded.place();
    let mut looks = 0u64;
    let mut steps = 0u64;
    let stepped = step(
        || life(joined(heap, slot), place),
        || {
            // In a debug build most instructions are far from any store.
            steps += 1;
            if !steps.is_multiple_of(17) {
                return;
            }
            looks += 1;
            super::steps::copy_words(heap, twin, GRANULE as usize / 8);
            twin.adopt(slot);
            // What is left is what the parent made: free it there, too.
            for block in &blocks {
                twin.free(block.offset).unwrap();
            }
            let object = Object::with_id(twin, place).unwrap();
            object.let_go_all(super::super::object::process_entry(twin.me()));
            let mut undertaker = Undertaker::new(twin);
            undertaker.consider(place);
            undertaker.run();
            twin.trim();
            let stats = twin.stats();
            assert_eq!(
                (stats.blocks, stats.extents, stats.unfinished),
                (0, 0, 0),
                "after step {steps}: {:?}",
                twin.allocator.managed()
            );
        },
    );
    if stepped.is_none() {
        eprintln!("tracing is forbidden here: not tested");
        return;
    }
    assert!(looks > 100);
    for block in blocks {
        heap.free(block.offset).unwrap();
    }
    drop(crowded);
    heap.adopt(slot);
    table.release(slot).unwrap();
    assert_empty(heap);
}

#[test]
fn killed_processes_hold_nothing() {
    let heap = heap(64 << 20);
    let table = heap.processes();
    let mut random = Random(2026);
    for round in 0..200 {
        let shared = object(heap);
        let place = shared.place();
        let running: Vec<_> = (0..3)
            .map(|_| {
                let slot = table.reserve(Some(heap.me())).unwrap();
                let child = copy(|| {
                    let heap = joined(heap, slot);
                    loop {
                        life(heap, place);
                    }
                });
                (slot, child)
            })
            .collect();
        std::thread::sleep(Duration::from_micros(500 + random.next() % 2000));
        let keep = round % 2 == 0;
        let mut shared = Some(shared);
        if !keep {
            shared = None;
        }
        for (slot, child) in running {
            child.kill();
            let code = child.wait();
            // Where nobody holds it any more, one that comes late finds it gone, and ends with 101.
            assert!(code == -9 || !keep && code == 101, "{code}");
            table.mark_dead(slot).unwrap();
            heap.adopt(slot);
            table.release(slot).unwrap();
        }
        assert_eq!(Object::with_id(heap, place).is_ok(), keep);
        drop(shared);
        assert_empty(heap);
    }
}

#[test]
fn fragmentation_is_bounded() {
    // A steady churn of objects of all sizes, held for times of all lengths: what is live is bounded, so what is used must be.
    let heap = heap_with_cap(256 << 20, 256 << 20);
    let mut random = Random(7);
    let sizes = [64, 300, 2_000, 9_000, 40_000, 200_000, 1_500_000];
    let most = 24usize << 20;
    let mut live: Vec<(usize, Handle)> = Vec::new();
    let (mut bytes, mut peak) = (0, 0);
    let rounds = if cfg!(debug_assertions) {
        40_000
    } else {
        400_000
    };
    for _ in 0..rounds {
        let class = sizes[random.below(sizes.len())];
        let size = 1 + random.below(class);
        while bytes + size > most {
            let (gone, handle) = live.swap_remove(random.below(live.len()));
            bytes -= gone;
            drop(handle);
        }
        let init = |_| Ok(());
        let handle = Handle::make(heap, ObjectKind::RawArray, 0, size, init).unwrap();
        live.push((size, handle));
        bytes += size;
        peak = peak.max(bytes);
    }
    let high_water = heap.stats().high_water as usize;
    eprintln!(
        "live at most {peak} bytes, high water {high_water}: × {:.2}",
        high_water as f64 / peak as f64
    );
    assert!(
        high_water < 3 * peak,
        "{high_water} bytes were used for {peak}"
    );
    drop(live);
    assert_empty(heap);
}
