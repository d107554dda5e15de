#![allow(unsafe_code)]
//! A fork server that is killed behind each of its stores: the parent always knows whether there is a child.

use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Answer, Changes, Desk, Server, Settings, may_run};
use crate::heap::{Handle, Heap, ObjectKind, SlotId};
use crate::sys::child::{self, Exit};
use crate::sys::testing::copy;
use crate::sys::{pass, points, program};

/// What the child of these tests leaves in its slot.
const RAN: u64 = 7;

/// A server in a copy of this process, killed behind the store with this number.
fn serve(heap: &'static Heap, me: SlotId, block: u64, stores: u64) {
    let heap = heap.joined(me);
    assert!(heap.processes().link_liveness(me).unwrap());
    let server = Server::open(heap, block, -1).unwrap();
    let file = std::env::temp_dir().join(format!("mp-forkserver-{}", std::process::id()));
    if stores > 0 {
        points::arm(stores, Signal::SIGKILL, file.clone());
    }
    let _ = std::fs::remove_file(file);
    // SAFETY: a copy of the test process has one thread, and this one holds no lock.
    let begun = unsafe { server.serve() }.unwrap();
    heap.settle_again(begun.slot, &begun.inherited).unwrap();
    let slot = heap.processes().slot(begun.slot).unwrap();
    slot.pid.store(std::process::id(), Ordering::Relaxed);
    assert!(heap.processes().link_liveness(begun.slot).unwrap());
    if may_run(heap, begun.slot) {
        slot.spare[1].store(RAN, Ordering::Release);
    }
    program::exit_now(0);
}

/// Asks a server for a child, and again if it dies; gives how the child ended and in how many attempts.
fn ask(heap: &'static Heap, stores: u64, changes: &Changes) -> (Exit, bool) {
    let server = heap.processes().reserve(Some(heap.me())).unwrap();
    let child = heap.processes().reserve(Some(heap.me())).unwrap();
    let block = heap.alloc(Desk::SIZE, 64).unwrap().offset;
    let desk = Desk::at(heap, block).unwrap();
    let (socket, theirs) = pass::pair().unwrap();
    desk.reset(theirs.as_raw_fd());
    let process = copy(|| serve(heap, server, block, stores));
    drop(theirs);
    let pidfd = child::open(process.pid()).unwrap().unwrap();
    assert_eq!(Desk::wait_for_server(&socket, &pidfd).unwrap(), Some(true));
    let changes = changes.to_bytes().unwrap();
    let asked = desk
        .ask(
            heap,
            &socket,
            child,
            &Settings::default(),
            changes.as_deref(),
        )
        .unwrap();
    let answer = desk.wait(heap, &asked, server, &pidfd).unwrap();
    let mut died = false;
    let pid = match answer {
        Answer::Child(pid) => Some(pid),
        Answer::Refused(error) => panic!("{error}"),
        Answer::Unable => panic!("no copies are to be had"),
        Answer::Dead => {
            died = true;
            process.kill();
            child::poll_readable(&pidfd, None).unwrap();
            desk.child_of_the_dead()
        }
    };
    Desk::forget(heap, asked);
    let slot = heap.processes().slot(child).unwrap();
    let exit = match pid {
        Some(pid) => {
            let pidfd = child::open(pid).unwrap().unwrap();
            // It waits for this, however long that takes.
            assert!(
                !child::poll_readable(&pidfd, Some(Instant::now() + Duration::from_millis(5)))
                    .unwrap()
            );
            Desk::let_run(heap, child, true);
            let exit = child::wait(&pidfd).unwrap();
            assert_eq!(slot.spare[1].load(Ordering::Acquire), RAN);
            assert_eq!(slot.pid.load(Ordering::Acquire), pid);
            exit
        }
        None => {
            std::thread::sleep(Duration::from_millis(5));
            assert_eq!(slot.pid.load(Ordering::Acquire), 0);
            Exit::Unknown
        }
    };
    drop(process);
    for slot in [child, server] {
        heap.adopt(slot);
        heap.processes().release(slot).unwrap();
    }
    heap.free(block).unwrap();
    (exit, died)
}

#[test]
fn a_server_killed_behind_each_of_its_stores() {
    let heap = Heap::fresh(8 << 20);
    heap.trim();
    let before = heap.stats().used_bytes;
    let changes = Changes {
        directory: Some("/".into()),
        environment: Some(vec![("A".into(), "b".into())]),
    };
    let mut ends = Vec::new();
    for stores in 0..8 {
        for changes in [&Changes::default(), &changes] {
            ends.push(ask(heap, stores, changes));
        }
    }
    heap.trim();
    assert_eq!(heap.stats().used_bytes, before);
    // All three cases were met: no child, a child of a dead server, a child.
    for case in [
        (Exit::Unknown, true),
        (Exit::Code(0), true),
        (Exit::Code(0), false),
    ] {
        assert!(ends.contains(&case), "{case:?}: {ends:?}");
    }
    let none_but_those = |end: &(Exit, bool)| *end != (Exit::Unknown, false);
    assert!(ends.iter().all(none_but_those), "{ends:?}");
}

#[test]
fn what_is_held_for_a_child_is_given_back_with_it() {
    let heap = Heap::fresh(8 << 20);
    let handle = Handle::make(heap, ObjectKind::Test, 0, 64, |_| Ok(())).unwrap();
    let (other, third) = (
        heap.processes().reserve(Some(heap.me())).unwrap(),
        heap.processes().reserve(Some(heap.me())).unwrap(),
    );
    let inherited = heap.hold_for(other).unwrap();
    let twice = heap.hold_for(third).unwrap();
    drop((handle, inherited, twice));
    heap.trim();
    assert!(heap.stats().blocks > 0, "others hold it");
    heap.adopt(other);
    assert!(heap.stats().blocks > 0, "another holds it");
    heap.adopt(third);
    assert_eq!(heap.stats().blocks, 0);
}
