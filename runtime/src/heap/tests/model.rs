//! Random sequences of calls against a model: what is live never overlaps, keeps its size, and all of it comes back.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

#[derive(Clone, Debug)]
enum Call {
    Alloc(usize),
    Free(usize),
    Give(usize),
    Adopt,
    FreeTwice(usize),
    FreeInside(usize, u64),
    Trim,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => prop_oneof![0usize..2_000, 0usize..70_000, 0usize..2_000_000].prop_map(Call::Alloc),
        4 => any::<usize>().prop_map(Call::Free),
        1 => any::<usize>().prop_map(Call::Give),
        1 => Just(Call::Adopt),
        1 => any::<usize>().prop_map(Call::FreeTwice),
        1 => (any::<usize>(), 1u64..100_000).prop_map(|(which, by)| Call::FreeInside(which, by)),
        1 => Just(Call::Trim),
    ]
}

fn run(heap: &Heap, calls: Vec<Call>) -> Result<(), TestCaseError> {
    let other = SlotId {
        index: 77,
        generation: 5,
    };
    let mut live: BTreeMap<u64, (usize, SlotId)> = BTreeMap::new();
    let mut used = 0;
    let mut peak = 0;
    for call in calls {
        let pick = |which: usize| live.keys().nth(which % live.len().max(1)).copied();
        match call {
            Call::Alloc(bytes) => {
                let block = heap.alloc(bytes, 64).unwrap();
                prop_assert!(block.size >= bytes);
                let end = block.offset + block.size as u64;
                let before = live.range(..end).next_back();
                prop_assert!(
                    before.is_none_or(|(at, (size, _))| at + *size as u64 <= block.offset)
                );
                live.insert(block.offset, (block.size, heap.me()));
                used += block.size as u64;
                peak = peak.max(used);
            }
            Call::Free(which) => {
                if let Some(offset) = pick(which) {
                    heap.free(offset).unwrap();
                    used -= live.remove(&offset).unwrap().0 as u64;
                }
            }
            Call::Give(which) => {
                if let Some(offset) = pick(which) {
                    heap.give(offset, other).unwrap();
                    live.get_mut(&offset).unwrap().1 = other;
                }
            }
            Call::Adopt => {
                heap.adopt(other);
                live.retain(|_, (size, owner)| {
                    let keep = *owner != other;
                    used -= if keep { 0 } else { *size as u64 };
                    keep
                });
            }
            Call::FreeTwice(which) => {
                if let Some(offset) = pick(which) {
                    heap.free(offset).unwrap();
                    prop_assert!(heap.free(offset).is_err());
                    used -= live.remove(&offset).unwrap().0 as u64;
                }
            }
            Call::FreeInside(which, by) => {
                if let Some(offset) = pick(which) {
                    let wrong = offset + by;
                    prop_assert!(live.contains_key(&wrong) || heap.free(wrong).is_err());
                    if live.contains_key(&wrong) {
                        continue;
                    }
                }
            }
            Call::Trim => heap.trim(),
        }
        prop_assert_eq!(heap.stats().used_bytes, used);
        for (offset, (size, owner)) in &live {
            prop_assert_eq!(heap.size_of(*offset).unwrap(), *size);
            prop_assert_eq!(heap.owner(*offset).unwrap(), *owner);
        }
    }
    for offset in live.into_keys() {
        heap.free(offset).unwrap();
    }
    assert_empty(heap);
    // Whatever it was cut into, it is one piece again.
    let high = heap.stats().high_water;
    if high > 0 {
        let all = heap.alloc(high as usize, 8).unwrap();
        prop_assert_eq!(heap.stats().high_water, high);
        heap.free(all.offset).unwrap();
    }
    Ok(())
}

#[test]
fn agrees_with_the_model() {
    // One heap for all cases: what a case leaves behind is met by the next one.
    static HEAP: Mutex<Option<&'static Heap>> = Mutex::new(None);
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(calls in prop::collection::vec(call(), 1..120))| {
        let mut shared = HEAP.lock().unwrap_or_else(PoisonError::into_inner);
        let heap = *shared.get_or_insert_with(|| heap(1 << 30));
        run(heap, calls)?;
    });
}
