//! Draws the figures of `scale`: `cargo run -p mp-benches --bin plots -- FILE [FOLDER]` writes an SVG for each series and
//! unit into `target/plots`, or into the folder that is named. Both axes are logarithmic.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use plotters::prelude::*;
use serde_json::Value;

const TARGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/plots");
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x1f, 0x5f, 0xa8),
    RGBColor(0xc8, 0x50, 0x1e),
    RGBColor(0x2e, 0x8b, 0x57),
    RGBColor(0x80, 0x40, 0x90),
];

/// One plot: a series, and what its values are in.
struct Plot {
    series: String,
    unit: String,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let drawn = match &arguments[..] {
        [file] => draw_all(file, Path::new(TARGET)),
        [file, folder] => draw_all(file, Path::new(folder)),
        _ => Err("plots FILE [FOLDER]".into()),
    };
    match drawn {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("plots: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw_all(file: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let rows: Vec<Value> = serde_json::from_str(&fs::read_to_string(file)?)?;
    fs::create_dir_all(folder)?;
    for plot in plots(&rows) {
        let unit: String = plot
            .unit
            .chars()
            .filter(char::is_ascii_alphabetic)
            .collect();
        let name = format!("{}-{unit}.svg", plot.series.to_lowercase());
        let path: PathBuf = folder.join(name.trim_start_matches("s-"));
        draw(&plot, &path)?;
        println!("{}", path.display());
    }
    Ok(())
}

fn plots(rows: &[Value]) -> Vec<Plot> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_string();
    let mut plots: Vec<Plot> = Vec::new();
    for row in rows {
        // A value of nothing has no place on a logarithmic axis.
        let (Some(x), Some(y)) = (
            row["x"].as_f64(),
            row["median"].as_f64().filter(|y| *y > 0.0),
        ) else {
            continue;
        };
        let (series, unit, variant) = (
            text(row, "workload"),
            text(row, "unit"),
            text(row, "variant"),
        );
        let at = plots
            .iter()
            .position(|plot| plot.series == series && plot.unit == unit);
        let at = at.unwrap_or_else(|| {
            plots.push(Plot {
                series,
                unit,
                lines: Vec::new(),
            });
            plots.len() - 1
        });
        let lines = &mut plots[at].lines;
        match lines.iter_mut().find(|(name, _)| *name == variant) {
            Some((_, points)) => points.push((x, y)),
            None => lines.push((variant, vec![(x, y)])),
        }
    }
    // One point is no curve.
    plots.retain(|plot| plot.lines.iter().any(|(_, points)| points.len() > 1));
    plots
}

/// What the x of a series counts.
fn counted(series: &str) -> &'static str {
    match series {
        "S-items" => "items",
        "S-workers" | "S-idle" => "workers (2 cores)",
        "S-payload" => "bytes",
        "S-handles" => "handles outstanding",
        _ => "",
    }
}

fn draw(plot: &Plot, path: &Path) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, (760, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let all = || plot.lines.iter().flat_map(|(_, points)| points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let least = all().map(of).fold(f64::INFINITY, f64::min);
        let most = all().map(of).fold(0.0, f64::max);
        (least, most)
    };
    let (left, right) = range(|point| point.0);
    let (low, high) = range(|point| point.1);
    // From a round power of ten to another, so that the axis is not made of one step.
    let floor = 10_f64.powf(low.log10().floor());
    let ceiling = 10_f64.powf((high * 1.05).log10().ceil());
    let mut chart = ChartBuilder::on(&root)
        .margin(18)
        .x_label_area_size(46)
        .y_label_area_size(72)
        .build_cartesian_2d((left..right).log_scale(), (floor..ceiling).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(BLACK.mix(0.06))
        .bold_line_style(BLACK.mix(0.18))
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 15))
        .x_desc(counted(&plot.series))
        .y_desc(&plot.unit)
        .x_label_formatter(&|x| short(*x))
        .y_label_formatter(&|y| short(*y))
        .draw()?;
    for ((name, points), colour) in plot.lines.iter().zip(COLOURS.iter().cycle()) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(free_corner(all().map(|(x, y)| {
            let share = |at: f64, from: f64, to: f64| (at / from).ln() / (to / from).ln();
            (share(*x, left, right), share(*y, floor, ceiling))
        })))
        .label_font(("sans-serif", 14))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// The corner with the fewest points, which are given as shares of the axes.
fn free_corner(points: impl Iterator<Item = (f64, f64)>) -> SeriesLabelPosition {
    let points: Vec<(f64, f64)> = points.collect();
    let corners = [
        (SeriesLabelPosition::UpperLeft, false, true),
        (SeriesLabelPosition::LowerRight, true, false),
        (SeriesLabelPosition::UpperRight, true, true),
        (SeriesLabelPosition::LowerLeft, false, false),
    ];
    let crowd = |right: bool, upper: bool| {
        let near = |(x, y): &&(f64, f64)| {
            let (x, y) = (
                if right { 1.0 - x } else { *x },
                if upper { 1.0 - y } else { *y },
            );
            x < 0.45 && y < 0.3
        };
        points.iter().filter(near).count()
    };
    let least = corners
        .into_iter()
        .min_by_key(|(_, right, upper)| crowd(*right, *upper));
    least.map_or(SeriesLabelPosition::UpperLeft, |(corner, ..)| corner)
}

/// 1000 as 1 k, and so on.
fn short(value: f64) -> String {
    let (value, sign) = match value {
        large if large >= 1e9 => (large / 1e9, " G"),
        large if large >= 1e6 => (large / 1e6, " M"),
        large if large >= 1e3 => (large / 1e3, " k"),
        small => (small, ""),
    };
    format!("{}{sign}", (value * 1000.0).round() / 1000.0)
}
