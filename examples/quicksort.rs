//! Quicksort whose halves are sorted by pools *inside* pool workers, down to a depth.
//!
//! In Python this program fails ("daemonic processes are not allowed to have children"); here every worker may have a
//! pool of its own, and when the program ends, however it ends, none of them is left. Sorting numbers is far too cheap to
//! pay for processes, so this shows that nesting works, not that it is fast.
//!
//! Run it: `cargo run --release --example quicksort -- [COUNT [DEPTH]]`

use mp::Failure;

const COUNT: usize = 200_000;
const DEPTH: u32 = 2;

/// Sorts `numbers`; as long as `depth` is left, the two halves go to a pool that this process opens for them.
#[mp::task]
fn quicksort(numbers: Vec<u64>, depth: u32) -> Result<Vec<u64>, Failure> {
    let me = mp::current_process();
    if depth == 0 || numbers.len() < 2 {
        println!(
            "{} (pid {}) sorts {} numbers",
            me.name(),
            me.pid(),
            numbers.len()
        );
        return Ok(sorted_here(numbers));
    }
    let (less, pivot, rest) = split(numbers);
    println!(
        "{} (pid {}) splits into {} and {}",
        me.name(),
        me.pid(),
        less.len(),
        rest.len()
    );
    let pool = mp::Pool::builder().workers(2).build()?;
    let halves = pool.map(quicksort, [(less, depth - 1), (rest, depth - 1)])?;
    let [mut sorted, rest] = <[Vec<u64>; 2]>::try_from(halves)
        .map_err(|_| Failure::new("two halves were sent, and two must come back"))?;
    sorted.extend(pivot);
    sorted.extend(rest);
    Ok(sorted)
}

mp::main!(run);

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(Ok(COUNT), |text| text.parse())?;
    let depth = arguments.next().map_or(Ok(DEPTH), |text| text.parse())?;

    let numbers = scramble(count);
    let mut expected = numbers.clone();
    expected.sort_unstable();

    let pool = mp::Pool::builder().workers(1).build()?;
    let sorted = pool.apply(quicksort, (numbers, depth))?;
    if sorted != expected {
        return Err("the numbers came back in the wrong order".into());
    }
    println!("{count} numbers sorted, {depth} levels of pools deep");
    Ok(())
}

/// What is below the pivot, the pivot, and all the rest. The pivot is the median of the first, middle and last number.
fn split(mut numbers: Vec<u64>) -> (Vec<u64>, Option<u64>, Vec<u64>) {
    if numbers.is_empty() {
        return (numbers, None, Vec::new());
    }
    let last = numbers.len() - 1;
    let mut candidates = [0, last / 2, last].map(|at| (numbers[at], at));
    candidates.sort_unstable();
    let pivot = numbers.swap_remove(candidates[1].1);
    let (less, rest) = numbers.into_iter().partition(|&number| number < pivot);
    (less, Some(pivot), rest)
}

/// The same algorithm without processes.
fn sorted_here(numbers: Vec<u64>) -> Vec<u64> {
    let mut sorted = Vec::with_capacity(numbers.len());
    // What is still to do, the smallest numbers on top: a stack of our own, so that no input can overflow the real one.
    let mut parts = vec![numbers];
    while let Some(part) = parts.pop() {
        if part.len() < 2 {
            sorted.extend(part);
            continue;
        }
        let (less, pivot, rest) = split(part);
        parts.push(rest);
        parts.push(Vec::from_iter(pivot));
        parts.push(less);
    }
    sorted
}

/// `count` numbers in no order, the same at every run (a linear congruential generator).
fn scramble(count: usize) -> Vec<u64> {
    let mut state = 7_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
    .take(count)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_keeps_every_number() {
        let (less, pivot, rest) = split(vec![5, 1, 9, 5, 3]);
        assert_eq!((less, pivot, rest), (vec![3, 1], Some(5), vec![9, 5]));
        assert_eq!(split(Vec::new()), (vec![], None, vec![]));
    }

    #[test]
    fn sorts_like_the_standard_library() {
        for count in [0, 1, 2, 3, 1_000] {
            let numbers = scramble(count);
            let mut expected = numbers.clone();
            expected.sort_unstable();
            assert_eq!(sorted_here(numbers), expected);
        }
        assert_eq!(sorted_here(vec![7; 5_000]), [7; 5_000]);
    }
}
