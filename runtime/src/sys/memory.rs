#![allow(unsafe_code)]
//! Shared and private memory: sealed memfds, mappings, what is resident, the limits that apply, and the fork mark.
//!
//! Relies on the kernel only. A file made here can grow but never shrink, and nobody can change that any more; so a byte
//! that once was inside the file never faults again, whatever another process does to it.

use nix::sys::resource::{Resource, getrlimit};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

const OUR_SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
const FORBIDDEN_SEALS: i32 = libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_FUTURE_WRITE;

/// Descriptors below this number are left to others (systemd's sockets, make's jobserver, shells).
const HIGH_DESCRIPTOR: u64 = 200;

/// The kernel commits this much per call: it undoes a call that a signal interrupts, so a program with a fast timer
/// would never finish a large one.
const COMMIT_STEP: u64 = 4 << 20;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The offset as the kernel wants it.
fn signed(offset: u64) -> io::Result<libc::off_t> {
    libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// A new memory file of this length that can grow but not shrink, closed on exec, under a high descriptor number.
pub(crate) fn create_sealed(name: &CStr, len: u64) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let make = |flags| -> io::Result<OwnedFd> {
        // SAFETY: `name` is a C string; a result that is not negative is a descriptor that nobody else owns.
        unsafe {
            let fd = check(libc::memfd_create(name.as_ptr(), flags))?;
            Ok(OwnedFd::from_raw_fd(fd))
        }
    };
    // Systems that forbid executable memory files ask for the flag; kernels before 6.3 do not know it.
    let fd = match make(flags | libc::MFD_NOEXEC_SEAL) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => make(flags)?,
        other => other?,
    };
    lengthen(&fd, len)?;
    // SAFETY: a plain fcntl on a descriptor we own.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_ADD_SEALS, OUR_SEALS) })?;
    Ok(raise(fd))
}

/// Whether this is a memory file that cannot shrink, can grow, and whose seals are final.
pub(crate) fn is_sealed(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: a plain fcntl on a borrowed descriptor; files that know no seals answer EINVAL.
    match check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GET_SEALS) }) {
        Ok(seals) => Ok(seals & OUR_SEALS == OUR_SEALS && seals & FORBIDDEN_SEALS == 0),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves the descriptor to a high number where there is room; else leaves it where it is.
pub(crate) fn raise(fd: OwnedFd) -> OwnedFd {
    let from = HIGH_DESCRIPTOR.min(limit(Resource::RLIMIT_NOFILE) / 2);
    // SAFETY: a plain fcntl on a descriptor we own; a result that is not negative is a new descriptor of our own.
    unsafe {
        match check(libc::fcntl(
            fd.as_raw_fd(),
            libc::F_DUPFD_CLOEXEC,
            from as libc::c_int,
        )) {
            Ok(high) => OwnedFd::from_raw_fd(high),
            Err(_) => fd,
        }
    }
}

/// The length of the file.
pub(crate) fn length(fd: &OwnedFd) -> io::Result<u64> {
    // SAFETY: `stat` is plain data for which zeroes are valid, and it is writable for the call.
    let stat = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        check(libc::fstat(fd.as_raw_fd(), &mut stat))?;
        stat
    };
    Ok(stat.st_size as u64)
}

/// Makes the file at least this long. Another process may do the same at the same time: the longer one wins.
///
/// A limit on the size of files is looked at first, because the kernel answers a breach with a deadly signal.
pub(crate) fn lengthen(fd: &OwnedFd, len: u64) -> io::Result<()> {
    if len > file_size_limit() {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    // SAFETY: a plain call on a descriptor we own.
    match check(unsafe { libc::ftruncate(fd.as_raw_fd(), signed(len)?) }) {
        Ok(_) => Ok(()),
        // The seal refuses to make the file shorter: somebody made it longer in the meantime.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) && length(fd)? >= len => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives memory to a range of the file, so that touching it later cannot fail.
pub(crate) fn commit(fd: &OwnedFd, offset: u64, len: u64) -> io::Result<()> {
    let end = offset.saturating_add(len);
    let mut at = offset;
    let mut interruptions = 0;
    while at < end {
        let step = COMMIT_STEP.min(end - at);
        // SAFETY: a plain call on a descriptor we own.
        let result = unsafe { libc::fallocate(fd.as_raw_fd(), 0, signed(at)?, signed(step)?) };
        match check(result) {
            Ok(_) => at += step,
            Err(error) if error.kind() == io::ErrorKind::Interrupted && interruptions < 1000 => {
                interruptions += 1;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes the memory of a range away; the range reads as zeroes afterwards.
pub(crate) fn punch(fd: &OwnedFd, offset: u64, len: u64) -> io::Result<()> {
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: a plain call on a descriptor we own.
    check(unsafe { libc::fallocate(fd.as_raw_fd(), mode, signed(offset)?, signed(len)?) })?;
    Ok(())
}

/// Reads a part of the file without mapping it; short where the file ends.
pub(crate) fn read_at(fd: &OwnedFd, to: &mut [u8], offset: u64) -> io::Result<usize> {
    // SAFETY: `to` is writable for its whole length.
    let read = unsafe {
        libc::pread(
            fd.as_raw_fd(),
            to.as_mut_ptr().cast(),
            to.len(),
            signed(offset)?,
        )
    };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Maps `len` bytes of the file, shared and writable, whatever its present length. Never unmapped, kept out of core
/// dumps (a dump would read, and thereby allocate, all of a sparse file).
pub(crate) fn map_shared(fd: &OwnedFd, len: u64) -> io::Result<NonNull<u8>> {
    map(
        libc::MAP_SHARED | libc::MAP_NORESERVE,
        fd.as_raw_fd(),
        len,
        libc::MADV_DONTDUMP,
    )
}

/// Private zeroed memory of which only what is touched costs anything; a copy of this process finds zeroes there. Never
/// unmapped.
pub(crate) fn map_private(len: u64) -> io::Result<NonNull<u8>> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let base = map(flags, -1, len, libc::MADV_DONTDUMP)?;
    // SAFETY: the range is the mapping just made, which nobody else knows.
    check(unsafe { libc::madvise(base.as_ptr().cast(), len as usize, libc::MADV_WIPEONFORK) })?;
    Ok(base)
}

fn map(flags: i32, fd: i32, len: u64, advice: i32) -> io::Result<NonNull<u8>> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            fd,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range is the mapping just made.
    if let Err(error) = check(unsafe { libc::madvise(base, len, advice) }) {
        // SAFETY: as above; nobody knows the mapping yet.
        unsafe { libc::munmap(base, len) };
        return Err(error);
    }
    NonNull::new(base.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Fills the page tables of this process for a range that is in memory already.
///
/// Reading is enough: in a shared mapping the kernel enters pages around a read fault writable, so that a write
/// afterwards costs little, and it is three times as fast as populating for writing.
///
/// # Safety
/// The range lies inside a mapping of this process, and inside the file behind it.
pub(crate) unsafe fn populate_read(base: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller vouches for the range; the advice changes no byte of it.
    check(unsafe { libc::madvise(base.as_ptr().cast(), len, libc::MADV_POPULATE_READ) })?;
    Ok(())
}

fn limit(resource: Resource) -> u64 {
    getrlimit(resource).map_or(u64::MAX, |(soft, _hard)| soft)
}

/// The largest file this process may make (`ulimit -f`), in bytes.
pub(crate) fn file_size_limit() -> u64 {
    limit(Resource::RLIMIT_FSIZE)
}

/// The memory of the machine in bytes, or of the control group where that is readable and smaller.
pub(crate) fn total_memory() -> u64 {
    // SAFETY: `info` is plain data for which zeroes are valid, and it is writable for the call.
    let machine = unsafe {
        let mut info: libc::sysinfo = std::mem::zeroed();
        libc::sysinfo(&mut info);
        info.totalram.saturating_mul(u64::from(info.mem_unit))
    };
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    machine.min(group.unwrap_or(u64::MAX))
}

// A page of which the kernel gives a zeroed copy to every fork: 1 means "this is the process that wrote it".
static MARK: AtomicPtr<AtomicU8> = AtomicPtr::new(std::ptr::null_mut());

/// Remembers that this process is itself. Once per process, and again in a copy that we forked ourselves.
pub(crate) fn mark_process() -> io::Result<()> {
    let mut mark = MARK.load(Ordering::Acquire);
    if mark.is_null() {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        mark = map(flags, -1, 4096, libc::MADV_WIPEONFORK)?.as_ptr().cast();
        // Two threads at once: both pages are good, the first one published stays.
        let first = MARK.compare_exchange(
            std::ptr::null_mut(),
            mark,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        mark = first.err().unwrap_or(mark);
    }
    // SAFETY: a published mark is a page that is never unmapped.
    unsafe { (*mark).store(1, Ordering::Relaxed) };
    Ok(())
}

/// Whether this process is a copy that the program made by its own `fork`.
#[inline]
pub(crate) fn forked() -> bool {
    let mark = MARK.load(Ordering::Acquire);
    // SAFETY: a published mark is a page that is never unmapped.
    !mark.is_null() && unsafe { (*mark).load(Ordering::Relaxed) } == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::testing::copy;

    #[test]
    fn a_file_grows_and_never_shrinks() {
        let fd = create_sealed(c"test", 8192).unwrap();
        assert!(is_sealed(std::os::fd::AsFd::as_fd(&fd)).unwrap());
        lengthen(&fd, 1 << 20).unwrap();
        lengthen(&fd, 4096).unwrap();
        assert_eq!(length(&fd).unwrap(), 1 << 20);
        // SAFETY: a plain call on a descriptor of ours.
        assert!(unsafe { libc::ftruncate(fd.as_raw_fd(), 4096) } < 0);
        commit(&fd, 0, 1 << 20).unwrap();
        punch(&fd, 0, 1 << 20).unwrap();
        let mut byte = [1];
        assert_eq!(read_at(&fd, &mut byte, 100).unwrap(), 1);
        assert_eq!(byte, [0]);
        assert_eq!(read_at(&fd, &mut byte, 1 << 20).unwrap(), 0);
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        assert!(!is_sealed(std::os::fd::AsFd::as_fd(&file)).unwrap());
    }

    #[test]
    fn a_fork_is_told_apart() {
        mark_process().unwrap();
        assert!(!forked());
        let child = copy(|| {
            assert!(forked());
            mark_process().unwrap();
            assert!(!forked());
        });
        assert_eq!(child.wait(), 0);
        assert!(!forked());
        assert!(total_memory() > 1 << 20);
    }
}
