//! The series: each gives points, one after the other.

use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// One measured value of a curve.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) variant: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) x: u64,
    pub(crate) value: f64,
}

pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(bool, &mut dyn FnMut(Point)) -> Outcome,
}

pub(crate) const SERIES: &[Series] = &[
    Series {
        name: "S-items",
        what: "x·x over so many u64, 2 workers, warm: time per item, and memory",
        run: items,
    },
    Series {
        name: "S-workers",
        what: "x·x with so many workers, warm: items a second",
        run: workers,
    },
    Series {
        name: "S-payload",
        what: "so many bytes as an argument and as a result, 1 worker, warm: bandwidth",
        run: payloads,
    },
    Series {
        name: "S-idle",
        what: "a pool of so many workers: start, memory, descriptors",
        run: idle,
    },
    Series {
        name: "S-handles",
        what: "so many apply_async whose handles are all kept, 2 workers",
        run: handles,
    },
];

#[mp::task]
fn square(x: u64) -> u64 {
    x.wrapping_mul(x)
}

#[mp::task]
fn last(bytes: &[u8]) -> u8 {
    bytes.last().copied().unwrap_or(0)
}

#[mp::task]
fn make(length: usize) -> Vec<u8> {
    vec![1; length]
}

fn pool(workers: usize) -> mp::Result<mp::Pool> {
    mp::Pool::builder().workers(workers).build()
}

fn items(full: bool, give: &mut dyn FnMut(Point)) -> Outcome {
    let pool = pool(2)?;
    pool.map(square, 0..100_000)?;
    let mut point = |variant, unit, x, value| {
        give(Point {
            variant,
            unit,
            x,
            value,
        })
    };
    for power in 3..=if full { 8 } else { 6 } {
        let count = 10_u64.pow(power);
        // As many times as make a million, so that small ones are more than a tick of the clock.
        let rounds = (1_000_000 / count).max(1);
        let per_item = |began: Instant| began.elapsed().as_nanos() as f64 / (rounds * count) as f64;
        let began = Instant::now();
        for _ in 0..rounds {
            let squares = pool.map(square, 0..count)?;
            if squares.len() as u64 != count {
                return Err("values are missing".into());
            }
        }
        point(
            "map, all results kept",
            "ns per item",
            count,
            per_item(began),
        );
        forget_peak()?;
        let before = own("VmRSS:")?;
        let began = Instant::now();
        for _ in 0..rounds {
            let mut seen = 0;
            for value in pool.imap(square, 0..count)? {
                std::hint::black_box(value?);
                seen += 1;
            }
            if seen != count {
                return Err("values are missing".into());
            }
        }
        point(
            "imap, one result at a time",
            "ns per item",
            count,
            per_item(began),
        );
        let grown = (own("VmHWM:")? - before).max(0.0);
        point("imap, peak of memory above before", "MiB", count, grown);
    }
    Ok(())
}

fn workers(full: bool, give: &mut dyn FnMut(Point)) -> Outcome {
    let count = if full { 1_000_000 } else { 200_000 };
    for workers in [1, 2, 4, 8, 16, 32, 64] {
        let pool = pool(workers)?;
        let single = pool.on(square).chunk_size(1);
        pool.map(square, 0..count)?;
        let began = Instant::now();
        pool.map(square, 0..count)?;
        let blocks = count as f64 / began.elapsed().as_secs_f64() / 1e6;
        let began = Instant::now();
        single.map(0..count)?;
        let singles = count as f64 / began.elapsed().as_secs_f64() / 1e6;
        for (variant, value) in [("map", blocks), ("map, one item a message", singles)] {
            give(Point {
                variant,
                unit: "M items/s",
                x: workers as u64,
                value,
            });
        }
    }
    Ok(())
}

fn payloads(full: bool, give: &mut dyn FnMut(Point)) -> Outcome {
    let pool = pool(1)?;
    for power in (3..=if full { 30 } else { 24 }).step_by(3) {
        let size = 1_usize << power;
        let bytes = vec![1_u8; size];
        // 256 MiB in all, or 10,000 calls.
        let rounds = ((256 << 20) / size).clamp(2, 10_000);
        let mut timed = |variant, call: &dyn Fn() -> mp::Result<bool>| -> Outcome {
            for _ in 0..2 {
                call()?;
            }
            let began = Instant::now();
            for _ in 0..rounds {
                if !call()? {
                    return Err("the wrong bytes".into());
                }
            }
            let value = (rounds * size) as f64 / began.elapsed().as_secs_f64() / 1e9;
            give(Point {
                variant,
                unit: "GB/s",
                x: size as u64,
                value,
            });
            Ok(())
        };
        timed("argument, &[u8]", &|| Ok(pool.apply(last, &bytes)? == 1))?;
        timed("result, Vec<u8>", &|| {
            Ok(pool.apply(make, size)?.last() == Some(&1))
        })?;
    }
    Ok(())
}

fn idle(full: bool, give: &mut dyn FnMut(Point)) -> Outcome {
    for workers in if full { &[16, 64, 256][..] } else { &[16][..] } {
        let descriptors = fs::read_dir("/proc/self/fd")?.count();
        let began = Instant::now();
        let pool = pool(*workers)?;
        // Each has done something.
        pool.on(square).chunk_size(1).map(0..20_000)?;
        let start = began.elapsed().as_secs_f64() * 1e3;
        let descriptors = fs::read_dir("/proc/self/fd")?.count() - descriptors;
        std::thread::sleep(Duration::from_millis(200));
        let (mut pss, mut own_pages) = (0.0, 0.0);
        for pid in pool.worker_pids() {
            let rollup = format!("/proc/{pid}/smaps_rollup");
            pss += mebibytes(&rollup, "Pss:")?;
            own_pages += mebibytes(&rollup, "Private_Dirty:")?;
        }
        let each = *workers as f64;
        for (variant, unit, value) in [
            ("start, and 20,000 tasks", "ms", start),
            ("memory of a worker (PSS)", "MiB", pss / each),
            ("memory of its own", "MiB", own_pages / each),
            (
                "of the parent",
                "descriptors a worker",
                descriptors as f64 / each,
            ),
        ] {
            give(Point {
                variant,
                unit,
                x: *workers as u64,
                value,
            });
        }
    }
    Ok(())
}

fn handles(full: bool, give: &mut dyn FnMut(Point)) -> Outcome {
    let pool = pool(2)?;
    pool.map(square, 0..100_000)?;
    for power in 3..=if full { 6 } else { 4 } {
        let count = 10_u64.pow(power);
        forget_peak()?;
        let before = own("VmRSS:")?;
        let began = Instant::now();
        let mut waiting = Vec::with_capacity(count as usize);
        for x in 0..count {
            waiting.push(pool.apply_async(square, x)?);
        }
        let asked = began.elapsed();
        let began = Instant::now();
        for (x, handle) in waiting.into_iter().enumerate() {
            if handle.get()? != (x as u64).wrapping_mul(x as u64) {
                return Err("the wrong value".into());
            }
        }
        let got = began.elapsed();
        let grown = (own("VmHWM:")? - before).max(0.0);
        for (variant, unit, value) in [
            (
                "apply_async",
                "ns each",
                asked.as_nanos() as f64 / count as f64,
            ),
            ("get", "ns each", got.as_nanos() as f64 / count as f64),
            (
                "peak of memory above before",
                "bytes each",
                grown * 1_048_576.0 / count as f64,
            ),
        ] {
            give(Point {
                variant,
                unit,
                x: count,
                value,
            });
        }
    }
    Ok(())
}

/// The peak of memory begins again from what is there now.
fn forget_peak() -> std::io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn own(line: &str) -> Outcome<f64> {
    mebibytes("/proc/self/status", line)
}

/// A line "Name:   123 kB" of one of the kernel's files.
fn mebibytes(path: &str, line: &str) -> Outcome<f64> {
    let text = fs::read_to_string(path)?;
    let value = text.lines().find_map(|text| text.strip_prefix(line));
    let value = value.ok_or_else(|| format!("{path} has no {line}"))?;
    Ok(value.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
