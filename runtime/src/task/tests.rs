//! Tasks from the attribute to the trampoline, in one process.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::table::Table;
use super::trampoline::HAND_OVERS;
use super::*;
use crate::codec::{Reader, VecStore, Writer};
use crate::error::Error;

#[mp::task]
fn square(x: u64) -> u64 {
    x.checked_mul(x).expect("the square is small")
}

#[mp::task]
fn add(a: u64, b: u64) -> u64 {
    a.checked_add(b).expect("the sum is small")
}

#[mp::task]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[mp::task]
fn nothing() {}

#[mp::task(name = "words of a text")]
fn words(text: &str, least: usize) -> Vec<String> {
    let long = |word: &&str| word.len() >= least;
    text.split(' ').filter(long).map(str::to_owned).collect()
}

#[mp::task]
fn picky(x: i64) -> Result<i64, Failure> {
    match x {
        0 => Err("no"
            .parse::<i64>()
            .map(drop)
            .err()
            .ok_or(Failure::new("?"))?)?,
        1 => panic!("one is too many"),
        x => Ok(x * 10),
    }
}

#[mp::task]
fn joined(
    path: &Path,
    name: PathBuf,
    parts: &BTreeMap<String, u8>,
    cow: Cow<'_, str>,
) -> (PathBuf, usize) {
    (path.join(name).join(&*cow), parts.len())
}

#[mp::task]
fn value_of_result(x: u8) -> Result<u8, String> {
    x.checked_add(1).ok_or_else(|| "full".to_owned())
}

fn entry<T: Task>(_: T) -> &'static Entry {
    T::entry()
}

fn entry_index<T: Task>(_: T) -> Result<u32, Error> {
    index_of::<T>()
}

/// The items in a message, the message through the trampoline, the results out of it.
struct Run {
    stops: Vec<(u32, Report)>,
    store: VecStore,
    len: usize,
    framed: bool,
    done: u64,
}

fn run<'a, T: Task, I: IntoInput<T::Params<'a>>>(task: T, items: &[I]) -> Run {
    run_in(0, task, items)
}

/// As `run`, for a message that says that it stands in this block of the heap.
fn run_in<'a, T: Task, I: IntoInput<T::Params<'a>>>(block: u64, _: T, items: &[I]) -> Run {
    let entry = T::entry();
    let framed = entry.fixed_in().is_none() && items.len() != 1;
    let mut args = VecStore::new();
    let mut writer = Writer::new(&mut args);
    for item in items {
        if framed {
            let frame = writer.begin_frame().unwrap();
            encode_item::<T, _>(item, &mut writer).unwrap();
            writer.end_frame(frame).unwrap();
        } else {
            let before = writer.len();
            encode_item::<T, _>(item, &mut writer).unwrap();
            let len = writer.len() - before;
            assert_eq!(len, entry.fixed_in().unwrap_or(len));
        }
    }
    let len = writer.len();
    let mut store = VecStore::new();
    let out_framed = entry.fixed_out().is_none();
    let mut out = Writer::new(&mut store);
    let progress = AtomicU64::new(0);
    let mut batch = Batch {
        args: Reader::from_slice(args.bytes(len)).in_block(block),
        framed,
        out_framed,
        from: 0,
        to: items.len() as u32,
        progress: &progress,
        out: &mut out,
    };
    let mut stops = Vec::new();
    while let Stop::Item { at, report } = entry.run(&mut batch) {
        stops.push((at, report));
        batch.from = at + 1;
    }
    assert_eq!(batch.args.remaining(), 0, "the reader stands at the end");
    let len = out.len();
    Run {
        stops,
        store,
        len,
        framed: out_framed,
        done: progress.load(Ordering::Relaxed),
    }
}

impl Run {
    fn values<T: Task>(&self, _: T) -> Vec<T::Output> {
        let mut from = Reader::from_slice(self.store.bytes(self.len));
        let mut values = Vec::new();
        while from.remaining() > 0 {
            let value = if self.framed {
                decode_output::<T>(&mut from.frame().unwrap())
            } else {
                decode_output::<T>(&mut from)
            };
            values.push(value.unwrap());
        }
        values
    }
}

#[test]
fn a_task_is_still_called_like_its_function() {
    assert_eq!(square(3), 9);
    assert_eq!([1, 2].map(*square), [1, 4]);
    assert_eq!(dot(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
    nothing();
    assert_eq!(format!("{square:?}"), "square");
}

#[test]
fn items_of_every_kind_travel() {
    let ran = run(square, &[1, 2, 3]);
    assert_eq!(ran.values(square), [1, 4, 9]);
    assert_eq!(ran.done, 3);
    let rows = [vec![1.0, 2.0], vec![3.0]];
    let items: Vec<_> = rows.iter().map(|row| (row, &rows[0])).collect();
    assert_eq!(run(dot, &items).values(dot), [5.0, 3.0]);
    assert_eq!(run(dot, &[([1.0].as_slice(), &[2.0])]).values(dot), [2.0]);
    assert_eq!(run(nothing, &[(), ()]).values(nothing).len(), 0);
    let text = String::from("a bcd ef");
    assert_eq!(run(words, &[(&text, 2)]).values(words), [["bcd", "ef"]]);
    let map = BTreeMap::from([("a".to_owned(), 1)]);
    let item = ("/x", Path::new("y"), &map, Cow::Borrowed("z"));
    assert_eq!(
        run(joined, &[item]).values(joined),
        [(PathBuf::from("/x/y/z"), 1)]
    );
    let values = run(value_of_result, &[1, 255]).values(value_of_result);
    assert_eq!(values, [Ok(2), Err("full".to_owned())]);
}

#[test]
fn items_that_fail_stop_the_batch_and_leave_nothing() {
    install_panic_hook(None);
    let ran = run(picky, &[5, 0, 1, 6, 1]);
    assert_eq!(ran.values(picky), [50, 60]);
    assert_eq!(ran.done, 4);
    let places: Vec<u32> = ran.stops.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [1, 2, 4]);
    let [(_, first), (_, second), _] = &ran.stops[..] else {
        panic!("three stops");
    };
    assert!(
        matches!(first, Report::Failure(failure) if failure.message().contains("invalid digit"))
    );
    let Report::Panic {
        message,
        location: Some(location),
        ..
    } = second
    else {
        panic!("{second:?}");
    };
    assert_eq!(message, "one is too many");
    assert!(location.contains("task/tests.rs:"), "{location}");
}

#[mp::task]
fn total(parts: BTreeMap<u32, u64>, more: &[u64]) -> u64 {
    parts.values().chain(more).sum()
}

#[test]
fn what_a_message_holds_is_looked_up_once_and_not_for_plain_items() {
    /// How often it is, for these items in one message of a block.
    fn look_ups<'a, T: Task, I: IntoInput<T::Params<'a>>>(task: T, items: &[I]) -> u32 {
        let before = HAND_OVERS.get();
        assert!(run_in(1 << 20, task, items).stops.is_empty());
        HAND_OVERS.get() - before
    }
    let numbers: Vec<u64> = (0..1000).collect();
    assert_eq!(look_ups(square, &numbers), 0);
    assert_eq!(look_ups(square, &numbers[..1]), 0);
    assert_eq!(look_ups(words, &[("a bc", 1), ("def", 2)]), 0);
    assert_eq!(look_ups(words, &[("a bc", 1)]), 0);
    let map = BTreeMap::from([(1, 2)]);
    // Items of a pool: their parent holds what they name.
    assert_eq!(look_ups(total, &vec![(&map, &numbers); 100]), 0);
    // The arguments of a process.
    assert_eq!(look_ups(total, &[(&map, &numbers)]), 1);
    // Such a slice may stand in a buffer.
    assert_eq!(look_ups(dot, &[(&[1.0, 2.0], &[3.0, 4.0])]), 1);
}

#[test]
fn one_input_is_encoded_as_one_item_is() {
    fn bytes<T: Task>(_: T, input: T::Input<'_>) -> Vec<u8> {
        let mut store = VecStore::new();
        let mut out = Writer::new(&mut store);
        encode_input::<T>(&input, &mut out).unwrap();
        let len = out.len();
        assert!(input_hint::<T>(&input) >= len);
        store.bytes(len).to_vec()
    }
    assert_eq!(bytes(square, 7), 7_u64.to_le_bytes());
    assert_eq!(bytes(nothing, ()), []);
    let (v, text) = (vec![1.0, 2.0], String::from("x"));
    assert_eq!(bytes(dot, (&v, &v[1..])).len(), 8 + 16 + 8 + 8);
    assert_eq!(bytes(words, (&text, 1)).len(), 8 + 1 + 8);
}

#[test]
fn results_are_folded_by_a_task() {
    let fold = |numbers: &[u64], reducer: &Entry| {
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let mut store = VecStore::new();
        let mut out = Writer::new(&mut store);
        let mut batch = Batch {
            args: Reader::from_slice(&bytes),
            framed: false,
            out_framed: false,
            from: 0,
            to: numbers.len() as u32,
            progress: &AtomicU64::new(0),
            out: &mut out,
        };
        let stop = entry(square).fold(&mut batch, reducer);
        let len = out.len();
        (stop, store.bytes(len).to_vec())
    };
    let (stop, bytes) = fold(&[1, 2, 3], entry(add));
    assert!(matches!(stop, Stop::Done));
    assert_eq!(bytes, 14_u64.to_le_bytes());
    let (stop, bytes) = fold(&[], entry(add));
    assert!(matches!(stop, Stop::Done) && bytes.is_empty());
    // The sum overflows: the folding itself fails, and nothing is left.
    let (stop, bytes) = fold(&[1 << 31, (1 << 32) - 1, 1 << 31], entry(add));
    assert!(
        matches!(
            stop,
            Stop::Item {
                at: 1,
                report: Report::Panic { .. }
            }
        ),
        "{stop:?}"
    );
    assert!(bytes.is_empty());
    // The item fails: what was folded before it is there.
    let (stop, bytes) = fold(&[2, 3, u64::MAX], entry(add));
    assert!(matches!(stop, Stop::Item { at: 2, .. }));
    assert_eq!(bytes, 13_u64.to_le_bytes());
    let (stop, _) = fold(&[1], entry(dot));
    assert!(matches!(
        stop,
        Stop::Item {
            at: 0,
            report: Report::Decode(_)
        }
    ));
}

#[test]
fn damaged_arguments_are_an_error_of_the_item() {
    #[mp::task]
    fn not(x: bool) -> bool {
        !x
    }
    let mut store = VecStore::new();
    let mut out = Writer::new(&mut store);
    let mut batch = Batch {
        args: Reader::from_slice(&[1, 7, 0]),
        framed: false,
        out_framed: false,
        from: 0,
        to: 4,
        progress: &AtomicU64::new(0),
        out: &mut out,
    };
    for expected in [1, 3] {
        let stop = entry(not).run(&mut batch);
        assert!(
            matches!(stop, Stop::Item { at, report: Report::Decode(_) } if at == expected),
            "{stop:?}"
        );
        batch.from = expected + 1;
    }
    assert_eq!(out.len(), 2);
}

#[test]
fn the_table_knows_every_task() -> Result<(), Error> {
    let table = table()?;
    assert!(table.len() >= 8);
    let index = entry_index(square)?;
    assert_eq!(
        table.get(index).map(Entry::name),
        Some("mp::task::tests::square")
    );
    let named = table.get(entry_index(words)?);
    assert_eq!(named.map(Entry::name), Some("words of a text"));
    assert_ne!(table.fingerprint(), 0);
    assert!(table.get(table.len() as u32).is_none());
    assert_eq!(
        (entry(square).fixed_in(), entry(square).fixed_out()),
        (Some(8), Some(8))
    );
    assert_eq!(
        (entry(add).fixed_in(), entry(dot).fixed_in()),
        (Some(16), None)
    );
    Ok(())
}

#[test]
fn tasks_that_cannot_be_told_apart_are_refused() {
    fn two<A: Task, B: Task>(
        _: (A, B),
        name: Option<&'static str>,
        lines: [u32; 2],
        versions: [&'static str; 2],
    ) -> Result<usize, String> {
        let [one, other] = lines;
        let [old, new] = versions.map(Some);
        let entries = [
            Entry::of::<A>(name, one, 1, old),
            Entry::of::<B>(name, other, 1, new),
        ];
        let table = Table::new(Box::leak(Box::new(entries)).iter());
        table.map(|table| table.len())
    }
    let error = two((square, add), Some("one name"), [10, 9], ["", ""]);
    let expected = "two tasks have the name `one name` (`mp::task::tests::add`, line 9, and \
                    `mp::task::tests::square`, line 10): give one of them another name";
    assert_eq!(error.err().as_deref(), Some(expected));
    let error = two((square, square), None, [7, 7], ["0.1.0", "0.1.0"]);
    let error = error.err().unwrap_or_default();
    assert_eq!(
        error.matches("`mp::task::tests::square`, line 7").count(),
        2,
        "{error}"
    );
    assert_eq!(
        two((square, square), None, [7, 7], ["0.2.0", "0.1.0"]),
        Ok(2)
    );
}

#[test]
fn items_are_anything_to_iterate_over() {
    fn count<'a, T: Task>(_: T, items: impl Items<T::Params<'a>>) -> usize {
        let mut bytes = 0;
        for item in items.into_items() {
            bytes += item_hint::<T, _>(&item);
        }
        bytes
    }
    let (texts, vecs) = (vec![String::from("a")], vec![vec![1.0]]);
    assert_eq!(count(square, 1..=10), 80);
    assert_eq!(count(square, [1, 2, 3]), 24);
    let numbers = [1, 2, 3];
    #[allow(clippy::needless_borrows_for_generic_args)] // the loan is what is tested
    let lent = count(square, &numbers);
    assert_eq!(lent, 24);
    assert_eq!(count(add, vec![(1, 2), (3, 4)]), 32);
    assert_eq!(count(add, [1, 2].iter().map(|x| (x, 7))), 32);
    assert!(count(words, texts.iter().map(|text| (text, 1))) > 0);
    assert!(count(dot, vecs.iter().map(|v| (v, &v[..]))) > 0);
    assert!(count(dot, vecs[0].chunks(1).map(|v| (v, [1.0].as_slice()))) > 0);
}
