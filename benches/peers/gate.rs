//! The gate by ratio: a few of `mp`'s rows, each against a limit or a peer in the same run,
//! compared with the ratio that `benches/budgets.json` records. It sees what became several times
//! slower, on any machine.
//!
//! `peers --gate` fails where a ratio is below `FLOOR` of the recorded one; `peers --gate --write`
//! records them anew.

use std::error::Error;

use mp_benches::budgets::{self, Budgets};

use crate::frame::{self, Case, Options, Row, Scale, Workload};

/// One comparison: the row of `mp`, and the row that it is divided by.
struct Gate {
    workload: &'static str,
    ours: &'static str,
    peer: &'static str,
    theirs: &'static str,
}

const fn gate(
    workload: &'static str,
    ours: &'static str,
    peer: &'static str,
    theirs: &'static str,
) -> Gate {
    Gate {
        workload,
        ours,
        peer,
        theirs,
    }
}

const GATES: &[Gate] = &[
    gate("W3", "map(square, &items)", "rayon", "par_iter, collect"),
    gate(
        "W3f",
        "map(square, &items), chunk_size(1)",
        "crossbeam",
        "2 threads, bounded(1024) there and back",
    ),
    gate(
        "W4",
        "apply, back to back, p50",
        "crossbeam",
        "2 threads, two bounded(1), p50",
    ),
    gate(
        "W4a",
        "apply_async, 64 in flight",
        "crossbeam",
        "2 threads, bounded(1024) there and back",
    ),
    gate("W6", "pipe", "crossbeam", "threads, bounded(1024)"),
    gate(
        "W6",
        "Queue, bounded(1024)",
        "crossbeam",
        "threads, bounded(1024)",
    ),
    gate("W7", "Lock", "limit", "pthread mutex, robust, shared"),
];

/// Below this share of the recorded ratio a gate is red.
const FLOOR: f64 = 0.4;

/// The best of so many turns counts.
const TURNS: usize = 5;

/// A red gate is tried again until it was red so often. What is red by chance becomes green; with
/// more tries, what is slow would be green by chance.
const TRIES: usize = 5;

/// Recorded is the best of more turns: what both can do when nothing else disturbs them.
const TURNS_TO_RECORD: usize = 25;

/// A gate's name, its ratio, our best value and theirs.
type Found = (String, f64, f64, f64);

impl Gate {
    fn name(&self) -> String {
        format!("{}, {} ÷ {}", self.workload, self.ours, self.peer)
    }

    fn names(&self, who: &str, variant: &str) -> bool {
        (who, variant) == ("mp", self.ours) || (who, variant) == (self.peer, self.theirs)
    }

    /// The best of our values against the best of theirs, so that more is better.
    fn found(&self, rows: &[Row]) -> Result<Found, Box<dyn Error>> {
        let best = |who: &str, variant: &str| {
            let about = |what: &str| format!("{}: {who}, {variant}: {what}", self.workload);
            let mut rows = rows.iter();
            let row = rows.find(|row| (row.who, row.variant) == (who, variant));
            let row = row.ok_or_else(|| about("no such row"))?;
            if let Some(error) = &row.error {
                return Err(about(error));
            }
            let rate = row.unit.ends_with("/s");
            let value = if rate {
                row.values.last()
            } else {
                row.values.first()
            };
            let value = value.copied().ok_or_else(|| about("not measured"))?;
            Ok((value, rate))
        };
        let (ours, rate) = best("mp", self.ours)?;
        let (theirs, _) = best(self.peer, self.theirs)?;
        let ratio = if rate { ours / theirs } else { theirs / ours };
        Ok((self.name(), ratio, ours, theirs))
    }
}

/// Measures all gates. Whether all of them are green.
pub(crate) fn run(
    options: &Options,
    cases: impl Fn(&Workload) -> Vec<Case>,
) -> Result<bool, Box<dyn Error>> {
    let write = options.write;
    let path = budgets::checked_in();
    let mut file = Budgets::read(&path)?;
    let mut green = true;
    if write {
        // What is no gate any more goes.
        let kept = |name: &str| GATES.iter().any(|gate| gate.name() == name);
        file.ratios.retain(|name, _| kept(name));
    }
    for workload in frame::WORKLOADS {
        if !options.wants(workload.name) {
            continue;
        }
        let gates: Vec<&Gate> = GATES
            .iter()
            .filter(|gate| gate.workload == workload.name)
            .collect();
        if gates.is_empty() {
            continue;
        }
        let mut cases = cases(workload);
        cases.retain(|case| gates.iter().any(|gate| gate.names(case.who, case.variant)));
        let mut measure = |turns| -> Result<Vec<Found>, Box<dyn Error>> {
            let rows = frame::take_turns(workload, &mut cases, turns);
            gates.iter().map(|gate| gate.found(&rows)).collect()
        };
        if write {
            for (name, ratio, ..) in measure(TURNS_TO_RECORD)? {
                file.ratios.insert(name, (ratio * 1000.0).round() / 1000.0);
            }
        } else {
            green &= all_green(workload, &file, || measure(TURNS))?;
        }
    }
    if write {
        file.write(&path)?;
        for (name, ratio) in &file.ratios {
            println!("  {name:<62} {ratio:.3}");
        }
        println!("written: {}", path.display());
    }
    Ok(green)
}

/// Measures the gates of a workload until each was green once, and says so.
fn all_green(
    workload: &Workload,
    file: &Budgets,
    mut measure: impl FnMut() -> Result<Vec<Found>, Box<dyn Error>>,
) -> Result<bool, Box<dyn Error>> {
    // A ratio that is not recorded is red.
    let floor = |name: &str| {
        let recorded = file.ratios.get(name);
        recorded.map_or(f64::INFINITY, |ratio| ratio * FLOOR)
    };
    let mut best = measure()?;
    let mut tries = 1;
    let red = |best: &[Found]| best.iter().any(|(name, ratio, ..)| *ratio < floor(name));
    while red(&best) && tries < TRIES {
        for (best, now) in best.iter_mut().zip(measure()?) {
            if now.1 > best.1 {
                *best = now;
            }
        }
        tries += 1;
    }
    for (name, ratio, ours, theirs) in &best {
        let (floor, unit) = (floor(name), workload.unit);
        let word = if *ratio >= floor { "ok " } else { "RED" };
        let values = format!("{ours:.3} : {theirs:.3} {unit}, tries {tries}");
        println!("  {word}  {name:<62} {ratio:>7.3}, floor {floor:.3}  ({values})");
    }
    Ok(!red(&best))
}

/// The scale of the gate's cases: long enough to be warm, short enough to find a quiet moment.
pub(crate) const SCALE: Scale = Scale::Short;
