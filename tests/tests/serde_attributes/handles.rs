//! Commands with handles in them, in all the ways that serde writes enums: they travel and work in
//! another process, and there is no other way to come by one.

use mp::{Buffer, Event, Lock, Pool, Process, Queue, Sender, Value};
use serde::{Deserialize, Serialize};

/// All that a command may need.
#[derive(Serialize, Deserialize)]
struct Parts {
    data: Buffer<u8>,
    reply: Queue<u64>,
    to: Sender<u64>,
    count: Value<u64>,
    lock: Lock,
    done: Event,
}

impl Parts {
    /// What the other end does with them.
    fn work(&self) -> Result<(), mp::Failure> {
        let sum = self.data.iter().map(|byte| u64::from(*byte)).sum();
        {
            let _guard = self.lock.lock()?;
            self.count.set(sum)?;
        }
        self.reply.put(sum + 1)?;
        self.to.send(sum + 2)?;
        self.done.set()?;
        Ok(())
    }
}

/// Makes the parts, gives them to `send`, and looks whether all of them have worked.
fn answered(send: impl FnOnce(Parts)) {
    let (to, from) = mp::pipe().expect("a pipe");
    let (reply, count) = (
        Queue::unbounded().expect("a queue"),
        Value::new(0).expect("a value"),
    );
    let (lock, done) = (
        Lock::new().expect("a lock"),
        Event::new().expect("an event"),
    );
    send(Parts {
        data: Buffer::copy_of(&[1, 2, 3]).expect("a buffer"),
        reply: reply.clone(),
        to,
        count: count.clone(),
        lock: lock.clone(),
        done: done.clone(),
    });
    let minute = std::time::Duration::from_secs(60);
    assert!(done.wait_timeout(minute).expect("an event"));
    assert_eq!(reply.get_timeout(minute).expect("a queue"), Some(7));
    assert_eq!(from.recv_timeout(minute).expect("a pipe"), Some(8));
    assert_eq!(count.get().expect("a value"), 6);
    assert!(!lock.is_locked());
}

macro_rules! commands {
    ($($module:ident $(#[$attribute:meta])?;)+) => {$(
        mod $module {
            use super::*;

            #[derive(Serialize, Deserialize)]
            $(#[$attribute])?
            // As users write it.
            #[allow(clippy::large_enum_variant)]
            enum Command {
                Struct { id: u32, parts: Parts },
                Newtype(Box<Inside>),
                Stop,
            }

            #[derive(Serialize, Deserialize)]
            struct Inside {
                inner: Vec<Parts>,
            }

            #[mp::task]
            fn serve(commands: Queue<Command>) -> Result<u64, mp::Failure> {
                let mut served = 0;
                loop {
                    match commands.get()? {
                        Command::Struct { id: 1, parts } => parts.work()?,
                        Command::Struct { id, .. } => panic!("{id} is not what was sent"),
                        Command::Newtype(inside) => inside.inner[0].work()?,
                        Command::Stop => return Ok(served),
                    }
                    served += 1;
                }
            }

            #[mp::task]
            fn run(command: Command) -> Result<(), mp::Failure> {
                match command {
                    Command::Struct { parts, .. } => parts.work(),
                    Command::Newtype(inside) => inside.inner[0].work(),
                    Command::Stop => Ok(()),
                }
            }

            #[mp::test]
            fn travel_and_work() {
                let commands = Queue::unbounded().expect("a queue");
                let server = Process::new(serve, commands.clone()).start().expect("a process");
                let put = |command| commands.put(command).expect("it is sent");
                answered(|parts| put(Command::Struct { id: 1, parts }));
                let newtype = |parts| Command::Newtype(Box::new(Inside { inner: vec![parts] }));
                answered(|parts| put(newtype(parts)));
                put(Command::Stop);
                assert_eq!(server.join().expect("it ends well"), 2);
                // As arguments.
                let pool = Pool::builder().workers(1).build().expect("a pool");
                answered(|parts| pool.apply(run, newtype(parts)).expect("it is sent"));
                answered(|parts| {
                    pool.apply(run, Command::Struct { id: 1, parts }).expect("it is sent");
                });
            }

            #[mp::test]
            fn cannot_be_forged() {
                answered(|parts| {
                    let command = Command::Struct { id: 1, parts };
                    assert!(serde_json::to_value(&command).is_err(), "it has no other form");
                    let Command::Struct { parts, .. } = command else {
                        unreachable!("it was made so")
                    };
                    parts.work().expect("it is as it was");
                });
                // Numbers, bytes and lists where handles would stand.
                for part in ["0", "1", "[0]", "[0,0]", "\"0\"", "null", "{}", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]"] {
                    let parts = ["data", "reply", "to", "count", "lock", "done"]
                        .map(|name| format!("\"{name}\":{part}"))
                        .join(",");
                    for text in [
                        format!("{{\"Struct\":{{\"id\":1,\"parts\":{{{parts}}}}}}}"),
                        format!("{{\"do\":\"Struct\",\"id\":1,\"parts\":{{{parts}}}}}"),
                        format!("{{\"do\":\"Struct\",\"with\":{{\"id\":1,\"parts\":{{{parts}}}}}}}"),
                        format!("{{\"id\":1,\"parts\":{{{parts}}}}}"),
                    ] {
                        assert!(serde_json::from_str::<Command>(&text).is_err(), "{text}");
                    }
                }
            }
        }
    )+};
}
commands! {
    external;
    internal #[serde(tag = "do")];
    adjacent #[serde(tag = "do", content = "with")];
    untagged #[serde(untagged)];
}

#[derive(Serialize, Deserialize)]
struct Flat {
    id: u32,
    #[serde(flatten)]
    parts: Parts,
}

#[mp::task]
fn run_flat(flat: Flat) -> Result<Queue<u64>, mp::Failure> {
    flat.parts.work()?;
    Ok(flat.parts.reply)
}

#[mp::test]
fn flattened_handles_travel_and_work() {
    let pool = Pool::builder().workers(1).build().expect("a pool");
    answered(|parts| {
        let reply = pool
            .apply(run_flat, Flat { id: 1, parts })
            .expect("it is sent");
        // The one that comes back is the one that was sent.
        let minute = std::time::Duration::from_secs(60);
        let sum = reply
            .get_timeout(minute)
            .expect("a queue")
            .expect("an answer");
        reply.put(sum).expect("room");
    });
}

/// A handle that stands behind a variant that was tried before.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Tried {
    First {
        reply: Queue<u64>,
        other: u32,
    },
    Second {
        reply: Queue<u64>,
        more: String,
    },
    Third {
        reply: Queue<u64>,
        done: Option<Event>,
    },
}

#[mp::test]
fn a_handle_is_read_by_each_variant_that_is_tried() {
    let reply = Queue::unbounded().expect("a queue");
    let sent = Tried::Third {
        reply: reply.clone(),
        done: None,
    };
    let found = crate::ways::travel(sent).expect("it is sent");
    let Tried::Third {
        reply: found,
        done: None,
    } = found
    else {
        panic!("another variant has come");
    };
    found.put(7).expect("room");
    assert_eq!(reply.try_get().expect("a queue"), Some(7));
}

/// serde tries one variant after the other; a receiver, of which there is one, is there for each.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Moved {
    Named {
        from: mp::Receiver<u64>,
        name: String,
    },
    Bare {
        from: mp::Receiver<u64>,
    },
}

#[mp::task]
fn first_number(moved: Moved) -> Result<u64, mp::Failure> {
    let from = match &moved {
        Moved::Named { from, name } if name == "named" => from,
        Moved::Named { name, .. } => mp::bail!("the name is {name}"),
        Moved::Bare { from } => from,
    };
    Ok(from.recv()?)
}

#[mp::test]
fn a_receiver_survives_the_variants_that_do_not_fit() -> mp::Result<()> {
    let pool = mp::Pool::builder().workers(1).build()?;
    for number in 0..20 {
        let (to, from) = mp::pipe()?;
        to.send(number)?;
        let moved = match number % 2 {
            0 => Moved::Bare { from },
            _ => Moved::Named {
                from,
                name: "named".to_owned(),
            },
        };
        assert_eq!(pool.apply(first_number, moved)?, number);
        // Whichever variant it was, the receiver went with the task.
        assert!(to.send(0).is_err());
    }
    Ok(())
}
