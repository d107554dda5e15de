//! One process, one thread.

use super::*;

#[test]
fn blocks_come_and_go() {
    let heap = heap(64 << 20);
    let before = heap.stats();
    assert_eq!(before, Stats::default());
    for bytes in [
        0,
        1,
        64,
        65,
        1000,
        4096,
        32704,
        32705,
        65536,
        65537,
        1 << 20,
        10 << 20,
    ] {
        let block = heap.alloc(bytes, 8).unwrap();
        assert!(block.size >= bytes && block.size > 0);
        assert_eq!(block.offset % 64, 0);
        if bytes > 32704 {
            assert_eq!(block.offset % GRANULE, 0);
        }
        assert_eq!(heap.size_of(block.offset).unwrap(), block.size);
        assert_eq!(heap.owner(block.offset).unwrap(), heap.me());
        let at = heap.at(block.offset, block.size).unwrap();
        assert_eq!(at.as_ptr() as usize % 64, 0);
        let other = SlotId {
            index: 7,
            generation: 3,
        };
        heap.give(block.offset, other).unwrap();
        assert_eq!(heap.owner(block.offset).unwrap(), other);
        assert_eq!(heap.stats().used_bytes, block.size as u64);
        heap.free(block.offset).unwrap();
        assert!(heap.free(block.offset).is_err());
        assert!(heap.free(block.offset + 8).is_err());
        assert!(heap.size_of(block.offset).is_err());
        assert_eq!(heap.stats().used_bytes, 0);
    }
    heap.trim();
    let after = heap.stats();
    assert_eq!(
        (
            after.blocks,
            after.extents,
            after.small_granules,
            after.unfinished
        ),
        (0, 0, 0, 0)
    );
}
