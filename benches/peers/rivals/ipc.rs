//! ipc-channel, between processes; its processes are started by `mp`, which it does not do itself.

use std::time::Instant;

use ipc_channel::ipc::{self, IpcReceiver, IpcSender};
use serde::{Deserialize, Serialize};

use crate::frame::{Case, Measured, Scale};

const WHO: &str = "ipc-channel";

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let many = scale.of(200_000) as u64;
    match workload {
        "W6" => vec![Case::new(WHO, "u64", move || stream(1, many, 0))],
        "W6b" => vec![Case::new(WHO, "u64", move || stream(2, many, 0))],
        "W6k" => vec![Case::new(WHO, "Vec<u8>", move || stream(1, many, 1 << 10))],
        "W6m" => {
            let count = scale.of(1_000) as u64;
            let rows = move || stream(1, count, 1 << 20).map(|rate| rate * 1e3);
            vec![Case::new(WHO, "Vec<u8>", rows)]
        }
        "W6p" => {
            let rounds = scale.of(10_000) as u64;
            vec![Case::new(WHO, "u64", move || ping_pong(rounds))]
        }
        _ => Vec::new(),
    }
}

#[derive(Serialize, Deserialize)]
enum Message {
    Number(u64),
    Bytes(Vec<u8>),
    /// Where the other end is told to begin.
    Start(IpcSender<u64>),
}

#[mp::task]
fn ipc_produce(server: &str, count: u64, size: usize) -> Result<(), mp::Failure> {
    let to: IpcSender<Message> = IpcSender::connect(server.to_owned())?;
    let (start, started) = ipc::channel()?;
    let fail = |error: String| mp::Failure::new(error);
    to.send(Message::Start(start))
        .map_err(|error| fail(error.to_string()))?;
    started.recv().map_err(|error| fail(error.to_string()))?;
    for item in 0..count {
        let message = match size {
            0 => Message::Number(item),
            _ => Message::Bytes(vec![item as u8; size]),
        };
        to.send(message).map_err(|error| fail(error.to_string()))?;
    }
    Ok(())
}

/// Millions of messages a second.
fn stream(senders: u64, count: u64, size: usize) -> Measured {
    let each = count / senders;
    let mut connected: Vec<(IpcReceiver<Message>, IpcSender<u64>)> = Vec::new();
    let mut children = Vec::new();
    for _ in 0..senders {
        let (server, name) = ipc::IpcOneShotServer::<Message>::new()?;
        children.push(mp::Process::new(ipc_produce, (name.as_str(), each, size)).start()?);
        match server.accept()? {
            (from, Message::Start(start)) => connected.push((from, start)),
            _ => return Err("the wrong first message".into()),
        }
    }
    let began = Instant::now();
    for (_, start) in &connected {
        start.send(1)?;
    }
    let mut got = 0;
    if let [(from, _)] = &connected[..] {
        for _ in 0..each {
            std::hint::black_box(from.recv()?);
            got += 1;
        }
    } else {
        let mut set = ipc::IpcReceiverSet::new()?;
        for (from, _) in connected {
            set.add(from)?;
        }
        while got < each * senders {
            for result in set.select()? {
                if let ipc::IpcSelectionResult::MessageReceived(_, message) = result {
                    std::hint::black_box(message.to::<Message>()?);
                    got += 1;
                }
            }
        }
    }
    let rate = got as f64 / began.elapsed().as_secs_f64() / 1e6;
    for child in children {
        child.join()?;
    }
    Ok(rate)
}

#[mp::task]
fn ipc_answer(server: &str) -> Result<(), mp::Failure> {
    let to: IpcSender<IpcSender<(u64, IpcSender<u64>)>> = IpcSender::connect(server.to_owned())?;
    let fail = |error: String| mp::Failure::new(error);
    let (ask, asked) = ipc::channel::<(u64, IpcSender<u64>)>()?;
    to.send(ask).map_err(|error| fail(error.to_string()))?;
    let (mut item, back) = asked.recv().map_err(|error| fail(error.to_string()))?;
    let (more, questions) = ipc::channel::<u64>()?;
    // The way for all further questions.
    let _ = (&more, &questions);
    loop {
        if back.send(item).is_err() {
            return Ok(());
        }
        match asked.recv() {
            Ok((next, _)) => item = next,
            Err(_) => return Ok(()),
        }
    }
}

/// Microseconds for there and back. Each question carries an address, as an answer needs one.
fn ping_pong(rounds: u64) -> Measured {
    let (server, name) = ipc::IpcOneShotServer::new()?;
    let child = mp::Process::new(ipc_answer, name.as_str()).start()?;
    let (_, ask): (_, IpcSender<(u64, IpcSender<u64>)>) = server.accept()?;
    let (back, answers) = ipc::channel::<u64>()?;
    let began = Instant::now();
    for round in 0..rounds {
        ask.send((round, back.clone()))?;
        if answers.recv()? != round {
            return Err("the wrong answer".into());
        }
    }
    let time = began.elapsed();
    drop(ask);
    child.join()?;
    Ok(time.as_secs_f64() * 1e6 / rounds as f64)
}
