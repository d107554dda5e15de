#![allow(unsafe_code)]
//! A worker that writes random bytes over all it can reach of the heap, while its parent works on: the parent answers with
//! values or errors, never with a crash or a hang.

use std::time::{Duration, Instant};

use mp::{Array, Atomic, Buffer, Chunk, Pool, RawArray, Value};

use crate::common::{Random, number};

/// The heap as this process maps it, as far as the file reaches.
fn mapping() -> Option<(usize, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.contains("/memfd:mp-heap"))?;
    let (begin, end) = line.split(' ').next()?.split_once('-')?;
    let begin = usize::from_str_radix(begin, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let bytes = crate::common::heap_file().0 as usize;
    Some((begin, bytes.min(end - begin)))
}

/// Scribbles for so many milliseconds, `how`: everywhere, or where something stands.
#[mp::task]
fn scribble(seed: u64, milliseconds: u64, how: u32) {
    let Some((begin, bytes)) = mapping() else {
        panic!("there is no heap to scribble on")
    };
    let mut random = Random(seed | 1);
    let end = Instant::now() + Duration::from_millis(milliseconds);
    while Instant::now() < end {
        for _ in 0..50 {
            let word = begin + random.below(bytes / 8) * 8;
            let word = std::ptr::with_exposed_provenance_mut::<u64>(word);
            // SAFETY: none at all, which is the point: a mapped word of the heap, that others use.
            unsafe {
                let old = word.read_volatile();
                // The words that are in use do harm; the rest is wide and empty.
                if old == 0 && random.below(100) != 0 {
                    continue;
                }
                let new = match (how, random.below(4)) {
                    (0, _) => random.next(),
                    (_, 0) => old ^ 1 << random.below(64),
                    (_, 1) => random.next() & 0xffff,
                    (_, 2) => old.wrapping_add(1),
                    _ => 0,
                };
                word.write_volatile(new);
            }
        }
        std::thread::yield_now();
    }
}

#[mp::task]
fn double(mut piece: Chunk<u64>) {
    for x in &mut piece[..] {
        *x = x.wrapping_mul(2);
    }
}

/// Uses what there is; what comes of it does not matter.
fn work(random: &mut Random) {
    let moment = Duration::from_millis(2);
    let value = Value::new([random.next(); 4]);
    if let Ok(value) = &value {
        let _ = value.lock_timeout(moment).map(|guard| {
            if let Some(mut guard) = guard {
                guard[0] += 1;
            }
        });
    }
    let flags = Array::filled(true, 500);
    if let Ok(flags) = &flags
        && let Ok(Some(mut guard)) = flags.lock_timeout(moment)
    {
        guard[3] = false;
        assert!(guard.iter().filter(|flag| **flag).count() <= 500);
    }
    let row = Array::filled(random.next(), 1000);
    if let Ok(row) = &row
        && let Ok(Some(mut guard)) = row.lock_timeout(moment)
        && let Ok(mut pieces) = guard.chunks(4)
    {
        for piece in &mut pieces {
            if piece.begin().is_ok() {
                piece[0] = 1;
            }
        }
        drop(pieces);
        let _ = guard.reclaim();
    }
    let _ = Buffer::filled(1_u32, 300).map(|buffer| buffer.to_vec());
    let _ = RawArray::filled('x', 30).map(|row| row.to_vec());
    let _ = Atomic::new(5_u64).map(|count| count.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    std::hint::black_box((value.is_ok(), flags.is_ok(), row.is_ok()));
}

/// One session after another is spoilt: each in a process of its own, with a watchdog.
#[test]
fn a_scribbling_worker_harms_nobody_else() {
    let rounds = number("MP_SCRIBBLE_ROUNDS", 12);
    for seed in 0..rounds {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args([
                "--exact",
                "scribble::be_scribbled_on",
                "--nocapture",
                "--ignored",
            ])
            .env("MP_SCRIBBLE_SEED", (seed + 1).to_string());
        let (status, out, errors) = mp_tests::program::output(command);
        assert!(
            out.contains("survived") && status.code().is_some(),
            "seed {seed}: {status}\n{out}\n{errors}"
        );
    }
}

#[test]
#[ignore = "run by a_scribbling_worker_harms_nobody_else, in a process of its own"]
fn be_scribbled_on() {
    let seed = number("MP_SCRIBBLE_SEED", 1) as u64;
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let pool = Pool::builder().workers(1).build().unwrap();
    let helpers = Pool::builder().workers(1).build().unwrap();
    let scribbler = pool
        .apply_async(scribble, (seed, 300, (seed % 2) as u32))
        .unwrap();
    let end = Instant::now() + Duration::from_millis(300);
    while Instant::now() < end {
        work(&mut random);
        // A pool whose workers are spoilt may be stuck on its own account; its calls are bounded.
        let row = Array::filled(random.next(), 100);
        if let Ok(row) = &row
            && let Ok(Some(mut guard)) = row.lock_timeout(Duration::from_millis(2))
            && let Ok(pieces) = guard.chunks(2)
            && let Ok(mut handle) = helpers.map_async(double, &pieces)
        {
            let _ = handle.get_timeout(Duration::from_millis(20));
        }
    }
    drop(scribbler);
    // Whatever else is in the heap now, nobody reads it any more.
    println!("survived");
    std::process::exit(0);
}
