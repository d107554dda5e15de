//! crossbeam-channel, between threads of one process: what nothing that crosses a process boundary needs to beat, but `mp`
//! is compared with.

use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::frame::{Case, Measured, Scale};
use crate::limits::middle;

const WHO: &str = "crossbeam";

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let many = scale.of(3_000_000) as u64;
    match workload {
        "W3f" | "W4a" => vec![Case::new(
            WHO,
            "2 threads, bounded(1024) there and back",
            move || calls(many / 3),
        )],
        "W4" => vec![Case::new(
            WHO,
            "2 threads, two bounded(1), p50",
            move || round_trips(many / 30),
        )],
        "W6" => vec![Case::new(WHO, "threads, bounded(1024)", move || {
            stream(1, many, 1024, |item| item)
        })],
        "W6b" => vec![Case::new(WHO, "threads, bounded(1024)", move || {
            stream(2, many, 1024, |item| item)
        })],
        "W6k" => {
            let count = many / 10;
            vec![Case::new(WHO, "threads, a fresh Vec each", move || {
                stream(1, count, 1024, |item| vec![item as u8; 1 << 10])
            })]
        }
        "W6m" => {
            let count = scale.of(4_000) as u64;
            vec![Case::new(WHO, "threads, a fresh Vec each", move || {
                stream(1, count, 8, |item| vec![item as u8; 1 << 20]).map(|rate| rate * 1e3)
            })]
        }
        "W6p" => vec![Case::new(WHO, "threads, two bounded(1)", move || {
            ping_pong(many / 30)
        })],
        _ => Vec::new(),
    }
}

/// Millions of messages a second.
fn stream<T: Send>(senders: u64, count: u64, bound: usize, make: fn(u64) -> T) -> Measured {
    let (to, from): (Sender<T>, Receiver<T>) = bounded(bound);
    let each = count / senders;
    thread::scope(|scope| {
        let began = Instant::now();
        for _ in 0..senders {
            let to = to.clone();
            scope.spawn(move || {
                for item in 0..each {
                    if to.send(make(item)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(to);
        let got = from.iter().map(std::hint::black_box).count() as u64;
        if got != each * senders {
            return Err("messages are missing".into());
        }
        Ok(got as f64 / began.elapsed().as_secs_f64() / 1e6)
    })
}

/// Microseconds for there and back.
fn ping_pong(rounds: u64) -> Measured {
    let (there, question) = bounded::<u64>(1);
    let (answer, back) = bounded::<u64>(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            for item in question {
                if answer.send(item).is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        for round in 0..rounds {
            there.send(round)?;
            if back.recv()? != round {
                return Err("the wrong answer".into());
            }
        }
        let time = began.elapsed();
        drop(there);
        Ok(time.as_secs_f64() * 1e6 / rounds as f64)
    })
}

/// Millions of calls a second, by two threads that take one item at a time.
fn calls(count: u64) -> Measured {
    let (ask, asked) = bounded::<u64>(1024);
    let (reply, replies) = bounded::<u64>(1024);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (asked, reply) = (asked.clone(), reply.clone());
            scope.spawn(move || {
                for item in asked {
                    if reply.send(item.wrapping_mul(item)).is_err() {
                        return;
                    }
                }
            });
        }
        drop((asked, reply));
        let began = Instant::now();
        let (mut sent, mut got, mut total) = (0, 0, 0_u64);
        while got < count {
            while sent < count && ask.try_send(sent).is_ok() {
                sent += 1;
            }
            total = total.wrapping_add(replies.recv()?);
            got += 1;
            for square in replies.try_iter() {
                total = total.wrapping_add(square);
                got += 1;
            }
        }
        let took = began.elapsed();
        drop(ask);
        let expected = (0..count).fold(0_u64, |total, x| total.wrapping_add(x.wrapping_mul(x)));
        if total != expected {
            return Err("the wrong total".into());
        }
        Ok(count as f64 / took.as_secs_f64() / 1e6)
    })
}

/// Microseconds, the middle one; the answering threads are two, as in a pool of two.
fn round_trips(count: u64) -> Measured {
    let (ask, asked) = bounded::<u64>(1);
    let (reply, replies) = bounded::<u64>(1);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (asked, reply) = (asked.clone(), reply.clone());
            scope.spawn(move || {
                for item in asked {
                    if reply.send(item).is_err() {
                        return;
                    }
                }
            });
        }
        let mut times = Vec::with_capacity(count as usize);
        for number in 0..count {
            let began = Instant::now();
            ask.send(number)?;
            let back = replies.recv()?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
            if back != number {
                return Err("the wrong answer".into());
            }
        }
        drop(ask);
        Ok(middle(times))
    })
}
