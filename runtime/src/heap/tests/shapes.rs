//! The table of shapes: full, scribbled over, two writers at once, a writer that is killed, a reader that comes late.

use super::super::shape_table::ENTRIES;
use super::*;

fn text(number: usize) -> Vec<u8> {
    format!("list {number} of names").into_bytes()
}

#[test]
fn what_was_appended_is_found_by_others() {
    let heap = heap(1 << 20);
    let late = {
        let table = heap.shapes();
        assert_eq!(table.get(0).unwrap(), None);
        for number in 0..100 {
            assert_eq!(table.append(&text(number)), Some(number as u32));
        }
        assert_eq!(
            table.append(&vec![7; 1 << 20]),
            None,
            "longer than a text may be"
        );
        joined(heap, heap.processes().reserve(None).unwrap())
    };
    let table = late.shapes();
    assert_eq!(table.len(), 100);
    for number in 0..100 {
        let found = table.get(number as u32).unwrap();
        assert_eq!(found, Some(text(number)));
    }
    for none in [100, ENTRIES as u32 - 1, ENTRIES as u32, u32::MAX] {
        assert_eq!(table.get(none).unwrap(), None);
    }
}

#[test]
fn a_full_table_takes_no_more_and_loses_nothing() {
    let heap = heap(1 << 20);
    let table = heap.shapes();
    for number in 0..ENTRIES {
        assert!(table.append(&number.to_le_bytes()).is_some(), "{number}");
    }
    assert_eq!(table.append(b"one more"), None);
    assert_eq!(table.len(), ENTRIES);
    let last = table.get(ENTRIES as u32 - 1).unwrap();
    assert_eq!(last, Some((ENTRIES - 1).to_le_bytes().to_vec()));

    // Or its texts are, before its numbers.
    let heap = self::heap(1 << 20);
    let table = heap.shapes();
    let long = vec![1; 60_000];
    let count = (0..).take_while(|_| table.append(&long).is_some()).count();
    assert!((100..ENTRIES).contains(&count), "{count}");
    assert_eq!(table.get(count as u32 - 1).unwrap(), Some(long));
}

#[test]
fn writers_at_once_get_numbers_of_their_own() {
    let heap = heap(1 << 20);
    let numbers: Vec<Vec<(u32, Vec<u8>)>> = std::thread::scope(|scope| {
        let writer = |first: usize| {
            let all = (0..2_000).map(move |at| text(first + at));
            scope.spawn(move || {
                let table = heap.shapes();
                all.map(|text| (table.append(&text).unwrap(), text))
                    .collect()
            })
        };
        let threads: Vec<_> = [0, 10_000, 20_000].map(writer).into();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut seen = std::collections::HashSet::new();
    for (number, text) in numbers.into_iter().flatten() {
        assert!(seen.insert(number));
        assert_eq!(heap.shapes().get(number).unwrap(), Some(text));
    }
}

#[test]
fn what_was_written_over_is_an_error_and_never_another_text() {
    let mut random = Random(11);
    for round in 0..300 {
        let heap = heap(1 << 20);
        let table = heap.shapes();
        for number in 0..20 {
            table.append(&text(number)).unwrap();
        }
        let words = table.words();
        for _ in 0..40 {
            let other = words[random.below(words.len())].load(Ordering::Relaxed);
            let value = match random.below(4) {
                0 => random.next(),
                1 => random.next() | 1 << 63,
                2 => random.below(40) as u64,
                _ => other,
            };
            words[random.below(words.len())].store(value, Ordering::Relaxed);
        }
        for number in 0..40 {
            if let Ok(Some(found)) = table.get(number as u32) {
                assert_eq!(found, text(number), "round {round}");
            }
        }
        let more = table.append(b"more");
        if let Some(more) = more {
            assert_eq!(table.get(more).unwrap(), Some(b"more".to_vec()));
        }
    }
}

#[test]
fn a_writer_may_be_killed_after_any_instruction() {
    let heap = heap(1 << 20);
    let table = heap.shapes();
    table.append(b"before").unwrap();
    let child = joined(heap, heap.processes().reserve(Some(heap.me())).unwrap());
    let body = || {
        child.shapes().append(b"a list of names").unwrap();
    };
    let mut found = 0;
    let steps = crate::sys::testing::step(body, || {
        assert!(table.len() <= 2);
        assert_eq!(table.get(0).unwrap(), Some(b"before".to_vec()));
        if let Some(text) = table.get(1).unwrap() {
            assert_eq!(text, b"a list of names");
            found += 1;
        }
    });
    match steps {
        Some(_) => assert!(found > 0),
        None => eprintln!("not tested: this system forbids tracing"),
    }
    assert_eq!(table.append(b"after"), Some(2));
}
