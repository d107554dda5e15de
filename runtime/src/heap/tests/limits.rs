//! Limits of the system, each in a process of its own.

use super::*;
use crate::sys::testing::copy;
use nix::sys::resource::{Resource, setrlimit};

#[test]
fn a_file_size_limit_is_an_error_not_a_signal() {
    let heap = heap(64 << 20);
    heap.alloc(1 << 20, 8).unwrap();
    let child = copy(|| {
        let reach = heap.segment.data_at() + (4 << 20) + 5 * GRANULE;
        setrlimit(Resource::RLIMIT_FSIZE, reach, reach).unwrap();
        let error = heap.alloc(16 << 20, 8).unwrap_err();
        assert!(
            error.is_heap_full() && error.to_string().contains("ulimit -f"),
            "{error}"
        );
        let mut blocks = 0;
        while heap.alloc(GRANULE as usize, 8).is_ok() {
            blocks += 1;
        }
        // All the limit allows, though it is no round number.
        assert_eq!(blocks, 3 * 16 + 5);
    });
    assert_eq!(child.wait(), 0);
    let child = copy(|| {
        setrlimit(Resource::RLIMIT_FSIZE, 1 << 20, 1 << 20).unwrap();
        let error = Heap::create(Config::new(1 << 30)).err().unwrap();
        assert!(error.is_system(), "{error}");
    });
    assert_eq!(child.wait(), 0);
}

/// Allows this process so much address space beyond what it has (the tests beside this one have some, too).
fn allow_more(bytes: u64) {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let limit = pages * 4096 + bytes;
    setrlimit(Resource::RLIMIT_AS, limit, limit).unwrap();
}

#[test]
fn an_address_space_limit_makes_the_range_smaller() {
    let large = Heap::create(Config::new(1 << 30)).unwrap();
    let child = copy(|| {
        allow_more(8 << 30);
        let slot = large.processes().reserve(Some(large.me())).unwrap();
        let error = Heap::attach(large.fd().try_clone_to_owned().unwrap(), slot)
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("64 GiB address range"),
            "{error}"
        );
    });
    assert_eq!(child.wait(), 0);
    let child = copy(|| {
        allow_more(10 << 30);
        let small = Heap::create(Config::new(1 << 40)).unwrap();
        let block = small.alloc(1 << 20, 8).unwrap();
        stamp(small, block, 1);
        joined(small, small.me());
        allow_more(1 << 20);
        assert!(Heap::create(Config::new(1 << 30)).is_err());
    });
    assert_eq!(child.wait(), 0);
}

#[test]
fn limits_are_read_as_people_write_them() {
    for (text, bytes) in [
        ("4096", Some(4096)),
        ("64K", Some(64 << 10)),
        (" 3 MiB ", Some(3 << 20)),
        ("2g", Some(2 << 30)),
        ("1T", Some(1 << 40)),
        ("", None),
        ("G", None),
        ("1.5G", None),
        ("-1", None),
        ("99999999999T", None),
        ("1X", None),
    ] {
        assert_eq!(super::super::parse_limit(text), bytes, "{text:?}");
    }
}

#[test]
fn the_file_lies_high_and_closes_on_exec() {
    let heap = heap(1 << 20);
    let fd = std::os::fd::AsRawFd::as_raw_fd(&heap.fd());
    assert!(fd >= 100, "{fd}");
    let flags = nix::fcntl::fcntl(heap.fd(), nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags & 1, 1);
    assert!(
        heap.segment
            .words(heap.segment.data_at() + GRANULE * 200, 1)
            .is_none()
    );
}
