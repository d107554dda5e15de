//! iceoryx2, between processes (feature `iceoryx2`): publish and subscribe without loss, both sides looking again and again,
//! as it has no blocking receive. Its processes are started by `mp`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;

use crate::frame::{Case, Measured, Scale};

const WHO: &str = "iceoryx2";
const ROOM: usize = 1024;
/// How long somebody waits before it takes the other side for dead.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let many = scale.of(2_000_000) as u64;
    match workload {
        "W6" => vec![Case::new(WHO, "u64, polling", move || {
            stream(1, many, 8, ROOM)
        })],
        "W6b" => vec![Case::new(WHO, "u64, polling", move || {
            stream(2, many, 8, ROOM)
        })],
        "W6k" => vec![Case::new(WHO, "&[u8], polling", move || {
            stream(1, many, 1 << 10, ROOM)
        })],
        "W6m" => {
            let count = scale.of(5_000) as u64;
            let rows = move || stream(1, count, 1 << 20, 16).map(|rate| rate * 1e3);
            vec![Case::new(WHO, "&[u8], polling", rows)]
        }
        "W6p" => {
            let rounds = scale.of(300_000) as u64;
            vec![Case::new(WHO, "u64, polling", move || ping_pong(rounds))]
        }
        _ => Vec::new(),
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn node() -> Outcome<Node<ipc::Service>> {
    set_log_level(LogLevel::Fatal);
    // Signals are the bench's own business.
    let builder = NodeBuilder::new().signal_handling_mode(SignalHandlingMode::Disabled);
    Ok(builder.create::<ipc::Service>()?)
}

/// A name that no run before this one has left anything under.
fn fresh_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("mp-benches/{}/{number}", std::process::id())
}

type Service =
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, [u8], ()>;

fn service(node: &Node<ipc::Service>, name: &str, room: usize) -> Outcome<Service> {
    Ok(node
        .service_builder(&name.try_into()?)
        .publish_subscribe::<[u8]>()
        .enable_safe_overflow(false)
        .subscriber_max_buffer_size(room)
        .open_or_create()?)
}

fn publisher(service: &Service, size: usize) -> Outcome<Publisher<ipc::Service, [u8], ()>> {
    Ok(service
        .publisher_builder()
        .initial_max_slice_len(size)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?)
}

/// Sends a message. One that is sent before the other side has looked for the first time reaches nobody, and is sent again.
fn publish(to: &Publisher<ipc::Service, [u8], ()>, bytes: &[u8]) -> Outcome<()> {
    loop {
        let sample = to.loan_slice_uninit(bytes.len())?;
        if sample.write_from_slice(bytes).send()? > 0 {
            return Ok(());
        }
    }
}

/// The next message, copied out; an error if there is none for long.
fn next(from: &Subscriber<ipc::Service, [u8], ()>, into: &mut Vec<u8>) -> Outcome<()> {
    let mut looks: u64 = 0;
    let mut until = None;
    loop {
        if let Some(sample) = from.receive()? {
            into.clear();
            into.extend_from_slice(&sample);
            return Ok(());
        }
        std::hint::spin_loop();
        looks += 1;
        if looks.is_multiple_of(1 << 16) {
            let now = Instant::now();
            if now > *until.get_or_insert(now + PATIENCE) {
                return Err("no message".into());
            }
        }
    }
}

fn meet(at: &mp::Barrier) -> Outcome<()> {
    match at.wait_timeout(PATIENCE)? {
        Some(_) => Ok(()),
        None => Err("the other side does not come".into()),
    }
}

fn produce(name: &str, count: u64, size: usize, room: usize, ready: &mp::Barrier) -> Outcome<()> {
    let node = node()?;
    let service = service(&node, name, room)?;
    let to = publisher(&service, size)?;
    meet(ready)?;
    let mut bytes = vec![7; size];
    for item in 0..count {
        bytes[..8].copy_from_slice(&item.to_le_bytes());
        publish(&to, &bytes)?;
    }
    // What was sent is gone with its sender.
    meet(ready)?;
    Ok(())
}

#[mp::task]
fn iceoryx2_produce(
    name: &str,
    count: u64,
    size: usize,
    room: usize,
    ready: &mp::Barrier,
) -> Result<(), mp::Failure> {
    produce(name, count, size, room, ready).map_err(|error| mp::Failure::new(error.to_string()))
}

/// Millions of messages a second.
fn stream(senders: u64, count: u64, size: usize, room: usize) -> Measured {
    let (name, each) = (fresh_name(), count / senders);
    let node = node()?;
    let service = service(&node, &name, room)?;
    let from = service.subscriber_builder().buffer_size(room).create()?;
    let ready = mp::Barrier::new(senders as usize + 1)?;
    let children = (0..senders)
        .map(|_| {
            mp::Process::new(iceoryx2_produce, (name.as_str(), each, size, room, &ready)).start()
        })
        .collect::<mp::Result<Vec<_>>>()?;
    meet(&ready)?;
    let began = Instant::now();
    let mut bytes = Vec::with_capacity(size);
    for _ in 0..each * senders {
        next(&from, &mut bytes)?;
        std::hint::black_box(&bytes);
    }
    let rate = (each * senders) as f64 / began.elapsed().as_secs_f64() / 1e6;
    meet(&ready)?;
    for child in children {
        child.join()?;
    }
    Ok(rate)
}

fn answer(name: &str, back: &str, rounds: u64, ready: &mp::Barrier) -> Outcome<()> {
    let node = node()?;
    let (asked, answers) = (service(&node, name, 2)?, service(&node, back, 2)?);
    let from = asked.subscriber_builder().create()?;
    let to = publisher(&answers, 8)?;
    meet(ready)?;
    let mut bytes = Vec::with_capacity(8);
    for _ in 0..rounds {
        next(&from, &mut bytes)?;
        publish(&to, &bytes)?;
    }
    meet(ready)?;
    Ok(())
}

#[mp::task]
fn iceoryx2_answer(
    name: &str,
    back: &str,
    rounds: u64,
    ready: &mp::Barrier,
) -> Result<(), mp::Failure> {
    answer(name, back, rounds, ready).map_err(|error| mp::Failure::new(error.to_string()))
}

/// Microseconds for there and back.
fn ping_pong(rounds: u64) -> Measured {
    let (there, back) = (fresh_name(), fresh_name());
    let node = node()?;
    let (asked, answers) = (service(&node, &there, 2)?, service(&node, &back, 2)?);
    let to = publisher(&asked, 8)?;
    let from = answers.subscriber_builder().create()?;
    let ready = mp::Barrier::new(2)?;
    let child = mp::Process::new(
        iceoryx2_answer,
        (there.as_str(), back.as_str(), rounds, &ready),
    )
    .start()?;
    meet(&ready)?;
    let began = Instant::now();
    let mut bytes = Vec::with_capacity(8);
    for round in 0..rounds {
        publish(&to, &round.to_le_bytes())?;
        next(&from, &mut bytes)?;
        if bytes != round.to_le_bytes() {
            return Err("the wrong answer".into());
        }
    }
    let time = began.elapsed();
    meet(&ready)?;
    child.join()?;
    Ok(time.as_secs_f64() * 1e6 / rounds as f64)
}
