//! The static table of all tasks of the program: filled by constructors before `main`, sorted once, read-only after.
//!
//! Relies on `trampoline`. A task's number is its place among the sorted keys, so it is the same in every process that runs
//! the same binary; the fingerprint tells whether two processes do. An entry's `index` is written once (by whoever makes the
//! table, before the `OnceLock` publishes it) and read relaxed: a reader that sees the old value asks the table.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::reduce::Reduce;
use super::trampoline::{self, Batch, Stop};
use super::{OwnedTag, ParamsCodec, Task};
use crate::error::{Error, Kind};

/// One row of the table: everything a worker needs to run a task, without its types.
#[non_exhaustive]
pub struct Entry {
    given_name: Option<&'static str>,
    type_name: fn() -> &'static str,
    line: u32,
    column: u32,
    version: Option<&'static str>,
    fixed: fn() -> (Option<usize>, Option<usize>),
    defaults: Defaults,
    reducer: fn() -> Option<Reduce>,
    run: fn(&mut Batch<'_, '_, '_>) -> Stop,
    fold: fn(&mut Batch<'_, '_, '_>, Reduce) -> Stop,
    name: OnceLock<String>,
    index: AtomicU32,
}

/// How a task's calls are made where the call says nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
}

/// What the attribute says of calls of `T`.
#[inline]
pub(crate) fn defaults<T: Task>() -> Defaults {
    T::entry().defaults
}

/// The index of an entry that is in no table yet.
const UNKNOWN: u32 = u32::MAX;

impl Entry {
    /// The row of `T`. What tells two tasks apart: the name given, or else the path with place and version.
    #[doc(hidden)]
    pub const fn of<T: Task>(
        given_name: Option<&'static str>,
        line: u32,
        column: u32,
        version: Option<&'static str>,
    ) -> Self {
        Entry {
            given_name,
            type_name: std::any::type_name::<T>,
            line,
            column,
            version,
            fixed: fixed::<T>,
            defaults: Defaults {
                timeout: None,
                retries: None,
            },
            reducer: T::reducer,
            run: trampoline::run::<T>,
            fold: trampoline::fold::<T>,
            name: OnceLock::new(),
            index: AtomicU32::new(UNKNOWN),
        }
    }

    /// The same with what the attribute says of its calls; 0 ms is no time-out.
    #[doc(hidden)]
    pub const fn with_defaults(mut self, timeout_ms: u64, retries: Option<u32>) -> Self {
        self.defaults.timeout = match timeout_ms {
            0 => None,
            ms => Some(Duration::from_millis(ms)),
        };
        self.defaults.retries = retries;
        self
    }

    /// The name for people: the one given, or the path of the function.
    pub(crate) fn name(&self) -> &str {
        self.name.get_or_init(|| match self.given_name {
            Some(name) => name.to_owned(),
            None => without_hidden((self.type_name)()),
        })
    }

    /// What the table is sorted by.
    fn key(&self) -> String {
        match self.given_name {
            Some(name) => format!("={name}"),
            None => format!(
                "{} {}:{} {}",
                self.name(),
                self.line,
                self.column,
                self.version.unwrap_or("")
            ),
        }
    }

    /// The size of the encoded arguments, where it is the same for all calls.
    #[inline]
    pub(crate) fn fixed_in(&self) -> Option<usize> {
        (self.fixed)().0
    }

    /// The size of the encoded result, where it is the same for all calls.
    #[inline]
    pub(crate) fn fixed_out(&self) -> Option<usize> {
        (self.fixed)().1
    }

    /// Runs the items of a batch, in order, until one fails.
    #[inline]
    pub(crate) fn run(&self, batch: &mut Batch<'_, '_, '_>) -> Stop {
        (self.run)(batch)
    }

    /// Runs the items of a batch and folds the results with the task `reducer`: one result in all.
    pub(crate) fn fold(&self, batch: &mut Batch<'_, '_, '_>, reducer: &Entry) -> Stop {
        match (reducer.reducer)() {
            Some(reduce) => (self.fold)(batch, reduce),
            None => trampoline::no_reducer(batch, reducer.name()),
        }
    }
}

fn fixed<T: Task>() -> (Option<usize>, Option<usize>) {
    fn of<C: ParamsCodec, G: OwnedTag>(_: C, _: G) -> (Option<usize>, Option<usize>) {
        (C::FIXED, G::FIXED)
    }
    of(T::codec(), T::result())
}

/// The size of the encoded arguments of `T`, where it is the same for all calls.
#[inline]
pub(crate) fn fixed_in<T: Task>() -> Option<usize> {
    fixed::<T>().0
}

/// The size of the encoded result of `T`, where it is the same for all calls.
#[inline]
pub(crate) fn fixed_out<T: Task>() -> Option<usize> {
    fixed::<T>().1
}

/// The path without the hidden module that the attribute puts the task's type in.
fn without_hidden(path: &str) -> String {
    const HIDDEN: &str = "__mp_task_";
    match path.rsplit_once(HIDDEN) {
        Some((before, hidden)) => {
            let name = hidden.split_once("::").map_or(hidden, |(_, name)| name);
            format!("{before}{name}")
        }
        None => path.to_owned(),
    }
}

/// What an expansion submits to the table.
#[doc(hidden)]
pub struct Registered(&'static Entry);

impl Registered {
    /// A row of the table.
    pub const fn new(entry: &'static Entry) -> Self {
        Registered(entry)
    }
}

inventory::collect!(Registered);

/// All tasks of the program, by number.
pub(crate) struct Table {
    entries: Vec<&'static Entry>,
    fingerprint: u64,
}

impl Table {
    pub(super) fn new(entries: impl Iterator<Item = &'static Entry>) -> Result<Self, String> {
        let mut keyed: Vec<(String, &'static Entry)> =
            entries.map(|entry| (entry.key(), entry)).collect();
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        for pair in keyed.windows(2) {
            let [(first, entry), (second, other)] = pair else {
                continue;
            };
            if first == second {
                return Err(alike(entry, other));
            }
        }
        let mut fingerprint = Fingerprint::new();
        let mut entries = Vec::with_capacity(keyed.len());
        for (index, (key, entry)) in (0..UNKNOWN).zip(keyed) {
            fingerprint.add(key.as_bytes());
            fingerprint.add(&format!("{:?}", (entry.fixed)()).into_bytes());
            entry.index.store(index, Ordering::Relaxed);
            entries.push(entry);
        }
        Ok(Table {
            entries,
            fingerprint: fingerprint.0,
        })
    }

    /// The task of this number.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&'static Entry> {
        self.entries.get(index as usize).copied()
    }

    /// The same in two processes that have the same tasks.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many tasks there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What is said of two tasks that cannot be told apart: where both are, and what to do.
fn alike(one: &Entry, other: &Entry) -> String {
    let mut both = [one, other].map(|entry| (without_hidden((entry.type_name)()), entry.line));
    both.sort();
    let [first, second] = both.map(|(path, line)| format!("`{path}`, line {line}"));
    match one.given_name {
        Some(name) => format!(
            "two tasks have the name `{name}` ({first}, and {second}): give one of them another name"
        ),
        None => format!(
            "two tasks cannot be told apart ({first}, and {second}): give one of them another name, \
             `#[mp::task(name = \"…\")]`"
        ),
    }
}

/// FNV-1a over length and content of each part.
struct Fingerprint(u64);

impl Fingerprint {
    fn new() -> Self {
        let mut new = Fingerprint(0xcbf2_9ce4_8422_2325);
        new.add(env!("CARGO_PKG_VERSION").as_bytes());
        new
    }

    fn add(&mut self, part: &[u8]) {
        for byte in (part.len() as u64).to_le_bytes().iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// The table of this program; an error where two tasks cannot be told apart.
pub(crate) fn table() -> Result<&'static Table, Error> {
    static TABLE: OnceLock<Result<Table, String>> = OnceLock::new();
    TABLE
        .get_or_init(|| Table::new(inventory::iter::<Registered>().map(|row| row.0)))
        .as_ref()
        .map_err(|text| Error::new(Kind::Usage, text.as_str()))
}

/// The number of a task.
#[inline]
pub(crate) fn index_of<T: Task>() -> Result<u32, Error> {
    match T::entry().index.load(Ordering::Relaxed) {
        UNKNOWN => look_up(T::entry()),
        index => Ok(index),
    }
}

#[cold]
fn look_up(entry: &'static Entry) -> Result<u32, Error> {
    table()?;
    match entry.index.load(Ordering::Relaxed) {
        UNKNOWN => Err(Error::new(
            Kind::UnknownTask,
            "the task is not in this program's table; if it is in another crate, name that crate in this program: \
             `use that_crate as _;`",
        )
        .with_task(entry.name())),
        index => Ok(index),
    }
}

/// The name of a task, for messages.
pub(crate) fn name_of<T: Task>() -> &'static str {
    T::entry().name()
}

/// The name of the task of this number.
pub(crate) fn name_at(index: u32) -> Option<&'static str> {
    Some(table().ok()?.get(index)?.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hidden_module_is_not_shown() {
        assert_eq!(
            without_hidden("app::__mp_task_square::square"),
            "app::square"
        );
        assert_eq!(
            without_hidden("<u8 as app::Tr>::m::__mp_task_match::r#match"),
            "<u8 as app::Tr>::m::r#match"
        );
        assert_eq!(without_hidden("app::plain"), "app::plain");
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        let print = |parts: &[&str]| {
            let mut print = Fingerprint::new();
            for part in parts {
                print.add(part.as_bytes());
            }
            print.0
        };
        assert_ne!(print(&["ab", "c"]), print(&["a", "bc"]));
        assert_eq!(print(&["ab", "c"]), print(&["ab", "c"]));
    }
}
