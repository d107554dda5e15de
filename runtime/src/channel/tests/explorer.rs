#![allow(unsafe_code)]
//! A process that is killed behind each of its stores into shared memory in turn, in every protocol of this module: the
//! other side goes on, every message arrives once or is accounted for, and nothing is left in the heap.
//!
//! A child is armed to end behind its n-th store (`sys::points`), then does its part; then n + 1, until it comes to its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate as mp;
use crate::heap::{Heap, Stats};
use crate::process::graves;
use crate::session;
use crate::sys::points;
use mp::{Failure, JoinableQueue, OnDeath, Process, Queue, Receiver, Result, Sender};

const ITEMS: u64 = 7;

/// Small, large, and with handles inside.
#[derive(Serialize, Deserialize)]
enum Item {
    Small(u64),
    Large(u64, Vec<u8>),
    Handles(u64, Queue<u64>, Sender<u64>),
}

impl Item {
    fn new(number: u64) -> Result<Item> {
        Ok(match number % 3 {
            0 => Item::Small(number),
            1 => Item::Large(number, vec![number as u8; 9000]),
            _ => {
                let (to, from) = mp::pipe()?;
                to.send(number)?;
                drop(from);
                let queue = Queue::unbounded()?;
                queue.put(number)?;
                Item::Handles(number, queue, to)
            }
        })
    }

    fn number(&self) -> u64 {
        match self {
            Item::Small(number) => *number,
            Item::Large(number, bytes) => {
                assert!(bytes.len() == 9000 && bytes.iter().all(|byte| *byte == *number as u8));
                *number
            }
            Item::Handles(number, queue, _) => {
                // It may come to several, one of which was killed.
                let inside = queue.try_get().unwrap();
                assert!(inside.is_none_or(|inside| inside == *number));
                *number
            }
        }
    }
}

/// Where a child notes what it has: one bit an item, in a block of the heap.
#[derive(Clone, Copy)]
struct Notes(&'static AtomicU64);

impl Notes {
    fn at(heap: &Heap, offset: u64) -> Notes {
        let base = heap.at(offset, 8).unwrap();
        // SAFETY: a block of the heap, never unmapped, aligned, used for this alone.
        Notes(unsafe { base.cast().as_ref() })
    }
}

fn arm(count: u64, file: &Path) {
    points::arm(count, Signal::SIGKILL, file.to_owned());
}

fn heap() -> &'static Heap {
    session::current().unwrap().heap
}

#[mp::task]
fn put(to: &Queue<Item>, count: u64, file: &Path) -> std::result::Result<(), Failure> {
    arm(count, file);
    for number in 0..ITEMS {
        to.put(Item::new(number)?)?;
    }
    Ok(())
}

#[mp::task]
fn get(
    from: &Queue<Item>,
    notes: u64,
    count: u64,
    file: &Path,
) -> std::result::Result<(), Failure> {
    let notes = Notes::at(heap(), notes);
    arm(count, file);
    while let Some(item) = from.try_get()? {
        notes.0.fetch_or(1 << item.number(), Ordering::SeqCst);
    }
    Ok(())
}

#[mp::task]
fn send(to: Sender<Item>, count: u64, file: &Path) -> std::result::Result<(), Failure> {
    arm(count, file);
    for number in 0..ITEMS {
        to.send(Item::new(number)?)?;
    }
    Ok(())
}

#[mp::task]
fn receive(
    from: Receiver<Item>,
    notes: u64,
    count: u64,
    file: &Path,
) -> std::result::Result<(), Failure> {
    let notes = Notes::at(heap(), notes);
    arm(count, file);
    for item in &from {
        notes.0.fetch_or(1 << item?.number(), Ordering::SeqCst);
    }
    Ok(())
}

#[mp::task]
fn work(
    from: &JoinableQueue<Item>,
    notes: u64,
    count: u64,
    file: &Path,
) -> std::result::Result<(), Failure> {
    let notes = Notes::at(heap(), notes);
    arm(count, file);
    while let Some(item) = from.try_get()? {
        notes.0.fetch_or(1 << item.number(), Ordering::SeqCst);
    }
    Ok(())
}

/// Makes pipes and queues, and sends them and their parts about.
#[mp::task]
fn make(to: &Queue<Parts>, count: u64, file: &Path) -> std::result::Result<(), Failure> {
    arm(count, file);
    let (sender, receiver) = mp::pipe::<u64>()?;
    sender.send(1)?;
    to.put(Parts(Some(sender), None, None))?;
    to.put(Parts(None, Some(receiver), None))?;
    let jobs = JoinableQueue::unbounded()?;
    jobs.put(5)?;
    drop(jobs.get()?);
    to.put(Parts(None, None, Some(jobs)))?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Parts(
    Option<Sender<u64>>,
    Option<Receiver<u64>>,
    Option<JoinableQueue<u64>>,
);

/// What is in the heap, as far as it should be the same again.
fn used(heap: &'static Heap) -> (usize, usize) {
    assert!(graves::settle(
        heap,
        Instant::now() + Duration::from_secs(20)
    ));
    heap.trim();
    let Stats {
        blocks, extents, ..
    } = heap.stats();
    (blocks, extents)
}

fn explore(name: &str, mut scenario: impl FnMut(u64, &Path) -> Result<bool>) -> Result<()> {
    let file: PathBuf =
        std::env::temp_dir().join(format!("mp-channel-{}-{name}", std::process::id()));
    let heap = heap();
    let _ = std::fs::remove_file(&file);
    let mut before = None;
    let begun = Instant::now();
    for count in 1.. {
        let killed = scenario(count, &file)?;
        let point = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(&file);
        let after = used(heap);
        let before = *before.get_or_insert(after);
        assert_eq!(
            after, before,
            "{name}: something is left, killed behind store {count}: {point}"
        );
        if !killed {
            println!("{name}: {count} stores, {:?}", begun.elapsed());
            assert!(count > 10, "{name}: only {count} stores");
            return Ok(());
        }
    }
    Ok(())
}

fn was_killed<T: std::fmt::Debug>(outcome: Result<T>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(error) if error.is_death() => true,
        Err(error) => panic!("{error:?}"),
    }
}

#[mp::test(timeout = "300s")]
fn a_putter_is_killed_behind_every_store() -> Result<()> {
    explore("put", |count, file| {
        let queue = Queue::unbounded()?;
        let killed = was_killed(Process::new(put, (&queue, count, file)).start()?.join());
        let len = queue.len() as u64;
        queue.put(Item::new(len)?)?;
        for number in 0..=len {
            assert_eq!(queue.get()?.number(), number, "{count}");
        }
        assert!(queue.is_empty() && (killed || len == ITEMS));
        // And one that is not taken.
        queue.put(Item::new(1)?)?;
        Ok(killed)
    })
}

#[mp::test(timeout = "300s")]
fn a_getter_is_killed_behind_every_store() -> Result<()> {
    let heap = heap();
    let notes = heap.alloc(8, 8)?.offset;
    explore("get", |count, file| {
        let queue = Queue::unbounded()?;
        for number in 0..ITEMS {
            queue.put(Item::new(number)?)?;
        }
        let noted = Notes::at(heap, notes);
        noted.0.store(0, Ordering::SeqCst);
        let killed = was_killed(
            Process::new(get, (&queue, notes, count, file))
                .start()?
                .join(),
        );
        let mut got = noted.0.load(Ordering::SeqCst);
        while let Some(item) = queue.try_get()? {
            let bit = 1 << item.number();
            assert_eq!(
                got & bit,
                0,
                "{count}: item {} twice, {:?}",
                item.number(),
                queue.lost()
            );
            got |= bit;
        }
        let lost = queue.lost();
        assert!(lost.len() <= 1 && (killed || lost.is_empty()));
        lost.iter().for_each(|lost| got |= 1 << lost.item());
        assert_eq!(got, (1 << ITEMS) - 1, "{count}, {lost:?}");
        Ok(killed)
    })?;
    heap.free(notes)
}

#[mp::test(timeout = "300s")]
fn a_sender_is_killed_behind_every_store() -> Result<()> {
    explore("send", |count, file| {
        let (to, from) = mp::pipe()?;
        let child = Process::new(send, (to, count, file)).start()?;
        let mut next = 0;
        for item in &from {
            assert_eq!(item?.number(), next);
            next += 1;
        }
        let killed = was_killed(child.join());
        assert!(killed || next == ITEMS, "{count}");
        Ok(killed)
    })
}

#[mp::test(timeout = "300s")]
fn a_receiver_is_killed_behind_every_store() -> Result<()> {
    let heap = heap();
    let notes = heap.alloc(8, 8)?.offset;
    explore("receive", |count, file| {
        let (to, from) = mp::pipe()?;
        let noted = Notes::at(heap, notes);
        noted.0.store(0, Ordering::SeqCst);
        let child = Process::new(receive, (from, notes, count, file)).start()?;
        let mut sent = 0;
        for number in 0..ITEMS {
            match to.send(Item::new(number)?) {
                Ok(()) => sent += 1,
                Err(refused) => {
                    assert!(refused.error().is_closed());
                    break;
                }
            }
        }
        drop(to);
        let killed = was_killed(child.join());
        let got = noted.0.load(Ordering::SeqCst);
        // In order, so what it has is a beginning of what was sent.
        assert!((got + 1).is_power_of_two() && got.count_ones() <= sent);
        assert!(killed || u64::from(got.count_ones()) == ITEMS);
        Ok(killed)
    })?;
    heap.free(notes)
}

#[mp::test(timeout = "300s")]
fn a_worker_of_a_joinable_queue_is_killed_behind_every_store() -> Result<()> {
    let heap = heap();
    let notes = heap.alloc(8, 8)?.offset;
    for on_death in [OnDeath::Return, OnDeath::Report] {
        explore("work", |count, file| {
            let queue = JoinableQueue::with(None, on_death)?;
            for number in 0..ITEMS {
                queue.put(Item::new(number)?)?;
            }
            let noted = Notes::at(heap, notes);
            noted.0.store(0, Ordering::SeqCst);
            let killed = was_killed(
                Process::new(work, (&queue, notes, count, file))
                    .start()?
                    .join(),
            );
            let mut got = noted.0.load(Ordering::SeqCst);
            let lost = queue.lost();
            assert!(lost.len() <= 1 && (killed || lost.is_empty()));
            let (mut held, mut here) = (Vec::new(), 0);
            while let Some(job) = queue.try_get()? {
                let bit = 1 << job.number();
                assert_eq!(here & bit, 0, "{count}: an item with two holders");
                // Noted, and killed before it was done: it comes again, and says so.
                assert!(got & bit == 0 || job.attempt() > 1, "{count}");
                here |= bit;
                held.push(job);
            }
            // One at a time was taken, and all before it were done.
            assert!((got & here).count_ones() <= 1, "{count}");
            got |= here;
            assert_eq!(queue.unfinished(), held.len(), "{count}");
            drop(held);
            if on_death == OnDeath::Report {
                lost.iter().for_each(|lost| got |= 1 << lost.item());
            }
            assert_eq!(got, (1 << ITEMS) - 1, "{count}, {lost:?}");
            queue.join()?;
            Ok(killed)
        })?;
    }
    heap.free(notes)
}

#[mp::test(timeout = "300s")]
fn a_maker_of_pipes_and_queues_is_killed_behind_every_store() -> Result<()> {
    explore("make", |count, file| {
        let queue = Queue::unbounded()?;
        let killed = was_killed(Process::new(make, (&queue, count, file)).start()?.join());
        let mut sender = None;
        while let Some(Parts(one, other, jobs)) = queue.try_get()? {
            sender = one.or(sender);
            if let Some(receiver) = other {
                assert_eq!(receiver.recv()?, 1);
                drop(sender.take());
                assert!(receiver.recv().unwrap_err().is_closed(), "{count}");
            }
            if let Some(jobs) = jobs {
                jobs.join()?;
            }
        }
        if let Some(sender) = sender {
            assert!(sender.send(2).is_err() || killed, "{count}");
        }
        Ok(killed)
    })
}
