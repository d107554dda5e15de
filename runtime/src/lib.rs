// The public face: what users name is re-exported here. The front page is the README, so that there is one of it.
#![doc = include_str!("../../README.md")]
#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("mp runs on 64-bit Linux only: it stands on memfd, futex, pidfd and robust lists");

mod channel;
mod codec;
mod entry;
mod error;
mod heap;
mod pool;
mod process;
mod session;
mod shared;
mod spawn;
mod sync;
mod sys;
mod task;
mod testing;

// Expansions of the macros say `::mp`, also in this crate's own tests.
#[cfg(test)]
extern crate self as mp;

pub use channel::{
    Duplex, GetAsync, Job, JoinableQueue, Lost, Message, OnDeath, Queue, QueueIter, QueueStream,
    Readable, Receiver, ReceiverIter, ReceiverStream, RecvAsync, SendError, Sender, Waitable,
    duplex, pipe, wait,
};
pub use codec::Plain;
pub use entry::init;
pub use error::{Context, Error, Failure, Result};
pub use pool::{
    AsCompleted, Handle, Imap, ImapUnordered, On, Pool, PoolBuilder, as_completed, cancelled, map,
    wait_all, wait_any,
};
pub use process::{
    ActiveChild, Child, CurrentProcess, ParentProcess, Process, Stdio, active_children, cpu_count,
    current_process, parent_process, set_forkserver_preload,
};
pub use shared::{
    Array, ArrayGuard, Atomic, AtomicBits, AtomicNumber, AtomicValue, Buffer, Chunk, RawArray,
    RawValue, Value, ValueGuard,
};
pub use spawn::{StartMethod, get_start_method, set_start_method};
pub use sync::{
    Barrier, BoundedSemaphore, Condition, Event, Lock, LockError, LockGuard, LockResult, Permit,
    Poisoned, RLock, RLockGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore,
    TryLockResult,
};
pub use task::{IntoArg, IntoInput, Items, ParamTuple, Reducer, Task};

/// Paths as bytes, for `#[serde(with = "mp::serde_path")]`: they travel whatever their bytes, also inside `untagged`, `tag` and
/// `flatten`.
pub mod serde_path {
    pub use crate::codec::paths::{deserialize, serialize};
}

#[doc(inline)]
pub use mp_macros::{Plain, main, task, test};

/// What expanded code names; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::channel::sealed::{Sleep, Source};
    pub use crate::codec::__private::{
        Encoded, OwnedTag, Plain, Probe, Reader, Scrub, Tag, Travels, Writer, decode_bytes,
        encode_bytes, plain_value, valid_field,
    };
    pub use crate::entry::run_main;
    pub use crate::error::__private::*;
    pub use crate::sys::futex::calls as waiting_calls;
    pub use crate::task::__private::*;
    pub use crate::testing::run_test;
}
