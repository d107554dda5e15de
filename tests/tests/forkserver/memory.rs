//! What is preloaded is in memory once, however many children have it; and a large parent starts children as fast as a small one.

use std::sync::OnceLock;

use mp::{Failure, Pool, StartMethod};

use crate::{Verdict, double};

static TABLE: OnceLock<Vec<u64>> = OnceLock::new();

/// A size in MiB, from the environment.
fn mebibytes(variable: &str, default: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[mp::task]
fn fill(mebibytes: usize) {
    TABLE.get_or_init(|| (0..(mebibytes << 17) as u64).collect());
}

/// Reads all of it; gives the sum, and what the kernel says of this process's memory, in KiB: its share, and all it sees.
#[mp::task]
fn weigh(_: u32) -> Result<(u64, u64, u64), Failure> {
    let table = TABLE
        .get()
        .ok_or_else(|| Failure::new("there is no table"))?;
    let sum = table.iter().fold(0, |sum, x| sum ^ x);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = |name: &str| -> Result<u64, Failure> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let line = line.ok_or_else(|| Failure::new("no such line"))?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    Ok((sum, line("Pss:")?, line("Rss:")?))
}

/// `MP_PRELOAD_MIB` sets the size of the table.
#[mp::test(timeout = "5m")]
fn a_table_is_there_once_for_eight_workers() -> Verdict {
    let size = mebibytes("MP_PRELOAD_MIB", 256);
    mp::set_forkserver_preload(fill, size)?;
    let pool = Pool::builder()
        .workers(8)
        .start_method(StartMethod::ForkServer)
        .build()?;
    let seen = pool.on(weigh).chunk_size(1).prefetch(1).map(0..8)?;
    let (pss, rss) = seen
        .iter()
        .fold((0, 0), |(pss, rss), (_, p, r)| (pss + p, rss + r));
    println!(
        "a table of {size} MiB, {} workers: PSS {} MiB in all, RSS {} MiB",
        seen.len(),
        pss >> 10,
        rss >> 10
    );
    assert!(rss >> 10 >= 8 * size as u64, "all of them have read it");
    assert!(pss >> 10 < 2 * size as u64, "they share it");
    Ok(())
}

/// `MP_ROOT_MIB` sets how large this process is.
#[mp::test(timeout = "5m")]
fn from_a_large_root() -> Verdict {
    let ballast = vec![1u8; mebibytes("MP_ROOT_MIB", 256) << 20];
    for method in [StartMethod::ForkServer, StartMethod::Spawn] {
        let once = |x: u64| -> Verdict {
            let process = mp::Process::new(double, x).start_method(method);
            assert_eq!(process.start()?.join()?, 2 * x);
            Ok(())
        };
        (0..20).try_for_each(once)?;
        let begun = std::time::Instant::now();
        (0..200).try_for_each(once)?;
        let each = begun.elapsed() / 200;
        println!(
            "{method:?}: {each:?} a child, from {} MiB",
            ballast.len() >> 20
        );
    }
    Ok(())
}
