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
        "W3f" => {
            let count = scale.of(1_000_000) as u64;
            vec![Case::new(
                WHO,
                "2 threads, bounded(1024) both ways",
                move || squares(count),
            )]
        }
        "W4" => {
            let rounds = scale.of(100_000);
            vec![Case::new(WHO, "threads, two bounded(1), mean", move || {
                ping_pong(rounds as u64)
            })]
        }
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

/// Millions of items a second, each sent to one of two threads and its square sent back.
fn squares(count: u64) -> Measured {
    let (to, jobs) = bounded::<u64>(1024);
    let (done, from) = bounded::<u64>(1024);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (jobs, done) = (jobs.clone(), done.clone());
            scope.spawn(move || {
                for item in jobs {
                    if done.send(item.wrapping_mul(item)).is_err() {
                        return;
                    }
                }
            });
        }
        drop((jobs, done));
        let began = Instant::now();
        let (mut sent, mut got, mut total) = (0, 0, 0_u64);
        while got < count {
            // As many as there is room for, then whatever has come back.
            while sent < count && to.try_send(sent).is_ok() {
                sent += 1;
            }
            let mut next = from.recv().ok();
            while let Some(square) = next {
                total = total.wrapping_add(square);
                got += 1;
                next = from.try_recv().ok();
            }
        }
        let rate = count as f64 / began.elapsed().as_secs_f64() / 1e6;
        drop(to);
        let all = (0..count).fold(0_u64, |all, item| all.wrapping_add(item.wrapping_mul(item)));
        match total == all {
            true => Ok(rate),
            false => Err("the wrong total".into()),
        }
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
