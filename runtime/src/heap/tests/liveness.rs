//! The kernel's notice of death.

use super::*;
use crate::sys::futex;
use crate::sys::testing::copy;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// Sleeps until the process is marked dead, without any poll; panics after a long time.
fn wait_for_death(heap: &Heap, id: SlotId) {
    let word = heap.processes().liveness_word(id).unwrap();
    let deadline = Instant::now() + LONG;
    while !heap.processes().is_marked_dead(id) {
        let seen = word.load(Ordering::Acquire);
        if seen & crate::sys::robust::OWNER_DIED == 0 {
            let how = futex::wait(word, seen, Some(deadline));
            assert_ne!(how, futex::Wait::TimedOut, "nobody told us");
        }
    }
}

#[test]
fn the_kernel_flags_every_death() {
    let heap = heap(1 << 20);
    let table = heap.processes();
    let mut random = Random(5);
    for round in 0..1000 {
        let id = table.reserve(Some(heap.me())).unwrap();
        let slot = table.slot(id).unwrap();
        let ready = &slot.state;
        let child = copy(|| {
            assert!(table.link_liveness(id).unwrap());
            assert!(table.link_liveness(id).unwrap(), "twice is as good as once");
            ready.store(1, Ordering::Release);
            futex::wake_all(ready);
            if round % 4 != 0 {
                std::thread::sleep(LONG);
            }
        });
        while ready.load(Ordering::Acquire) == 0 {
            futex::wait(ready, 0, Some(Instant::now() + LONG));
        }
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| wait_for_death(heap, id));
            std::thread::sleep(Duration::from_micros(random.next() % 200));
            if round % 4 != 0 {
                child.kill();
            }
            sleeper.join().unwrap();
        });
        assert!(table.is_marked_dead(id));
        child.wait();
        table.release(id).unwrap();
    }
}

#[test]
fn the_parent_can_say_it_too() {
    let heap = heap(1 << 20);
    let table = heap.processes();
    let id = table.reserve(Some(heap.me())).unwrap();
    std::thread::scope(|scope| {
        let sleepers: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| wait_for_death(heap, id)))
            .collect();
        std::thread::sleep(Duration::from_millis(5));
        table.mark_dead(id).unwrap();
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
    });
}

#[test]
fn only_the_main_thread_is_linked() {
    let heap = heap(1 << 20);
    let id = heap.processes().reserve(Some(heap.me())).unwrap();
    // Tests run on threads of their own.
    assert!(!heap.processes().link_liveness(id).unwrap());
    assert!(!heap.processes().is_marked_dead(id));
}
