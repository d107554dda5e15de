//! A value that fails where and how it is told to, on its way to a worker and back.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use mp::Failure;
use mp_tests::grief;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    EncodeArgument,
    DecodeArgument,
    Run,
    EncodeResult,
    DecodeResult,
    /// Nowhere: an ordinary item.
    Never,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Error,
    Panic,
    Exit,
    Abort,
    Kill,
    Segfault,
}

const STAGES: [Stage; 6] = [
    Stage::EncodeArgument,
    Stage::DecodeArgument,
    Stage::Run,
    Stage::EncodeResult,
    Stage::DecodeResult,
    Stage::Never,
];

pub(crate) const WAYS: [Way; 6] = [
    Way::Error,
    Way::Panic,
    Way::Exit,
    Way::Abort,
    Way::Kill,
    Way::Segfault,
];

impl Way {
    /// Does it; comes back only to say that this is an error.
    fn happen(self) {
        match self {
            Way::Error => {}
            Way::Panic => panic!("a trial"),
            Way::Exit => grief::end("exit 3"),
            Way::Abort => grief::end("abort"),
            Way::Kill => grief::end("kill"),
            Way::Segfault => grief::end("segfault"),
        }
    }

    pub(crate) fn signal(self) -> Option<i32> {
        match self {
            Way::Abort => Some(6),
            Way::Kill => Some(9),
            Way::Segfault => Some(11),
            Way::Error | Way::Panic | Way::Exit => None,
        }
    }
}

/// An item of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    pub(crate) id: u64,
    pub(crate) stage: Stage,
    pub(crate) way: Way,
}

/// What comes back for it.
#[derive(Debug)]
pub(crate) struct Verdict(Trial);

impl Verdict {
    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }
}

impl Trial {
    fn write<S: Serializer>(&self, to: S, at: Stage) -> Result<S::Ok, S::Error> {
        if self.stage == at {
            self.way.happen();
            return Err(S::Error::custom("a trial"));
        }
        let mut tuple = to.serialize_tuple(3)?;
        tuple.serialize_element(&self.id)?;
        tuple.serialize_element(&(self.stage as u8))?;
        tuple.serialize_element(&(self.way as u8))?;
        tuple.end()
    }

    fn read<'d, D: Deserializer<'d>>(from: D, at: Stage) -> Result<Self, D::Error> {
        let (id, stage, way) = <(u64, u8, u8)>::deserialize(from)?;
        let trial = Trial {
            id,
            stage: STAGES[stage as usize],
            way: WAYS[way as usize],
        };
        if trial.stage == at {
            trial.way.happen();
            return Err(D::Error::custom("a trial"));
        }
        Ok(trial)
    }
}

impl Serialize for Trial {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.write(to, Stage::EncodeArgument)
    }
}

impl<'d> Deserialize<'d> for Trial {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        Trial::read(from, Stage::DecodeArgument)
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.write(to, Stage::EncodeResult)
    }
}

impl<'d> Deserialize<'d> for Verdict {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        Trial::read(from, Stage::DecodeResult).map(Verdict)
    }
}

#[mp::task]
pub(crate) fn judge(trial: Trial) -> Result<Verdict, Failure> {
    if trial.stage == Stage::Run {
        trial.way.happen();
        return Err(Failure::new("a trial"));
    }
    Ok(Verdict(trial))
}

/// Ends its worker a little later, when it is idle.
#[mp::task]
pub(crate) fn end_later(way: u8) {
    let way = WAYS[way as usize];
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        way.happen();
    });
}

/// The workers that are killed in the middle of the next large argument, and how.
pub(crate) static VICTIMS: Mutex<Vec<(u32, Signal)>> = Mutex::new(Vec::new());

/// An argument of some size, in two halves; between them a thread kills workers.
pub(crate) struct Huge {
    pub(crate) half: Vec<u8>,
}

struct Bytes<'b>(&'b [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

impl Serialize for Huge {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut tuple = to.serialize_tuple(2)?;
        tuple.serialize_element(&Bytes(&self.half))?;
        let victims = std::mem::take(&mut *VICTIMS.lock().expect("nobody panics with it"));
        let killer = std::thread::spawn(move || {
            victims.iter().for_each(|(pid, signal)| end(*pid, *signal));
        });
        killer.join().expect("it kills");
        tuple.serialize_element(&Bytes(&self.half))?;
        tuple.end()
    }
}

impl<'d> Deserialize<'d> for Huge {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        let (half, _) = <(serde_bytes_like::Buffer, serde_bytes_like::Buffer)>::deserialize(from)?;
        Ok(Huge { half: half.0 })
    }
}

mod serde_bytes_like {
    //! A vector that is read in one piece.

    use serde::{Deserialize, Deserializer, de};

    pub(super) struct Buffer(pub(super) Vec<u8>);

    impl<'d> Deserialize<'d> for Buffer {
        fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
            struct Whole;
            impl de::Visitor<'_> for Whole {
                type Value = Buffer;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Buffer, E> {
                    Ok(Buffer(bytes.to_vec()))
                }
                fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Buffer, E> {
                    Ok(Buffer(bytes))
                }
            }
            from.deserialize_byte_buf(Whole)
        }
    }
}

#[mp::task]
pub(crate) fn weigh(huge: Huge) -> u64 {
    huge.half.len() as u64
}

/// Sends the signal until the process has ended; that it is not reaped yet does not matter. A SIGSEGV that no fault has caused
/// only takes std's own handler away, the first time.
pub(crate) fn end(pid: u32, signal: Signal) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while mp_tests::program::is_alive(pid as i32) {
        let _ = kill(Pid::from_raw(pid as i32), signal);
        assert!(Instant::now() < deadline, "pid {pid} does not die");
        std::thread::sleep(Duration::from_micros(200));
    }
}
