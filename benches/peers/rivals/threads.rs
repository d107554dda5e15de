//! crossbeam-channel, between threads of one process: what nothing that crosses a process boundary needs to beat, but `mp`
//! is compared with.

use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::frame::{Case, Measured, Scale};

const WHO: &str = "crossbeam";

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let many = scale.of(3_000_000) as u64;
    match workload {
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
