//! Shared data: a value under its lock (rows of W7 and W7b), and a large array blurred in place by two processes (W21).

use std::time::Instant;

use mp::{Array, Chunk, Failure, Value};

use super::pool_of;
use crate::frame::{Case, Measured, Scale};
use crate::limits::{PASSES, Page, WIDTH, blur_rows, edges, picture};

pub(crate) fn alone(scale: Scale) -> Vec<Case> {
    let count = scale.of(5_000_000);
    fn row<T>(
        variant: &'static str,
        count: usize,
        make: impl Fn() -> mp::Result<T> + 'static,
        once: impl Fn(&T) -> mp::Result<()> + 'static,
        counted: impl Fn(&T) -> mp::Result<u64> + 'static,
    ) -> Case {
        Case::new("mp", variant, move || {
            let object = make()?;
            let began = Instant::now();
            for _ in 0..count {
                once(&object)?;
            }
            finish(began, count, counted(&object)?)
        })
    }
    let value = || Value::new(0_u64);
    vec![
        row(
            "Value<u64>, lock and += 1",
            count,
            value,
            |value| {
                *value.lock()? += 1;
                Ok(())
            },
            Value::get,
        ),
        row(
            "Value<u64>, update",
            count,
            value,
            |value| value.update(|value| *value += 1),
            Value::get,
        ),
        row(
            "Array<u64>, lock and [0] += 1",
            count,
            || Array::filled(0_u64, 100),
            |row| {
                row.lock()?[0] += 1;
                Ok(())
            },
            |row| row.get(0),
        ),
    ]
}

fn finish(began: Instant, count: usize, counted: u64) -> Measured {
    let took = began.elapsed().as_nanos() as f64;
    if counted != count as u64 {
        return Err(format!("counted {counted} instead of {count}").into());
    }
    Ok(took / count as f64)
}

#[mp::task]
fn counts(value: &Value<u64>, path: &str, times: usize) -> Result<(), Failure> {
    Ok(count_in(value, Page::open(path)?, times)?)
}

fn count_in(value: &Value<u64>, page: &Page, times: usize) -> mp::Result<()> {
    page.meet();
    for _ in 0..times {
        *value.lock()? += 1;
    }
    page.done
        .0
        .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    Ok(())
}

pub(crate) fn two(scale: Scale) -> Vec<Case> {
    let times = scale.of(1_000_000);
    vec![Case::new("mp", "Value<u64>", move || {
        let value = Value::new(0)?;
        let (page, path) = Page::new()?;
        let child = counts.start(&value, &path, times)?;
        page.meet_first();
        let began = Instant::now();
        count_in(&value, page, times)?;
        page.wait_for_both();
        let took = began.elapsed().as_secs_f64() * 1e3;
        child.join()?;
        match value.get()? {
            seen if seen == 2 * times as u64 => Ok(took),
            seen => Err(format!("counted {seen}").into()),
        }
    })]
}

#[mp::task]
fn blur(mut band: Chunk<f32>, above: &[f32], below: &[f32]) {
    blur_rows(&mut band, above, below);
}

pub(crate) fn blurs(scale: Scale) -> Vec<Case> {
    let rows = scale.of(WIDTH);
    let mut pool = pool_of(2);
    let mut kept = None;
    vec![Case::new("mp", "Array, 8 Chunks a pass", move || {
        let pool = pool()?;
        if kept.is_none() {
            kept = Some(Array::new(&picture(rows))?);
        }
        match &kept {
            Some(shared) => Ok(passes(&pool, shared, rows)?),
            None => Err("it was made just now".into()),
        }
    })]
}

fn passes(pool: &mp::Pool, shared: &Array<f32>, rows: usize) -> mp::Result<f64> {
    let mut guard = shared.lock()?;
    let began = Instant::now();
    for _ in 0..PASSES {
        let band = rows.div_ceil(8) * WIDTH;
        let edges = edges(&guard, band);
        let bands = guard.chunks_of(band)?;
        let work = bands.iter().zip(&edges);
        pool.map(
            blur,
            work.map(|(band, (above, below))| (band, above, below)),
        )?;
        guard.reclaim()?;
    }
    Ok(began.elapsed().as_secs_f64())
}
