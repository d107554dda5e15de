//! `Event`: CPython's `_TestEvent`, and many who wait.

use std::time::{Duration, Instant};

use mp::Failure;

use crate::{A_WHILE, LONG, Verdict, joined};

#[mp::task]
fn sets(event: &mp::Event) -> Result<(), Failure> {
    std::thread::sleep(A_WHILE);
    Ok(event.set()?)
}

#[mp::task]
fn waits(event: &mp::Event, ready: &mp::Semaphore) -> Result<bool, Failure> {
    ready.release()?;
    Ok(event.wait_timeout(LONG)?)
}

#[mp::test]
fn an_event() -> Verdict {
    let event = mp::Event::new()?;
    assert!(!event.is_set());
    for time in [0, 40].map(Duration::from_millis) {
        let begun = Instant::now();
        assert!(!event.wait_timeout(time)?);
        assert!(begun.elapsed() >= time);
    }
    event.set()?;
    event.set()?;
    assert!(event.is_set());
    event.wait()?;
    assert!(event.wait_timeout(Duration::ZERO)?);
    event.clear()?;
    event.clear()?;
    assert!(!event.is_set());
    let child = sets.start(&event)?;
    event.wait()?;
    assert!(event.is_set());
    child.join()?;
    assert_eq!(format!("{event:?}"), "Event { set: true }");
    event.clear()?;
    assert_eq!(format!("{event:?}"), "Event { set: false }");
    Ok(())
}

#[mp::test]
fn all_who_wait_are_let_go() -> Verdict {
    let event = mp::Event::new()?;
    let ready = mp::Semaphore::new(0)?;
    for _ in 0..20 {
        let children = [(); 2].map(|()| waits.start(&event, &ready));
        std::thread::scope(|scope| -> Verdict {
            let threads = [(); 3].map(|()| scope.spawn(|| waits(&event, &ready)));
            for _ in 0..5 {
                ready.acquire()?.forget();
            }
            std::thread::sleep(Duration::from_millis(2));
            event.set()?;
            for thread in threads {
                assert!(joined(thread)?);
            }
            Ok(())
        })?;
        for child in children {
            assert!(child?.join()?);
        }
        event.clear()?;
    }
    Ok(())
}

/// Set and cleared at once: who slept is let go all the same.
#[mp::test]
fn a_pulse() -> Verdict {
    let event = mp::Event::new()?;
    let ready = mp::Semaphore::new(0)?;
    let child = waits.start(&event, &ready)?;
    std::thread::scope(|scope| -> Verdict {
        let thread = scope.spawn(|| waits(&event, &ready));
        for _ in 0..2 {
            ready.acquire()?.forget();
        }
        std::thread::sleep(Duration::from_millis(100));
        event.set()?;
        event.clear()?;
        assert!(joined(thread)?);
        assert!(child.join()?);
        Ok(())
    })?;
    assert!(!event.wait_timeout(Duration::ZERO)?);
    Ok(())
}

#[mp::task]
fn ping(there: &mp::Event, back: &mp::Event, times: u32) -> Result<(), Failure> {
    for _ in 0..times {
        there.wait()?;
        there.clear()?;
        back.set()?;
    }
    Ok(())
}

#[mp::test]
fn to_and_fro() -> Verdict {
    let (there, back) = (mp::Event::new()?, mp::Event::new()?);
    let child = ping.start(&there, &back, 2000)?;
    for _ in 0..2000 {
        there.set()?;
        assert!(back.wait_timeout(LONG)?);
        back.clear()?;
    }
    Ok(child.join()?)
}
