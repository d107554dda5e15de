#![allow(unsafe_code)]
//! Descriptors on their way from one process to another: a pair of sockets, and messages of one word with descriptors beside it.
//!
//! Relies on the kernel only. Both ends are closed on exec, under high numbers.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::memory;

/// The most descriptors in a message.
pub(crate) const MOST: usize = 3;

/// Room for the control message, aligned like its head.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; 64]);

const CONTROL: usize = {
    // SAFETY: pure arithmetic.
    unsafe { libc::CMSG_SPACE((MOST * size_of::<RawFd>()) as u32) as usize }
};
const _: () = assert!(CONTROL <= size_of::<Control>());

/// The two ends.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: room for two descriptors, which nobody else owns when the call succeeds.
    unsafe {
        if libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        let [one, other] = ends.map(|end| OwnedFd::from_raw_fd(end));
        Ok((memory::raise(one), memory::raise(other)))
    }
}

fn header(word: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: zeroes are a valid header without addresses.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = word;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL as _;
    header
}

/// Sends a word, with descriptors or without ([`MOST`] at the most). Waits only if the other side has left messages unread.
pub(crate) fn send(to: &OwnedFd, word: u32, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let bytes = size_of_val(descriptors);
    if descriptors.len() > MOST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut word = word;
    let mut part = libc::iovec {
        iov_base: (&raw mut word).cast(),
        iov_len: size_of::<u32>(),
    };
    let mut control = Control([MaybeUninit::zeroed(); 64]);
    let mut header = header(&mut part, &mut control);
    // SAFETY: the control message lies inside `control`, which has room for it; descriptors are plain numbers there.
    let sent = unsafe {
        if descriptors.is_empty() {
            header.msg_control = std::ptr::null_mut();
            header.msg_controllen = 0;
        } else {
            header.msg_controllen = libc::CMSG_SPACE(bytes as u32) as _;
            let message = libc::CMSG_FIRSTHDR(&header);
            (*message).cmsg_level = libc::SOL_SOCKET;
            (*message).cmsg_type = libc::SCM_RIGHTS;
            (*message).cmsg_len = libc::CMSG_LEN(bytes as u32) as _;
            let data = libc::CMSG_DATA(message).cast::<RawFd>();
            for (index, descriptor) in descriptors.iter().enumerate() {
                data.add(index).write_unaligned(descriptor.as_raw_fd());
            }
        }
        libc::sendmsg(to.as_raw_fd(), &header, libc::MSG_NOSIGNAL)
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Takes the next message, if there is one; its descriptors are closed on exec.
pub(crate) fn receive(from: &OwnedFd) -> io::Result<(u32, Vec<OwnedFd>)> {
    let mut word = 0u32;
    let mut part = libc::iovec {
        iov_base: (&raw mut word).cast(),
        iov_len: size_of::<u32>(),
    };
    let mut control = Control([MaybeUninit::zeroed(); 64]);
    let mut header = header(&mut part, &mut control);
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
    // SAFETY: the header describes memory of ours.
    let read = unsafe { libc::recvmsg(from.as_raw_fd(), &mut header, flags) };
    if read < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has written whole control messages; each descriptor in them is a new one of this process.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(&header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::SOL_SOCKET && (*message).cmsg_type == libc::SCM_RIGHTS
            {
                let bytes = (*message).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(message).cast::<RawFd>();
                for index in 0..bytes / size_of::<RawFd>() {
                    descriptors.push(OwnedFd::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            message = libc::CMSG_NXTHDR(&header, message);
        }
    }
    if read as usize != size_of::<u32>() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((word, descriptors))
}

/// Makes a descriptor one of the standard streams.
pub(crate) fn become_stream(descriptor: &OwnedFd, stream: RawFd) -> io::Result<()> {
    // SAFETY: plain numbers. The stream is this process's to replace, and the descriptor is above 2, so that nothing is lost.
    if unsafe { libc::dup2(descriptor.as_raw_fd(), stream) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    #[test]
    fn descriptors_arrive_with_their_word() {
        let (one, other) = pair().unwrap();
        assert!(receive(&other).is_err(), "nothing was sent yet");
        let (mut reader, writer) = io::pipe().unwrap();
        send(&one, 7, &[writer.as_fd(), writer.as_fd()]).unwrap();
        send(&one, 8, &[]).unwrap();
        drop(writer);
        let (word, mut came) = receive(&other).unwrap();
        assert_eq!((word, came.len()), (7, 2));
        came.pop();
        let mut writer = std::fs::File::from(came.remove(0));
        writer.write_all(b"through").unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        let (word, came) = receive(&other).unwrap();
        assert_eq!((word, came.len()), (8, 0));
        drop(one);
        assert!(receive(&other).is_err());
    }
}
