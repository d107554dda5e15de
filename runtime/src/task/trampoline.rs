#![allow(unsafe_code)]
//! What a worker calls: a batch of items of one task, decoded, called, encoded, without leaving typed code in between.
//!
//! Relies on the codec, `params`, `report` and `panic`. User code runs in here: the task, and the `Serialize`,
//! `Deserialize` and `Drop` of its types. A panic in any of it ends the item and nothing else. It is caught around the
//! loop, not around each item.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::reduce::Reduce;
use super::report::Report;
use super::{Codec, ParamsCodec, ResultTag, Task, panic};
use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::heap;
use crate::sys::points::stored;

/// Items of one task that stand one after another in one message.
pub(crate) struct Batch<'b, 'm, 's> {
    /// The arguments; stands at item `from`.
    pub(crate) args: Reader<'m>,
    /// Whether each item is a frame. Otherwise they have a constant size, or there is one.
    pub(crate) framed: bool,
    /// Whether each result is to be a frame.
    pub(crate) out_framed: bool,
    /// The first item to run.
    pub(crate) from: u32,
    /// The item behind the last.
    pub(crate) to: u32,
    /// The index behind the last item that is done, results written.
    pub(crate) progress: &'b AtomicU64,
    /// Where the results go.
    pub(crate) out: &'b mut Writer<'s>,
}

/// How far a batch came.
#[derive(Debug)]
pub(crate) enum Stop {
    /// All items are done.
    Done,
    /// Item `at` failed: the results of those before it are written, nothing of its own is, and the reader stands behind it.
    Item {
        /// The item.
        at: u32,
        /// Why.
        report: Report,
    },
}

/// Runs the items of a batch, one result each.
pub(super) fn run<T: Task>(batch: &mut Batch<'_, '_, '_>) -> Stop {
    run_with::<T, _, _>(T::codec(), T::result(), batch)
}

fn run_with<T: Task, C: Codec<T>, G: ResultTag<T>>(
    codec: C,
    result: G,
    batch: &mut Batch<'_, '_, '_>,
) -> Stop {
    if batch.out_framed && batch.out.align_to(FRAME).is_err() {
        return stop_at(batch.from, no_room());
    }
    let before = batch.args.clone();
    let mut done = Done {
        at: batch.from,
        out: batch.out.len(),
    };
    let outcome = {
        let (done, batch) = (&mut done, &mut *batch);
        catch_unwind(AssertUnwindSafe(|| {
            // Two loops, so that the one for small tasks is not burdened with frames.
            if batch.framed {
                items::<T, C, G, true>(codec, result, batch, done)
            } else {
                items::<T, C, G, false>(codec, result, batch, done)
            }
        }))
    };
    let report = match outcome {
        Ok(Ok(())) => return Stop::Done,
        Ok(Err(report)) => report,
        Err(payload) => panic::report_of(payload),
    };
    batch.out.truncate(done.out);
    let count = done.at - batch.from + 1;
    batch.args = if batch.framed {
        behind::<C, true>(before, count)
    } else {
        behind::<C, false>(before, count)
    };
    stop_at(done.at, report)
}

/// How far the loop is, for whoever catches a panic out of it.
struct Done {
    /// The item behind the last that is done.
    at: u32,
    /// The end of its result.
    out: usize,
}

/// The loop over the items. What it needs is taken into locals, so that a small task finds it in registers.
#[inline(never)]
fn items<T: Task, C: Codec<T>, G: ResultTag<T>, const FRAMED: bool>(
    codec: C,
    result: G,
    batch: &mut Batch<'_, '_, '_>,
    done: &mut Done,
) -> Result<(), Report> {
    if !FRAMED && let (Some(size), Some(out_size)) = (C::FIXED, G::FIXED) {
        let count = (batch.to - done.at) as usize;
        let fits =
            |size: usize, room: usize| size.checked_mul(count).is_some_and(|all| all <= room);
        let ready = batch.args.is_trusted() && !batch.out_framed;
        if ready && fits(size, batch.args.remaining()) && fits(out_size, batch.out.room()) {
            // SAFETY: just checked.
            return unsafe { blocks::<T, C, G>(codec, result, batch, done, size, out_size) };
        }
    }
    let mut args = batch.args.clone();
    let (from, to) = (done.at, batch.to);
    let (progress, out_framed) = (batch.progress, batch.out_framed);
    batch.out.apart(|out| {
        for at in from..to {
            let value = call::<T, C, FRAMED>(codec, &mut args)?;
            write::<T, G>(result, &value, out_framed, out)?;
            // Before the item counts as done: this may panic, too.
            drop(value);
            *done = Done {
                at: at + 1,
                out: out.len(),
            };
            progress.store(u64::from(at) + 1, Ordering::Release);
            stored("progress");
        }
        Ok(())
    })?;
    batch.args = args;
    Ok(())
}

/// The same loop where arguments and results are plain data, and the memory of all of them is there: nothing is left of it but
/// the task, its argument, its result, and one store that says how far it is.
///
/// # Safety
///
/// The message is trusted, and holds `size` bytes for each item; there is room for `out_size` bytes for each.
#[inline(always)]
unsafe fn blocks<T: Task, C: Codec<T>, G: ResultTag<T>>(
    codec: C,
    result: G,
    batch: &mut Batch<'_, '_, '_>,
    done: &mut Done,
    size: usize,
    out_size: usize,
) -> Result<(), Report> {
    /// How far it is; told when the loop ends, however it does.
    struct Count<'a> {
        at: u32,
        size: usize,
        done: &'a mut Done,
    }
    impl Drop for Count<'_> {
        #[inline(always)]
        fn drop(&mut self) {
            self.done.out += (self.at - self.done.at) as usize * self.size;
            self.done.at = self.at;
        }
    }
    let mut args = batch.args.clone();
    let (to, progress) = (batch.to, batch.progress);
    let mut count = Count {
        at: done.at,
        size: out_size,
        done,
    };
    batch.out.apart(|out| {
        while count.at < to {
            // SAFETY: each item takes its share of what there was for all of them.
            unsafe {
                args.promise(size);
                out.promise_room(out_size);
            }
            let value = call::<T, C, false>(codec, &mut args)?;
            write::<T, G>(result, &value, false, out)?;
            count.at += 1;
            progress.store(u64::from(count.at), Ordering::Release);
            stored("progress");
        }
        Ok(())
    })?;
    batch.args = args;
    Ok(())
}

/// The reader behind `count` items.
#[cold]
fn behind<C: ParamsCodec, const FRAMED: bool>(mut reader: Reader<'_>, count: u32) -> Reader<'_> {
    for _ in 0..count {
        // An item that cannot even be passed over will say so when its turn comes.
        let _ = next::<C, FRAMED>(&mut reader);
    }
    reader
}

/// Runs the items of a batch and folds their results into one.
///
/// When an item fails, what was folded before it is written as the one result, unless the folding itself failed: then nothing
/// is written, and the results of the items before it are lost.
pub(super) fn fold<T: Task>(batch: &mut Batch<'_, '_, '_>, reduce: Reduce) -> Stop {
    fold_with::<T, _, _>(T::codec(), T::result(), batch, reduce)
}

fn fold_with<T: Task, C: Codec<T>, G: ResultTag<T>>(
    codec: C,
    result: G,
    batch: &mut Batch<'_, '_, '_>,
    reduce: Reduce,
) -> Stop {
    let mut at = batch.from;
    let mut all: Option<T::Output> = None;
    let outcome = {
        let (at, all, batch) = (&mut at, &mut all, &mut *batch);
        catch_unwind(AssertUnwindSafe(|| {
            while *at < batch.to {
                let value = if batch.framed {
                    call::<T, C, true>(codec, &mut batch.args)?
                } else {
                    call::<T, C, false>(codec, &mut batch.args)?
                };
                let mut value = Some(value);
                match all {
                    Some(_) => reduce.fold(all, &mut value)?,
                    None => *all = value,
                }
                *at += 1;
                batch.progress.store(u64::from(*at), Ordering::Release);
                stored("progress");
            }
            Ok(())
        }))
    };
    let failed = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(report)) => Some(report),
        Err(payload) => Some(panic::report_of(payload)),
    };
    let mark = batch.out.len();
    let written = catch_unwind(AssertUnwindSafe(|| match &all {
        Some(value) => write::<T, G>(result, value, batch.out_framed, batch.out),
        None => Ok(()),
    }));
    let written = written.unwrap_or_else(|payload| Err(panic::report_of(payload)));
    // A value may panic when it is dropped, too.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(all))).map_err(panic::report_of);
    if written.is_err() {
        batch.out.truncate(mark);
    }
    match failed.or(written.err()).or(dropped.err()) {
        Some(report) => stop_at(at.min(batch.to.saturating_sub(1)), report),
        None => Stop::Done,
    }
}

/// The batch cannot be folded at all.
#[cold]
pub(super) fn no_reducer(batch: &Batch<'_, '_, '_>, name: &str) -> Stop {
    let text = format!("the task `{name}` does not fold two values into one");
    stop_at(batch.from, Report::Decode(text))
}

const FRAME: usize = crate::codec::FRAME_HEAD;

#[cold]
fn stop_at(at: u32, report: Report) -> Stop {
    Stop::Item { at, report }
}

#[cold]
fn no_room() -> Report {
    Report::Encode("there is no room for the results".to_owned())
}

#[cold]
fn cannot_decode(error: Error) -> Report {
    Report::Decode(format!(
        "the arguments cannot be decoded: {}",
        error.message()
    ))
}

#[cold]
fn left_over(bytes: usize) -> Report {
    Report::Decode(format!(
        "the arguments cannot be decoded: their types leave {bytes} bytes unread"
    ))
}

#[cold]
fn cannot_encode(error: Error) -> Report {
    Report::Encode(format!("the result cannot be encoded: {}", error.message()))
}

/// The arguments of the next item.
#[inline(always)]
fn next<'m, C: ParamsCodec, const FRAMED: bool>(
    from: &mut Reader<'m>,
) -> Result<Reader<'m>, Error> {
    if FRAMED {
        from.frame()
    } else {
        from.take(C::FIXED.unwrap_or(from.remaining()))
    }
}

/// Takes over what others wait for from a message whose one item has been decoded: the arguments of
/// a process.
///
/// Messages of several items are frames. They are a pool's, whose parent holds the objects for
/// them.
#[cold]
fn hand_over(block: u64) {
    #[cfg(test)]
    HAND_OVERS.with(|count| count.set(count.get() + 1));
    if let Some(heap) = heap::current() {
        heap.hand_over(block);
    }
}

#[cfg(test)]
thread_local! {
    /// How often this thread has looked up what a message holds.
    pub(super) static HAND_OVERS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Calls the task with the next item.
#[inline(always)]
fn call<T: Task, C: Codec<T>, const FRAMED: bool>(
    codec: C,
    from: &mut Reader<'_>,
) -> Result<T::Output, Report> {
    let mut item = next::<C, FRAMED>(from).map_err(cannot_decode)?;
    let mut held = codec.get(&mut item).map_err(cannot_decode)?;
    if C::FIXED.is_none() && item.remaining() > 0 {
        return Err(left_over(item.remaining()));
    }
    if C::MAY_HOLD && !FRAMED && item.block() != 0 {
        hand_over(item.block());
    }
    T::invoke(codec.lend(&mut held)).map_err(Report::Failure)
}

#[inline(always)]
fn write<T: Task, G: ResultTag<T>>(
    result: G,
    value: &T::Output,
    framed: bool,
    out: &mut Writer<'_>,
) -> Result<(), Report> {
    let written = if framed {
        write_framed::<T, G>(result, value, out)
    } else {
        result.put(value, out)
    };
    written.map_err(cannot_encode)
}

#[inline(never)]
fn write_framed<T: Task, G: ResultTag<T>>(
    result: G,
    value: &T::Output,
    out: &mut Writer<'_>,
) -> Result<(), Error> {
    let frame = out.begin_frame()?;
    out.reserve(result.hint(value))?;
    result.put(value, out)?;
    out.end_frame(frame)
}
