//! The calls of a pool, on their caller's thread: items are encoded and values decoded here, outside the pool's lock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::Calls;
use super::core::{Core, Delivery, Demand, Ticket, What};
use super::drive::Shared;
use super::handle::Handle;
use super::mail::{BARE, FOLD, FRAMED, IN_BLOCK, INLINE, Inline, Job};
use super::payload::Payload;
use super::scheduler::CallSpec;
use crate::codec::{BlockStore, Writer};
use crate::error::{Error, Kind, Result};
use crate::heap::Heap;
use crate::session;
use crate::task::{self, Items, Reducer, Task};

/// A message is closed once it holds so many bytes of arguments.
const MAX_BYTES: usize = 256 << 10;
/// Of folding calls a chunk runs so much longer: what it costs is one more value to be sent and folded.
const FOLD_CHUNKS: u32 = 16;

/// An open call; it is called off if this goes before the call is done.
pub(crate) struct Open<'p> {
    shared: &'p Shared,
    ticket: Ticket,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut lead = self.shared.lock();
        lead.core.leave(self.ticket, true);
        lead.core.act();
        self.shared.unlock(lead);
    }
}

/// A message for the pool: how many items, where their bytes are.
struct Message {
    heap: &'static Heap,
    items: u32,
    job: Job,
    /// Ours until it is handed over.
    block: Option<u64>,
}

impl Drop for Message {
    fn drop(&mut self) {
        if let Some(block) = self.block {
            let _ = self.heap.free(block);
        }
    }
}

/// Encodes messages of one task.
struct Encoder {
    heap: &'static Heap,
    task: u32,
    reducer: Option<u32>,
    fixed: Option<usize>,
}

#[derive(Default)]
#[repr(align(16))]
struct Room(Inline);

impl Encoder {
    /// Encodes up to `count` items as one message, `None` when there is not one left. `encode` gives `false` at the end of the
    /// input.
    fn message(
        &self,
        count: u32,
        hint: usize,
        mut encode: impl FnMut(&mut Writer<'_>) -> Result<bool>,
    ) -> Result<Option<Message>> {
        let mut room = Room::default();
        let mut store = BlockStore::over_words(self.heap, &mut room.0);
        let framed = self.fixed.is_none() && count > 1;
        let mut items = 0;
        let len;
        {
            let mut out = Writer::over_words(&mut room.0, &mut store);
            let expected = self.fixed.map_or(hint, |size| {
                size.saturating_mul(count as usize).min(MAX_BYTES + size)
            });
            if expected > INLINE {
                out.reserve(expected)?;
            }
            while items < count && out.len() < MAX_BYTES {
                let more = if framed {
                    let frame = out.begin_frame()?;
                    let more = encode(&mut out)?;
                    if more {
                        out.end_frame(frame)?;
                    } else {
                        out.cancel_frame(frame);
                    }
                    more
                } else {
                    encode(&mut out)?
                };
                if !more {
                    break;
                }
                items += 1;
            }
            len = out.len();
        }
        if items == 0 {
            return Ok(None);
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
        Ok(Some(Message {
            heap: self.heap,
            items,
            job,
            block,
        }))
    }
}

fn encoder<T: Task>(reducer: Option<u32>) -> Result<Encoder> {
    let session = session::current()?;
    Ok(Encoder {
        heap: session.heap,
        task: task::index_of::<T>()?,
        reducer,
        fixed: task::fixed_in::<T>(),
    })
}

fn open(shared: &Shared, encoder: &Encoder, spec: CallSpec) -> Result<Ticket> {
    let mut lead = shared.lock();
    let ticket = lead.core.open(encoder.task, spec, true);
    shared.unlock(lead);
    ticket
}

/// Where the values of a call come together, in the order of the items.
trait Collect {
    fn take(&mut self, delivery: Delivery) -> Result<()>;
}

/// Feeds the input to the pool and the deliveries to `into`, until the call is done.
fn run<'a, T: Task, I: Items<T::Params<'a>>>(
    shared: &Shared,
    calls: Calls,
    reducer: Option<u32>,
    items: I,
    into: &mut impl Collect,
) -> Result<()> {
    let encoder = encoder::<T>(reducer)?;
    let named = |error: Error, item: u64| error.with_item(item).with_task(task::name_of::<T>());
    let mut input = items.into_items();
    let expected = match input.size_hint() {
        (low, Some(high)) if low == high => Some(low as u64),
        _ => None,
    };
    let spec = CallSpec {
        items: expected,
        chunked: calls.chunk_size != Some(1),
        max_chunk: calls.chunk_size.unwrap_or(u32::MAX),
        window: calls.window,
        stretch: if reducer.is_some() { FOLD_CHUNKS } else { 1 },
        ..CallSpec::default()
    };
    let open = Open {
        shared,
        ticket: open(shared, &encoder, spec)?,
    };
    let ticket = open.ticket;
    let mut pulled = 0u64;
    let mut ended = false;
    let mut messages: Vec<Message> = Vec::new();
    let mut deliveries = VecDeque::new();
    loop {
        // Wait for something to do: values to take, or room for more items.
        let step = shared.drive(Some(ticket), None, |core| {
            let demand = if ended {
                Demand::default()
            } else {
                core.demand(ticket)
            };
            let inbox = core.inbox(ticket)?;
            std::mem::swap(&mut deliveries, &mut inbox.deliveries);
            let done = inbox.done;
            (done || demand.items > 0 || !deliveries.is_empty()).then_some((demand, done))
        });
        let Some((mut demand, done)) = step else {
            return Err(Error::new(
                Kind::Closed,
                "the call is not known to its pool",
            ));
        };
        for delivery in deliveries.drain(..) {
            into.take(delivery)
                .map_err(|error| error.with_task(task::name_of::<T>()))?;
        }
        if done {
            return Ok(());
        }
        while demand.items > 0 && demand.bytes > 0 && !ended {
            let chunk = calls.chunk_size.unwrap_or(demand.chunk);
            let begun = pulled;
            let message = encoder.message(chunk, 0, |out| match input.next() {
                Some(item) => {
                    let hint = if encoder.fixed.is_none() {
                        task::item_hint::<T, _>(&item)
                    } else {
                        0
                    };
                    if hint > INLINE {
                        out.reserve(hint)?;
                    }
                    task::encode_item::<T, _>(&item, out).map_err(|error| named(error, pulled))?;
                    pulled += 1;
                    Ok(true)
                }
                None => {
                    ended = true;
                    Ok(false)
                }
            });
            match message {
                Ok(Some(message)) => {
                    demand.items = demand.items.saturating_sub(message.items);
                    demand.bytes = demand.bytes.saturating_sub(message.bytes());
                    messages.push(message);
                }
                Ok(None) => {}
                Err(error) => return Err(named(error, begun)),
            }
            // Workers should not wait for the last of many messages before they see the first.
            if messages.len() >= 64 {
                hand_over(shared, ticket, &mut messages, false)?;
            }
        }
        hand_over(shared, ticket, &mut messages, ended)?;
    }
}

impl Message {
    fn bytes(&self) -> u64 {
        match self.block {
            Some(_) => self.job.body[1],
            None => 0,
        }
    }
}

fn hand_over(
    shared: &Shared,
    ticket: Ticket,
    messages: &mut Vec<Message>,
    ended: bool,
) -> Result<()> {
    let mut lead = shared.lock();
    let mut result = Ok(());
    for mut message in messages.drain(..) {
        // A refused message is freed by the core.
        let block = message.block.take();
        result = result.and(lead.core.submit(ticket, message.items, message.job, block));
    }
    if ended {
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

/// Decodes the values of a delivery, one after the other.
fn decode<T: Task>(
    payload: &Payload,
    count: u32,
    out: &mut Vec<T::Output>,
) -> std::result::Result<(), (u64, Error)> {
    let before = out.len();
    let fixed = task::fixed_out::<T>().is_some();
    payload
        .read(|from| {
            if fixed {
                return task::decode_outputs::<T>(from, count as usize, out);
            }
            for _ in 0..count {
                let value = if payload.framed {
                    task::decode_output::<T>(&mut from.frame()?)
                } else {
                    task::decode_output::<T>(from)
                };
                out.push(value?);
            }
            Ok(())
        })
        .map_err(|error| ((out.len() - before) as u64, error))
}

/// The values of a `map`, appended as their turn comes; what comes early waits, encoded where it holds more than one value.
struct Ordered<T: Task> {
    out: Vec<T::Output>,
    /// Single values ahead of their turn: the place of the first is that of the next value of `out`.
    ahead: VecDeque<Option<T::Output>>,
    /// Chunks ahead of their turn.
    chunks: BTreeMap<u64, (u32, Payload)>,
}

impl<T: Task> Ordered<T> {
    fn append(&mut self, count: u32, payload: &Payload) -> Result<()> {
        let first = self.out.len() as u64;
        decode::<T>(payload, count, &mut self.out)
            .map_err(|(at, error)| error.with_item(first + at))?;
        self.ahead.drain(..(count as usize).min(self.ahead.len()));
        Ok(())
    }

    fn catch_up(&mut self) -> Result<()> {
        loop {
            while let Some(Some(_)) = self.ahead.front() {
                if let Some(Some(value)) = self.ahead.pop_front() {
                    self.out.push(value);
                }
            }
            match self.chunks.remove(&(self.out.len() as u64)) {
                Some((count, payload)) => self.append(count, &payload)?,
                None => return Ok(()),
            }
        }
    }
}

impl<T: Task> Collect for Ordered<T> {
    fn take(&mut self, delivery: Delivery) -> Result<()> {
        let Delivery { first, count, what } = delivery;
        let payload = match what {
            What::Values(payload) => payload,
            What::Failed(error) | What::Dropped(error) => return Err(error),
            What::Folded(_) => {
                return Err(Error::new(
                    Kind::Protocol,
                    "a folded value where none was asked for",
                ));
            }
        };
        if first == self.out.len() as u64 {
            self.append(count, &payload)?;
            return self.catch_up();
        }
        if count > 1 {
            self.chunks.insert(first, (count, payload));
            return Ok(());
        }
        let mut one = Vec::with_capacity(1);
        decode::<T>(&payload, 1, &mut one).map_err(|(_, error)| error.with_item(first))?;
        let place = (first - self.out.len() as u64) as usize;
        if self.ahead.len() <= place {
            self.ahead.resize_with(place + 1, || None);
        }
        self.ahead[place] = one.pop();
        Ok(())
    }
}

pub(crate) fn map<'a, T: Task, I: Items<T::Params<'a>>>(
    shared: &Shared,
    calls: Calls,
    items: I,
) -> Result<Vec<T::Output>> {
    let items = items.into_items();
    // Where there is less memory than the iterator promises, growing step by step will tell.
    let out = crate::codec::vec_with_room(items.size_hint().0).unwrap_or_default();
    let mut values = Ordered::<T> {
        out,
        ahead: VecDeque::new(),
        chunks: BTreeMap::new(),
    };
    run::<T, _>(shared, calls, None, items, &mut values)?;
    Ok(values.out)
}

/// Folded values, by the first item of each.
struct Folds<T: Task> {
    values: BTreeMap<u64, T::Output>,
}

impl<T: Task> Collect for Folds<T> {
    fn take(&mut self, delivery: Delivery) -> Result<()> {
        let Delivery { first, what, .. } = delivery;
        match what {
            What::Folded(payload) => {
                let value = payload
                    .read(|from| task::decode_output::<T>(from))
                    .map_err(|error| error.with_item(first))?;
                self.values.insert(first, value);
                Ok(())
            }
            What::Failed(error) | What::Dropped(error) => Err(error),
            What::Values(_) => Err(Error::new(
                Kind::Protocol,
                "plain values where a folded one was asked for",
            )),
        }
    }
}

pub(crate) fn map_reduce<'a, T, R, I>(
    shared: &Shared,
    calls: Calls,
    items: I,
) -> Result<Option<T::Output>>
where
    T: Task,
    R: Reducer<T::Output>,
    I: Items<T::Params<'a>>,
{
    let reducer = task::index_of::<R>()?;
    let mut folds = Folds::<T> {
        values: BTreeMap::new(),
    };
    run::<T, _>(shared, calls, Some(reducer), items, &mut folds)?;
    let mut values = folds.values.into_values();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let total = values.try_fold(first, R::fold);
    total
        .map(Some)
        .map_err(|failure| failure.into_error().with_task(task::name_of::<R>()))
}

/// Opens a call of one item and hands it over; the caller drives.
fn begin<T: Task>(shared: &Shared, input: &T::Input<'_>, attended: bool) -> Result<Ticket> {
    let encoder = encoder::<T>(None)?;
    let hint = task::input_hint::<T>(input);
    let message = encoder
        .message(1, hint, |out| {
            task::encode_input::<T>(input, out).map(|()| true)
        })
        .map_err(|error| error.with_task(task::name_of::<T>()))?;
    let Some(mut message) = message else {
        return Err(Error::new(Kind::Encode, "nothing was encoded"));
    };
    let spec = CallSpec {
        items: Some(1),
        ..CallSpec::default()
    };
    let mut lead = shared.lock();
    let opened = lead.core.open(encoder.task, spec, attended);
    let ticket = match opened {
        Ok(ticket) => ticket,
        Err(error) => return Err(error.with_task(task::name_of::<T>())),
    };
    let block = message.block.take();
    let submitted = lead.core.submit(ticket, 1, message.job, block);
    lead.core.input_done(ticket);
    lead.core.act();
    shared.unlock(lead);
    submitted.map(|()| ticket)
}

/// The one delivery of a call of one item, once it is there.
pub(crate) fn only(core: &mut Core, ticket: Ticket) -> Option<Result<Delivery>> {
    match core.inbox(ticket) {
        Some(inbox) => match inbox.deliveries.pop_front() {
            Some(delivery) => Some(Ok(delivery)),
            None if inbox.done => Some(Err(Error::new(
                Kind::Protocol,
                "the call ended without a value",
            ))),
            None => None,
        },
        None => Some(Err(Error::new(
            Kind::Protocol,
            "the call is not known to its pool",
        ))),
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
        What::Failed(error) | What::Dropped(error) => error.without_item(),
    };
    Err(error.with_task(task::name_of::<T>()))
}

pub(crate) fn apply<T: Task>(shared: &Shared, input: &T::Input<'_>) -> Result<T::Output> {
    let open = Open {
        shared,
        ticket: begin::<T>(shared, input, true)?,
    };
    let ticket = open.ticket;
    let delivery = shared.drive(Some(ticket), None, |core| only(core, ticket));
    match delivery {
        Some(delivery) => value::<T>(delivery?),
        None => Err(Error::new(
            Kind::Protocol,
            "a wait without a time-out has timed out",
        )),
    }
}

pub(crate) fn apply_async<T: Task>(
    shared: &Arc<Shared>,
    input: &T::Input<'_>,
) -> Result<Handle<T::Output>> {
    let ticket = begin::<T>(shared, input, false)?;
    shared.leave_to_keeper(shared.lock());
    Ok(Handle::new(Arc::clone(shared), ticket, value::<T>))
}

/// Until when a wait of this length lasts; `None` for ever, where it is longer than any clock.
pub(crate) fn deadline(timeout: std::time::Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}
