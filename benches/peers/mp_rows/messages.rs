//! Messages through pipes and queues (W6, W6b, W6k, W6m), there and back (W6p), and to one that sleeps (W6w).

use std::time::{Duration, Instant};

use mp::{Failure, Process, Queue, Receiver, Sender};

use crate::frame::{Case, Measured, Scale};
use crate::limits::{Pinned, middle, now};

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let many = scale.of(5_000_000) as u64;
    match workload {
        "W6" => vec![
            Case::new("mp", "pipe", move || numbers(1, many)),
            Case::new("mp", "Queue, bounded(1024)", move || {
                queued(1, many, Some(1024))
            }),
            Case::new("mp", "Queue, unbounded", move || queued(1, many, None)),
        ],
        "W6b" => vec![
            Case::new("mp", "pipe, a sender each", move || numbers(2, many)),
            Case::new("mp", "Queue, bounded(1024)", move || {
                queued(2, many, Some(1024))
            }),
        ],
        "W6k" => {
            let count = many / 10;
            vec![
                Case::new("mp", "pipe, Vec<u8> made and taken", move || {
                    bytes(count, 1 << 10, false)
                }),
                Case::new("mp", "pipe, send_bytes, recv_bytes_into", move || {
                    bytes(count, 1 << 10, true)
                }),
                Case::new("mp", "Queue, Vec<u8> made and taken", move || {
                    queued_bytes(count, 1 << 10)
                }),
            ]
        }
        "W6m" => {
            let count = scale.of(10_000) as u64;
            let row = move |lent| move || bytes(count, 1 << 20, lent).map(|rate| rate * 1e3);
            vec![
                Case::new("mp", "pipe, Vec<u8> made and taken", row(false)),
                Case::new("mp", "pipe, send_bytes, recv_bytes_into", row(true)),
                Case::new("mp", "Queue, Vec<u8> made and taken", move || {
                    queued_bytes(count, 1 << 20).map(|rate| rate * 1e3)
                }),
            ]
        }
        "W6p" => vec![
            Case::new("mp", "duplex", move || ping_pong(many / 10)),
            Case::new("mp", "two Queues", move || ping_pong_queues(many / 10)),
        ],
        "W6w" => {
            let rounds = scale.of(2_000);
            vec![Case::new("mp", "pipe, one way", move || one_way(rounds))]
        }
        _ => Vec::new(),
    }
}

#[mp::task]
fn send_numbers(to: Sender<u64>, start: Receiver<()>, count: u64) -> Result<(), Failure> {
    start.recv()?;
    for item in 0..count {
        to.send(item)?;
    }
    Ok(())
}

/// Millions of messages a second.
fn numbers(senders: u64, count: u64) -> Measured {
    let (to, from) = mp::pipe()?;
    let each = count / senders;
    let mut children = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..senders {
        let (start, started) = mp::pipe::<()>()?;
        children.push(Process::new(send_numbers, (to.clone(), started, each)).start()?);
        starts.push(start);
    }
    std::thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    for start in &starts {
        start.send(())?;
    }
    let mut sum = 0_u64;
    for _ in 0..each * senders {
        sum = sum.wrapping_add(from.recv()?);
    }
    let rate = (each * senders) as f64 / began.elapsed().as_secs_f64() / 1e6;
    for child in children {
        child.join()?;
    }
    match sum == senders * (each * (each - 1) / 2) {
        true => Ok(rate),
        false => Err("messages are missing".into()),
    }
}

#[mp::task]
fn send_blocks(
    to: Sender<Vec<u8>>,
    start: Receiver<()>,
    count: u64,
    size: usize,
    lent: bool,
) -> Result<(), Failure> {
    start.recv()?;
    let mut block = vec![0; size];
    for item in 0..count {
        if lent {
            block[0] = item as u8;
            to.send_bytes(&block)?;
        } else {
            to.send(vec![item as u8; size])?;
        }
    }
    Ok(())
}

/// Millions of messages a second.
fn bytes(count: u64, size: usize, lent: bool) -> Measured {
    let (to, from) = mp::pipe()?;
    let (start, started) = mp::pipe()?;
    let child = Process::new(send_blocks, (to, started, count, size, lent)).start()?;
    std::thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    start.send(())?;
    let mut room = Vec::new();
    for item in 0..count {
        if lent {
            from.recv_bytes_into(&mut room)?;
        } else {
            room = from.recv()?;
        }
        if room.len() != size || room[0] != item as u8 {
            return Err("the wrong message".into());
        }
    }
    let rate = count as f64 / began.elapsed().as_secs_f64() / 1e6;
    child.join()?;
    Ok(rate)
}

#[mp::task]
fn answer(of: mp::Duplex<u64, u64>) -> Result<(), Failure> {
    while let Ok(item) = of.recv() {
        of.send(item)?;
    }
    Ok(())
}

/// Microseconds for there and back.
fn ping_pong(rounds: u64) -> Measured {
    let (here, there) = mp::duplex::<u64, u64>()?;
    let child = Process::new(answer, there).start()?;
    here.send(0)?;
    here.recv()?;
    let began = Instant::now();
    for round in 0..rounds {
        here.send(round)?;
        if here.recv()? != round {
            return Err("the wrong answer".into());
        }
    }
    let time = began.elapsed();
    drop(here);
    child.join()?;
    Ok(time.as_secs_f64() * 1e6 / rounds as f64)
}

#[mp::task]
fn put_numbers(to: &Queue<u64>, start: Receiver<()>, count: u64) -> Result<(), Failure> {
    start.recv()?;
    for item in 0..count {
        to.put(item)?;
    }
    Ok(())
}

/// Millions of messages a second.
fn queued(putters: u64, count: u64, bound: Option<usize>) -> Measured {
    let from = match bound {
        Some(bound) => Queue::bounded(bound)?,
        None => Queue::unbounded()?,
    };
    let each = count / putters;
    let mut children = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..putters {
        let (start, started) = mp::pipe::<()>()?;
        children.push(Process::new(put_numbers, (&from, started, each)).start()?);
        starts.push(start);
    }
    std::thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    for start in &starts {
        start.send(())?;
    }
    let mut sum = 0_u64;
    for _ in 0..each * putters {
        sum = sum.wrapping_add(from.get()?);
    }
    let rate = (each * putters) as f64 / began.elapsed().as_secs_f64() / 1e6;
    for child in children {
        child.join()?;
    }
    match sum == putters * (each * (each - 1) / 2) {
        true => Ok(rate),
        false => Err("messages are missing".into()),
    }
}

#[mp::task]
fn put_blocks(
    to: &Queue<Vec<u8>>,
    start: Receiver<()>,
    count: u64,
    size: usize,
) -> Result<(), Failure> {
    start.recv()?;
    for item in 0..count {
        to.put(vec![item as u8; size])?;
    }
    Ok(())
}

/// Millions of messages a second.
fn queued_bytes(count: u64, size: usize) -> Measured {
    let from = Queue::bounded_by(1024, 16 << 20)?;
    let (start, started) = mp::pipe()?;
    let child = Process::new(put_blocks, (&from, started, count, size)).start()?;
    std::thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    start.send(())?;
    for item in 0..count {
        let bytes = from.get()?;
        if bytes.len() != size || bytes[0] != item as u8 {
            return Err("the wrong message".into());
        }
    }
    let rate = count as f64 / began.elapsed().as_secs_f64() / 1e6;
    child.join()?;
    Ok(rate)
}

#[mp::task]
fn answer_by_queue(from: &Queue<u64>, to: &Queue<u64>) -> Result<(), Failure> {
    while let Ok(item) = from.get() {
        to.put(item)?;
    }
    Ok(())
}

/// Microseconds for there and back.
fn ping_pong_queues(rounds: u64) -> Measured {
    let (there, back) = (Queue::bounded(1)?, Queue::bounded(1)?);
    let child = Process::new(answer_by_queue, (&there, &back)).start()?;
    there.put(0)?;
    back.get()?;
    let began = Instant::now();
    for round in 0..rounds {
        there.put(round)?;
        if back.get()? != round {
            return Err("the wrong answer".into());
        }
    }
    let time = began.elapsed();
    there.close();
    child.join()?;
    Ok(time.as_secs_f64() * 1e6 / rounds as f64)
}

#[mp::task]
fn late_by(from: Receiver<u64>) -> Result<Vec<u64>, Failure> {
    let _pinned = Pinned::to(1);
    from.iter()
        .map(|then| Ok(now().saturating_sub(then?)))
        .collect()
}

/// Microseconds from before `send` to behind `recv`, in a process that sleeps there, on another core.
fn one_way(rounds: usize) -> Measured {
    let (to, from) = mp::pipe()?;
    let child = Process::new(late_by, from).start()?;
    let _pinned = Pinned::to(0);
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_micros(300));
        to.send(now())?;
    }
    drop(to);
    Ok(middle(
        child
            .join()?
            .iter()
            .map(|time| *time as f64 / 1e3)
            .collect(),
    ))
}
