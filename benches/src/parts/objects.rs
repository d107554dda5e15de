//! Locks and shared values that nothing else wants, and the shared heap they stand in.

use std::hint::black_box;
use std::sync::atomic::Ordering;

use super::{BATCH, Part, batch};

pub(super) const PARTS: &[Part] = &[
    Part::new("lock/lock", BATCH, || {
        let lock = mp::Lock::new()?;
        batch(move || {
            drop(black_box(&lock).lock()?);
            Ok(())
        })
    }),
    Part::new("lock/rlock-twice", BATCH, || {
        let lock = mp::RLock::new()?;
        batch(move || {
            let _outer = lock.lock()?;
            let _inner = lock.lock()?;
            Ok(())
        })
    }),
    Part::new("lock/rwlock-read", BATCH, || {
        let lock = mp::RwLock::new()?;
        batch(move || {
            drop(black_box(&lock).read()?);
            Ok(())
        })
    }),
    Part::new("lock/rwlock-write", BATCH, || {
        let lock = mp::RwLock::new()?;
        batch(move || {
            drop(black_box(&lock).write()?);
            Ok(())
        })
    }),
    Part::new("lock/semaphore", BATCH, || {
        let semaphore = mp::Semaphore::new(2)?;
        batch(move || {
            drop(black_box(&semaphore).acquire()?);
            Ok(())
        })
    }),
    Part::new("lock/event-set-clear", BATCH, || {
        let event = mp::Event::new()?;
        batch(move || {
            event.set()?;
            event.clear()
        })
    }),
    Part::new("shared/atomic-add", BATCH, || {
        let number = mp::Atomic::new(0_u64)?;
        batch(move || {
            number.fetch_add(1, Ordering::AcqRel);
            Ok(())
        })
    }),
    Part::new("shared/value-get", BATCH, || {
        let value = mp::Value::new(7_u64)?;
        batch(move || {
            black_box(value.get()?);
            Ok(())
        })
    }),
    Part::new("shared/value-update", BATCH, || {
        let value = mp::Value::new(7_u64)?;
        batch(move || {
            value.update(|number| *number += 1)?;
            Ok(())
        })
    }),
    Part::new("shared/array-in-place", BATCH, || {
        let array = mp::Array::new(&[0_u64; 8])?;
        batch(move || {
            array.lock()?[3] += 1;
            Ok(())
        })
    }),
    Part::new("heap/buffer-64", BATCH, || buffer(64)),
    Part::new("heap/buffer-65536", BATCH, || buffer(65_536)),
    Part::new("heap/buffer-clone", BATCH, || {
        let buffer = mp::Buffer::copy_of(&[7_u8; 64])?;
        batch(move || {
            drop(black_box(&buffer).clone());
            Ok(())
        })
    }),
    Part::new("heap/lock-made", BATCH, || {
        batch(|| {
            drop(mp::Lock::new()?);
            Ok(())
        })
    }),
    Part::new("heap/queue-made", BATCH, || {
        batch(|| {
            drop(mp::Queue::<u64>::unbounded()?);
            Ok(())
        })
    }),
];

/// A vector of so many bytes is made and let go of; its memory was used before.
fn buffer(len: usize) -> mp::Result<super::Body> {
    let bytes = vec![7_u8; len];
    batch(move || {
        drop(mp::Buffer::copy_of(black_box(&bytes))?);
        Ok(())
    })
}
