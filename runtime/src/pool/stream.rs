//! `imap` and `imap_unordered`: calls whose input is pulled, and whose values are given, one by one.
//!
//! The input is pulled on the thread that asks for the next value, never further ahead of the values taken than about twice what
//! keeps the workers busy. While nobody asks, the pool's keeper moves on what was pulled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::collect::decode_each;
use super::core::{Delivery, Demand, Leave, Ticket, What};
use super::feed::{Encoder, Feed, PATIENCE, Source, source};
use super::options::Options;
use super::payload::Payload;
use super::{Pool, call};
use crate::error::{Error, Kind, Result};
use crate::session;
use crate::sys::memory::forked;
use crate::task::{self, Items, Task};

type Input<'i> = Box<dyn Source + 'i>;

/// What both iterators are.
pub(crate) struct Stream<'i, O> {
    pool: Pool,
    ticket: Ticket,
    feed: Feed<Input<'i>>,
    task: &'static str,
    decode: fn(&Payload, u32, &mut Vec<Result<O>>),
    ordered: bool,
    /// Values that were given to the caller.
    given: u64,
    /// The first item whose value is not ready.
    next: u64,
    /// What came before its turn, and how many bytes of the heap it holds.
    early: BTreeMap<u64, (u32, What)>,
    held: u64,
    ready: VecDeque<(u64, Result<O>)>,
    /// How much had been released when the heap had no room for the next item.
    hungry: Option<u64>,
    /// The input was slow when it was last asked.
    slow: bool,
    done: bool,
}

pub(crate) fn imap<'a, T: Task, I: Items<T::Params<'a>>>(
    pool: &Pool,
    options: &Options,
    items: I,
) -> Result<Stream<'a, T::Output>>
where
    I::Iter: 'a,
{
    let items = items.into_items();
    let spec = options.spec::<T>(call::expected(items.size_hint()), false);
    let encoder = Encoder::of::<T>(None)?;
    let shared = &pool.inner.shared;
    let mut lead = shared.lock();
    let ticket = lead.core.open(encoder.task, spec, false);
    shared.unlock(lead);
    let source: Input<'a> = Box::new(source::<T, _>(items));
    let mut stream = Stream {
        pool: pool.clone(),
        ticket: ticket?,
        feed: Feed::new(encoder, source, options.chunk(), true).waiting(None),
        task: task::name_of::<T>(),
        decode: decode_each::<T>,
        ordered: !options.unordered,
        given: 0,
        next: 0,
        early: BTreeMap::new(),
        held: 0,
        ready: VecDeque::new(),
        hungry: None,
        slow: false,
        done: false,
    };
    let demand = shared.lock().core.stream_demand(stream.ticket, None, 0, 0);
    stream.pull(demand)?;
    shared.leave(shared.lock());
    Ok(stream)
}

impl<O> Stream<'_, O> {
    /// The next value; `Err` when it is not there at the deadline.
    fn next(&mut self, deadline: Option<Instant>) -> Result<Option<(u64, Result<O>)>> {
        if forked() {
            return Err(session::forked());
        }
        let shared = Arc::clone(&self.pool.inner.shared);
        let ticket = self.ticket;
        let mut deliveries = VecDeque::new();
        loop {
            if let Some(ready) = self.ready.pop_front() {
                self.given += 1;
                return Ok(Some(ready));
            }
            if self.done {
                if let Some(panic) = self.feed.panic() {
                    std::panic::resume_unwind(panic);
                }
                return Ok(None);
            }
            let hungry = self.hungry;
            let (ahead, held, ended) = (self.feed.pulled - self.given, self.held, self.feed.ended);
            let step = shared.drive(Some(ticket), deadline, |core| {
                let demand = if ended {
                    Demand::default()
                } else {
                    core.stream_demand(ticket, hungry, ahead, held)
                };
                let inbox = core.inbox(ticket)?;
                std::mem::swap(&mut deliveries, &mut inbox.deliveries);
                let done = inbox.done;
                (done || demand.items > 0 || !deliveries.is_empty()).then_some((demand, done))
            });
            let Some((demand, done)) = step else {
                return Err(
                    Error::new(Kind::Timeout, "the next value was not there in time")
                        .with_task(self.task),
                );
            };
            for delivery in deliveries.drain(..) {
                self.take(delivery);
            }
            self.done = done;
            // A slow input is not asked while there are values to give.
            if !self.slow || self.ready.is_empty() {
                self.pull(demand)?;
            }
        }
    }

    fn pull(&mut self, demand: Demand) -> Result<()> {
        let begun = Instant::now();
        let (shared, ticket) = (&self.pool.inner.shared, self.ticket);
        self.hungry = match self.feed.feed(shared, ticket, demand)? {
            Some(starved) if starved.least && demand.alone => {
                self.feed.refuse(shared, ticket, starved.error)?;
                None
            }
            Some(_) => Some(shared.lock().core.shrink(ticket, demand)),
            None => None,
        };
        if demand.items > 0 {
            self.slow = begun.elapsed() > PATIENCE;
        }
        Ok(())
    }

    fn take(&mut self, delivery: Delivery) {
        let Delivery { first, count, what } = delivery;
        if !self.ordered {
            return self.decode(first, count, what);
        }
        if first != self.next {
            self.held += what.weight();
            self.early.insert(first, (count, what));
            return;
        }
        self.decode(first, count, what);
        while let Some((count, what)) = self.early.remove(&self.next) {
            self.held = self.held.saturating_sub(what.weight());
            self.decode(self.next, count, what);
        }
    }

    fn decode(&mut self, first: u64, count: u32, what: What) {
        let mut results = Vec::with_capacity(count as usize);
        what.results(first, count, self.task, self.decode, &mut results);
        self.next += u64::from(count);
        self.ready.extend((first..).zip(results));
    }

    /// How it goes on for an iterator: an error of the call itself is its last value.
    fn give(&mut self) -> Option<(u64, Result<O>)> {
        match self.next(None) {
            Ok(next) => next,
            Err(error) => {
                self.done = true;
                Some((self.next, Err(error)))
            }
        }
    }
}

impl<O> Drop for Stream<'_, O> {
    fn drop(&mut self) {
        if forked() {
            return;
        }
        let shared = &self.pool.inner.shared;
        let mut lead = shared.lock();
        lead.core.leave(self.ticket, Leave::CallOff);
        lead.core.act();
        shared.unlock(lead);
    }
}

/// The values of [`Pool::imap`], in the order of the items: an iterator of one [`Result`] for each item.
///
/// Dropping it calls off what is queued. If the input panics, the values of the items before it come first.
pub struct Imap<'i, O>(pub(crate) Stream<'i, O>);

impl<O> Imap<'_, O> {
    /// The next value, waited for up to `timeout`; `None` at the end. A `next` of the input that takes longer is waited for.
    ///
    /// # Errors
    /// It is not there by then (`is_timeout`); ask again. The item's own errors are inside.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Result<O>>> {
        let next = self.0.next(call::deadline(timeout))?;
        Ok(next.map(|(_, result)| result))
    }
}

impl<O> Iterator for Imap<'_, O> {
    type Item = Result<O>;

    fn next(&mut self) -> Option<Result<O>> {
        self.0.give().map(|(_, result)| result)
    }
}

/// The values of [`Pool::imap_unordered`] as they are ready, each with the index of its item.
///
/// Dropping it calls off what is queued. If the input panics, the values of the items before it come first.
pub struct ImapUnordered<'i, O>(pub(crate) Stream<'i, O>);

impl<O> ImapUnordered<'_, O> {
    /// The next value, waited for up to `timeout`; `None` at the end. A `next` of the input that takes longer is waited for.
    ///
    /// # Errors
    /// It is not there by then (`is_timeout`); ask again. The item's own errors are inside.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<(usize, Result<O>)>> {
        let next = self.0.next(call::deadline(timeout))?;
        Ok(next.map(|(item, result)| (item as usize, result)))
    }
}

impl<O> Iterator for ImapUnordered<'_, O> {
    type Item = (usize, Result<O>);

    fn next(&mut self) -> Option<(usize, Result<O>)> {
        self.0.give().map(|(item, result)| (item as usize, result))
    }
}

impl<O> std::fmt::Debug for Imap<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Imap")
            .field("task", &self.0.task)
            .finish_non_exhaustive()
    }
}

impl<O> std::fmt::Debug for ImapUnordered<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImapUnordered")
            .field("task", &self.0.task)
            .finish_non_exhaustive()
    }
}
