#![allow(unsafe_code)]
//! ipc-channel as somebody would build calls on it by hand: one process, a channel there and one back (W4, W5).

use std::slice;
use std::time::Instant;

use ipc_channel::ipc::{self, IpcReceiver, IpcSender, IpcSharedMemory};
use serde::{Deserialize, Serialize};

use crate::frame::{Case, Measured, Scale};
use crate::limits::{BYTES, middle, sum};

const WHO: &str = "ipc-channel";

pub(crate) fn cases(workload: &str, scale: Scale) -> Vec<Case> {
    let length = scale.of(BYTES / 8);
    match workload {
        "W4" => {
            let count = scale.of(10_000) as u64;
            vec![Case::new(
                WHO,
                "1 process, there and back, p50",
                move || round_trips(count),
            )]
        }
        "W5" => vec![
            Case::new(WHO, "Vec<f64>, second use", move || {
                summed(length, |numbers| Question::Numbers(numbers.to_vec()))
            }),
            Case::new(WHO, "IpcSharedMemory, second use", move || {
                summed(length, |numbers| Question::Memory(memory_of(numbers)))
            }),
        ],
        _ => Vec::new(),
    }
}

#[derive(Serialize, Deserialize)]
enum Question {
    Square(u64),
    Numbers(Vec<f64>),
    Memory(IpcSharedMemory),
}

/// The ways to the process that answers.
type Ways = (IpcSender<Question>, IpcReceiver<f64>);

#[mp::task]
fn ipc_serve(server: &str) -> Result<(), mp::Failure> {
    let fail = |error: &dyn std::fmt::Display| mp::Failure::new(error.to_string());
    let to: IpcSender<Ways> =
        IpcSender::connect(server.to_owned()).map_err(|error| fail(&error))?;
    let (ask, questions) = ipc::channel::<Question>().map_err(|error| fail(&error))?;
    let (answers, answer) = ipc::channel::<f64>().map_err(|error| fail(&error))?;
    to.send((ask, answer)).map_err(|error| fail(&error))?;
    while let Ok(question) = questions.recv() {
        let value = match question {
            Question::Square(x) => x.wrapping_mul(x) as f64,
            Question::Numbers(numbers) => sum(&numbers),
            // SAFETY: any eight bytes are an f64.
            Question::Memory(memory) => sum(unsafe { memory.align_to().1 }),
        };
        if answers.send(value).is_err() {
            break;
        }
    }
    Ok(())
}

fn memory_of(numbers: &[f64]) -> IpcSharedMemory {
    // SAFETY: any f64 is eight bytes without padding, and bytes need no alignment.
    let bytes = unsafe { slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) };
    IpcSharedMemory::from_bytes(bytes)
}

/// Starts the process, and calls it.
fn with_server(work: impl FnOnce(&Ways) -> Measured) -> Measured {
    let (server, name) = ipc::IpcOneShotServer::<Ways>::new()?;
    let child = mp::Process::new(ipc_serve, name.as_str()).start()?;
    let (_, ways) = server.accept()?;
    let measured = work(&ways);
    drop(ways);
    child.join()?;
    measured
}

fn round_trips(count: u64) -> Measured {
    with_server(|(ask, answers)| {
        let mut times = Vec::with_capacity(count as usize);
        for number in 0..count {
            let began = Instant::now();
            ask.send(Question::Square(number))?;
            let square = answers.recv()?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
            if square != number.wrapping_mul(number) as f64 {
                return Err("the wrong answer".into());
            }
        }
        Ok(middle(times))
    })
}

/// GB/s, from a slice that the caller has to its sum.
fn summed(length: usize, make: fn(&[f64]) -> Question) -> Measured {
    let numbers = vec![1.0_f64; length];
    with_server(|(ask, answers)| {
        let mut took = f64::NAN;
        for _ in 0..2 {
            let began = Instant::now();
            ask.send(make(&numbers))?;
            if answers.recv()? != length as f64 {
                return Err("the wrong sum".into());
            }
            took = began.elapsed().as_secs_f64();
        }
        Ok((length * 8) as f64 / took / 1e9)
    })
}
