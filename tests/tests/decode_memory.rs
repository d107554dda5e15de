#![allow(unsafe_code)]
//! A message that lies about its lengths gets no memory for it: the peak while decoding is bounded by the message.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, HashMap};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mp::__private::{Probe, Reader, Tag, levels::*};

/// The system's allocator, with a count of what is in use and its peak.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed on.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The peak of memory while `bytes` are decoded.
fn peak<G: Tag>(tag: G, bytes: &[u8], trusted: bool) -> usize {
    let mut from = if trusted {
        Reader::from_slice(bytes)
    } else {
        // SAFETY: the bytes outlive the reader.
        unsafe { Reader::untrusted(NonNull::from(bytes).cast(), bytes.len()) }
    };
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    drop(tag.get(&mut from));
    PEAK.load(Relaxed) - before
}

macro_rules! all {
    ($bytes:expr, $check:expr, $($ty:ty;)*) => {$(
        for trusted in [true, false] {
            let peak = peak((&&&&&&Probe::<$ty>::NEW).tag(), $bytes, trusted);
            #[allow(clippy::redundant_closure_call)]
            ($check)(stringify!($ty), peak);
        }
    )*};
}

/// One test only: the count is of the whole process.
#[test]
fn bounded_by_the_message() {
    for count in [
        2,
        15,
        100,
        5_000,
        1 << 20,
        (1 << 20) + 8,
        1 << 24,
        1 << 40,
        u64::MAX / 2,
        u64::MAX,
    ] {
        for length in [8usize, 64, 1 << 10, 1 << 16] {
            for fill in 0..3u8 {
                // The count again and again, or once before zeroes or ones.
                let mut bytes = match fill {
                    2 => count.to_le_bytes().repeat(length / 8),
                    _ => vec![fill; length],
                };
                bytes[..8].copy_from_slice(&count.to_le_bytes());
                let check = |name: &str, peak: usize| {
                    // A private copy, the values (a byte makes 72 at most), what a vector or map has in reserve while it grows, an error's text.
                    let bound = bytes.len() * (1 + 72 * 4) + 4096;
                    assert!(
                        peak <= bound,
                        "{name}: {peak} bytes for {} with count {count}",
                        bytes.len()
                    );
                };
                all! { &bytes, check,
                    Vec<u8>; Vec<f64>; Vec<bool>; &[u64]; &[u8]; Vec<()>; String; &str; std::path::PathBuf; &Vec<u32>;
                    Vec<String>; Vec<Vec<u8>>; Vec<Vec<Vec<()>>>; HashMap<u32, String>; BTreeMap<u8, Vec<u8>>; &[String];
                    Option<String>; (u64, Vec<u8>, String); Vec<Option<u64>>; Vec<(u8, Option<Vec<String>>)>;
                }
            }
        }
    }
}
