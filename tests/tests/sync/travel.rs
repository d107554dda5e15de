//! Objects that travel: by value and by reference, in structs, in results, to children's children, and back.

use mp::Failure;

use crate::{LONG, Verdict};

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Kit {
    lock: mp::Lock,
    again: Option<mp::RLock>,
    shared: Vec<mp::RwLock>,
    seats: (mp::Semaphore, mp::BoundedSemaphore),
    changed: Box<mp::Condition>,
    event: mp::Event,
    barrier: mp::Barrier,
}

impl Kit {
    fn new() -> mp::Result<Self> {
        Ok(Kit {
            lock: mp::Lock::new()?,
            again: Some(mp::RLock::new()?),
            shared: vec![mp::RwLock::new()?, mp::RwLock::new()?],
            seats: (mp::Semaphore::new(1)?, mp::BoundedSemaphore::new(1)?),
            changed: Box::new(mp::Condition::new()?),
            event: mp::Event::new()?,
            barrier: mp::Barrier::new(2)?,
        })
    }

    /// All is free.
    fn is_whole(&self) -> Result<bool, Failure> {
        let again = self.again.as_ref().is_some_and(|lock| !lock.is_locked());
        let writable = |lock: &mp::RwLock| lock.try_write().is_ok_and(|guard| guard.is_some());
        Ok(self.lock.try_lock()?.is_some()
            && again
            && self.shared.iter().all(writable)
            && self.seats.0.value() == 1
            && self.seats.1.value() == 1
            && self.changed.as_lock().try_lock()?.is_some()
            && !self.barrier.is_broken())
    }
}

/// Uses everything, and its child does.
#[mp::task]
fn uses(kit: Kit, generations: u32) -> Result<Kit, Failure> {
    if !kit.is_whole()? {
        return Err(Failure::new("it is not whole"));
    }
    if generations > 0 {
        let child = uses.start(kit.clone(), generations - 1)?;
        child.join()?;
    }
    let _lock = kit.lock.lock()?;
    let _again = kit.again.as_ref().map(|lock| lock.lock()).transpose()?;
    let _read = kit.shared[0].read()?;
    let _write = kit.shared[1].write()?;
    let _seat = kit.seats.0.acquire()?;
    let _other = kit.seats.1.acquire()?;
    let _changed = kit.changed.lock()?;
    kit.event.set()?;
    Ok(kit.clone())
}

#[mp::test]
fn everything_in_a_struct_by_three_generations() -> Verdict {
    let kit = Kit::new()?;
    let back = uses.run(kit.clone(), 3)?;
    assert!(kit.event.is_set() && back.event.is_set());
    assert!(kit.is_whole()? && back.is_whole()?);
    let _guard = back.lock.lock()?;
    assert!(kit.lock.is_locked(), "it is the same lock");
    Ok(())
}

#[mp::task]
fn makes() -> Result<Kit, Failure> {
    Ok(Kit::new()?)
}

#[mp::test]
fn made_in_a_child() -> Verdict {
    let kit = makes.run()?;
    assert!(kit.is_whole()?);
    uses.run(kit.clone(), 1)?;
    assert!(kit.event.wait_timeout(LONG)?);
    Ok(())
}

#[mp::task]
fn counts(kit: &Kit, number: &mp::Semaphore) -> Result<(), Failure> {
    let _guard = kit.lock.lock()?;
    Ok(number.release()?)
}

#[mp::test]
fn through_a_pool() -> Verdict {
    let pool = mp::Pool::builder().workers(2).build()?;
    let kit = Kit::new()?;
    let number = mp::Semaphore::new(0)?;
    pool.map(counts, (0..200).map(|_| (&kit, &number)))?;
    assert_eq!(number.value(), 200);
    Ok(())
}
