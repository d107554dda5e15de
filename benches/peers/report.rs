//! What is printed and written: one table per workload, and the same rows as JSON.

use std::fmt::Write;

use crate::frame::{Row, Workload};

/// The middle value of sorted ones.
fn median(values: &[f64]) -> Option<f64> {
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The table of one workload. The ratios in the last two columns are to the first row, which is the limit where there is one, and
/// to the first of `mp`'s.
pub(crate) fn table(workload: &Workload, rows: &[Row]) -> String {
    let mut out = format!(
        "\n{}  {}  [{}]\n",
        workload.name, workload.what, workload.unit
    );
    let _ = writeln!(
        out,
        "  {:<11} {:<44} {:>10} {:>10} {:>10} {:>8} {:>8}",
        "who", "variant", "min", "median", "max", "÷ first", "÷ mp"
    );
    let limit = rows.first().and_then(|row| median(&row.values));
    let own = rows.iter().find(|row| row.who == "mp");
    let own = own.and_then(|row| median(&row.values));
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
                let ratio = |to: Option<f64>| short(to.map_or(f64::NAN, |to| middle / to));
                writeln!(
                    out,
                    " {:>10} {:>10} {:>10} {:>8} {:>8}",
                    short(*min),
                    short(middle),
                    short(*max),
                    ratio(limit),
                    ratio(own)
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

/// All rows as a JSON array, one object a line; the first says on what machine and when.
pub(crate) fn json(machine: &str, rows: &[Row]) -> String {
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
    let machine = format!(
        "  {{\"workload\": \"machine\", \"who\": \"machine\", \"variant\": {}, \"unit\": \"\", \"min\": null, \"median\": null, \
         \"max\": null, \"runs\": 0}}",
        quoted(machine)
    );
    let objects = rows.iter().map(object);
    let objects: Vec<String> = std::iter::once(machine).chain(objects).collect();
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
