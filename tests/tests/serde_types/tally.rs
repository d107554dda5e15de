//! The way itself, what came of it, and the counts.

use std::any::type_name;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mp::Queue;
use mp_tests::serde_types::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sample::{Cause, Refusal, Sample, Source, Way};

/// How many failures are shown.
const SHOWN: usize = 40;

/// What came of a value.
enum End<T> {
    Arrived(T),
    /// The sender was told.
    Refused(String),
    /// The sender was told that all is well, and the receiver found that it is not.
    Late(String),
}

/// The way from process to process, within one.
fn travel<T: Serialize + DeserializeOwned + 'static>(queue: &Queue<T>, value: T) -> End<T> {
    if let Err(refused) = queue.put(value) {
        return End::Refused(refused.error().to_string());
    }
    match queue.get_timeout(Duration::from_secs(60)) {
        Ok(Some(value)) => End::Arrived(value),
        Ok(None) => End::Late("nothing has come".to_owned()),
        Err(error) => End::Late(error.to_string()),
    }
}

/// The same through the reference, whose reader is as good as a sender.
fn through_reference<T: Serialize + DeserializeOwned>(value: &T) -> End<T> {
    match crate::reference::travel(value) {
        Ok(value) => End::Arrived(value),
        Err(text) => End::Refused(text),
    }
}

/// What was tried and what came of it.
pub(crate) struct Tally {
    per_type: u64,
    seed: u64,
    reference: bool,
    types: usize,
    values: usize,
    equal: usize,
    /// At the sender, as it must be.
    refused: BTreeMap<Cause, usize>,
    /// Of each type the first failure.
    failures: Vec<String>,
    /// Values that failed.
    failing: usize,
}

impl Tally {
    pub(crate) fn new(per_type: u64, seed: u64) -> Self {
        Tally {
            per_type,
            seed,
            reference: false,
            types: 0,
            values: 0,
            equal: 0,
            refused: BTreeMap::new(),
            failures: Vec::new(),
            failing: 0,
        }
    }

    pub(crate) fn of_reference(per_type: u64, seed: u64) -> Self {
        Tally {
            reference: true,
            ..Tally::new(per_type, seed)
        }
    }

    /// Tries values of one type.
    pub(crate) fn of<T>(&mut self, name: &'static str)
    where
        T: Sample + Serialize + DeserializeOwned + 'static,
    {
        assert!(
            type_name::<T>().ends_with(name),
            "the error will name {name}"
        );
        let mut failing = 0;
        let queue = (!self.reference).then(|| Queue::unbounded().expect("a queue"));
        let mut seeds = Rng::new(self.seed ^ (self.types as u64) << 32);
        for _ in 0..self.per_type {
            let value = T::make(&mut Source::new(seeds.bits()));
            let mut way = Way::default();
            let expected = value.arrive(&mut way);
            self.values += 1;
            let end = match &queue {
                Some(queue) => travel(queue, value.clone()),
                None => through_reference(&value),
            };
            let verdict = self.verdict(name, &expected, &way.refusals, end);
            if let Err(text) = verdict {
                failing += 1;
                if failing == 1 {
                    self.failures
                        .push(format!("{name}: {text}\n    of {value:?}"));
                }
            }
        }
        self.types += 1;
        self.failing += failing;
    }

    fn verdict<T: Sample>(
        &mut self,
        name: &str,
        expected: &T,
        refusals: &[Refusal],
        end: End<T>,
    ) -> Result<(), String> {
        match (end, refusals) {
            (End::Arrived(found), []) if found.same(expected) => {
                self.equal += 1;
                Ok(())
            }
            (End::Arrived(found), []) => Err(format!("came as {found:?}\n    not {expected:?}")),
            (End::Arrived(found), _) => Err(format!("came as {found:?}, in spite of {refusals:?}")),
            (End::Refused(text), []) => Err(format!("refused: {text}")),
            (End::Refused(text), _) => {
                let named =
                    |refusal: &Refusal| refusal.names.iter().any(|name| text.contains(name));
                let is_named = text.contains(name) && refusals.iter().any(named);
                if !self.reference && !is_named {
                    return Err(format!(
                        "the error does not name what it must ({refusals:?}): {text}"
                    ));
                }
                *self.refused.entry(refusals[0].cause).or_default() += 1;
                Ok(())
            }
            (End::Late(text), []) => Err(format!("put said Ok, get said: {text}")),
            (End::Late(text), _) => Err(format!(
                "put said Ok in spite of {refusals:?}, get said: {text}"
            )),
        }
    }

    /// Fails the test if anything did.
    pub(crate) fn judge(&self) {
        let shown: Vec<&str> = self
            .failures
            .iter()
            .take(SHOWN)
            .map(|text| &**text)
            .collect();
        assert!(
            self.failures.is_empty(),
            "{} values of {} types went wrong, among them:\n{}\n{self}",
            self.failing,
            self.failures.len(),
            shown.join("\n")
        );
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: usize = self.refused.values().sum();
        write!(
            f,
            "{} types, {} values: {} equal, {refused} refused by their sender {:?}, {} wrong",
            self.types, self.values, self.equal, self.refused, self.failing
        )
    }
}
