//! What is printed and written: one table per workload, and the same rows as JSON.

use std::fmt::Write;

use crate::frame::{Row, Workload};

/// The middle value of sorted ones.
fn median(values: &[f64]) -> Option<f64> {
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The table of one workload. The first row is the limit, which the ratios in the last column refer to.
pub(crate) fn table(workload: &Workload, rows: &[Row]) -> String {
    let mut out = format!(
        "\n{}  {}  [{}]\n",
        workload.name, workload.what, workload.unit
    );
    let _ = writeln!(
        out,
        "  {:<8} {:<44} {:>10} {:>10} {:>10} {:>8}",
        "who", "variant", "min", "median", "max", "÷ first"
    );
    let limit = rows.first().and_then(|row| median(&row.values));
    for row in rows {
        let _ = write!(out, "  {:<8} {:<44}", row.who, row.variant);
        let _ = match (
            &row.error,
            median(&row.values),
            row.values.first(),
            row.values.last(),
        ) {
            (Some(error), ..) => writeln!(out, " failed: {error}"),
            (None, Some(middle), Some(min), Some(max)) => {
                let ratio = limit.map_or(f64::NAN, |limit| middle / limit);
                writeln!(
                    out,
                    " {:>10} {:>10} {:>10} {:>8}",
                    short(*min),
                    short(middle),
                    short(*max),
                    short(ratio)
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

/// All rows as a JSON array, one object a line.
pub(crate) fn json(rows: &[Row]) -> String {
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
    let objects: Vec<String> = rows.iter().map(object).collect();
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
