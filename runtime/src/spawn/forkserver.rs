#![allow(unsafe_code)]
//! The fork server: a child with one thread that copies itself when its parent asks.
//!
//! Relies on `desk` (what they tell each other) and `sys::fork` (the copy, which is a child of the parent's). It runs code of
//! the user's only before it serves, and never looks at its children. It ends with its parent, by its lifeline, or when the
//! parent ends it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, fchdir};

use super::desk::{CANNOT, CHANGE_DIRECTORY, COPY, Changes, Desk, HOLD, READY, RECEIVE};
use crate::error::{Error, Kind, Result};
use crate::heap::{Heap, Inherited, SlotId};
use crate::sys::fork::{Means, Side};
use crate::sys::futex::{self, Change};
use crate::sys::points::stored;
use crate::sys::{child, lifeline, pass, program};

/// The server's side.
pub(crate) struct Server {
    heap: &'static Heap,
    desk: Desk,
    socket: OwnedFd,
    means: Option<Means>,
    seen: u32,
    /// The server's own lifeline, by its number.
    lifeline: RawFd,
    /// The next copy's: a copy that opens it itself has /proc to search, which it would not otherwise.
    prepared: Option<OwnedFd>,
}

/// What a copy is to become.
pub(crate) struct Begun {
    pub(crate) slot: SlotId,
    pub(crate) inherited: Inherited,
    /// A lifeline that is this copy's alone, where the server has prepared one.
    pub(crate) lifeline: Option<OwnedFd>,
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
}

/// What it cannot do for a request, and why.
type Failed = (u32, io::Error);

impl Server {
    /// The server whose desk is at `offset`, and which has its lifeline, armed, under this number.
    pub(crate) fn open(heap: &'static Heap, offset: u64, lifeline: RawFd) -> Result<Server> {
        let desk = Desk::at(heap, offset)?;
        let socket = desk.words.socket.load(Ordering::Relaxed) as RawFd;
        if socket <= 2 {
            return Err(Error::new(Kind::Protocol, "a fork server has no socket"));
        }
        // SAFETY: a number above 2, which the parent has kept open for this process; nothing else here owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        // What a preloading task starts is not to inherit it.
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|cause| {
            Error::system("cannot keep the fork server's socket to itself", cause)
        })?;
        Ok(Server {
            heap,
            desk,
            socket,
            means: Means::find(),
            seen: 0,
            lifeline,
            prepared: None,
        })
    }

    /// Serves from here on. Returns in copies only, in each once.
    ///
    /// # Safety
    /// The calling thread is the only one of this process, and holds no lock.
    pub(crate) unsafe fn serve(mut self) -> Result<Begun> {
        let cannot = |what: &str, cause: io::Error| Error::system(what, cause);
        program::fill_standard_descriptors()
            .map_err(|cause| cannot("cannot open /dev/null for a closed stream", cause))?;
        program::flush_streams();
        let words = self.desk.words;
        words.peak.store(child::own_peak(), Ordering::Relaxed);
        let word = if self.means.is_some() { READY } else { CANNOT };
        pass::send(&self.socket, word, &[])
            .map_err(|cause| cannot("a fork server cannot reach its parent", cause))?;
        loop {
            if self.prepared.is_none() {
                // Where that fails the copy does it for itself, and says why it cannot.
                self.prepared = lifeline::prepare(self.lifeline).ok();
            }
            if words.asked.load(Ordering::Acquire) == self.seen {
                futex::wait(&words.asked, self.seen, None);
                continue;
            }
            self.seen = self.seen.wrapping_add(1);
            // SAFETY: the caller's promise.
            match unsafe { self.answer() } {
                Ok(None) => {}
                Ok(Some(begun)) => return Ok(begun),
                Err((step, cause)) => {
                    let errno = cause.raw_os_error().unwrap_or(0);
                    words.errno.store(errno as u32, Ordering::Relaxed);
                    words.step.store(step, Ordering::Relaxed);
                }
            }
            futex::change_and_wake(&words.answered, Change::Add(1));
            stored("answered");
        }
    }

    /// Does what is asked; `None` on this side.
    unsafe fn answer(&mut self) -> std::result::Result<Option<Begun>, Failed> {
        let words = self.desk.words;
        let slot = SlotId {
            index: words.slot.load(Ordering::Relaxed),
            generation: words.generation.load(Ordering::Relaxed),
        };
        stored("asked");
        let streams = self.streams().map_err(|cause| (RECEIVE, cause))?;
        let none = || (COPY, Errno::ENOSYS.into());
        let means = self.means.as_ref().ok_or_else(none)?;
        let Changes {
            directory,
            environment,
        } = self.changes();
        let hold = |_| (HOLD, io::ErrorKind::OutOfMemory.into());
        let inherited = self.heap.hold_for(slot).map_err(hold)?;
        stored("held");
        let moved = |cause: nix::Error| (CHANGE_DIRECTORY, cause.into());
        let home = match &directory {
            Some(path) => {
                let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let home = open(".", flags, Mode::empty()).map_err(moved)?;
                chdir(path.as_os_str()).map_err(moved)?;
                Some(home)
            }
            None => None,
        };
        // SAFETY: the caller's promise.
        let side = unsafe { means.copy(&words.pid) };
        if let (Some(home), Ok(Side::Original) | Err(_)) = (&home, &side) {
            // Children to come would begin in the wrong place; another server will not.
            if fchdir(home.as_fd()).is_err() {
                std::process::exit(70);
            }
        }
        match side.map_err(|cause| (COPY, cause))? {
            Side::Original => {
                self.prepared = None;
                stored("copied");
                Ok(None)
            }
            Side::Copy => {
                for (stream, descriptor) in &streams {
                    // Both are open: that leaves nothing to fail.
                    let _ = pass::become_stream(descriptor, *stream);
                }
                Ok(Some(Begun {
                    slot,
                    inherited,
                    lifeline: self.prepared.take(),
                    environment,
                }))
            }
        }
    }

    /// The standard streams that come with the request, by number.
    fn streams(&self) -> io::Result<Vec<(RawFd, OwnedFd)>> {
        let wanted = self.desk.words.streams.load(Ordering::Relaxed);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        loop {
            let (number, descriptors) = pass::receive(&self.socket)?;
            // Those of a request that was given up before stand in front of them.
            if number == self.seen {
                let streams = (0..3).filter(|stream| wanted & 1 << stream != 0);
                return Ok(streams.zip(descriptors).collect());
            }
        }
    }

    fn changes(&self) -> Changes {
        let words = self.desk.words;
        let len = words.changes_len.load(Ordering::Relaxed) as usize;
        let block = match words.changes.load(Ordering::Relaxed) {
            0 => None,
            offset => self.heap.at(offset, len).ok(),
        };
        let Some(base) = block else {
            return Changes::default();
        };
        let mut bytes = vec![0; len];
        // SAFETY: inside the mapping and the file; the parent keeps the block, and writes it no more, until it has an answer.
        unsafe {
            base.as_ptr()
                .copy_to_nonoverlapping(bytes.as_mut_ptr(), len)
        };
        Changes::from_bytes(&bytes)
    }
}
