#![allow(unsafe_code)]
//! The memory file of a session and its mapping in this process: layout, growth, and checked ways to look inside.
//!
//! Layout: head · one page per process · the table of shapes · one word per granule · the data, in granules of 64 KiB.
//! Relies on `sys::memory`. The address range is reserved large and once; the file is only as long as the heap has grown, so a wild
//! write beyond that faults in the process that makes it.
//!
//! Trust: whoever maps the file can write anything into it at any time. So all numbers this process relies on (base,
//! sizes, limit, how long the file is known to be) are private copies, taken and checked once. The file cannot shrink (it
//! is sealed): a length once seen holds for ever, so an access below it cannot fault. What is handed out are atomics, or
//! bare pointers to data; never a reference to plain bytes.
//!
//! Orderings: `known` only grows and guards nothing but the file's own length, which the kernel keeps: relaxed.

use super::{SlotId, shape_table};
use crate::error::{Error, Kind};
use crate::sys::memory;
use std::hash::{BuildHasher, Hasher};
use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The unit in which the heap grows and is handed out to allocators and large blocks.
pub(super) const GRANULE: u64 = 64 << 10;
/// The most processes a session has at a time.
pub(super) const SLOTS: usize = 4096;
/// What one process has in the table.
pub(super) const SLOT_BYTES: u64 = 4096;
/// Blocks from here on deserve a `warm` before they are used.
const WARM_FROM: u64 = 256 << 10;

const HEAD_BYTES: u64 = 4096;
const SHAPES_AT: u64 = HEAD_BYTES + SLOTS as u64 * SLOT_BYTES;
const TABLE_AT: u64 = (SHAPES_AT + shape_table::BYTES).next_multiple_of(4096);
/// The file grows by at least this much at a time.
const GROWTH: u64 = 1 << 20;
const MAGIC: u64 = u64::from_le_bytes(*b"mp heap\0");
/// The layout's version; change it with every change of what is in the file.
const LAYOUT: u64 = 2;
/// The most granules the words of the allocator can count.
const MOST_GRANULES: u64 = 1 << 24;

/// What a new heap is made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    /// Address ranges to try, largest first.
    pub(super) reserve: [u64; 4],
    /// The most bytes of data.
    pub(super) limit: u64,
    /// The most idle memory that is kept for reuse.
    pub(super) idle_cap: u64,
}

impl Config {
    /// The usual ranges (larger where the limit asks for it), and as idle memory 1/16 of all memory, or 256 MiB.
    pub(super) fn new(limit: u64) -> Self {
        let largest = (limit.saturating_mul(2)).clamp(64 << 30, 1 << 40);
        Config {
            reserve: [largest.next_power_of_two(), 16 << 30, 4 << 30, 1 << 30],
            limit,
            idle_cap: (memory::total_memory() / 16).max(256 << 20),
        }
    }
}

/// The head of the file. Everything but `idle` and `words` is written once, before any other process has the file.
#[repr(C)]
struct Head {
    magic: AtomicU64,
    version: AtomicU64,
    reserve: AtomicU64,
    limit: AtomicU64,
    idle_cap: AtomicU64,
    nonce: AtomicU64,
    /// Granules that are free and in memory; a guide for what to give back, so it need not be exact.
    idle: AtomicI64,
    words: [AtomicU64; SESSION_WORDS],
}

/// How many words of the head are free for the upper layers.
pub(crate) const SESSION_WORDS: usize = 64;

/// The file and its mapping in this process.
pub(super) struct Segment {
    fd: OwnedFd,
    base: NonNull<u8>,
    reserve: u64,
    /// Bytes up to which the file is known to reach.
    known: AtomicU64,
    /// Granules of data the limit allows.
    granules: usize,
    data_at: u64,
    idle_cap: i64,
    nonce: u64,
    limit: u64,
    /// One bit per granule whose pages this process has entered in its page tables by `warm` (which no copy of it inherits).
    mapped: OnceLock<Option<NonNull<AtomicU64>>>,
}

// SAFETY: the pointers are to mappings that are never unmapped, and all that is reached through them here is atomic.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

fn version() -> u64 {
    let mut version = LAYOUT;
    for byte in env!("CARGO_PKG_VERSION").bytes() {
        version = version.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte);
    }
    version
}

/// Where the data begin, and how many granules there are, in a file of which `reserve` bytes are mapped.
fn layout(reserve: u64) -> (u64, u64) {
    let table = (reserve / GRANULE).min(MOST_GRANULES) * 8;
    let data_at = (TABLE_AT + table).next_multiple_of(GRANULE);
    (
        data_at,
        (reserve.saturating_sub(data_at) / GRANULE).min(MOST_GRANULES),
    )
}

impl Segment {
    /// Makes the file of a new session.
    pub(super) fn create(config: Config) -> Result<Segment, Error> {
        let mut sizes = config.reserve.into_iter().peekable();
        loop {
            let Some(reserve) = sizes.next() else {
                return Err(Error::new(
                    Kind::System,
                    "the shared heap has no address range to try",
                ));
            };
            let (data_at, _) = layout(reserve);
            let fd = memory::create_sealed(c"mp-heap", data_at).map_err(|cause| {
                Error::system("cannot make the shared heap's memory file", cause)
            })?;
            let base = match memory::map_shared(&fd, reserve) {
                Ok(base) => base,
                Err(_) if sizes.peek().is_some() => continue,
                Err(cause) => return Err(cannot_map(reserve, cause)),
            };
            let nonce = std::hash::RandomState::new().build_hasher().finish();
            let segment = Segment::new(fd, base, reserve, config.limit, config.idle_cap, nonce)?;
            let head = segment.head();
            head.reserve.store(reserve, Ordering::Relaxed);
            head.limit.store(config.limit, Ordering::Relaxed);
            head.idle_cap.store(config.idle_cap, Ordering::Relaxed);
            head.nonce.store(nonce, Ordering::Relaxed);
            head.version.store(version(), Ordering::Relaxed);
            head.magic.store(MAGIC, Ordering::Release);
            return Ok(segment);
        }
    }

    /// Maps the file of a session that another process made, after looking at all it says about itself.
    pub(super) fn attach(fd: OwnedFd) -> Result<Segment, Error> {
        let foreign = |why: &str| {
            Error::new(
                Kind::Protocol,
                format!("not the heap of an `mp` session: {why}"),
            )
        };
        match memory::is_sealed(fd.as_fd()) {
            Ok(true) => {}
            Ok(false) => {
                return Err(foreign(
                    "the descriptor is not a memory file with our seals",
                ));
            }
            Err(cause) => return Err(Error::system("cannot look at the heap's descriptor", cause)),
        }
        let mut head = [0; offset_of!(Head, idle)];
        match memory::read_at(&fd, &mut head, 0) {
            Ok(read) if read == head.len() => {}
            Ok(_) => return Err(foreign("it is too short")),
            Err(cause) => return Err(Error::system("cannot read the heap's head", cause)),
        }
        let field = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&head[at..at + 8]);
            u64::from_ne_bytes(bytes)
        };
        if field(offset_of!(Head, magic)) != MAGIC {
            return Err(foreign("it does not begin like one"));
        }
        if field(offset_of!(Head, version)) != version() {
            return Err(foreign("it was made by another version of the crate"));
        }
        let reserve = field(offset_of!(Head, reserve));
        if !reserve.is_multiple_of(GRANULE) || !(TABLE_AT..=1 << 41).contains(&reserve) {
            return Err(foreign("its size makes no sense"));
        }
        let base = memory::map_shared(&fd, reserve).map_err(|cause| cannot_map(reserve, cause))?;
        let limit = field(offset_of!(Head, limit));
        let idle_cap = field(offset_of!(Head, idle_cap));
        Segment::new(
            fd,
            base,
            reserve,
            limit,
            idle_cap,
            field(offset_of!(Head, nonce)),
        )
    }

    fn new(
        fd: OwnedFd,
        base: NonNull<u8>,
        reserve: u64,
        limit: u64,
        idle_cap: u64,
        nonce: u64,
    ) -> Result<Segment, Error> {
        let (data_at, granules) = layout(reserve);
        let known = memory::length(&fd)
            .map_err(|cause| Error::system("cannot measure the heap's memory file", cause))?;
        if known < data_at {
            return Err(Error::new(
                Kind::Protocol,
                "the heap's memory file is too short",
            ));
        }
        let granules = granules.min(limit / GRANULE) as usize;
        if granules == 0 {
            return Err(Error::new(
                Kind::Usage,
                format!("a heap limit of {limit} bytes leaves no room for any data"),
            ));
        }
        Ok(Segment {
            fd,
            base,
            reserve,
            known: AtomicU64::new(known.min(reserve)),
            granules,
            data_at,
            idle_cap: i64::try_from(idle_cap / GRANULE).unwrap_or(i64::MAX),
            nonce,
            limit: limit.min(granules as u64 * GRANULE),
            mapped: OnceLock::new(),
        })
    }

    fn head(&self) -> &Head {
        const { assert!(size_of::<Head>() as u64 <= HEAD_BYTES) };
        // SAFETY: the head is inside the file from its making on, aligned like a page, and nothing but atomics.
        unsafe { self.base.cast().as_ref() }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A word of the head for the upper layers; zero at first.
    pub(super) fn session_word(&self, index: usize) -> Option<&AtomicU64> {
        self.head().words.get(index)
    }

    /// The page of a process, as whatever its table says it is.
    pub(super) fn slot_page(&self, index: usize) -> Option<NonNull<u8>> {
        // SAFETY: all pages of the table lie before the data, and so inside the file.
        (index < SLOTS).then(|| unsafe {
            self.base
                .add((HEAD_BYTES + index as u64 * SLOT_BYTES) as usize)
        })
    }

    /// The region of the table of shapes, `shape_table::BYTES` long.
    pub(super) fn shapes(&self) -> NonNull<u8> {
        // SAFETY: the region lies before the data, and so inside the file.
        unsafe { self.base.add(SHAPES_AT as usize) }
    }

    /// The words of all granules the limit allows.
    pub(super) fn table(&self) -> &[AtomicU64] {
        // SAFETY: the table lies before the data, and so inside the file; `granules` is no more than it has words;
        // it is aligned like a page, and nothing but atomics.
        unsafe {
            let first = self.base.add(TABLE_AT as usize).cast();
            NonNull::slice_from_raw_parts(first, self.granules).as_ref()
        }
    }

    /// How many granules of data the file is known to have.
    pub(super) fn grown(&self) -> usize {
        let known = self.known.load(Ordering::Relaxed);
        (((known - self.data_at) / GRANULE) as usize).min(self.granules)
    }

    /// Asks the kernel how long the file is by now; gives `grown`.
    pub(super) fn look(&self) -> usize {
        if let Ok(len) = memory::length(&self.fd) {
            self.known
                .fetch_max(len.min(self.reserve), Ordering::Relaxed);
        }
        self.grown()
    }

    /// Makes the file hold at least this many granules.
    pub(super) fn grow(&self, granules: usize) -> Result<(), Error> {
        if granules > self.granules {
            let text = format!(
                "the shared heap is at its limit of {} MiB",
                self.limit >> 20
            );
            return Err(Error::new(Kind::HeapFull, text));
        }
        let need = self.offset_of(granules);
        let end = self.offset_of(self.granules);
        let roomy = need.next_multiple_of(GROWTH).min(end);
        memory::lengthen(&self.fd, roomy)
            .or_else(|_| memory::lengthen(&self.fd, need))
            .map_err(|cause| {
                let text = format!(
                    "the shared heap cannot grow to {} MiB (file size limit, `ulimit -f`: {} MiB)",
                    need >> 20,
                    memory::file_size_limit() >> 20
                );
                Error::new(Kind::HeapFull, text).with_source(cause)
            })?;
        self.look();
        Ok(())
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Where a granule begins.
    pub(super) fn offset_of(&self, granule: usize) -> u64 {
        self.data_at + granule as u64 * GRANULE
    }

    /// The granule an offset lies in, and how far inside.
    pub(super) fn granule_of(&self, offset: u64) -> Option<(usize, u64)> {
        let data = offset.checked_sub(self.data_at)?;
        let granule = usize::try_from(data / GRANULE).ok()?;
        (granule < self.granules).then_some((granule, data % GRANULE))
    }

    /// `count` words at an offset of the data, if they are inside the file.
    pub(super) fn words(&self, offset: u64, count: usize) -> Option<&[AtomicU64]> {
        if !offset.is_multiple_of(8) {
            return None;
        }
        let first = self.at(offset, count as u64 * 8)?.cast();
        // SAFETY: `at` has checked that the words are inside the file; they are aligned, and nothing but atomics.
        Some(unsafe { NonNull::slice_from_raw_parts(first, count).as_ref() })
    }

    /// The address of `len` bytes of data, if they are inside the file.
    pub(super) fn at(&self, offset: u64, len: u64) -> Option<NonNull<u8>> {
        let end = offset.checked_add(len)?;
        if offset < self.data_at || end > self.reserve {
            return None;
        }
        if end > self.known.load(Ordering::Relaxed) {
            self.look();
            if end > self.known.load(Ordering::Relaxed) {
                return None;
            }
        }
        // SAFETY: the offset is inside the mapping.
        Some(unsafe { self.base.add(offset as usize) })
    }

    /// The offset of an address, if it is inside the mapping.
    pub(super) fn offset_at(&self, address: NonNull<u8>) -> Option<u64> {
        let offset = (address.as_ptr() as usize).checked_sub(self.base.as_ptr() as usize)? as u64;
        (offset < self.reserve).then_some(offset)
    }

    /// Gives memory to some granules.
    pub(super) fn commit(&self, granule: usize, count: usize) -> Result<(), Error> {
        memory::commit(&self.fd, self.offset_of(granule), count as u64 * GRANULE).map_err(|cause| {
            let text = format!(
                "no memory for {} KiB of the shared heap",
                (count as u64 * GRANULE) >> 10
            );
            Error::new(Kind::HeapFull, text).with_source(cause)
        })
    }

    /// Takes the memory of some granules away; says whether that worked.
    pub(super) fn punch(&self, granule: usize, count: usize) -> bool {
        self.remember(granule, count, false);
        memory::punch(&self.fd, self.offset_of(granule), count as u64 * GRANULE).is_ok()
    }

    /// Counts granules that became idle (or, negative, were taken into use); says by how many there are too many.
    pub(super) fn count_idle(&self, change: i64) -> usize {
        let idle = &self.head().idle;
        let before = idle.fetch_add(change, Ordering::Relaxed);
        let now = before.saturating_add(change);
        if now < 0 {
            // Left behind by a process that was killed, or scribbled over.
            idle.store(0, Ordering::Relaxed);
        }
        usize::try_from(now.saturating_sub(self.idle_cap)).unwrap_or(0)
    }

    /// Sets the count of idle granules right.
    pub(super) fn set_idle(&self, count: usize) {
        self.head().idle.store(count as i64, Ordering::Relaxed);
    }

    /// The mark in the upper half of a block's word: whatever else may stand there by chance is not taken for one.
    pub(super) fn tag(&self, granule: usize, index: usize) -> u64 {
        let place = (granule as u64) << 16 | index as u64;
        (((place ^ self.nonce).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) | 1) << 32
    }

    /// Enters a large range in the page tables of this process, unless that was done before.
    pub(super) fn warm(&self, offset: u64, len: u64) {
        if len < WARM_FROM {
            return;
        }
        let (Some(base), Some((first, _))) = (self.at(offset, len), self.granule_of(offset)) else {
            return;
        };
        let count = len.div_ceil(GRANULE) as usize;
        if self.remember(first, count, true) {
            return;
        }
        // SAFETY: `at` has checked that the range is inside the mapping and the file. It only saves time, so that a
        // kernel without it (before 5.14) does no harm.
        let _ = unsafe { memory::populate_read(base, len as usize) };
    }

    /// Sets or clears the bits of a range in the private map; says whether all of them were set.
    fn remember(&self, granule: usize, count: usize, set: bool) -> bool {
        let bytes = (self.granules as u64).div_ceil(64) * 8;
        let map = if set {
            *self
                .mapped
                .get_or_init(|| memory::map_private(bytes).ok().map(NonNull::cast))
        } else {
            self.mapped.get().copied().flatten()
        };
        let Some(map) = map else {
            return false;
        };
        let mut all = true;
        for granule in granule..(granule + count).min(self.granules) {
            // SAFETY: the map has a bit for every granule, is never unmapped, and nothing but atomics.
            let word = unsafe { map.add(granule / 64).as_ref() };
            let bit = 1 << (granule % 64);
            let was = if set {
                match word.load(Ordering::Relaxed) {
                    old if old & bit != 0 => old,
                    _ => word.fetch_or(bit, Ordering::Relaxed),
                }
            } else {
                word.fetch_and(!bit, Ordering::Relaxed)
            };
            all &= was & bit != 0;
        }
        all
    }
}

/// A block's word: who owns it, with the mark of its place.
pub(super) fn block_word(tag: u64, owner: SlotId) -> u64 {
    tag | u64::from(owner.pack())
}

fn cannot_map(reserve: u64, cause: std::io::Error) -> Error {
    Error::system(
        format!(
            "cannot map the {} GiB address range of the shared heap (address space limit, `ulimit -v`?)",
            reserve >> 30
        ),
        cause,
    )
}

#[cfg(test)]
impl Segment {
    /// All that other processes could scribble over, for tests that do: the words of head, slots and table.
    pub(super) fn everything(&self) -> &[AtomicU64] {
        let words = self.known.load(Ordering::Relaxed) / 8;
        // SAFETY: as `words`.
        unsafe { NonNull::slice_from_raw_parts(self.base.cast(), words as usize).as_ref() }
    }

    /// Where the data begin.
    pub(super) fn data_at(&self) -> u64 {
        self.data_at
    }
}
