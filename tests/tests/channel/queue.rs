//! Queues: what CPython's `_TestQueue` and `TestSimpleQueue` ask, and what they cannot: exact counts, closing, many to many.

use std::time::{Duration, Instant};

use mp::{Failure, Process, Queue};
use mp_tests::grief::{end, sleep_ms};
use serde::{Deserialize, Serialize};

#[mp::task]
fn take_and_answer(from: &Queue<u64>, to: &Queue<u64>) -> Result<u64, Failure> {
    let mut count = 0;
    while let Ok(item) = from.get() {
        to.put(item + 1)?;
        count += 1;
    }
    Ok(count)
}

/// Python's `test_put`.
#[mp::test]
fn full_is_full() -> mp::Result<()> {
    let queue = Queue::bounded(6)?;
    assert!(queue.is_empty() && !queue.is_full() && queue.capacity() == Some(6));
    for item in 1..=6 {
        queue.try_put(item)?;
        assert_eq!(queue.len(), item);
    }
    assert!(queue.is_full());
    let refused = queue.try_put(7).unwrap_err();
    assert!(refused.is_full() && refused.error().is_timeout());
    assert_eq!(refused.into_value(), 7);
    let begun = Instant::now();
    assert!(
        queue
            .put_timeout(7, Duration::from_millis(40))
            .unwrap_err()
            .is_full()
    );
    assert!(begun.elapsed() >= Duration::from_millis(40));
    let child = Process::new(take_one, &queue).start()?;
    queue.put(7)?;
    assert_eq!(child.join()?, 1);
    assert_eq!(queue.len(), 6);
    Ok(())
}

#[mp::task]
fn take_one(from: &Queue<usize>) -> Result<usize, Failure> {
    Ok(from.get()?)
}

/// Python's `test_get`.
#[mp::test]
fn empty_is_empty() -> mp::Result<()> {
    let queue = Queue::unbounded()?;
    assert_eq!(queue.capacity(), None);
    assert_eq!(queue.try_get()?, None);
    let begun = Instant::now();
    assert_eq!(queue.get_timeout(Duration::from_millis(40))?, None);
    assert!(begun.elapsed() >= Duration::from_millis(40));
    for item in 2..=5_u32 {
        queue.put(item)?;
    }
    assert_eq!(queue.len(), 4);
    assert_eq!(queue.get()?, 2);
    assert_eq!(queue.try_get()?, Some(3));
    assert_eq!(queue.get_timeout(Duration::from_secs(60))?, Some(4));
    assert_eq!(queue.get_timeout(Duration::ZERO)?, Some(5));
    assert!(queue.is_empty());
    Ok(())
}

/// Python's `test_fork` and `test_qsize`: what is put before is got there, and counted.
#[mp::test]
fn items_from_here_and_from_there() -> mp::Result<()> {
    let (questions, answers) = (Queue::bounded(10)?, Queue::unbounded()?);
    let child = Process::new(take_and_answer, (&questions, &answers)).start()?;
    for item in 0..1000 {
        questions.put(item)?;
    }
    questions.close();
    assert!(questions.put(1).unwrap_err().error().is_closed());
    assert_eq!(child.join()?, 1000);
    assert_eq!(answers.len(), 1000);
    for item in 1..=1000 {
        assert_eq!(answers.try_get()?, Some(item));
    }
    assert!(answers.lost().is_empty() && questions.lost().len() <= 1);
    Ok(())
}

/// Python's `test_closed_queue_put_get_exceptions`.
#[mp::test]
fn closing_wakes_everybody() -> mp::Result<()> {
    let queue = Queue::<String>::bounded(1)?;
    std::thread::scope(|scope| {
        let getters = [(); 3].map(|()| {
            let queue = queue.clone();
            scope.spawn(move || queue.get())
        });
        std::thread::sleep(Duration::from_millis(30));
        queue.close();
        for getter in getters {
            assert!(getter.join().unwrap().unwrap_err().is_closed());
        }
    });
    assert!(queue.is_closed() && queue.try_get().unwrap_err().is_closed());
    let queue = Queue::bounded(1)?;
    queue.put("first".to_string())?;
    std::thread::scope(|scope| {
        let putter = scope.spawn(|| queue.put("second".to_string()));
        std::thread::sleep(Duration::from_millis(30));
        queue.close();
        let refused = putter.join().unwrap().unwrap_err();
        assert_eq!(refused.into_value(), "second");
    });
    assert_eq!(queue.get()?, "first", "what is in it can be taken");
    assert!(queue.get().unwrap_err().is_closed());
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
struct Unfit(#[serde(serialize_with = "refuse")] u32);

fn refuse<S: serde::Serializer>(_: &u32, _: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom("this number is a secret"))
}

/// Python's `test_queue_feeder_donot_stop_onexc`, without a feeder.
#[mp::test]
fn what_cannot_be_encoded_is_the_putters_error() -> mp::Result<()> {
    let queue = Queue::unbounded()?;
    let refused = queue.put(Unfit(4)).unwrap_err();
    assert!(refused.error().is_encode());
    assert_eq!(refused.into_value().0, 4);
    assert!(queue.is_empty());
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Nothing,
    Text(String),
    Bytes(Vec<u8>),
    Many(Vec<Item>),
}

/// Small and large, inline and in blocks, over many rings.
#[mp::test]
fn items_of_every_size_in_order() -> mp::Result<()> {
    let queue = Queue::unbounded()?;
    let item = |number: usize| match number % 7 {
        0 => Item::Nothing,
        1 => Item::Text("x".repeat(number)),
        2 => Item::Bytes(vec![number as u8; number * 40]),
        3 => Item::Many(vec![Item::Text("y".into()); number % 50]),
        4 => Item::Bytes(vec![1; 4000 + number % 200]),
        5 => Item::Text(String::new()),
        _ => Item::Bytes(vec![7; 100_000]),
    };
    for round in 0..3 {
        for number in 0..700 {
            queue.put(item(number))?;
        }
        for number in 0..700 {
            assert_eq!(queue.get()?, item(number), "{round}, {number}");
        }
    }
    // Never emptied, so that rings wrap around.
    for number in 0..3000 {
        queue.put(item(number % 100))?;
        if number >= 50 {
            assert_eq!(queue.get()?, item((number - 50) % 100));
        }
    }
    Ok(())
}

#[mp::test]
fn a_bounded_queue_holds_what_it_says_whatever_the_size() -> mp::Result<()> {
    let queue = Queue::bounded(500)?;
    for _ in 0..500 {
        queue.try_put(vec![9_u8; 3000])?;
    }
    assert!(queue.is_full() && queue.try_put(vec![]).unwrap_err().is_full());
    let bytes = Queue::bounded_by(500, 1 << 20)?;
    bytes.try_put(vec![1_u8; 3 << 20])?;
    assert!(
        bytes.try_put(vec![1; 100_000]).unwrap_err().is_full(),
        "one always fits"
    );
    bytes.get()?;
    let mut count = 0;
    while bytes.try_put(vec![2; 100_000]).is_ok() {
        count += 1;
    }
    assert!((5..=11).contains(&count), "{count}");
    Ok(())
}

#[mp::task]
fn put_numbers(to: &Queue<(u64, u64)>, me: u64, count: u64) -> Result<(), Failure> {
    for item in 0..count {
        to.put((me, item))?;
    }
    Ok(())
}

#[mp::task]
fn collect(from: &Queue<(u64, u64)>) -> Result<Vec<(u64, u64)>, Failure> {
    let mut all = Vec::new();
    while let Ok(item) = from.get() {
        all.push(item);
    }
    Ok(all)
}

/// Eight put, eight get: each item once, and in the order of its putter for whoever gets it.
#[mp::test(timeout = "600s")]
fn eight_to_eight() -> mp::Result<()> {
    let items: u64 = std::env::var("MP_QUEUE_ITEMS").map_or(40_000, |text| text.parse().unwrap());
    let each = items / 8;
    for queue in [Queue::bounded(1000)?, Queue::unbounded()?] {
        let getters = (0..8)
            .map(|_| Process::new(collect, &queue).start())
            .collect::<mp::Result<Vec<_>>>()?;
        let putters = (0..8)
            .map(|me| Process::new(put_numbers, (&queue, me, each)).start())
            .collect::<mp::Result<Vec<_>>>()?;
        putters.into_iter().try_for_each(mp::Child::join)?;
        queue.close();
        let mut next = [const { Vec::new() }; 8];
        for getter in getters {
            let all = getter.join()?;
            let mut last = [None; 8];
            for (me, item) in all {
                let me = me as usize;
                assert!(last[me].is_none_or(|last| last < item), "out of order");
                last[me] = Some(item);
                next[me].push(item);
            }
        }
        for mut items in next {
            items.sort_unstable();
            assert!(items.into_iter().eq(0..each), "each exactly once");
        }
    }
    Ok(())
}

#[mp::task]
fn hold_queue(_of: &Queue<u64>, milliseconds: u64, then: &str) {
    sleep_ms(milliseconds);
    if then != "return" {
        end(then);
    }
}

#[mp::test]
fn nobody_is_left_to_put_or_to_get() -> mp::Result<()> {
    for way in ["kill", "return"] {
        let queue = Queue::<u64>::bounded(1)?;
        let child = Process::new(hold_queue, (&queue, 50, way)).start()?;
        assert!(queue.get().unwrap_err().is_closed(), "{way}");
        let again = Process::new(hold_queue, (&queue, 50, way)).start()?;
        queue.put(1)?;
        assert!(queue.put(2).unwrap_err().error().is_closed(), "{way}");
        for child in [child, again] {
            assert_eq!(child.join().is_err(), way == "kill");
        }
    }
    Ok(())
}

#[mp::task]
fn take_and_die(from: &Queue<Vec<u8>>, count: usize) -> Result<(), Failure> {
    for _ in 0..count {
        from.get()?;
    }
    end("kill");
    Ok(())
}

#[mp::test]
fn what_a_killed_process_had_taken_is_named() -> mp::Result<()> {
    let queue = Queue::unbounded()?;
    for size in [10, 10_000, 20, 30_000] {
        queue.put(vec![1; size])?;
    }
    let child = Process::new(take_and_die, (&queue, 2))
        .name("taker")
        .start()?;
    let pid = child.pid();
    assert!(child.join().unwrap_err().is_death());
    let lost = queue.lost();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(
        (lost[0].item(), lost[0].pid(), lost[0].process()),
        (1, pid, "taker")
    );
    assert_eq!(queue.get()?.len(), 20);
    assert_eq!(queue.get()?.len(), 30_000);
    assert!(queue.is_empty());
    assert_eq!(queue.take_lost()?, lost);
    assert_eq!((queue.take_lost()?, queue.lost()), (vec![], vec![]));
    Ok(())
}

/// What is kept of the dead is given back.
#[mp::test(timeout = "300s")]
fn one_getter_after_another_dies() -> mp::Result<()> {
    let dead: u64 = std::env::var("MP_QUEUE_DEAD").map_or(60, |text| text.parse().unwrap());
    let queue = Queue::unbounded()?;
    for round in 0..dead {
        queue.put(vec![0; 10])?;
        let child = Process::new(take_and_die, (&queue, 1)).start()?;
        assert!(child.join().unwrap_err().is_death());
        if round % 8 == 7 {
            let lost: Vec<u64> = queue.take_lost()?.iter().map(mp::Lost::item).collect();
            assert!(lost.into_iter().eq(round - 7..=round));
        }
    }
    assert_eq!(queue.lost().len() as u64, dead % 8);
    Ok(())
}

#[derive(Serialize, Deserialize)]
enum Order {
    Square(u64, Queue<u64>),
    Through(Queue<Order>, Box<Order>),
}

#[mp::test]
fn queues_in_queues() -> mp::Result<()> {
    let answers = Queue::unbounded()?;
    let first = Queue::unbounded()?;
    let second = Queue::unbounded()?;
    let order = Order::Square(4, answers.clone());
    first.put(Order::Through(second.clone(), Box::new(order)))?;
    let Order::Through(next, order) = first.get()? else {
        panic!("another order");
    };
    assert_eq!(next, second);
    next.put(*order)?;
    let Order::Square(x, to) = second.get()? else {
        panic!("another order");
    };
    to.put(x * x)?;
    assert_eq!(answers.get()?, 16);
    // And a circle of two that nobody can reach any more: the queues hold each other. They go with the session.
    Ok(())
}
