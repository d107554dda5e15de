//! The fault matrix: everything that can go wrong with one item, at every place on its way, in every kind of call, with few
//! workers and many.
//!
//! In each cell the outcome names the item, the task and what happened; all other items have their values; the pool works
//! afterwards with as many workers as before; and at the end the judge finds nothing left.

mod nested;
mod trial;

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mp::{Error, Pool};
use nix::sys::signal::Signal;
use trial::{Huge, Stage, Trial, VICTIMS, Verdict, WAYS, Way, end_later, judge, weigh};

const ITEMS: u64 = 12;
const BAD: u64 = 5;

/// The places, and what can happen there: in this process nothing that would end it (that is tried in `nested`, where the caller
/// is itself a worker).
const FAULTS: [(Stage, &[Way]); 5] = [
    (Stage::EncodeArgument, &[Way::Error, Way::Panic]),
    (Stage::DecodeArgument, &WAYS),
    (Stage::Run, &WAYS),
    (Stage::EncodeResult, &WAYS),
    (Stage::DecodeResult, &[Way::Error, Way::Panic]),
];

#[derive(Clone, Copy, Debug)]
enum Call {
    Map,
    TryMap,
    Imap,
    ApplyAsync,
}

/// What a call gave: one result for each item, or the first error; or the panic of an encoder or decoder in this process.
enum Outcome<T> {
    Each(Vec<Result<T, Error>>),
    First(Error),
    Panicked,
}

/// Makes a call whose items are made by `item`.
macro_rules! make {
    ($pool:expr, $call:expr, $task:expr, $chunk:expr, $count:expr, $item:expr) => {{
        let (pool, item) = ($pool, $item);
        let on = pool.on($task).chunk_size($chunk);
        let outcome = catch_unwind(AssertUnwindSafe(|| match $call {
            Call::Map => match on.map((0..$count).map(item)) {
                Ok(values) => Outcome::Each(values.into_iter().map(Ok).collect()),
                Err(error) => Outcome::First(error),
            },
            Call::TryMap => match on.try_map((0..$count).map(item)) {
                Ok(results) => Outcome::Each(results),
                Err(error) => Outcome::First(error),
            },
            Call::Imap => match on.imap((0..$count).map(item)) {
                Ok(values) => Outcome::Each(values.collect()),
                Err(error) => Outcome::First(error),
            },
            Call::ApplyAsync => {
                let handles: Vec<_> = (0..$count).map(|id| on.apply_async(item(id))).collect();
                let get = |handle: mp::Result<mp::Handle<_>>| handle.and_then(mp::Handle::get);
                Outcome::Each(handles.into_iter().map(get).collect())
            }
        }));
        outcome.unwrap_or(Outcome::Panicked)
    }};
}

/// One cell: says where it was when something is not as it should be.
struct Cell<'p> {
    pool: &'p Pool,
    call: Call,
    what: String,
}

impl Cell<'_> {
    fn wrong(&self, why: impl Debug) -> ! {
        let workers = self.pool.workers();
        panic!(
            "{} in {:?}, {workers} workers: {why:?}",
            self.what, self.call
        )
    }

    fn demand(&self, holds: bool, why: impl Debug) {
        if !holds {
            self.wrong(why);
        }
    }

    /// One item fails at `stage`.
    fn fault(&self, stage: Stage, way: Way, chunk: usize) {
        let outcome = make!(self.pool, self.call, judge, chunk, ITEMS, |id| Trial {
            id,
            stage: if id == BAD { stage } else { Stage::Never },
            way,
        });
        // What panics in this process goes on to the caller: an argument's encoder always, a result's decoder where there is
        // no result of its own for the item.
        let here = match stage {
            Stage::EncodeArgument => true,
            Stage::DecodeResult => matches!(self.call, Call::Map | Call::ApplyAsync),
            _ => false,
        };
        match outcome {
            Outcome::Panicked => self.demand(here && way == Way::Panic, "a panic in the parent"),
            _ if here && way == Way::Panic => self.wrong("no panic"),
            Outcome::First(error) => {
                self.demand(matches!(self.call, Call::Map), &error);
                self.name(&error, stage, way);
            }
            Outcome::Each(results) => self.each(results, stage, way),
        }
    }

    fn each(&self, results: Vec<Result<Verdict, Error>>, stage: Stage, way: Way) {
        self.demand(!matches!(self.call, Call::Map), "no error at all");
        self.demand(results.len() as u64 == ITEMS, results.len());
        for (id, result) in (0..).zip(results) {
            match result {
                Ok(verdict) => self.demand(id != BAD && verdict.id() == id, (id, verdict)),
                Err(error) if id == BAD => self.name(&error, stage, way),
                Err(error) => self.wrong((id, error)),
            }
        }
    }

    /// The error says what happened, and to whom.
    fn name(&self, error: &Error, stage: Stage, way: Way) {
        let kind = match (way, stage) {
            (Way::Panic, _) => error.is_panic() && error.message().contains("a trial"),
            (Way::Error, Stage::Run) => error.is_task() && error.message() == "a trial",
            (Way::Error, Stage::EncodeArgument | Stage::EncodeResult) => error.is_encode(),
            (Way::Error, _) => error.is_decode(),
            _ => error.is_death(),
        };
        self.demand(kind, error);
        let code = (way == Way::Exit).then_some(3);
        self.demand(
            (error.signal(), error.exit_code()) == (way.signal(), code),
            error,
        );
        self.demand(
            error.task().is_some_and(|task| task.ends_with("judge")),
            error,
        );
        // A handle is that of one item; everywhere else the item is named.
        let item = (!matches!(self.call, Call::ApplyAsync)).then_some(BAD as usize);
        self.demand(error.item() == item, error);
        if !matches!(stage, Stage::EncodeArgument | Stage::DecodeResult) {
            self.demand(error.pid().is_some() && error.worker().is_some(), error);
        }
    }

    /// All workers end while they are idle: the next call does not notice.
    fn idle(&self, way: Way) {
        let pids = self.pool.worker_pids();
        match way {
            Way::Error | Way::Panic => return,
            // From the inside; whoever runs the task dies, which need not be everybody.
            Way::Exit | Way::Abort => {
                // On a busy machine it may end before its value is out; it has ended, all the same.
                if let Err(error) = self.pool.apply(end_later, way as u8) {
                    self.demand(error.is_death(), &error);
                }
                let gone = || {
                    pids.iter()
                        .any(|pid| !mp_tests::program::is_alive(*pid as i32))
                };
                self.wait_until("no worker has ended", gone);
            }
            Way::Kill | Way::Segfault => {
                let signal = Signal::try_from(way.signal().unwrap_or(9)).unwrap_or(Signal::SIGKILL);
                pids.iter().for_each(|pid| trial::end(*pid, signal));
            }
        }
        let outcome = make!(self.pool, self.call, judge, 1, ITEMS, good);
        self.all_good(outcome);
    }

    /// All workers are killed while the parent is writing the first argument: all items have their values.
    fn huge(&self, way: Way) {
        let Some(signal) = way
            .signal()
            .and_then(|signal| Signal::try_from(signal).ok())
        else {
            return;
        };
        let pids = self.pool.worker_pids();
        *VICTIMS.lock().expect("nobody panics with it") =
            pids.into_iter().map(|pid| (pid, signal)).collect();
        let half = vec![7; 1 << 20];
        let outcome = make!(self.pool, self.call, weigh, 1, 3, |_| Huge {
            half: half.clone()
        });
        match outcome {
            Outcome::Each(results) => {
                self.demand(results.len() == 3, results.len());
                for result in results {
                    self.demand(matches!(result, Ok(weight) if weight == 1 << 20), result);
                }
            }
            Outcome::First(error) => self.wrong(error),
            Outcome::Panicked => self.wrong("a panic"),
        }
    }

    fn all_good(&self, outcome: Outcome<Verdict>) {
        match outcome {
            Outcome::Each(results) => {
                self.demand(results.len() as u64 == ITEMS, results.len());
                for (id, result) in (0..).zip(results) {
                    match result {
                        Ok(verdict) => self.demand(verdict.id() == id, verdict),
                        Err(error) => self.wrong(error),
                    }
                }
            }
            Outcome::First(error) => self.wrong(error),
            Outcome::Panicked => self.wrong("a panic"),
        }
    }

    /// The pool works on, with as many workers as before.
    fn works_on(&self) {
        let outcome = make!(self.pool, self.call, judge, 1, ITEMS, good);
        self.all_good(outcome);
        let full = || self.pool.worker_pids().len() == self.pool.workers();
        self.wait_until("workers are missing", full);
    }

    fn wait_until(&self, otherwise: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds() {
            self.demand(Instant::now() < deadline, otherwise);
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

fn good(id: u64) -> Trial {
    Trial {
        id,
        stage: Stage::Never,
        way: Way::Error,
    }
}

/// Everything, for one kind of call and so many workers.
fn matrix(call: Call, workers: usize) -> mp::Result<()> {
    let pool = Pool::builder().workers(workers).build()?;
    let cell = |what: String| Cell {
        pool: &pool,
        call,
        what,
    };
    for (stage, ways) in FAULTS {
        for (way, chunk) in ways.iter().flat_map(|way| [(*way, 1), (*way, 4)]) {
            let cell = cell(format!("{way:?} at {stage:?}, chunks of {chunk}"));
            cell.fault(stage, way, chunk);
            cell.works_on();
        }
    }
    for way in WAYS {
        let idle = cell(format!("{way:?} while idle"));
        idle.idle(way);
        idle.works_on();
        let huge = cell(format!("{way:?} while a large argument is written"));
        huge.huge(way);
        huge.works_on();
    }
    Ok(())
}

macro_rules! matrix {
    ($($module:ident: $call:ident;)*) => {$(
        mod $module {
            use super::{Call, matrix};

            #[mp::test(timeout = "120s")]
            fn one_worker() -> mp::Result<()> {
                matrix(Call::$call, 1)
            }

            #[mp::test(timeout = "120s")]
            fn two_workers() -> mp::Result<()> {
                matrix(Call::$call, 2)
            }

            #[mp::test(timeout = "120s")]
            fn eight_workers() -> mp::Result<()> {
                matrix(Call::$call, 8)
            }
        }
    )*};
}

matrix! {
    map: Map;
    try_map: TryMap;
    imap: Imap;
    apply_async: ApplyAsync;
}
