//! What several of these tests need: random numbers, numbers from the environment, a look at the heap's file.

use std::os::unix::fs::MetadataExt;

/// Small random numbers (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 11) as usize % end.max(1)
    }
}

/// One range in a vector.
pub(crate) fn only(range: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    std::iter::once(range).collect()
}

/// A number that a variable of the environment may say.
pub(crate) fn number(variable: &str, otherwise: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// How many bytes the session's heap reaches, and how many of them are in memory.
pub(crate) fn heap_file() -> (u64, u64) {
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let is_heap = std::fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:mp-heap"));
        if is_heap && let Ok(file) = std::fs::metadata(entry.path()) {
            return (file.size(), file.blocks() * 512);
        }
    }
    panic!("this process has no heap");
}
