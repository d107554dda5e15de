//! How `mp` behaves when things grow: items, workers, payloads, idle workers, open handles.
//!
//! `cargo bench -p mp-benches --bench scale -- [S-items …] [--runs N] [--full] [--json FILE]`
//!
//! Without names all series run. Each point is measured N times (3 unless told otherwise); printed are the smallest, the
//! middle and the largest value. `--full` goes on to 10^8 items, payloads of 1 GiB and a million handles, which needs some
//! gigabytes of memory. The JSON has the keys of `peers`, and `x`; `cargo run -p mp-benches --bin plots -- FILE` draws it.

#[path = "../peers/machine.rs"]
mod machine;
mod series;

use std::process::ExitCode;

use series::{Point, SERIES};

mp::main!(run);

struct Options {
    names: Vec<String>,
    runs: usize,
    full: bool,
    json: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        names: Vec::new(),
        runs: 3,
        full: false,
        json: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // Cargo adds this one to every bench.
            "--bench" => {}
            "--full" => options.full = true,
            "--runs" => {
                let runs = arguments.next().and_then(|text| text.parse().ok());
                options.runs = runs
                    .filter(|&runs| runs > 0)
                    .ok_or("--runs needs a number of at least 1")?;
            }
            "--json" => options.json = Some(arguments.next().ok_or("--json needs a file")?),
            name if SERIES.iter().any(|series| series.name == name) => options.names.push(argument),
            _ => {
                let known: Vec<&str> = SERIES.iter().map(|series| series.name).collect();
                return Err(format!(
                    "no series {argument}; there are: {}",
                    known.join(" ")
                ));
            }
        }
    }
    Ok(options)
}

fn run() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("scale: {text}");
            return ExitCode::from(2);
        }
    };
    let machine = machine::Machine::look();
    println!("{}", machine.describe());
    let quoted = |text: &str| serde_json::json!(text).to_string();
    let mut objects = vec![machine.json(quoted)];
    let mut failed = false;
    for series in SERIES {
        if !options.names.is_empty() && !options.names.iter().any(|name| name == series.name) {
            continue;
        }
        println!(
            "\n{}  {}\n    huge pages {}; Linux {}",
            series.name, series.what, machine.huge_pages, machine.kernel
        );
        let mut points = Vec::new();
        for _ in 0..options.runs {
            if let Err(error) = (series.run)(options.full, &mut |point| take(&mut points, point)) {
                println!("  failed: {error}");
                failed = true;
                break;
            }
        }
        for (point, values) in &mut points {
            values.sort_by(f64::total_cmp);
            objects.push(row(series.name, point, values));
        }
    }
    if let Some(path) = &options.json
        && let Err(error) = std::fs::write(path, format!("[\n{}\n]\n", objects.join(",\n")))
    {
        eprintln!("scale: {path}: {error}");
        return ExitCode::FAILURE;
    }
    match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

fn take(points: &mut Vec<(Point, Vec<f64>)>, new: Point) {
    match points
        .iter_mut()
        .find(|(point, _)| (point.variant, point.x) == (new.variant, new.x))
    {
        Some((_, values)) => values.push(new.value),
        None => points.push((new, vec![new.value])),
    }
}

/// Prints a point, and gives its line of JSON.
fn row(series: &str, point: &Point, values: &[f64]) -> String {
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    let (min, median, max) = (at(0), at(values.len() / 2), at(values.len() - 1));
    println!(
        "  {:<36} {:>12} {:>12.4} {:>12.4} {:>12.4}  {}",
        point.variant, point.x, min, median, max, point.unit
    );
    let object = serde_json::json!({
        "workload": series, "who": "mp", "variant": point.variant, "unit": point.unit,
        "min": min, "median": median, "max": max, "runs": values.len(), "x": point.x,
    });
    format!("  {object}")
}
