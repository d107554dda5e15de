//! The checked-in budgets: what each hot path may cost with which toolchain, and the ratios of the
//! short bench.
//!
//! `counts --write` and `peers --gate --write` write them. The file is JSON with sorted keys, so a
//! diff shows what changed.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A part is kept if it is at least this share of its row: smaller than the leeway, so what makes a
/// row too expensive shows.
const KEPT: f64 = 0.015;

/// The file.
#[derive(Default, Serialize, Deserialize)]
pub struct Budgets {
    /// By gate, `mp` against its limit or peer; larger is better.
    pub ratios: BTreeMap<String, f64>,
    /// By toolchain.
    pub counts: BTreeMap<String, Rows>,
}

/// What each row costs, by its name.
pub type Rows = BTreeMap<String, Cost>;

/// What one operation costs, and what that is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// All of it.
    pub total: f64,
    /// The largest shares, by function or system call.
    pub parts: BTreeMap<String, f64>,
}

/// What was counted of many operations.
pub struct Counts {
    /// All of it.
    pub total: f64,
    /// What it is made of, as far as that is known.
    pub parts: BTreeMap<String, f64>,
}

impl Counts {
    /// The cost of one operation of so many.
    pub fn by(self, operations: u64) -> Cost {
        let each = |count: f64| rounded(count / operations as f64);
        let large = |count: &f64| *count > 0.0 && *count >= self.total * KEPT;
        Cost {
            total: each(self.total),
            parts: self
                .parts
                .into_iter()
                .filter(|(_, count)| large(count))
                .map(|(name, count)| (name, each(count)))
                .collect(),
        }
    }
}

/// Two digits behind the point.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// The file in this repository.
pub fn checked_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.json")
}

impl Budgets {
    /// Reads a file; one that is not there holds nothing.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no budgets.
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let about = |error: &dyn Error| format!("{}: {error}", path.display());
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(serde_json::from_str(&text).map_err(|error| about(&error))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Budgets::default()),
            Err(error) => Err(about(&error).into()),
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()).into())
    }
}

/// What came of a comparison.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    /// One paragraph for each row that is not as its budget says.
    pub text: String,
    /// Some row costs more than it may.
    pub grown: bool,
    /// Some row has no budget.
    pub new: bool,
    /// Some row costs less, or a budget has no row.
    pub stale: bool,
}

/// Compares what was measured with the budgets; `leeway` says by how much a row of this name and
/// budget may differ.
pub fn compare(budgets: &Rows, found: &Rows, leeway: impl Fn(&str, f64) -> f64) -> Verdict {
    let mut verdict = Verdict::default();
    for (name, now) in found {
        let Some(then) = budgets.get(name) else {
            let _ = writeln!(verdict.text, "  new      {name}: {}", now.total);
            verdict.new = true;
            continue;
        };
        let more = now.total - then.total;
        if more.abs() <= leeway(name, then.total) {
            continue;
        }
        let word = if more > 0.0 { "GROWN  " } else { "cheaper" };
        let share = more / then.total * 100.0;
        let _ = writeln!(
            verdict.text,
            "  {word}  {name}: {} → {} ({share:+.1} %)",
            then.total, now.total
        );
        verdict.grown |= more > 0.0;
        verdict.stale |= more < 0.0;
        for (part, change) in changed(then, now, more) {
            let _ = writeln!(verdict.text, "             {change:+9.2}  {part}");
        }
    }
    for name in budgets.keys().filter(|name| !found.contains_key(*name)) {
        let _ = writeln!(verdict.text, "  gone     {name}");
        verdict.stale = true;
    }
    verdict
}

/// The parts that changed in the direction in which the row did, the largest change first.
fn changed<'a>(then: &'a Cost, now: &'a Cost, more: f64) -> Vec<(&'a str, f64)> {
    let names = then.parts.keys().chain(now.parts.keys());
    let mut changes: BTreeMap<&str, f64> = BTreeMap::new();
    for name in names {
        let share = |cost: &Cost| cost.parts.get(name).copied().unwrap_or(0.0);
        changes.insert(name, share(now) - share(then));
    }
    let least = more.abs() * 0.05;
    let mut changes: Vec<(&str, f64)> = changes
        .into_iter()
        .filter(|(_, change)| change * more > 0.0 && change.abs() >= least)
        .collect();
    changes.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    changes.truncate(6);
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(parts: &[(&str, f64)]) -> Rows {
        let parts: BTreeMap<String, f64> = parts
            .iter()
            .map(|(name, cost)| ((*name).to_owned(), *cost))
            .collect();
        let total = parts.values().sum();
        Rows::from([("row".to_owned(), Counts { total, parts }.by(1))])
    }

    fn verdict(then: &Rows, now: &Rows) -> Verdict {
        compare(then, now, |_, budget| budget * 0.03)
    }

    #[test]
    fn more_than_the_leeway_is_red_and_names_what_grew() {
        let (then, now) = (
            rows(&[("encode", 60.0), ("put", 40.0)]),
            rows(&[("encode", 60.0), ("put", 40.0), ("find_block", 23.0)]),
        );
        let grown = verdict(&then, &now);
        assert!(grown.grown && !grown.stale, "{grown:?}");
        assert!(grown.text.contains("+23.00  find_block"), "{grown:?}");
        assert!(!grown.text.contains("encode"), "{grown:?}");
        let cheaper = verdict(&now, &then);
        assert!(!cheaper.grown && cheaper.stale, "{cheaper:?}");
    }

    #[test]
    fn within_the_leeway_nothing_is_said() {
        let then = rows(&[("encode", 100.0)]);
        let now = |cost: f64| verdict(&then, &rows(&[("encode", cost)]));
        assert_eq!(now(103.0), Verdict::default());
        assert_eq!(now(97.0), Verdict::default());
        assert!(now(103.1).grown);
        assert!(now(96.9).stale);
    }

    #[test]
    fn a_row_without_a_budget_and_a_budget_without_a_row_are_told() {
        let (none, one) = (Rows::new(), rows(&[("encode", 1.0)]));
        let new = verdict(&none, &one);
        assert!(new.new && !new.stale && !new.grown, "{new:?}");
        let gone = verdict(&one, &none);
        assert!(gone.stale && !gone.new && !gone.grown, "{gone:?}");
    }

    #[test]
    fn a_cost_is_per_operation_and_keeps_the_large_shares() {
        let parts = [("large", 980.0), ("small", 20.0), ("tiny", 10.0)];
        let parts = parts.map(|(name, count)| (name.to_owned(), count));
        let counts = Counts {
            total: 1010.0,
            parts: parts.into(),
        };
        let cost = counts.by(10);
        assert_eq!(cost.total, 101.0);
        let kept = [("large".to_owned(), 98.0), ("small".to_owned(), 2.0)];
        assert_eq!(cost.parts, kept.into());
    }
}
