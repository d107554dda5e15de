//! The calls of a pool, on their caller's thread: input goes in through `feed`, deliveries come together in `collect`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use super::collect::{Collect, Each, Folds, Ordered, Unordered};
use super::core::{Core, Delivery, Demand, Leave, Ready, Ticket, What, no_value, unknown_call};
use super::drive::{Lead, Shared};
use super::feed::{Cut, Encoder, Feed, Source, source};
use super::handle::{Decode, Handle};
use super::options::Options;
use crate::error::{Error, Kind, Result};
use crate::task::{self, Items, Reducer, Task};

/// An open call; it is called off if this goes before the call is done.
pub(crate) struct Open<'p> {
    shared: &'p Shared,
    ticket: Ticket,
    /// Whether what runs is ended, too.
    kill: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut lead = self.shared.lock();
        let leave = match self.kill {
            true => Leave::End,
            false => Leave::CallOff,
        };
        lead.core.leave(self.ticket, leave);
        lead.core.act();
        self.shared.unlock(lead);
    }
}

/// The error of a call that took longer than it was given.
fn too_late<T: Task>() -> Error {
    Error::new(Kind::Timeout, "the call was not done in time").with_task(task::name_of::<T>())
}

/// How many items an iterator will give, where it knows.
pub(crate) fn expected(hint: (usize, Option<usize>)) -> Option<u64> {
    match hint {
        (low, Some(high)) if low == high => Some(low as u64),
        _ => None,
    }
}

/// Feeds the input to the pool and the deliveries to `into`, until the call is done.
fn run<T: Task>(
    shared: &Shared,
    options: &Options,
    expected: Option<u64>,
    feed: Feed<impl Source>,
    fold: bool,
    into: &mut impl Collect,
) -> Result<()> {
    let spec = options.spec::<T>(expected, fold);
    let mut lead = shared.lock();
    let ticket = lead.core.open(feed.encoder.task, spec, true);
    shared.unlock(lead);
    let mut open = Open {
        shared,
        ticket: ticket?,
        kill: false,
    };
    let ticket = open.ticket;
    let deadline = options.deadline();
    let mut feed = feed.waiting(deadline);
    let mut deliveries = VecDeque::new();
    // How much had been released when the heap had no room for the next item.
    let mut hungry = None;
    loop {
        // Wait for something to do: values to take, or room for more items.
        let step = shared.drive(Some(ticket), deadline, |core| {
            let demand = if feed.ended {
                Demand::default()
            } else {
                core.demand(ticket, hungry)
            };
            let inbox = core.inbox(ticket)?;
            std::mem::swap(&mut deliveries, &mut inbox.deliveries);
            let done = inbox.done;
            (done || demand.items > 0 || !deliveries.is_empty()).then_some((demand, done))
        });
        let Some((demand, done)) = step else {
            open.kill = true;
            return Err(too_late::<T>());
        };
        for delivery in deliveries.drain(..) {
            into.take(delivery)
                .map_err(|error| error.with_task(task::name_of::<T>()))?;
        }
        if done {
            if let Some(panic) = feed.panic() {
                drop(open);
                std::panic::resume_unwind(panic);
            }
            return Ok(());
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            open.kill = true;
            return Err(too_late::<T>());
        }
        hungry = match feed.feed(shared, ticket, demand)? {
            Some(starved) if starved.least && demand.alone => {
                feed.refuse(shared, ticket, starved.error)?;
                None
            }
            Some(_) => Some(shared.lock().core.shrink(ticket, demand)),
            None => None,
        };
    }
}

pub(crate) fn map<'a, T: Task, I: Items<T::Params<'a>>>(
    shared: &Shared,
    options: &Options,
    items: I,
) -> Result<Vec<T::Output>> {
    let items = items.into_items();
    let hint = items.size_hint();
    let chunk = options.chunk();
    let feed = Feed::new(Encoder::of::<T>(None)?, source::<T, _>(items), chunk, false);
    if options.unordered {
        let mut values = Unordered::<T> { out: Vec::new() };
        run::<T>(shared, options, expected(hint), feed, false, &mut values)?;
        return Ok(values.out);
    }
    let mut values = Ordered::<T>::new(hint.0);
    run::<T>(shared, options, expected(hint), feed, false, &mut values)?;
    Ok(values.out)
}

pub(crate) fn try_map<'a, T: Task, I: Items<T::Params<'a>>>(
    shared: &Shared,
    options: &Options,
    items: I,
) -> Result<Vec<Result<T::Output>>> {
    let items = items.into_items();
    let hint = items.size_hint();
    let chunk = options.chunk();
    let feed = Feed::new(Encoder::of::<T>(None)?, source::<T, _>(items), chunk, true);
    let mut values = Each::<T>::new(!options.unordered);
    run::<T>(shared, options, expected(hint), feed, false, &mut values)?;
    Ok(values.out)
}

pub(crate) fn map_reduce<'a, T, R, I>(
    shared: &Shared,
    options: &Options,
    items: I,
) -> Result<Option<T::Output>>
where
    T: Task,
    R: Reducer<T::Output>,
    I: Items<T::Params<'a>>,
{
    let encoder = Encoder::of::<T>(Some(task::index_of::<R>()?))?;
    let mut folds = Folds::<T> {
        values: BTreeMap::new(),
    };
    let items = items.into_items();
    let expected = expected(items.size_hint());
    let feed = Feed::new(encoder, source::<T, _>(items), options.chunk(), false);
    run::<T>(shared, options, expected, feed, true, &mut folds)?;
    let mut values = folds.values.into_values();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let total = values.try_fold(first, R::fold);
    total
        .map(Some)
        .map_err(|failure| failure.into_error().with_task(task::name_of::<R>()))
}

/// Opens a call of one item and hands it over; gives the lock back by `unlock`.
fn begin<'s, T: Task>(
    shared: &'s Shared,
    options: &Options,
    input: &T::Input<'_>,
    attended: bool,
    unlock: impl FnOnce(MutexGuard<'s, Lead>),
) -> Result<Ticket> {
    let encoder = Encoder::of::<T>(None)?;
    let hint = task::input_hint::<T>(input);
    let Cut { message, error, .. } = encoder.message(1, hint, |out| {
        task::encode_input::<T>(input, out).map(|()| true)
    });
    let Some(message) = message else {
        let error = error.unwrap_or_else(|| Error::new(Kind::Encode, "nothing was encoded"));
        return Err(error.with_task(task::name_of::<T>()));
    };
    let spec = options.spec_of_one::<T>();
    let mut lead = shared.lock();
    let opened = lead.core.open(encoder.task, spec, attended);
    let ticket = match opened {
        Ok(ticket) => ticket,
        Err(error) => {
            message.free(encoder.heap);
            return Err(error.with_task(task::name_of::<T>()));
        }
    };
    let submitted = lead.core.submit(ticket, 1, message.job, message.block);
    lead.core.input_done(ticket);
    if !attended && shared.is_watched(&lead) {
        lead.core.act_soon();
    } else {
        lead.core.act();
    }
    unlock(lead);
    submitted.map(|()| ticket)
}

/// The one delivery of a call of one item, once it is there.
pub(crate) fn only(core: &mut Core, ticket: Ticket) -> Option<Result<Delivery>> {
    match core.inbox(ticket) {
        Some(inbox) => match inbox.deliveries.pop_front() {
            Some(delivery) => Some(Ok(delivery)),
            None if inbox.done => Some(Err(no_value())),
            None => None,
        },
        None => Some(Err(unknown_call())),
    }
}

/// The value of a call of one item.
pub(crate) fn value<T: Task>(delivery: Delivery) -> Result<T::Output> {
    let error = match delivery.what {
        What::Values(payload) | What::Folded(payload) => {
            let framed = payload.framed;
            let value = payload.read(|from| match framed {
                true => task::decode_output::<T>(&mut from.frame()?),
                false => task::decode_output::<T>(from),
            });
            match value {
                Ok(value) => return Ok(value),
                Err(error) => error,
            }
        }
        What::Failed(error) => error.without_item(),
        What::Dropped(gone) => gone.error(),
    };
    Err(error.with_task(task::name_of::<T>()))
}

pub(crate) fn apply<T: Task>(
    shared: &Shared,
    options: &Options,
    input: &T::Input<'_>,
) -> Result<T::Output> {
    let mut open = Open {
        shared,
        ticket: begin::<T>(shared, options, input, true, |lead| shared.unlock(lead))?,
        kill: false,
    };
    let ticket = open.ticket;
    let delivery = shared.drive(Some(ticket), options.deadline(), |core| only(core, ticket));
    match delivery {
        Some(delivery) => value::<T>(delivery?),
        None => {
            open.kill = true;
            Err(too_late::<T>())
        }
    }
}

pub(crate) fn apply_async<T: Task>(
    shared: &Arc<Shared>,
    options: &Options,
    input: &T::Input<'_>,
) -> Result<Handle<T::Output>> {
    shared.need_keeper()?;
    let ticket = begin::<T>(shared, options, input, false, |lead| shared.leave(lead))?;
    let decode = Decode::One(value::<T>);
    Ok(Handle::new(Arc::clone(shared), ticket, decode))
}

/// All deliveries of a call that is ready.
pub(crate) fn all_there(core: &mut Core, ticket: Ticket) -> Option<VecDeque<Delivery>> {
    match core.inbox(ticket) {
        Some(inbox) => inbox
            .is_ready()
            .then(|| std::mem::take(&mut inbox.deliveries)),
        None => Some(VecDeque::new()),
    }
}

/// The values of a `map`; the first error in time, where there is one.
fn values<T: Task>(deliveries: VecDeque<Delivery>) -> Result<Vec<T::Output>> {
    let mut values = Ordered::<T>::new(0);
    let named = |error: Error| error.with_task(task::name_of::<T>());
    for delivery in deliveries {
        values.take(delivery).map_err(named)?;
    }
    Ok(values.out)
}

/// One result for each item.
fn results<T: Task>(deliveries: VecDeque<Delivery>) -> Result<Vec<Result<T::Output>>> {
    let mut results = Each::<T>::new(true);
    for delivery in deliveries {
        results.take(delivery)?;
    }
    Ok(results.out)
}

/// Pulls and encodes all of the input, and leaves the call to the keeper.
fn feed_all<'a, T: Task, I: Items<T::Params<'a>>>(
    shared: &Arc<Shared>,
    options: &Options,
    items: I,
    ready: Ready,
) -> Result<Ticket> {
    shared.need_keeper()?;
    let items = items.into_items();
    let spec = options.spec::<T>(expected(items.size_hint()), false);
    let encoder = Encoder::of::<T>(None)?;
    let patient = ready == Ready::Each;
    let mut lead = shared.lock();
    let ticket = lead.core.open(encoder.task, spec, false);
    if let Ok(ticket) = &ticket {
        lead.core.set_ready(*ticket, ready);
    }
    shared.unlock(lead);
    let open = Open {
        shared,
        ticket: ticket?,
        kill: false,
    };
    let ticket = open.ticket;
    let mut feed = Feed::new(encoder, source::<T, _>(items), options.chunk(), patient);
    while !feed.ended {
        // A few messages at a time, so that their size follows what was measured meanwhile.
        let mut lead = shared.lock();
        lead.core.pump();
        let mut demand = lead.core.demand(ticket, None);
        shared.leave_to_keeper(lead);
        demand.items = demand.items.max(demand.chunk.saturating_mul(16));
        demand.bytes = u64::MAX;
        feed.feed(shared, ticket, demand)?;
    }
    if let Some(panic) = feed.panic() {
        drop(open);
        std::panic::resume_unwind(panic);
    }
    std::mem::forget(open);
    shared.leave_to_keeper(shared.lock());
    Ok(ticket)
}

pub(crate) fn map_async<'a, T: Task, I: Items<T::Params<'a>>>(
    shared: &Arc<Shared>,
    options: &Options,
    items: I,
) -> Result<Handle<Vec<T::Output>>> {
    let ticket = feed_all::<T, I>(shared, options, items, Ready::Whole)?;
    let decode = Decode::All(values::<T>);
    Ok(Handle::new(Arc::clone(shared), ticket, decode))
}

pub(crate) fn try_map_async<'a, T: Task, I: Items<T::Params<'a>>>(
    shared: &Arc<Shared>,
    options: &Options,
    items: I,
) -> Result<Handle<Vec<Result<T::Output>>>> {
    let ticket = feed_all::<T, I>(shared, options, items, Ready::Each)?;
    let decode = Decode::All(results::<T>);
    Ok(Handle::new(Arc::clone(shared), ticket, decode))
}

/// Until when a wait of this length lasts; `None` for ever, where it is longer than any clock.
pub(crate) fn deadline(timeout: std::time::Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}
