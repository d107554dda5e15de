//! Several processes at once, killed at any moment: nothing is lost, nothing is given out twice.

use super::*;
use crate::sys::testing::copy;
use std::time::Duration;

#[test]
fn killed_processes_leave_nothing_behind() {
    // A low cap, so that memory is given back all the time.
    let heap = heap_with_cap(32 << 20, 4 << 20);
    let table = heap.processes();
    let nobody = table.reserve(Some(heap.me())).unwrap();
    let mut random = Random(4242);
    let mut running = Vec::new();
    for round in 0..1000u64 {
        let slot = table.reserve(Some(heap.me())).unwrap();
        let seed = random.next();
        let child = copy(|| {
            let heap = joined(heap, slot);
            churn(heap, &mut Random(seed), Some(nobody), || true);
        });
        running.push((slot, child));
        let mut calls = random.below(60);
        churn(heap, &mut random, Some(nobody), || {
            calls = calls.saturating_sub(1);
            calls > 0
        });
        std::thread::sleep(Duration::from_micros(random.next() % 1500));
        if running.len() == 3 {
            let (slot, child) = running.remove(random.below(3));
            child.kill();
            // A child that found something wrong has ended with 101 before.
            assert_eq!(child.wait(), -9);
            table.mark_dead(slot).unwrap();
            heap.adopt(slot);
            table.release(slot).unwrap();
        }
        if round % 16 == 0 {
            heap.adopt(nobody);
        }
    }
    for (slot, child) in running {
        child.kill();
        assert_eq!(child.wait(), -9);
        heap.adopt(slot);
        table.release(slot).unwrap();
    }
    heap.adopt(nobody);
    table.release(nobody).unwrap();
    assert_empty(heap);
    assert_eq!(table.all().collect::<Vec<_>>(), [heap.me()]);
    let all = heap.alloc(heap.stats().high_water as usize, 8).unwrap();
    heap.free(all.offset).unwrap();
}

#[test]
fn an_adopter_may_die_too() {
    let heap = heap(16 << 20);
    let table = heap.processes();
    let mut random = Random(11);
    for _ in 0..150 {
        let worker = table.reserve(Some(heap.me())).unwrap();
        let adopter = table.reserve(Some(heap.me())).unwrap();
        let seed = random.next();
        let child = copy(|| {
            let heap = joined(heap, worker);
            let mut mine = 0;
            // Dies owning a good deal.
            churn(heap, &mut Random(seed), None, || {
                mine += 1;
                if mine == 400 {
                    std::process::abort();
                }
                true
            });
        });
        assert_eq!(child.wait(), -6);
        let second = copy(|| joined(heap, adopter).adopt(worker));
        std::thread::sleep(Duration::from_micros(random.next() % 1200));
        second.kill();
        second.wait();
        heap.adopt(worker);
        heap.adopt(adopter);
        table.release(worker).unwrap();
        table.release(adopter).unwrap();
        assert_empty(heap);
    }
}

#[test]
fn foreign_descriptors_are_refused() {
    let heap = heap(1 << 20);
    let me = heap.me();
    let refused = |fd: std::os::fd::OwnedFd| match Heap::attach(fd, me) {
        Ok(_) => panic!("attached"),
        Err(error) => error.to_string(),
    };
    let null = std::fs::File::open("/dev/null").unwrap();
    assert!(refused(null.into()).contains("seals"));
    let empty = crate::sys::memory::create_sealed(c"empty", 0).unwrap();
    assert!(refused(empty).contains("too short"));
    let zero = crate::sys::memory::create_sealed(c"zero", 1 << 20).unwrap();
    assert!(refused(zero).contains("does not begin"));
    for (word, value, why) in [
        (1, 99, "version"),
        (2, 12345, "size"),
        (2, 1 << 50, "size"),
        (3, 0, "room"),
    ] {
        let fake = crate::sys::memory::create_sealed(c"fake", 32 << 20).unwrap();
        let mut head: Vec<u64> = heap.segment.everything()[..6]
            .iter()
            .map(|w| w.load(Ordering::Relaxed))
            .collect();
        head[word] = value;
        let bytes: Vec<u8> = head.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let file = std::fs::File::from(fake.try_clone().unwrap());
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        let text = refused(fake);
        assert!(text.contains(why), "{why}: {text}");
    }
    let stale = SlotId {
        index: 0,
        generation: 2,
    };
    assert!(Heap::attach(heap.fd().try_clone_to_owned().unwrap(), stale).is_err());
    let beyond = SlotId {
        index: 5000,
        generation: 1,
    };
    assert!(Heap::attach(heap.fd().try_clone_to_owned().unwrap(), beyond).is_err());
}
