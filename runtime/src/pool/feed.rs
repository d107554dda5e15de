#![allow(unsafe_code)]
//! The input of a call on its way into the pool: items are pulled and encoded on their caller's thread, outside the pool's lock.
//!
//! Relies on the codec and the task's encoding. Two tempers: a `map` is over at the first item that cannot be encoded; calls
//! that answer for each item (`patient`) send what came before, and let that item fail alone.
//!
//! Where the shared heap has no room for an item that is not lost: it stays with its source, and is tried again, in smaller
//! messages, when something that is in flight has given its memory back.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::core::{Demand, Ticket};
use super::drive::Shared;
use super::mail::{BARE, FOLD, FRAMED, IN_BLOCK, INLINE, Inline, Job};
use crate::codec::{BlockStore, Writer};
use crate::error::{Error, Result};
use crate::heap::Heap;
use crate::session;
use crate::task::{self, IntoInput, Task};

/// A message is closed once it holds so many bytes of arguments.
const MAX_BYTES: usize = 256 << 10;
/// Workers should not wait for the last of many messages before they see the first: so many, or so many bytes, are handed over
/// together.
const BATCH: usize = 64;
const BATCH_BYTES: u64 = 64 << 10;
/// Where each item counts, an input that is slower than this is not waited for while there may be values to give.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1);

/// A message for the pool: how many items, where their bytes are.
pub(crate) struct Message {
    pub(crate) items: u32,
    pub(crate) job: Job,
    pub(crate) block: Option<u64>,
}

impl Message {
    fn bytes(&self) -> u64 {
        match self.block {
            Some(_) => self.job.body[1],
            None => 0,
        }
    }

    pub(crate) fn free(self, heap: &'static Heap) {
        if let Some(block) = self.block {
            let _ = heap.free(block);
        }
    }
}

/// Encodes messages of one task.
pub(crate) struct Encoder {
    pub(crate) heap: &'static Heap,
    pub(crate) task: u32,
    reducer: Option<u32>,
    fixed: Option<usize>,
}

#[derive(Default)]
#[repr(align(16))]
struct Room(Inline);

/// What came of encoding a message: the items before the one that could not be.
pub(crate) struct Cut {
    /// The source said that there is no more.
    pub(crate) ended: bool,
    pub(crate) message: Option<Message>,
    pub(crate) error: Option<Error>,
}

/// Items one after another, as far as it went.
pub(crate) struct Run {
    items: u32,
    /// Where the last of them ends.
    len: usize,
    /// `false` at the end of the input.
    last: Result<bool>,
}

impl Run {
    fn new(out: &Writer<'_>) -> Self {
        Run {
            items: 0,
            len: out.len(),
            last: Ok(true),
        }
    }
}

impl Encoder {
    pub(crate) fn of<T: Task>(reducer: Option<u32>) -> Result<Self> {
        let session = session::current()?;
        Ok(Encoder {
            heap: session.heap,
            task: task::index_of::<T>()?,
            reducer,
            fixed: task::fixed_in::<T>(),
        })
    }

    /// Encodes up to `count` items as one message, none when there is not one left. `encode` gives `false` at the end of the
    /// input.
    pub(crate) fn message(
        &self,
        count: u32,
        hint: usize,
        mut encode: impl FnMut(&mut Writer<'_>) -> Result<bool>,
    ) -> Cut {
        self.cut(count, hint, |out, framed| {
            let mut run = Run::new(out);
            while matches!(run.last, Ok(true)) && run.items < count && run.len < MAX_BYTES {
                run.last = if framed {
                    out.begin_frame().and_then(|frame| match encode(out) {
                        Ok(true) => out.end_frame(frame).map(|()| true),
                        no => {
                            out.cancel_frame(frame);
                            no
                        }
                    })
                } else {
                    encode(out)
                };
                if matches!(run.last, Ok(true)) {
                    (run.items, run.len) = (run.items + 1, out.len());
                }
            }
            run
        })
    }

    /// The same of items of constant size, where each does not have to be looked at.
    fn block(&self, count: u32, source: &mut impl Source) -> Cut {
        self.cut(count, 0, |out, _| {
            let size = self.fixed.unwrap_or(0).max(1);
            let most = MAX_BYTES.div_ceil(size).min(u32::MAX as usize) as u32;
            source.block(out, count.min(most))
        })
    }

    /// Makes a message of what `fill` writes; it is told whether each item is a frame.
    #[inline]
    fn cut(&self, count: u32, hint: usize, fill: impl FnOnce(&mut Writer<'_>, bool) -> Run) -> Cut {
        let mut room = Room::default();
        let mut store = BlockStore::over_words(self.heap, &mut room.0).lending();
        let framed = self.fixed.is_none() && count > 1;
        let (mut items, mut error) = (0, None);
        let mut ended = false;
        let len;
        {
            let mut out = Writer::over_words(&mut room.0, &mut store);
            let expected = self.fixed.map_or(hint, |size| {
                size.saturating_mul(count as usize).min(MAX_BYTES + size)
            });
            if expected > INLINE {
                error = out.reserve(expected).err();
            }
            if error.is_none() {
                let run = fill(&mut out, framed);
                out.truncate(run.len);
                items = run.items;
                match run.last {
                    Ok(more) => ended = !more,
                    Err(cause) => error = Some(cause),
                }
            }
            len = out.len();
        }
        if items == 0 {
            return Cut {
                ended,
                message: None,
                error,
            };
        }
        let mut flags = match (self.fixed.is_some(), framed) {
            (true, _) => 0,
            (false, true) => FRAMED,
            (false, false) => BARE,
        };
        if self.reducer.is_some() {
            flags |= FOLD;
        }
        let block = store.into_block().map(|block| block.offset);
        let (flags, body) = match block {
            Some(offset) => (flags | IN_BLOCK, [offset, len as u64, 0, 0]),
            None => (flags, room.0),
        };
        let job = Job::new(
            self.task,
            flags,
            self.reducer.unwrap_or(0),
            len as u32,
            body,
        );
        let message = Some(Message { items, job, block });
        Cut {
            ended,
            message,
            error,
        }
    }
}

/// Where items come from.
pub(crate) trait Source {
    /// Encodes the next item; `false` when there is none left. One that the heap has no room for is the next again.
    fn next(&mut self, out: &mut Writer<'_>) -> Result<bool>;
    /// Encodes the next `most` items, all of one size, for which there is room mostly.
    fn block(&mut self, out: &mut Writer<'_>, most: u32) -> Run;
    /// Forgets an item that there was no room for.
    fn skip(&mut self);
}

/// The items of an iterator.
struct Items<'a, T: Task, I: Iterator> {
    /// Away while items are taken from it: it is not asked again after it panicked.
    input: Option<I>,
    again: Option<I::Item>,
    task: PhantomData<fn(T::Params<'a>)>,
}

/// Encodes the items of `input`.
pub(crate) fn source<'a, T: Task, I>(input: I) -> impl Source + use<'a, T, I>
where
    I: Iterator,
    I::Item: IntoInput<T::Params<'a>>,
{
    Items::<'a, T, I> {
        input: Some(input),
        again: None,
        task: PhantomData,
    }
}

impl<'a, T: Task, I> Source for Items<'a, T, I>
where
    I: Iterator,
    I::Item: IntoInput<T::Params<'a>>,
{
    #[inline]
    fn next(&mut self, out: &mut Writer<'_>) -> Result<bool> {
        if task::fixed_in::<T>().is_some() {
            // There is room for all of a message before its first item is asked for: none comes back.
            let Some(item) = self.pull() else {
                return Ok(false);
            };
            return task::encode_item::<T, _>(&item, out).map(|()| true);
        }
        let item = match self.again.take() {
            Some(item) => item,
            None => match self.pull() {
                Some(item) => item,
                None => return Ok(false),
            },
        };
        let hint = task::item_hint::<T, _>(&item);
        let room = if hint > INLINE {
            out.reserve(hint)
        } else {
            Ok(())
        };
        match room.and_then(|()| task::encode_item::<T, _>(&item, out)) {
            Ok(()) => Ok(true),
            Err(error) => {
                self.again = error.is_heap_full().then_some(item);
                Err(error)
            }
        }
    }

    fn block(&mut self, out: &mut Writer<'_>, most: u32) -> Run {
        let mut run = Run::new(out);
        // Input and output are locals here: a loop that only copies becomes one.
        let Some(mut input) = self.input.take() else {
            run.last = Ok(false);
            return run;
        };
        let most = match out.room().checked_div(task::fixed_in::<T>().unwrap_or(0)) {
            Some(fits) => most.min(fits.min(u32::MAX as usize) as u32),
            None => most,
        };
        run.last = out.apart(|out| {
            for _ in 0..most {
                let Some(item) = input.next() else {
                    return Ok(false);
                };
                // SAFETY: there is room for as many as are asked for.
                unsafe { out.promise_room(task::fixed_in::<T>().unwrap_or(0)) };
                task::encode_item::<T, _>(&item, out)?;
                run.items += 1;
            }
            Ok(true)
        });
        run.len = out.len();
        self.input = Some(input);
        run
    }

    fn skip(&mut self) {
        self.again = None;
    }
}

impl<'a, T: Task, I: Iterator> Items<'a, T, I> {
    #[inline]
    fn pull(&mut self) -> Option<I::Item> {
        self.input.as_mut()?.next()
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn next(&mut self, out: &mut Writer<'_>) -> Result<bool> {
        (**self).next(out)
    }

    fn block(&mut self, out: &mut Writer<'_>, most: u32) -> Run {
        (**self).block(out, most)
    }

    fn skip(&mut self) {
        (**self).skip();
    }
}

/// What there was no room for.
pub(crate) struct Starved {
    pub(crate) error: Error,
    /// It was a single item, and nothing was handed over before it.
    pub(crate) least: bool,
}

enum Piece {
    Job(Message),
    /// An item that cannot be encoded.
    Refused(Error),
}

/// The input of one call.
pub(crate) struct Feed<S> {
    pub(crate) encoder: Encoder,
    source: S,
    chunk_size: Option<u32>,
    patient: bool,
    /// What the heap has no room for is tried again later.
    pub(crate) waits: bool,
    /// No item is asked for after this.
    pub(crate) deadline: Option<Instant>,
    /// There are no more items.
    pub(crate) ended: bool,
    told: bool,
    /// How many items were pulled.
    pub(crate) pulled: u64,
    /// The input panicked; that goes on in its caller when what came before is out.
    panic: Option<Box<dyn Any + Send>>,
    pieces: Vec<Piece>,
    /// The most items of a message: fewer than usual after there was no room for one.
    most: u32,
    starved: Option<Starved>,
}

impl<S: Source> Feed<S> {
    pub(crate) fn new(encoder: Encoder, source: S, chunk_size: Option<u32>, patient: bool) -> Self {
        Feed {
            encoder,
            source,
            chunk_size,
            patient,
            waits: false,
            deadline: None,
            ended: false,
            told: false,
            pulled: 0,
            panic: None,
            pieces: Vec::new(),
            most: u32::MAX,
            starved: None,
        }
    }

    /// The same, for a caller that waits where the heap has no room, and asks for no item after `deadline`.
    pub(crate) fn waiting(mut self, deadline: Option<Instant>) -> Self {
        self.waits = true;
        self.deadline = deadline;
        self
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Pulls and hands over what the pool demands. What there was no room for meanwhile, if anything: to be tried again when
    /// something else is released.
    pub(crate) fn feed(
        &mut self,
        shared: &Shared,
        ticket: Ticket,
        mut demand: Demand,
    ) -> Result<Option<Starved>> {
        let (begun, before) = (Instant::now(), self.pulled);
        let open = |feed: &Self, demand: &Demand| {
            let more = !feed.ended && feed.starved.is_none() && demand.items > 0;
            more && demand.bytes > 0 && !feed.is_late()
        };
        while open(self, &demand) {
            let bytes = demand.bytes.saturating_sub(BATCH_BYTES);
            while open(self, &demand) && self.pieces.len() < BATCH && demand.bytes > bytes {
                self.pull(&mut demand)?;
                if self.patient && begun.elapsed() > PATIENCE {
                    self.hand_over(shared, ticket)?;
                    return Ok(self.starved(before));
                }
            }
            self.hand_over(shared, ticket)?;
        }
        self.hand_over(shared, ticket)?;
        Ok(self.starved(before))
    }

    fn starved(&mut self, before: u64) -> Option<Starved> {
        let mut starved = self.starved.take()?;
        starved.least &= self.pulled == before;
        Some(starved)
    }

    /// The next item, which there is no room for, fails.
    pub(crate) fn refuse(&mut self, shared: &Shared, ticket: Ticket, error: Error) -> Result<()> {
        self.source.skip();
        if !self.patient {
            return Err(self.named(error));
        }
        self.pulled += 1;
        self.pieces.push(Piece::Refused(error));
        self.hand_over(shared, ticket)
    }

    /// Encodes one message.
    fn pull(&mut self, demand: &mut Demand) -> Result<()> {
        let chunk = self.chunk_size.unwrap_or(demand.chunk).min(self.most);
        let (source, patient, deadline) = (&mut self.source, self.patient, self.deadline);
        let (mut ended, mut panic) = (false, None);
        let mut begun = None;
        let is_late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        // Three closures, so that the one of a plain `map` is nothing but its source.
        let cut = if patient {
            self.encoder.message(chunk, 0, |out| {
                match begun {
                    None => begun = Some(Instant::now()),
                    Some(begun) if begun.elapsed() > PATIENCE || is_late() => return Ok(false),
                    Some(_) => {}
                }
                let more = match catch_unwind(AssertUnwindSafe(|| source.next(out))) {
                    Ok(more) => more,
                    Err(payload) => {
                        panic = Some(payload);
                        Ok(false)
                    }
                };
                ended |= matches!(more, Ok(false));
                more
            })
        } else if deadline.is_some() {
            self.encoder.message(chunk, 0, |out| {
                if is_late() {
                    return Ok(false);
                }
                let more = source.next(out);
                ended |= matches!(more, Ok(false));
                more
            })
        } else {
            let cut = match self.encoder.fixed {
                Some(_) => self.encoder.block(chunk, source),
                None => self.encoder.message(chunk, 0, |out| source.next(out)),
            };
            ended = cut.ended;
            cut
        };
        let Cut { message, error, .. } = cut;
        self.ended = ended;
        if panic.is_some() {
            self.panic = panic;
        }
        let items = message.as_ref().map_or(0, |message| message.items);
        if let Some(message) = message {
            demand.items = demand.items.saturating_sub(message.items);
            demand.bytes = demand.bytes.saturating_sub(message.bytes());
            self.pulled += u64::from(message.items);
            self.pieces.push(Piece::Job(message));
        }
        let Some(error) = error else {
            self.most = self.most.saturating_mul(2);
            return Ok(());
        };
        if error.is_heap_full() && self.waits {
            self.most = if items > 0 { items } else { (chunk / 2).max(1) };
            self.starved = Some(Starved {
                error,
                least: chunk == 1,
            });
            return Ok(());
        }
        self.source.skip();
        if self.patient {
            demand.items = demand.items.saturating_sub(1);
            self.pulled += 1;
            self.pieces.push(Piece::Refused(error));
            return Ok(());
        }
        Err(self.named(error))
    }

    /// The error of the next item.
    fn named(&self, error: Error) -> Error {
        let error = error.with_item(self.pulled);
        match task::name_at(self.encoder.task) {
            Some(name) => error.with_task(name),
            None => error,
        }
    }

    fn hand_over(&mut self, shared: &Shared, ticket: Ticket) -> Result<()> {
        let ended = self.ended && !self.told;
        if self.pieces.is_empty() && !ended {
            return Ok(());
        }
        let mut lead = shared.lock();
        let mut result = Ok(());
        for piece in self.pieces.drain(..) {
            match piece {
                // A refused message is freed by the core.
                Piece::Job(Message { items, job, block }) => {
                    result = result.and(lead.core.submit(ticket, items, job, block));
                }
                Piece::Refused(error) => lead.core.refuse(ticket, error),
            }
        }
        if ended {
            self.told = true;
            lead.core.input_done(ticket);
        }
        lead.core.act();
        shared.unlock(lead);
        // A call that was called off meanwhile says so in its deliveries.
        match result {
            Err(error) if !error.is_cancelled() => Err(error),
            _ => Ok(()),
        }
    }

    /// The panic of the input, to go on with.
    pub(crate) fn panic(&mut self) -> Option<Box<dyn Any + Send>> {
        self.panic.take()
    }
}

impl<S> Drop for Feed<S> {
    fn drop(&mut self) {
        for piece in self.pieces.drain(..) {
            if let Piece::Job(message) = piece {
                message.free(self.encoder.heap);
            }
        }
    }
}
