#![allow(unsafe_code)]
//! What a process and its fork server tell each other (the start method `forkserver`).
//!
//! Relies on futexes and `sys::pass` (descriptors). The server is a child like any other; both sides share a [`Desk`], a block of
//! the parent's, and a pair of sockets. The server's side of it is in `forkserver`.
//!
//! | word | who | what it means |
//! |---|---|---|
//! | `asked` | parent, one thread at a time | counts requests; the fields of the request stand before it is raised |
//! | `pid` | parent: 0 before it asks; then the kernel | the child there is; written before the child's first instruction |
//! | `answered` | server, with Release | equals `asked` when the answer stands; the request is then not looked at any more |
//! | `state` of the child's slot | child: 0 → WAITING; parent: → GO or LEAVE, once | whether the child may run |
//!
//! **A server that dies** in the middle of a request leaves no doubt. Once it is gone, `pid` says whether there is a child: the
//! kernel writes it in the same call that makes the child. If so, the request is answered; if not, it can be made again.
//!
//! **A child does not run before its parent has a descriptor of it** ([`may_run`]): until then it could end, and where statuses are
//! taken by others (SIGCHLD ignored) its number could be somebody else's. It does its own beginning meanwhile.
//!
//! Sleeping: the server on `asked`, its parent on `answered` and on the server's liveness word, the child on its slot's state, each
//! woken by the call that changes the word, or by the death of whom it waits for (children by their lifeline).

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Settings, reexec};
use crate::error::{Error, Kind, Result};
use crate::heap::{Heap, Life, SlotId};
use crate::sys::futex::{self, Change};
use crate::sys::{child, pass};

#[repr(C, align(64))]
pub(super) struct Words {
    pub(super) asked: AtomicU32,
    pub(super) slot: AtomicU32,
    pub(super) generation: AtomicU32,
    /// Bit by bit, which of the standard streams come through the socket.
    pub(super) streams: AtomicU32,
    /// What else is to be changed, in this block; none where it is 0.
    pub(super) changes: AtomicU64,
    pub(super) changes_len: AtomicU64,
    /// The server's socket, by its number there.
    pub(super) socket: AtomicU32,
    gap: [AtomicU32; 7],
    pub(super) answered: AtomicU32,
    pub(super) pid: AtomicU32,
    pub(super) step: AtomicU32,
    pub(super) errno: AtomicU32,
    /// The most memory the server had when it began to serve.
    pub(super) peak: AtomicU64,
}

/// What the server was at when it failed; 0: it did not.
pub(super) const CHANGE_DIRECTORY: u32 = 1;
pub(super) const RECEIVE: u32 = 2;
pub(super) const HOLD: u32 = 3;
pub(super) const COPY: u32 = 4;

/// In the state of a child's slot.
const WAITING: u32 = 1;
const GO: u32 = 2;
const LEAVE: u32 = 3;

/// What the server says through the socket when it is up.
pub(super) const READY: u32 = 1;
pub(super) const CANNOT: u32 = 2;

/// What both sides share.
#[derive(Clone, Copy)]
pub(crate) struct Desk {
    pub(super) words: &'static Words,
}

/// A request that was made.
pub(crate) struct Asked {
    number: u32,
    changes: Option<u64>,
}

/// What came of a request.
pub(crate) enum Answer {
    /// The child there is; it waits for [`Desk::let_run`].
    Child(u32),
    /// There is none, and the server says why.
    Refused(Error),
    /// There is none, and never will be: the system makes no such copies.
    Unable,
    /// The server has died; whether it made a child is known once it is gone ([`Desk::child_of_the_dead`]).
    Dead,
}

impl Desk {
    pub(crate) const SIZE: usize = size_of::<Words>();

    /// The desk in a block of the heap.
    pub(crate) fn at(heap: &Heap, offset: u64) -> Result<Desk> {
        let base: NonNull<Words> = heap.at(offset, Self::SIZE)?.cast();
        if !base.is_aligned() {
            return Err(Error::new(Kind::Protocol, "a desk stands askew"));
        }
        // SAFETY: inside the mapping, which is never unmapped; aligned; nothing but atomics.
        let words = unsafe { base.as_ref() };
        Ok(Desk { words })
    }

    /// Clears it for a new server, which finds its end of the sockets under this number.
    pub(crate) fn reset(&self, socket: RawFd) {
        let Words {
            asked,
            answered,
            pid,
            peak,
            ..
        } = self.words;
        for word in [asked, answered, pid] {
            word.store(0, Ordering::Relaxed);
        }
        peak.store(0, Ordering::Relaxed);
        self.words.socket.store(socket as u32, Ordering::Relaxed);
    }

    /// The most memory the server had when it began to serve, in bytes: no child of it ever had less.
    pub(crate) fn peak(&self) -> u64 {
        self.words.peak.load(Ordering::Relaxed)
    }

    /// Waits until the server is up; whether it can make children. `None`: it has ended instead.
    pub(crate) fn wait_for_server(socket: &OwnedFd, pidfd: &OwnedFd) -> io::Result<Option<bool>> {
        loop {
            let mut both = [socket, pidfd].map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN));
            match poll(&mut both, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            match pass::receive(socket) {
                Ok((word, _)) => return Ok(Some(word == READY)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if child::poll_readable(pidfd, Some(Instant::now()))? {
                        return Ok(None);
                    }
                }
                // The other end is closed, and the process about to go.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for a child with this slot; `changes`, where environment or directory are not to be those of the server.
    pub(crate) fn ask(
        &self,
        heap: &Heap,
        socket: &OwnedFd,
        slot: SlotId,
        settings: &Settings,
        changes: Option<&[u8]>,
    ) -> Result<Asked> {
        let words = self.words;
        let number = words.asked.load(Ordering::Relaxed).wrapping_add(1);
        let mut streams = 0;
        let mut passed: Vec<BorrowedFd<'_>> = Vec::new();
        for (stream, descriptor) in settings.stdio.iter().enumerate() {
            if let Some(descriptor) = descriptor {
                streams |= 1 << stream;
                passed.push(descriptor.as_fd());
            }
        }
        let block = match changes {
            Some(bytes) => {
                let block = heap.alloc(bytes.len(), 64)?;
                let base = heap.at(block.offset, bytes.len())?;
                // SAFETY: the block is ours alone, and at least this long.
                unsafe {
                    base.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
                }
                words
                    .changes_len
                    .store(bytes.len() as u64, Ordering::Relaxed);
                Some(block.offset)
            }
            None => None,
        };
        if !passed.is_empty()
            && let Err(cause) = pass::send(socket, number, &passed)
        {
            if let Some(block) = block {
                let _ = heap.free(block);
            }
            return Err(Error::system("cannot pass a child's streams on", cause));
        }
        words.changes.store(block.unwrap_or(0), Ordering::Relaxed);
        words.streams.store(streams, Ordering::Relaxed);
        words.slot.store(slot.index, Ordering::Relaxed);
        words.generation.store(slot.generation, Ordering::Relaxed);
        words.pid.store(0, Ordering::Relaxed);
        words.step.store(0, Ordering::Relaxed);
        futex::change_and_wake(&words.asked, Change::Add(1));
        Ok(Asked {
            number,
            changes: block,
        })
    }

    /// Waits for what comes of it. `server` is the slot of the server, and `pidfd` its descriptor.
    pub(crate) fn wait(
        &self,
        heap: &Heap,
        asked: &Asked,
        server: SlotId,
        pidfd: &OwnedFd,
    ) -> Result<Answer> {
        let words = self.words;
        loop {
            let seen = words.answered.load(Ordering::Acquire);
            if seen == asked.number {
                break;
            }
            let Life::Alive(liveness, alive) = heap.processes().life(server) else {
                return Ok(Answer::Dead);
            };
            // Where the kernel keeps no such word, the descriptor is looked at now and then.
            let unknown = alive == 0;
            let soon = unknown.then(|| Instant::now() + futex::LOOK_AGAIN);
            futex::wait_any(&[(&words.answered, seen), (liveness, alive)], soon);
            if unknown && child::poll_readable(pidfd, Some(Instant::now())).unwrap_or(true) {
                return Ok(Answer::Dead);
            }
        }
        let errno = words.errno.load(Ordering::Relaxed);
        let cause = io::Error::from_raw_os_error(errno as i32);
        Ok(match words.step.load(Ordering::Relaxed) {
            0 => match words.pid.load(Ordering::Relaxed) {
                0 => Answer::Dead,
                pid => Answer::Child(pid),
            },
            CHANGE_DIRECTORY => Answer::Refused(reexec::cannot_start(io::Error::new(
                cause.kind(),
                format!("cannot change the directory for the new process: {cause}"),
            ))),
            RECEIVE => Answer::Refused(reexec::cannot_start(io::Error::new(
                cause.kind(),
                format!("cannot hand the standard streams to the new process: {cause}"),
            ))),
            HOLD => Answer::Refused(Error::new(
                Kind::HeapFull,
                "the shared heap has no room for what a new process holds",
            )),
            // A limit that is reached may be so no more the next time; these are what a kernel or a filter says on principle.
            _ if [Errno::EPERM, Errno::EINVAL, Errno::ENOSYS]
                .iter()
                .any(|never| *never as i32 == errno as i32) =>
            {
                Answer::Unable
            }
            _ => Answer::Refused(reexec::cannot_start(cause)),
        })
    }

    /// The child that a server made before it died. Only when the server is gone.
    pub(crate) fn child_of_the_dead(&self) -> Option<u32> {
        match self.words.pid.load(Ordering::Acquire) {
            0 => None,
            pid => Some(pid),
        }
    }

    /// Gives back what the request took; when it was answered, or the server is gone.
    pub(crate) fn forget(heap: &Heap, asked: Asked) {
        if let Some(block) = asked.changes {
            let _ = heap.free(block);
        }
    }

    /// Lets the child in this slot run, or has it leave.
    pub(crate) fn let_run(heap: &Heap, slot: SlotId, run: bool) {
        if let Ok(slot) = heap.processes().slot(slot)
            && slot
                .state
                .swap(if run { GO } else { LEAVE }, Ordering::AcqRel)
                == WAITING
        {
            futex::wake_all(&slot.state);
        }
    }
}

/// Waits until the parent of this forked child says whether it may run.
pub(crate) fn may_run(heap: &Heap, me: SlotId) -> bool {
    let Ok(slot) = heap.processes().slot(me) else {
        return false;
    };
    let _ = slot
        .state
        .compare_exchange(0, WAITING, Ordering::AcqRel, Ordering::Acquire);
    loop {
        match slot.state.load(Ordering::Acquire) {
            // The parent's end would end this process, too.
            WAITING => drop(futex::wait(&slot.state, WAITING, None)),
            state => return state == GO,
        }
    }
}

/// What is to be other in a child than in its fork server.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) directory: Option<OsString>,
    /// The whole of it.
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
}

impl Changes {
    /// In bytes: whether there is an environment, the directory, the variables, each with a NUL behind it. `None` where nothing is
    /// to be changed.
    pub(crate) fn to_bytes(&self) -> Result<Option<Vec<u8>>> {
        if self.directory.is_none() && self.environment.is_none() {
            return Ok(None);
        }
        let mut bytes = vec![u8::from(self.environment.is_some())];
        let directory = self.directory.as_deref().unwrap_or_default();
        bytes.extend(reexec::c_string("the directory", directory)?.as_bytes_with_nul());
        for (name, value) in self.environment.iter().flatten() {
            let mut pair = name.clone();
            pair.push("=");
            pair.push(value);
            bytes.extend(reexec::c_string("the environment variable", &pair)?.as_bytes_with_nul());
        }
        Ok(Some(bytes))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Changes {
        let Some((has_environment, rest)) = bytes.split_first() else {
            return Changes::default();
        };
        let mut parts = rest
            .strip_suffix(&[0])
            .unwrap_or(rest)
            .split(|byte| *byte == 0);
        let directory = parts.next().filter(|path| !path.is_empty());
        let pair = |text: &[u8]| {
            // A name may begin with `=`, as std has it.
            let at = text.iter().skip(1).position(|byte| *byte == b'=')? + 1;
            let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((own(&text[..at]), own(&text[at + 1..])))
        };
        Changes {
            directory: directory.map(|path| OsString::from_vec(path.to_vec())),
            environment: (*has_environment != 0).then(|| parts.filter_map(pair).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_arrive_as_they_were() {
        let pairs = |all: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            all.iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        assert!(Changes::default().to_bytes().unwrap().is_none());
        for directory in [None, Some("/tmp/ü x")] {
            for environment in [
                None,
                Some(pairs(&[])),
                Some(pairs(&[("A", "b=c"), ("=X", ""), ("ö", "\n")])),
            ] {
                let changes = Changes {
                    directory: directory.map(OsString::from),
                    environment,
                };
                let bytes = changes.to_bytes().unwrap();
                let back = Changes::from_bytes(bytes.as_deref().unwrap_or_default());
                assert_eq!(
                    (&back.directory, &back.environment),
                    (&changes.directory, &changes.environment)
                );
            }
        }
        let nul = Changes {
            directory: Some("a\0b".into()),
            environment: None,
        };
        assert!(nul.to_bytes().unwrap_err().is_usage());
    }
}
