//! The rest of the matrix: ends at the places that are in the caller's own process, the encoding of an argument and the decoding of
//! a result. There the caller is itself a worker, so it is its own pool that has to say what happened.

use mp::{Failure, Pool};

use crate::trial::{Stage, Trial, WAYS, Way, judge};

const CALLS: u8 = 4;
const PLACES: [Stage; 2] = [Stage::EncodeArgument, Stage::DecodeResult];

fn inner(id: u64, place: u8, way: u8) -> Trial {
    Trial {
        id,
        stage: if id == 3 {
            PLACES[place as usize]
        } else {
            Stage::Never
        },
        way: WAYS[way as usize],
    }
}

/// Makes a call in a pool of its own, in which this process ends.
#[mp::task]
fn call_and_end(call: u8, place: u8, way: u8) -> Result<usize, Failure> {
    let pool = Pool::builder().workers(1).build()?;
    let items = (0..6).map(|id| inner(id, place, way));
    let on = pool.on(judge).chunk_size(2);
    Ok(match call {
        0 => on.map(items)?.len(),
        1 => on.try_map(items)?.len(),
        2 => on.imap(items)?.count(),
        _ => {
            let handles: mp::Result<Vec<_>> = items.map(|item| on.apply_async(item)).collect();
            let values: mp::Result<Vec<_>> = handles?.into_iter().map(mp::Handle::get).collect();
            values?.len()
        }
    })
}

/// Each cell is one item of an outer call; its worker ends in that way, and its own workers with it.
fn ends(workers: usize) -> mp::Result<()> {
    let pool = Pool::builder().workers(workers).build()?;
    let ways = [Way::Exit, Way::Abort, Way::Kill, Way::Segfault];
    let way_of = |way: Way| WAYS.iter().position(|known| *known == way).unwrap_or(0) as u8;
    let mut cells = Vec::new();
    for call in 0..CALLS {
        for place in 0..PLACES.len() as u8 {
            cells.extend(ways.iter().map(|way| (call, place, way_of(*way))));
        }
    }
    let results = pool
        .on(call_and_end)
        .chunk_size(1)
        .try_map(cells.iter().copied())?;
    assert_eq!(results.len(), cells.len());
    for (item, (result, cell)) in results.into_iter().zip(&cells).enumerate() {
        let way = WAYS[cell.2 as usize];
        let error = result.expect_err("its worker ends");
        assert!(
            error.is_death() && error.item() == Some(item),
            "{cell:?}: {error}"
        );
        let code = (way == Way::Exit).then_some(3);
        let end = (error.signal(), error.exit_code());
        assert_eq!(end, (way.signal(), code), "{cell:?}: {error}");
    }
    // What does not end there works.
    let never = (0, 0, way_of(Way::Error));
    assert!(
        pool.apply(call_and_end, never)
            .is_err_and(|error| error.is_task())
    );
    assert_eq!(pool.worker_pids().len(), workers);
    Ok(())
}

#[mp::test(timeout = "120s")]
fn one_worker() -> mp::Result<()> {
    ends(1)
}

#[mp::test(timeout = "120s")]
fn two_workers() -> mp::Result<()> {
    ends(2)
}

#[mp::test(timeout = "120s")]
fn eight_workers() -> mp::Result<()> {
    ends(8)
}
