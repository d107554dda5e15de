//! A picture is blurred in place, in bands, by several processes that share it: nothing is copied but the rows between two bands.
//!
//! The picture is an [`mp::Array`]. In each pass the bands of it are lent to the workers as [`mp::Chunk`]s; a band needs one row
//! above and one below it as they were before the pass (*ghost rows*), and these few travel as ordinary arguments.
//!
//! Run it: `cargo run --release --example blur -- [IN OUT] [--passes P] [--workers N]`
//! with pictures in PNG or PGM; without any, one is made and blurred. Or, to measure, a picture of so many mebibytes, which is
//! blurred by processes and, for comparison, by threads: `-- --size MIB [--passes P] [--workers N] [--runs R]`

use std::path::PathBuf;
use std::time::Instant;

use image::GrayImage;
use mp::{Array, Chunk, Pool};

const PASSES: usize = 5;
/// Bands per worker: a few, so that nobody waits long for the last one.
const BANDS: usize = 4;
/// The width of the pictures to measure with.
const WIDTH: usize = 10_240;

/// One pass over a band of whole rows, in place, with the rows above and below it as they were.
#[mp::task]
fn blur(mut band: Chunk<f32>, width: usize, above: &[f32], below: &[f32]) {
    blur_rows(&mut band, width, above, below);
}

/// Each pixel becomes the mean of its neighbourhood, weighted 1-2-1 both ways; beyond the left and right edge, the edge goes on.
fn blur_rows(band: &mut [f32], width: usize, above: &[f32], below: &[f32]) {
    if width == 0 {
        return;
    }
    // What is overwritten is still needed one row further down.
    let mut before = above.to_vec();
    let mut columns = vec![0.0; width];
    let rows = band.len() / width;
    for row in 0..rows {
        let (done, rest) = band.split_at_mut((row + 1) * width);
        let here = &mut done[row * width..];
        let after = rest.get(..width).unwrap_or(below);
        for (((sum, old), x), next) in columns.iter_mut().zip(&mut before).zip(&*here).zip(after) {
            *sum = *old + 2.0 * *x + *next;
            *old = *x;
        }
        let last = width - 1;
        here[0] = (3.0 * columns[0] + columns[1.min(last)]) / 16.0;
        here[last] = (3.0 * columns[last] + columns[last.saturating_sub(1)]) / 16.0;
        for (x, sums) in here[1.min(last)..last].iter_mut().zip(columns.windows(3)) {
            *x = (sums[0] + 2.0 * sums[1] + sums[2]) / 16.0;
        }
    }
}

/// The rows above and below each band; at the upper and lower edge of the picture, the edge goes on.
fn ghosts(picture: &[f32], width: usize, band: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let row = |begin: usize| picture[begin..begin + width].to_vec();
    let last = picture.len() - width;
    (0..picture.len())
        .step_by(band)
        .map(|begin| {
            let end = (begin + band).min(picture.len());
            (row(begin.saturating_sub(width)), row(end.min(last)))
        })
        .collect()
}

/// How many elements a band has: whole rows.
fn band_of(len: usize, width: usize, workers: usize) -> usize {
    (len / width).div_ceil(workers * BANDS).max(1) * width
}

/// Blurs the picture in the pool's processes.
fn by_processes(
    pool: &Pool,
    picture: &Array<f32>,
    width: usize,
    band: usize,
    passes: usize,
) -> mp::Result<()> {
    let mut guard = picture.lock()?;
    for _ in 0..passes {
        let ghosts = ghosts(&guard, width, band);
        let bands = guard.chunks_of(band)?;
        let work = bands.iter().zip(&ghosts);
        pool.map(
            blur,
            work.map(|(band, (above, below))| (band, width, above, below)),
        )?;
        guard.reclaim()?;
    }
    Ok(())
}

/// The same in threads of this process.
fn by_threads(picture: &mut [f32], width: usize, band: usize, passes: usize, threads: usize) {
    for _ in 0..passes {
        let ghosts = ghosts(picture, width, band);
        let bands = picture.chunks_mut(band).zip(&ghosts);
        let bands = std::sync::Mutex::new(bands);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let next = bands.lock().map(|mut bands| bands.next());
                        let Ok(Some((band, (above, below)))) = next else {
                            break;
                        };
                        blur_rows(band, width, above, below);
                    }
                });
            }
        });
    }
}

/// A disc and some stripes.
fn made_up(width: usize, height: usize) -> Vec<f32> {
    let middle = (width as f32 / 2.0, height as f32 / 2.0);
    let pixel = |index: usize| {
        let (x, y) = (index % width, index / width);
        let far = (x as f32 - middle.0).hypot(y as f32 - middle.1);
        match far < middle.1 * 0.8 {
            true => 255.0,
            false if x / 8 % 2 == 0 => 64.0,
            false => 0.0,
        }
    };
    (0..width * height).map(pixel).collect()
}

#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    passes: Option<usize>,
    workers: Option<usize>,
    size: Option<usize>,
    runs: Option<usize>,
}

impl Arguments {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Arguments::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let number = match argument.as_str() {
                "--passes" => &mut parsed.passes,
                "--workers" => &mut parsed.workers,
                "--size" => &mut parsed.size,
                "--runs" => &mut parsed.runs,
                option if option.starts_with('-') => return Err(format!("no option {option}")),
                _ => {
                    parsed.files.push(argument.into());
                    continue;
                }
            };
            let value = arguments.next().and_then(|text| text.parse().ok());
            *number = Some(
                value
                    .filter(|value| *value > 0)
                    .ok_or(format!("{argument} needs a number of at least 1"))?,
            );
        }
        match parsed.files.len() {
            0 | 2 => Ok(parsed),
            _ => Err("give two pictures, the one to read and the one to write, or none".into()),
        }
    }
}

mp::main!(run);

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let passes = arguments.passes.unwrap_or(PASSES);
    let workers = arguments.workers.unwrap_or(mp::cpu_count());
    if let Some(mebibytes) = arguments.size {
        let runs = arguments.runs.unwrap_or(1);
        return Ok(measure(mebibytes, passes, workers, runs)?);
    }

    let pool = Pool::builder().workers(workers).build()?;
    let (width, height, pixels, out) = match arguments.files.as_slice() {
        [from, to] => {
            let named = |error| format!("{}: {error}", from.display());
            let picture = image::open(from).map_err(named)?.into_luma8();
            let (width, height) = picture.dimensions();
            let pixels = picture.into_raw().into_iter().map(f32::from).collect();
            (width as usize, height as usize, pixels, to.clone())
        }
        _ => {
            let out = std::env::temp_dir().join("blurred.png");
            (640, 480, made_up(640, 480), out)
        }
    };
    if pixels.is_empty() {
        return Err("the picture has no pixels".into());
    }
    let picture = Array::new(&pixels)?;
    let band = band_of(pixels.len(), width, workers);
    let began = Instant::now();
    by_processes(&pool, &picture, width, band, passes)?;
    println!(
        "{width} x {height} pixels, {passes} passes in bands of {} rows, {workers} workers: {:.1?}",
        band / width,
        began.elapsed()
    );

    let pixels = picture.to_vec()?;
    let bytes = pixels.iter().map(|x| x.round() as u8).collect();
    let picture = GrayImage::from_raw(width as u32, height as u32, bytes);
    picture.ok_or("the picture lost some pixels")?.save(&out)?;
    println!("written to {}", out.display());
    Ok(())
}

/// Memory of this process that it shares with nobody, in KiB.
fn private_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

#[mp::task]
fn private_memory(_: u32) -> (u32, u64) {
    std::thread::sleep(std::time::Duration::from_millis(10));
    (std::process::id(), private_kib())
}

fn measure(mebibytes: usize, passes: usize, workers: usize, runs: usize) -> mp::Result<()> {
    let height = ((mebibytes << 20) / 4 / WIDTH).max(1);
    let len = WIDTH * height;
    let band = band_of(len, WIDTH, workers);
    let pool = Pool::builder().workers(workers).build()?;
    let before = private_kib();
    let picture = Array::<f32>::zeroed(len)?;
    let mut ratios = Vec::new();
    for _ in 0..runs {
        picture.lock()?.copy_from_slice(&made_up(WIDTH, height));
        let began = Instant::now();
        by_processes(&pool, &picture, WIDTH, band, passes)?;
        let processes = began.elapsed().as_secs_f64();

        let mut private = pool.map(private_memory, 0..4 * workers as u32)?;
        private.sort_unstable();
        private.dedup_by_key(|(pid, _)| *pid);
        let workers_have = private.iter().map(|(_, kib)| kib).max().unwrap_or(&0);
        let more = private_kib().saturating_sub(before);

        let mut other = made_up(WIDTH, height);
        let began = Instant::now();
        by_threads(&mut other, WIDTH, band, passes, workers);
        let threads = began.elapsed().as_secs_f64();
        assert!(
            picture.lock()?[..] == other[..],
            "processes and threads come to different pictures"
        );
        println!(
            "{mebibytes} MiB, {passes} passes, {workers} workers: processes {processes:.3} s, threads {threads:.3} s; \
             beyond the array {more} KiB here, {workers_have} KiB a worker"
        );
        ratios.push(processes / threads);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "processes against threads: {:.3} / {:.3} / {:.3} (least, median, most of {runs})",
        ratios[0],
        ratios[runs / 2],
        ratios[runs - 1]
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixel by pixel, as one would write it down.
    fn plainly(picture: &[f32], width: usize) -> Vec<f32> {
        let height = picture.len() / width;
        let at = |x: i64, y: i64| {
            let x = x.clamp(0, width as i64 - 1) as usize;
            let y = y.clamp(0, height as i64 - 1) as usize;
            picture[y * width + x]
        };
        let mut blurred = Vec::new();
        for y in 0..height as i64 {
            for x in 0..width as i64 {
                let mut sum = 0.0;
                for (dy, row) in [(-1, 1.0), (0, 2.0), (1, 1.0)] {
                    for (dx, column) in [(-1, 1.0), (0, 2.0), (1, 1.0)] {
                        sum += row * column * at(x + dx, y + dy);
                    }
                }
                blurred.push(sum / 16.0);
            }
        }
        blurred
    }

    #[mp::test]
    fn bands_do_not_show() {
        let pool = Pool::builder().workers(2).build().unwrap();
        for (width, height) in [(1, 1), (1, 9), (2, 5), (7, 1), (33, 20)] {
            let pixels = made_up(width, height);
            let mut expected = pixels.clone();
            for _ in 0..3 {
                expected = plainly(&expected, width);
            }
            for rows in [1, 2, 3, height] {
                let picture = Array::new(&pixels).unwrap();
                by_processes(&pool, &picture, width, rows * width, 3).unwrap();
                let mut threads = pixels.clone();
                by_threads(&mut threads, width, rows * width, 3, 2);
                let blurred = picture.to_vec().unwrap();
                for (x, plain) in blurred.iter().zip(&expected) {
                    assert!((x - plain).abs() < 1e-3, "{x} and {plain}");
                }
                assert_eq!(blurred, threads);
            }
        }
    }
}
