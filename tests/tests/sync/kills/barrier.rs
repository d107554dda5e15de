//! `Barrier`.

use mp::{Barrier, Event, Failure};

use super::{Pauses, killed, rounds};
use crate::{LONG, Verdict, joined, until};

#[mp::task]
fn arrives(barrier: &Barrier, there: &Event, threads: bool) -> Result<usize, Failure> {
    let end = std::sync::atomic::AtomicBool::new(false);
    let busy = || {
        while threads && !end.load(std::sync::atomic::Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(busy);
        there.set()?;
        let place = barrier.wait();
        end.store(true, std::sync::atomic::Ordering::Relaxed);
        Ok(place?)
    })
}

/// A party that has arrived is killed: the others are told whose death broke the barrier.
fn arrived(threads: bool) -> Verdict {
    let mut pauses = Pauses::new(1);
    let barrier = Barrier::new(4)?;
    for round in 0..rounds() {
        let (there, other) = (Event::new()?, Event::new()?);
        let victim = arrives.start(&barrier, &there, threads)?;
        if round % 2 == 0 {
            until("it has arrived", || barrier.n_waiting() == 1);
        }
        let survivor = arrives.start(&barrier, &other, false)?;
        std::thread::scope(|scope| -> Verdict {
            let thread = scope.spawn(|| barrier.wait());
            until("three have arrived", || barrier.n_waiting() == 3);
            pauses.pause();
            let pid = victim.pid();
            assert!(killed(victim)?);
            let error = joined(thread).expect_err("it is broken");
            assert!(error.is_broken() && error.pid() == Some(pid), "{error}");
            let error = survivor.join().expect_err("it is broken");
            assert!(
                error.is_task() && error.message().contains("broken"),
                "{error}"
            );
            Ok(())
        })?;
        let error = barrier.wait().expect_err("it is broken");
        assert!(error.is_broken(), "{error}");
        barrier.reset()?;
        assert_eq!(barrier.n_waiting(), 0);
    }
    Ok(())
}

#[mp::test(timeout = "200s")]
fn waiters() -> Verdict {
    arrived(false)
}

#[mp::test(timeout = "200s")]
fn waiters_with_threads() -> Verdict {
    arrived(true)
}

/// The last to come is killed while it comes, or one that was just let go: the others pass, or learn of it.
#[mp::test(timeout = "200s")]
fn the_last_and_the_woken() -> Verdict {
    let mut pauses = Pauses::new(2);
    let barrier = Barrier::new(3)?;
    let (mut passed, mut broken) = (0, 0);
    for _ in 0..rounds() {
        let there = Event::new()?;
        std::thread::scope(|scope| -> Verdict {
            let threads = [(); 2].map(|()| scope.spawn(|| barrier.wait()));
            until("two have arrived", || barrier.n_waiting() == 2);
            let victim = arrives.start(&barrier, &there, false)?;
            let pid = victim.pid();
            assert!(there.wait_timeout(LONG)?);
            pauses.pause();
            killed(victim)?;
            // If it died before it came, nobody can know, and they wait for somebody else.
            let mut late = None;
            if barrier.n_waiting() == 2 && !barrier.is_broken() {
                late = Some(barrier.wait());
            }
            let mut results: Vec<_> = threads.into_iter().map(joined).collect();
            results.extend(late);
            let errors: Vec<_> = results
                .iter()
                .filter_map(|result| result.as_ref().err())
                .collect();
            for error in &errors {
                assert!(error.is_broken() && error.pid() == Some(pid), "{error}");
            }
            match errors.len() {
                0 => passed += 1,
                _ => broken += 1,
            }
            assert!(
                errors.is_empty() || errors.len() == results.len(),
                "{results:?}"
            );
            Ok(())
        })?;
        if barrier.is_broken() {
            barrier.reset()?;
        }
    }
    println!("{passed} passed, {broken} broken");
    Ok(())
}
