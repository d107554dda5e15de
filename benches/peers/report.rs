//! What is printed and written: one table per workload, and the same rows as JSON.

use std::fmt::Write;

use crate::frame::{Row, Workload};
use crate::machine::Machine;

/// The middle value of sorted ones.
fn median(values: &[f64]) -> Option<f64> {
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The table of one workload: each row against `mp`'s first one, and against the limit, which is the first of all.
pub(crate) fn table(workload: &Workload, rows: &[Row], machine: &Machine) -> String {
    let mut out = format!(
        "\n{}  {}  [{}]\n    {}; huge pages {}; Linux {}\n",
        workload.name,
        workload.what,
        workload.unit,
        workload.matters,
        machine.huge_pages,
        machine.kernel
    );
    let _ = writeln!(
        out,
        "  {:<11} {:<44} {:>10} {:>10} {:>10} {:>8} {:>8}",
        "who", "variant", "min", "median", "max", "÷ mp", "÷ limit"
    );
    let first = |who: &str| {
        let mut medians = rows
            .iter()
            .filter(|row| row.who == who)
            .filter_map(|row| median(&row.values));
        medians.next()
    };
    let (mp, limit) = (first("mp"), first("limit"));
    for row in rows {
        let _ = write!(out, "  {:<11} {:<44}", row.who, row.variant);
        let _ = match (
            &row.error,
            median(&row.values),
            row.values.first(),
            row.values.last(),
        ) {
            (Some(error), ..) => writeln!(out, " failed: {error}"),
            (None, Some(middle), Some(min), Some(max)) => {
                let ratio = |to: Option<f64>| to.map_or("–".to_string(), |to| short(middle / to));
                writeln!(
                    out,
                    " {:>10} {:>10} {:>10} {:>8} {:>8}",
                    short(*min),
                    short(middle),
                    short(*max),
                    ratio(mp),
                    ratio(limit)
                )
            }
            _ => writeln!(out, " not measured"),
        };
    }
    out
}

/// Four digits that matter.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// All rows as a JSON array, one object a line. The first one is of no workload: it names machine and date.
pub(crate) fn json(rows: &[Row], machine: &Machine) -> String {
    let object = |row: &Row| {
        let texts = [
            ("workload", row.workload),
            ("who", row.who),
            ("variant", row.variant),
            ("unit", row.unit),
        ];
        let mut object: Vec<String> = texts
            .iter()
            .map(|(name, text)| format!("\"{name}\": {}", quoted(text)))
            .collect();
        let values = [
            ("min", row.values.first().copied()),
            ("median", median(&row.values)),
            ("max", row.values.last().copied()),
        ];
        for (name, value) in values {
            object.push(format!(
                "\"{name}\": {}",
                value.map_or("null".to_string(), |value| format!("{value:.6}"))
            ));
        }
        object.push(format!("\"runs\": {}", row.values.len()));
        if let Some(error) = &row.error {
            object.push(format!("\"error\": {}", quoted(error)));
        }
        format!("  {{{}}}", object.join(", "))
    };
    let mut objects = vec![machine.json(quoted)];
    objects.extend(rows.iter().map(object));
    format!("[\n{}\n]\n", objects.join(",\n"))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' | '\\' => out.extend(['\\', sign]),
            sign if sign.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(sign));
            }
            sign => out.push(sign),
        }
    }
    out + "\""
}
