#![allow(unsafe_code)]
//! A system that makes no such copies: children are spawned instead, and nobody sees another difference. The system calls are
//! refused by a filter on the root of the test, which its children inherit.

use std::io;
use std::sync::OnceLock;

use mp::{Pool, StartMethod};
use nix::libc;

use crate::{Verdict, double, forked, server};

static TABLE: OnceLock<u64> = OnceLock::new();

#[mp::task]
fn fill(value: u64) {
    TABLE.get_or_init(|| value);
}

/// What was preloaded: nothing in a child that was spawned.
#[mp::task]
fn table() -> Option<u64> {
    TABLE.get().copied()
}

/// Refuses the system call `number` from now on, with this error, where its first argument has one of `bits`, or is `bits` alone.
fn refuse(number: libc::c_long, bits: u32, alone: bool, error: i32) -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const HAS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code: u16, jt: u8, jf: u8, k: u32| libc::sock_filter { code, jt, jf, k };
    // The number stands at 0 of what the filter sees, the lower half of the first argument at 16.
    let mut steps = [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 0, 3, number as u32),
        step(LOAD, 0, 0, 16),
        step(if alone { EQUAL } else { HAS }, 0, 1, bits),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the program outlives the call, which copies it; it only refuses one call in this process and its children.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// All of it works, without a server that stays, and without what it would have preloaded.
fn spawned_instead() -> Verdict {
    mp::set_forkserver_preload(fill, 7)?;
    for x in 0..3 {
        assert_eq!(forked(double, x).start()?.join()?, 2 * x);
    }
    assert_eq!(forked(table, ()).start()?.join()?, None);
    assert_eq!(server(&[]), None, "a server of no use has been ended");
    let pool = Pool::builder()
        .workers(2)
        .start_method(StartMethod::ForkServer)
        .build()?;
    assert_eq!(pool.map(double, 0..100)?[99], 198);
    Ok(())
}

#[mp::test]
fn no_address_of_the_thread_id() -> Verdict {
    refuse(
        libc::SYS_prctl,
        libc::PR_GET_TID_ADDRESS as u32,
        true,
        libc::EINVAL,
    )?;
    spawned_instead()
}

#[mp::test]
fn no_children_for_the_parent() -> Verdict {
    let parent = libc::CLONE_PARENT as u32;
    refuse(libc::SYS_clone, parent, false, libc::EPERM)?;
    spawned_instead()
}

/// A limit that is reached is no reason to give up the server: the start fails, and the next one need not.
#[mp::test]
fn no_process_to_be_had() -> Verdict {
    let parent = libc::CLONE_PARENT as u32;
    refuse(libc::SYS_clone, parent, false, libc::EAGAIN)?;
    let error = match forked(double, 1).start() {
        Ok(child) => return Err(format!("{child:?} was made").into()),
        Err(error) => error,
    };
    assert!(error.is_system(), "{error}");
    assert!(error.to_string().contains("limit on processes"), "{error}");
    assert!(server(&[]).is_some());
    Ok(())
}
