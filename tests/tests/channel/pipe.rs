//! Pipes: what arrives, in which order, and how they end. Re-creates CPython's `_TestConnection` and `_TestPoll`.

use std::time::{Duration, Instant};

use mp::{Failure, Process, Receiver, Sender};
use mp_tests::grief::{end, sleep_ms};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    name: String,
    values: Vec<u32>,
    more: Option<Box<Record>>,
}

fn record(depth: u32) -> Record {
    Record {
        name: format!("depth {depth}"),
        values: (0..depth).collect(),
        more: (depth > 0).then(|| Box::new(record(depth - 1))),
    }
}

#[mp::task]
fn echo(of: mp::Duplex<Record, Record>) -> Result<(), Failure> {
    while let Ok(record) = of.recv() {
        of.send(record)?;
    }
    Ok(())
}

#[mp::task]
fn count_to(number: u64, to: Sender<(u64, u64)>, me: u64) -> Result<(), Failure> {
    for item in 0..number {
        to.send((me, item))?;
    }
    Ok(())
}

#[mp::task]
fn sum_of(of: &Receiver<u64>) -> Result<u64, Failure> {
    let mut sum = 0;
    for item in of {
        sum += item?;
    }
    Ok(sum)
}

#[mp::task]
fn send_and_die(to: &Sender<u64>, count: u64) -> Result<(), Failure> {
    for item in 0..count {
        to.send(item)?;
    }
    end("kill");
    Ok(())
}

#[mp::task]
fn hold(_to: &Sender<u64>, milliseconds: u64) {
    sleep_ms(milliseconds);
}

#[mp::task]
fn hold_receiver(_of: Receiver<u64>, milliseconds: u64, then: &str) {
    sleep_ms(milliseconds);
    if then != "return" {
        end(then);
    }
}

#[mp::test]
fn values_go_there_and_back() -> mp::Result<()> {
    let (here, there) = mp::duplex::<Record, Record>()?;
    let child = Process::new(echo, there).start()?;
    for depth in [0, 1, 5, 40] {
        here.send(record(depth))?;
        assert_eq!(here.recv()?, record(depth));
    }
    assert!(here.try_recv()?.is_none());
    drop(here);
    child.join()
}

#[mp::test]
fn sizes_from_nothing_to_many_mebibytes() -> mp::Result<()> {
    let (to, from) = mp::pipe::<Vec<u8>>()?;
    let (back, results) = mp::pipe::<(usize, u64)>()?;
    let child = Process::new(measure, (from, back)).start()?;
    let sizes = [
        0,
        1,
        7,
        8,
        100,
        4079,
        4080,
        4081,
        4096,
        70_000,
        1 << 20,
        50 << 20,
    ];
    for size in sizes {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 7) as u8).collect();
        to.send_bytes(&bytes)?;
        let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
        assert_eq!(results.recv()?, (size, sum), "{size}");
    }
    drop(to);
    assert!(results.recv().unwrap_err().is_closed());
    child.join()
}

#[mp::task]
fn measure(from: Receiver<Vec<u8>>, to: Sender<(usize, u64)>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    loop {
        match from.recv_bytes_into(&mut bytes) {
            Ok(len) => to.send((len, bytes.iter().map(|byte| u64::from(*byte)).sum()))?,
            Err(error) if error.is_closed() => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[mp::test]
fn many_senders_each_in_order_and_all_once() -> mp::Result<()> {
    let (to, from) = mp::pipe()?;
    let number = 20_000;
    let children = (0..4)
        .map(|me| Process::new(count_to, (number, to.clone(), me)).start())
        .collect::<mp::Result<Vec<_>>>()?;
    drop(to);
    let mut next = [0; 4];
    for message in &from {
        let (me, item) = message?;
        assert_eq!(item, next[me as usize]);
        next[me as usize] += 1;
    }
    assert_eq!(next, [number; 4]);
    assert!(from.recv().unwrap_err().is_closed(), "again");
    assert!(from.try_recv().unwrap_err().is_closed());
    assert!(from.poll(Duration::ZERO), "as at the end of a file");
    children.into_iter().try_for_each(mp::Child::join)
}

#[mp::test]
fn senders_that_come_and_go_hold_nobody_up() -> mp::Result<()> {
    const MANY: u64 = 5000;
    let (to, from) = mp::pipe::<usize>()?;
    let floods: Vec<_> = (0..3).map(|_| to.clone()).collect();
    for _ in 0..MANY {
        for (who, flood) in floods.iter().enumerate() {
            flood.send(who)?;
        }
    }
    let mut got = [0u64; 4];
    for _ in 0..150 {
        // The lanes are others whenever the receiver looks.
        to.clone().send(3)?;
        for _ in 0..50 {
            got[from.recv()?] += 1;
        }
    }
    let [first, second, third, short] = got;
    let floods = [first, second, third];
    let (most, least) = (floods.iter().max(), floods.iter().min());
    assert!(most < least.map(|least| 2 * least).as_ref(), "{got:?}");
    // Those that have had their turn; the others are not far behind.
    assert!(short > 100, "{got:?}");
    Ok(())
}

#[mp::test]
fn threads_of_one_process() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u64>()?;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let to = to.clone();
            scope.spawn(move || (0..50_000).try_for_each(|item| to.send(item)).unwrap());
        }
        drop(to);
        let sum: u64 = from.iter().map(|item| item.unwrap()).sum();
        assert_eq!(sum, 4 * (0..50_000).sum::<u64>());
    });
    Ok(())
}

#[mp::test]
fn the_receiver_moves_and_there_is_only_one() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u64>()?;
    for item in 0..100 {
        to.send(item)?;
    }
    // Some here, the rest there, exactly.
    for item in 0..10 {
        assert_eq!(from.recv()?, item);
    }
    let child = Process::new(sum_of, &from).start()?;
    assert!(from.recv().unwrap_err().is_usage());
    let again = Process::new(sum_of, &from).start();
    assert!(again.unwrap_err().is_encode());
    for item in 100..1000 {
        to.send(item)?;
    }
    drop(to);
    assert_eq!(child.join()?, (10..1000).sum());
    Ok(())
}

#[mp::test]
fn a_receiver_that_is_gone_gives_the_value_back() -> mp::Result<()> {
    let (to, from) = mp::pipe::<String>()?;
    to.send("unread".into())?;
    drop(from);
    assert!(to.is_closed());
    let refused = to.send("mine".into()).unwrap_err();
    assert!(refused.error().is_closed() && !refused.is_full());
    assert_eq!(refused.into_value(), "mine");
    Ok(())
}

#[mp::test]
fn a_full_lane_says_so() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u64>()?;
    let mut count = 0;
    let refused = loop {
        match to.try_send(count) {
            Ok(()) => count += 1,
            Err(refused) => break refused,
        }
    };
    assert!(refused.is_full() && refused.error().is_timeout());
    assert_eq!(refused.into_value(), count);
    assert!(count > 1000, "{count}");
    let begun = Instant::now();
    assert!(
        to.send_timeout(0, Duration::from_millis(30))
            .unwrap_err()
            .is_full()
    );
    assert!(begun.elapsed() >= Duration::from_millis(30));
    for item in 0..count {
        assert_eq!(from.recv()?, item);
    }
    to.try_send(7)?;
    assert_eq!(from.recv()?, 7);
    // Large ones are counted by their bytes, one always has room.
    let (to, from) = mp::pipe::<Vec<u8>>()?;
    to.send(vec![1; 40 << 20])?;
    assert!(to.try_send(vec![2; 1 << 20]).unwrap_err().is_full());
    assert_eq!(from.recv()?.len(), 40 << 20);
    to.try_send(vec![2; 1 << 20])?;
    Ok(())
}

/// What the receiver takes makes room at once for a sender that sleeps, however little it is: the receiver may do
/// nothing more until the sender has gone on.
#[mp::test(timeout = "60s")]
fn little_that_is_taken_wakes_a_sender_that_waits_for_room() -> mp::Result<()> {
    // Small ones fill the ring, large ones reach the limit of their bytes.
    for size in [1000, 100_000] {
        let (to, from) = mp::pipe::<Vec<u8>>()?;
        let (note, notes) = mp::pipe::<u64>()?;
        let sender = std::thread::spawn(move || {
            for number in 1.. {
                if to.send(vec![0; size]).is_err() || note.send(number).is_err() {
                    return;
                }
            }
        });
        while notes.recv_timeout(Duration::from_millis(300))?.is_some() {}
        for round in 0..2000 {
            // Before it sleeps, while it is about to, when it does.
            if round % 100 == 0 {
                sleep_ms(2);
            }
            from.recv()?;
            // How many fit differs by one or two with where the ring ends.
            if round >= 3 {
                notes.recv()?;
            }
        }
        drop((from, notes));
        sender.join().unwrap();
    }
    Ok(())
}

/// Python's `test_timeout` of `_TestConnection` and `_TestPoll`.
#[mp::test]
fn polls_and_timeouts() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u64>()?;
    assert!(!from.poll(Duration::ZERO));
    let begun = Instant::now();
    assert!(!from.poll(Duration::from_millis(50)));
    assert_eq!(from.recv_timeout(Duration::from_millis(50))?, None);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    to.send(1)?;
    assert!(from.poll(Duration::from_secs(20)) && from.poll(Duration::ZERO));
    assert_eq!(from.recv_timeout(Duration::ZERO)?, Some(1));
    // Woken from its sleep by the message.
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        to.send(2)
    });
    assert!(from.poll(Duration::from_secs(60)));
    assert_eq!(from.recv()?, 2);
    thread.join().unwrap()?;
    assert!(from.recv().unwrap_err().is_closed());
    Ok(())
}

#[mp::test]
fn a_killed_sender_ends_its_part_only() -> mp::Result<()> {
    let (to, from) = mp::pipe()?;
    let child = Process::new(send_and_die, (&to, 5000)).start()?;
    let mut got = 0;
    for item in 0..5000 {
        assert_eq!(from.recv()?, item);
        got += 1;
    }
    assert_eq!(got, 5000);
    assert!(from.try_recv()?.is_none(), "this process can still send");
    to.send(77)?;
    assert_eq!(from.recv()?, 77);
    drop(to);
    // Nobody has reaped the child; that it is dead is enough.
    assert!(from.recv().unwrap_err().is_closed());
    assert!(child.join().unwrap_err().is_death());
    Ok(())
}

#[mp::test]
fn the_last_sender_is_killed_while_the_receiver_sleeps() -> mp::Result<()> {
    for way in ["kill", "return"] {
        let (to, from) = mp::pipe()?;
        let child = Process::new(hold, (&to, if way == "kill" { 100_000 } else { 60 })).start()?;
        drop(to);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(60));
                if way == "kill" {
                    child.kill().unwrap();
                }
            });
            assert!(from.recv().unwrap_err().is_closed(), "{way}");
        });
        assert_eq!(child.join().is_err(), way == "kill");
    }
    Ok(())
}

#[mp::test]
fn the_receiver_ends_while_a_sender_waits_for_room() -> mp::Result<()> {
    for way in ["kill", "exit 3", "return"] {
        let (to, from) = mp::pipe()?;
        let child = Process::new(hold_receiver, (from, 50, way)).start()?;
        let mut sent = 0;
        let refused = loop {
            match to.send(sent) {
                Ok(()) => sent += 1,
                Err(refused) => break refused,
            }
        };
        assert!(refused.error().is_closed(), "{way}: {refused}");
        assert_eq!(refused.into_value(), sent);
        assert_eq!(child.join().is_ok(), way == "return");
    }
    Ok(())
}

#[mp::test(timeout = "100s")]
fn hundreds_of_senders_come_and_go() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u64>()?;
    for _ in 0..2 {
        let mut senders = Vec::new();
        for item in 0..400 {
            let sender = to.clone();
            sender.send(item)?;
            assert_eq!(from.recv()?, item);
            senders.push(sender);
        }
        for (item, sender) in senders.iter().enumerate() {
            sender.send(item as u64)?;
        }
        drop(senders);
        let mut all: Vec<u64> = (0..400).map(|_| from.recv()).collect::<mp::Result<_>>()?;
        all.sort_unstable();
        assert!(all.into_iter().eq(0..400));
        assert!(from.try_recv()?.is_none());
    }
    Ok(())
}

/// Shared objects of several kinds, in one message.
#[derive(Serialize, Deserialize)]
struct Shared {
    lock: mp::Lock,
    value: mp::Value<u64>,
    buffer: mp::Buffer<u64>,
}

#[mp::task]
fn use_shared(pipe: Receiver<Shared>, queue: &mp::Queue<Shared>) -> Result<(), Failure> {
    for shared in [pipe.recv()?, queue.get()?] {
        let guard = shared.lock.lock()?;
        *shared.value.lock()? += 1;
        drop(guard);
        assert_eq!(shared.buffer[..], [1, 2, 3]);
    }
    Ok(())
}

#[mp::test(timeout = "60s")]
fn shared_objects_travel_in_messages_and_items() -> mp::Result<()> {
    let (lock, value) = (mp::Lock::new()?, mp::Value::new(5)?);
    let shared = || -> mp::Result<Shared> {
        Ok(Shared {
            lock: lock.clone(),
            value: value.clone(),
            buffer: mp::Buffer::copy_of(&[1, 2, 3])?,
        })
    };
    let (to, from) = mp::pipe()?;
    let queue = mp::Queue::unbounded()?;
    let held = lock.lock()?;
    to.send(shared()?)?;
    queue.put(shared()?)?;
    let child = Process::new(use_shared, (from, &queue)).start()?;
    sleep_ms(20);
    assert_eq!(*value.lock()?, 5, "the lock is the same one");
    drop(held);
    child.join()?;
    assert_eq!(*value.lock()?, 7);
    // What nobody takes is given back.
    queue.put(shared()?)?;
    drop(queue);
    Ok(())
}

/// A receiver in a message that nobody ever reads.
#[mp::test]
fn what_travels_in_messages_is_given_back_with_them() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u64>()?;
    let (carry, carried) = mp::pipe::<(Sender<u64>, Option<Receiver<u64>>)>()?;
    carry.send((to.clone(), Some(from)))?;
    to.send(1)?;
    carry.send((to.clone(), None))?;
    let (again, from) = carried.recv()?;
    let from = from.expect("it was sent");
    again.send(2)?;
    // Two senders: their messages come in any order.
    let mut both = [from.recv()?, from.recv()?];
    both.sort_unstable();
    assert_eq!(both, [1, 2]);
    drop((to, again));
    assert!(from.try_recv()?.is_none(), "a message holds a sender");
    drop(carried);
    assert!(from.recv().unwrap_err().is_closed());
    Ok(())
}

/// What comes back from a put or a send is whole, the receivers in it included.
#[mp::test(timeout = "60s")]
fn a_receiver_that_was_not_sent_receives() -> mp::Result<()> {
    type Load = (Option<Receiver<u32>>, Option<Unfit>);
    let (to, from) = mp::pipe::<u32>()?;
    for item in 1..=6 {
        to.send(item)?;
    }
    assert_eq!(from.recv()?, 1);
    // No room.
    let queue = mp::Queue::<Load>::bounded(1)?;
    queue.put((None, None))?;
    let back = queue.try_put((Some(from), None)).unwrap_err();
    assert!(back.is_full());
    let (from, _) = back.into_value();
    assert_eq!(from.as_ref().unwrap().recv()?, 2);
    // The value cannot be encoded, behind the receiver.
    let (carry, carried) = mp::pipe::<Load>()?;
    let back = carry.send((from, Some(Unfit(1)))).unwrap_err();
    assert!(back.error().is_encode());
    let (from, _) = back.into_value();
    assert_eq!(from.as_ref().unwrap().recv()?, 3);
    // Nobody is left to take it.
    drop(carried);
    let back = carry.send((from, None)).unwrap_err();
    assert!(back.error().is_closed());
    let (from, _) = back.into_value();
    assert_eq!(from.as_ref().unwrap().recv()?, 4);
    // At last it leaves.
    assert!(queue.get()?.0.is_none());
    queue.put((from, None))?;
    let (Some(from), _) = queue.get()? else {
        panic!("it was put");
    };
    assert_eq!((from.recv()?, from.recv()?), (5, 6));
    // A message with it that nobody takes is its end.
    queue.put((Some(from), None))?;
    drop(queue);
    assert!(to.send(7).unwrap_err().error().is_closed());
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Reply(u64, Sender<u64>),
    Stop,
}

#[mp::task]
fn reply(of: &Receiver<Order>) -> Result<(), Failure> {
    loop {
        match of.recv()? {
            Order::Reply(number, to) => to.send(number * 2)?,
            Order::Stop => return Ok(()),
        }
    }
}

#[mp::test]
fn reply_addresses_travel() -> mp::Result<()> {
    let (to, of) = mp::pipe()?;
    let child = Process::new(reply, &of).start()?;
    for number in 0..300 {
        let (answer, answers) = mp::pipe()?;
        to.send(Order::Reply(number, answer))?;
        assert_eq!(answers.recv()?, number * 2);
        assert!(answers.recv().unwrap_err().is_closed());
    }
    to.send(Order::Stop)?;
    child.join()
}

#[derive(Debug, Serialize, Deserialize)]
struct Unfit(#[serde(serialize_with = "refuse")] u32);

fn refuse<S: serde::Serializer>(_: &u32, _: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom("this number is a secret"))
}

#[mp::test]
fn what_cannot_be_encoded_is_the_senders_error() -> mp::Result<()> {
    let (to, from) = mp::pipe::<Unfit>()?;
    let refused = to.send(Unfit(3)).unwrap_err();
    assert!(refused.error().is_encode() && refused.to_string().contains("secret"));
    assert_eq!(refused.into_value().0, 3);
    assert!(from.try_recv()?.is_none());
    Ok(())
}
