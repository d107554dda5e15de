//! Where the values of a call come together: decoded on their caller's thread, outside the pool's lock.
//!
//! Relies on the codec and the task's decoding. One collector for each kind of call; all take deliveries in any order. What
//! comes early waits as it came, in the shared heap, unless that becomes too much: workers need room for what is missing.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::core::{Delivery, What};
use super::payload::Payload;
use crate::error::{Error, Kind, Result};
use crate::task::{self, Task};

/// Where deliveries go. An error ends the call.
pub(crate) trait Collect {
    fn take(&mut self, delivery: Delivery) -> Result<()>;
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

/// Decodes the values of a delivery, each for itself: one that cannot be decoded, or whose decoder panics, spoils no other.
pub(crate) fn decode_each<T: Task>(
    payload: &Payload,
    count: u32,
    out: &mut Vec<Result<T::Output>>,
) {
    let fixed = task::fixed_out::<T>();
    if fixed.is_some() {
        // Plain data: no user code runs.
        let mut values = Vec::new();
        if decode::<T>(payload, count, &mut values).is_ok() {
            out.extend(values.into_iter().map(Ok));
            return;
        }
    }
    let end = out.len() + count as usize;
    let read = payload.read(|from| {
        while out.len() < end {
            let mut one = match fixed {
                _ if payload.framed => from.frame()?,
                Some(size) => from.take(size)?,
                None => from.take(from.remaining())?,
            };
            let value = catch_unwind(AssertUnwindSafe(|| task::decode_output::<T>(&mut one)));
            out.push(value.unwrap_or_else(|panic| Err(task::panicked(panic))));
        }
        Ok(())
    });
    // Behind a broken frame nothing can be found.
    if let Err(error) = read {
        let text = error.message().to_owned();
        out.resize_with(end, || Err(Error::new(Kind::Decode, text.clone())));
    }
}

pub(crate) fn not_folded() -> Error {
    Error::new(Kind::Protocol, "a folded value where none was asked for")
}

/// The values of a `map`, appended as their turn comes; what comes early waits, encoded where it holds more than one value.
pub(crate) struct Ordered<T: Task> {
    pub(crate) out: Vec<T::Output>,
    /// Single values ahead of their turn: the place of the first is that of the next value of `out`.
    ahead: VecDeque<Option<T::Output>>,
    /// Chunks ahead of their turn, and how many bytes of the heap they hold.
    chunks: BTreeMap<u64, Early<T::Output>>,
    held: u64,
}

/// Values that came before their turn.
enum Early<O> {
    Coded(u32, Payload),
    Decoded(Vec<O>),
}

impl<T: Task> Ordered<T> {
    pub(crate) fn new(expected: usize) -> Self {
        Ordered {
            // Where there is less memory than the iterator promises, growing step by step will tell.
            out: crate::codec::vec_with_room(expected).unwrap_or_default(),
            ahead: VecDeque::new(),
            chunks: BTreeMap::new(),
            held: 0,
        }
    }

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
                Some(Early::Coded(count, payload)) => {
                    self.held = self.held.saturating_sub(payload.weight());
                    self.append(count, &payload)?;
                }
                Some(Early::Decoded(mut values)) => {
                    self.ahead.drain(..values.len().min(self.ahead.len()));
                    self.out.append(&mut values);
                }
                None => return Ok(()),
            }
        }
    }
}

impl<T: Task> Collect for Ordered<T> {
    fn take(&mut self, delivery: Delivery) -> Result<()> {
        let Delivery { first, count, what } = delivery;
        let payload = what.values()?;
        if first == self.out.len() as u64 {
            self.append(count, &payload)?;
            return self.catch_up();
        }
        if count > 1 {
            let early = if self.held + payload.weight() > payload.budget() {
                let mut values = Vec::new();
                decode::<T>(&payload, count, &mut values)
                    .map_err(|(at, error)| error.with_item(first + at))?;
                Early::Decoded(values)
            } else {
                self.held += payload.weight();
                Early::Coded(count, payload)
            };
            self.chunks.insert(first, early);
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

/// The values of a `map` in the order in which they come.
pub(crate) struct Unordered<T: Task> {
    pub(crate) out: Vec<T::Output>,
}

impl<T: Task> Collect for Unordered<T> {
    fn take(&mut self, delivery: Delivery) -> Result<()> {
        let Delivery { first, count, what } = delivery;
        decode::<T>(&what.values()?, count, &mut self.out)
            .map_err(|(at, error)| error.with_item(first + at))
    }
}

/// One result for each item, in order unless `ordered` is off.
pub(crate) struct Each<T: Task> {
    pub(crate) out: Vec<Result<T::Output>>,
    early: BTreeMap<u64, EarlyEach<T::Output>>,
    /// How many bytes of the heap they hold.
    held: u64,
    ordered: bool,
}

/// Results that came before their turn.
enum EarlyEach<O> {
    Coded(u32, What),
    Decoded(Vec<Result<O>>),
}

impl<T: Task> Each<T> {
    pub(crate) fn new(ordered: bool) -> Self {
        Each {
            out: Vec::new(),
            early: BTreeMap::new(),
            held: 0,
            ordered,
        }
    }
}

impl<T: Task> Collect for Each<T> {
    fn take(&mut self, delivery: Delivery) -> Result<()> {
        let Delivery { first, count, what } = delivery;
        let (name, decode) = (task::name_of::<T>(), decode_each::<T>);
        if self.ordered && first != self.out.len() as u64 {
            let early = if self.held + what.weight() > what.budget() {
                let mut results = Vec::new();
                what.results(first, count, name, decode, &mut results);
                EarlyEach::Decoded(results)
            } else {
                self.held += what.weight();
                EarlyEach::Coded(count, what)
            };
            self.early.insert(first, early);
            return Ok(());
        }
        what.results(first, count, name, decode, &mut self.out);
        while let Some(early) = self.early.remove(&(self.out.len() as u64)) {
            match early {
                EarlyEach::Coded(count, what) => {
                    self.held = self.held.saturating_sub(what.weight());
                    let first = self.out.len() as u64;
                    what.results(first, count, name, decode, &mut self.out);
                }
                EarlyEach::Decoded(mut results) => self.out.append(&mut results),
            }
        }
        Ok(())
    }
}

impl What {
    /// The values; an error for whatever is none.
    fn values(self) -> Result<Payload> {
        match self {
            What::Values(payload) => Ok(payload),
            What::Failed(error) => Err(error),
            What::Dropped(gone) => Err(gone.error()),
            What::Folded(_) => Err(not_folded()),
        }
    }

    /// One result for each of the `count` items from `first` on.
    pub(crate) fn results<O>(
        self,
        first: u64,
        count: u32,
        task: &str,
        decode: fn(&Payload, u32, &mut Vec<Result<O>>),
        out: &mut Vec<Result<O>>,
    ) {
        let before = out.len();
        match self {
            What::Values(payload) => decode(&payload, count, out),
            What::Failed(error) => out.push(Err(error)),
            What::Dropped(gone) => out.extend((0..count).map(|_| Err(gone.error()))),
            What::Folded(_) => out.extend((0..count).map(|_| Err(not_folded()))),
        }
        for (at, result) in (first..).zip(&mut out[before..]) {
            if result.is_err() {
                let plain = std::mem::replace(result, Err(not_folded()));
                *result = plain.map_err(|error| error.with_item(at).with_task(task));
            }
        }
    }
}

/// Folded values, by the first item of each.
pub(crate) struct Folds<T: Task> {
    pub(crate) values: BTreeMap<u64, T::Output>,
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
            What::Values(_) => Err(Error::new(
                Kind::Protocol,
                "plain values where a folded one was asked for",
            )),
            other => other.values().map(drop),
        }
    }
}
