#![allow(unsafe_code)]
//! The frame of the bench: its command line, its workloads, and how the rows of one workload take turns.

use std::path::PathBuf;

/// One workload of the list; `what` is the heading of its table, `matters` what its figures depend on.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) matters: &'static str,
    pub(crate) unit: &'static str,
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload {
        name: "W1",
        what: "start a process, run a no-op task, get its value, join",
        matters: "warm page cache; small programs, dynamically linked",
        unit: "µs",
    },
    Workload {
        name: "W1b",
        what: "the same, 100 at once, all of them joined",
        matters: "warm page cache; small programs, dynamically linked",
        unit: "ms",
    },
    Workload {
        name: "W2",
        what: "pool of 2: start, one task, close, join",
        matters: "warm page cache; a fork server runs already, where there is one",
        unit: "ms",
    },
    Workload {
        name: "W3",
        what: "map x·x over u64, 2 workers, a fresh result",
        matters: "warm pool, warm memory; chunks sized while it runs",
        unit: "M items/s",
    },
    Workload {
        name: "W3f",
        what: "the same, one item per dispatch",
        matters: "warm pool; how many calls are in flight is the row's: 512 a worker, or as it says",
        unit: "M items/s",
    },
    Workload {
        name: "W4",
        what: "one call on a live pool, round trip",
        matters: "warm pool, one call in flight",
        unit: "µs",
    },
    Workload {
        name: "W4a",
        what: "calls given to a live pool whose values are asked for later",
        matters: "warm pool of 2; the oldest of the calls in flight is waited for",
        unit: "M/s",
    },
    Workload {
        name: "W5",
        what: "a task takes 100 MiB of f64 and returns their sum",
        matters: "warm unless the row says \"first use\"; huge pages tell",
        unit: "GB/s",
    },
    Workload {
        name: "W5r",
        what: "a task returns 100 MiB of f64",
        matters: "warm unless the row says \"first use\"; huge pages tell",
        unit: "GB/s",
    },
    Workload {
        name: "W6",
        what: "a queue of u64, one to one",
        matters: "warm; rings of the default size",
        unit: "M/s",
    },
    Workload {
        name: "W6b",
        what: "the same, two to one",
        matters: "warm; rings of the default size",
        unit: "M/s",
    },
    Workload {
        name: "W6k",
        what: "messages of 1 KiB, copied out",
        matters: "warm; rings of the default size",
        unit: "M/s",
    },
    Workload {
        name: "W6m",
        what: "messages of 1 MiB, copied out",
        matters: "warm; rings of the default size; huge pages tell",
        unit: "k/s",
    },
    Workload {
        name: "W6p",
        what: "a u64 there and back, back to back",
        matters: "warm, one message in flight",
        unit: "µs",
    },
    Workload {
        name: "W6w",
        what: "a message to one that sleeps, p50",
        matters: "the receiver has gone to sleep",
        unit: "µs",
    },
    Workload {
        name: "W5b",
        what: "a buffer of the shared heap handed to a task, beyond a call without one",
        matters: "warm",
        unit: "µs",
    },
    Workload {
        name: "W7",
        what: "take a lock that nobody else wants, and give it back",
        matters: "warm, in cache",
        unit: "ns",
    },
    Workload {
        name: "W7b",
        what: "2 processes count to a million each, under one lock",
        matters: "both on their own core",
        unit: "ms",
    },
    Workload {
        name: "W7w",
        what: "wake a sleeping process and be woken by it, p50",
        matters: "both have gone to sleep; pinned where the row says so",
        unit: "µs",
    },
    Workload {
        name: "W8",
        what: "π: points thrown and counted in 2 workers, per point",
        matters: "warm pool, two tasks; computing only",
        unit: "ns",
    },
    Workload {
        name: "W9",
        what: "memory of an idle worker",
        matters: "after a thousand tasks each",
        unit: "MiB",
    },
    Workload {
        name: "W10",
        what: "CPU-bound tasks of 2 ms, 2 workers against 1",
        matters: "warm pool, tasks of equal size",
        unit: "×",
    },
    Workload {
        name: "W20",
        what: "faults: a worker is killed, a deadline passes, an item is cancelled; pool of 1",
        matters: "warm page cache; spawn",
        unit: "ms",
    },
    Workload {
        name: "W21",
        what: "blur a picture of 400 MiB in place, 5 passes, 2 workers",
        matters: "warm memory; huge pages tell",
        unit: "s",
    },
];

/// No case may take longer than this, in seconds; then the whole bench is ended.
const CASE_LIMIT: u32 = 170;

/// How much work a case does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Scale {
    Full,
    Quick,
}

impl Scale {
    /// `full`, or what is left of it in a quick run.
    pub(crate) fn of(self, full: usize) -> usize {
        match self {
            Scale::Full => full,
            Scale::Quick => (full / 20).max(1),
        }
    }
}

/// What one call of a case gives, in the workload's unit, or why there is nothing to give.
pub(crate) type Measured = Result<f64, Box<dyn std::error::Error>>;

/// One row of a table, before it is measured.
pub(crate) struct Case {
    pub(crate) who: &'static str,
    pub(crate) variant: &'static str,
    pub(crate) run: Box<dyn FnMut() -> Measured>,
}

impl Case {
    pub(crate) fn new(
        who: &'static str,
        variant: &'static str,
        run: impl FnMut() -> Measured + 'static,
    ) -> Self {
        Case {
            who,
            variant,
            run: Box::new(run),
        }
    }
}

/// One row of a table, measured.
pub(crate) struct Row {
    pub(crate) workload: &'static str,
    pub(crate) who: &'static str,
    pub(crate) variant: &'static str,
    pub(crate) unit: &'static str,
    /// Sorted.
    pub(crate) values: Vec<f64>,
    pub(crate) error: Option<String>,
}

/// Measures every case `runs` times: all of them once, then all of them again. A case that fails is not tried again.
pub(crate) fn take_turns(workload: &Workload, cases: Vec<Case>, runs: usize) -> Vec<Row> {
    let row = |case: &Case| Row {
        workload: workload.name,
        who: case.who,
        variant: case.variant,
        unit: workload.unit,
        values: Vec::new(),
        error: None,
    };
    let mut turns: Vec<(Row, Case)> = cases.into_iter().map(|case| (row(&case), case)).collect();
    for _ in 0..runs {
        for (row, case) in turns.iter_mut().filter(|(row, _)| row.error.is_none()) {
            // SAFETY: alarm has no conditions; its signal ends this program, and `mp` and the limits' own alarms their children.
            unsafe { libc::alarm(CASE_LIMIT) };
            match (case.run)() {
                Ok(value) => row.values.push(value),
                Err(error) => row.error = Some(error.to_string()),
            }
        }
    }
    // SAFETY: takes the alarm back.
    unsafe { libc::alarm(0) };
    let mut rows: Vec<Row> = turns.into_iter().map(|(row, _)| row).collect();
    for row in &mut rows {
        row.values.sort_by(f64::total_cmp);
    }
    rows
}

/// The command line.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    names: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) scale: Scale,
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Options {
            names: Vec::new(),
            runs: 7,
            scale: Scale::Full,
            json: None,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo adds this one to every bench.
                "--bench" => {}
                "--quick" => options.scale = Scale::Quick,
                "--runs" => {
                    let runs = value()?.parse().ok().filter(|&runs| runs > 0);
                    options.runs = runs.ok_or("--runs needs a number of at least 1")?;
                }
                "--json" => options.json = Some(value()?.into()),
                name if WORKLOADS.iter().any(|workload| workload.name == name) => {
                    options.names.push(argument)
                }
                _ => {
                    let known: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
                    return Err(format!(
                        "no workload {argument}; there are: {}",
                        known.join(" ")
                    ));
                }
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }
}
