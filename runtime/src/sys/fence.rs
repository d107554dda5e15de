#![allow(unsafe_code)]
//! A full barrier between two processes whose whole price one of them pays: the one that is about to sleep.
//!
//! Who puts something where another may be asleep has to store, then have a full barrier, then look whether somebody sleeps;
//! the sleeper says so, then has a full barrier, then looks again: one of them sees the other. Of the two the first is in a hurry,
//! a thousand times for each time that the second sleeps, and a full barrier behind a store waits for the line to arrive from
//! the other core. So the first has only [`light`], which keeps the compiler from moving things and costs nothing, and the
//! second has [`heavy`], which makes the kernel run a full barrier on every core where a process of ours is running
//! (`membarrier`: 0.5 µs where none is, 8 µs where one is running on another core, which is interrupted). A process that is
//! not running has had one when it was taken off its core.
//!
//! It pays where many things are put for each time that somebody sleeps, and not where half of them are slept for.
//!
//! The kernel does so for processes that have registered. One that could not has a full barrier in its `light`. Where it cannot be
//! asked to, the sleeper looks again every 2 ms.

use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};
use std::time::Duration;

use super::futex;

/// Whether the kernel runs the barriers of others in this process.
static REGISTERED: AtomicBool = AtomicBool::new(false);

/// How long somebody may sleep who could not have [`heavy`] done: by then a store of the others' is seen.
pub(crate) const UNSURE: Duration = Duration::from_millis(2);

/// Lets others have their barriers run in this process. Costs 1 µs while there is one thread, as in a constructor, and 10 ms later
/// on.
pub(crate) fn register() {
    let done = membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED);
    REGISTERED.store(done, Ordering::Relaxed);
}

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: the call takes three numbers and touches no memory.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// The barrier of whoever is in a hurry: between its store and its look at whether somebody sleeps.
#[inline(always)]
pub(crate) fn light() {
    if REGISTERED.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// The barrier of the sleeper: between saying that it sleeps and looking again. `false` if it is not certain that it has
/// reached the others: then sleep no longer than [`UNSURE`] at a time. What the kernel answers is not asked for the reason: a filter
/// of system calls may say of this process alone what a kernel says that does not have the call, and the others have registered.
#[must_use]
pub(crate) fn heavy() -> bool {
    fence(Ordering::SeqCst);
    futex::count();
    let done = membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    fence(Ordering::SeqCst);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    // Dekker's question, asked often: never do both miss the other.
    #[test]
    fn one_of_the_two_sees_the_other() {
        register();
        let words = [const { AtomicU32::new(0) }; 2];
        let turn = std::sync::Barrier::new(2);
        let rounds = if cfg!(miri) { 10 } else { 20_000 };
        let saw = [const { AtomicU32::new(0) }; 2];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=rounds {
                    turn.wait();
                    words[0].store(round, Ordering::Relaxed);
                    light();
                    saw[0].store(words[1].load(Ordering::Relaxed), Ordering::Relaxed);
                    turn.wait();
                }
            });
            for round in 1..=rounds {
                turn.wait();
                words[1].store(round, Ordering::Relaxed);
                assert!(heavy() || !REGISTERED.load(Ordering::Relaxed));
                saw[1].store(words[0].load(Ordering::Relaxed), Ordering::Relaxed);
                turn.wait();
                let both = saw.each_ref().map(|word| word.load(Ordering::Relaxed));
                assert!(both.contains(&round), "round {round}: {both:?}");
            }
        });
    }

    // A filter of system calls is one thread's until that thread starts others.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[test]
    fn what_a_filter_says_of_one_process_is_not_taken_for_the_kernels_word() {
        let step = |code: u32, jt, jf, k| libc::sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        };
        for errno in [libc::ENOSYS, libc::EINVAL, libc::EPERM] {
            let mut steps = [
                step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
                step(
                    libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
                    0,
                    1,
                    libc::SYS_membarrier as u32,
                ),
                step(
                    libc::BPF_RET | libc::BPF_K,
                    0,
                    0,
                    libc::SECCOMP_RET_ERRNO | errno as u32,
                ),
                step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
            ];
            let filtered = std::thread::spawn(move || {
                let program = libc::sock_fprog {
                    len: steps.len() as u16,
                    filter: steps.as_mut_ptr(),
                };
                // SAFETY: the program and its steps outlive the calls, which change this thread alone.
                let set = unsafe {
                    libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                        && libc::prctl(
                            libc::PR_SET_SECCOMP,
                            libc::SECCOMP_MODE_FILTER,
                            &raw const program,
                        ) == 0
                };
                // Where filters cannot be set, there are none to be misled by.
                !set || !heavy()
            });
            assert!(filtered.join().unwrap_or(false), "errno {errno}");
        }
    }
}
