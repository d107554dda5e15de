//! `mp` against the bare machine and against its peers, all in one run and by turns.
//!
//! `cargo bench -p mp-benches --bench peers -- [W1 W3 …] [--runs N] [--quick] [--json FILE]`
//! `cargo bench -p mp-benches --bench peers -- --gate [--write] [W3 …]`
//!
//! Without names all workloads run. Every row is measured N times (7 unless told otherwise), the rows of a workload taking
//! turns, so that whatever else the machine does is done to all of them; printed are the smallest, the middle and the
//! largest value, and the middle one against that of `mp`'s first row and against the *limit*: the same work written by hand
//! with nothing around it. `--quick` does a fraction of the work and is good only to see that it runs.
//!
//! What is read along with the figures: kernel, cores, transparent huge pages and compiler are in the first lines of the
//! output. Nothing else should be running. Everything that is started is bounded in time.

mod frame;
mod gate;
mod limits;
mod machine;
mod mp_rows;
mod report;
mod rivals;

use std::process::ExitCode;

mp::main!(run);

fn run() -> ExitCode {
    let options = match frame::Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("peers: {text}");
            return ExitCode::from(2);
        }
    };
    let machine = machine::Machine::look();
    println!("{}", machine.describe());
    if options.gate {
        return match gate::run(&options, |workload| cases(workload, gate::SCALE)) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("peers: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let mut rows = Vec::new();
    for workload in frame::WORKLOADS
        .iter()
        .filter(|workload| options.wants(workload.name))
    {
        let mut cases = cases(workload, options.scale);
        let measured = frame::take_turns(workload, &mut cases, options.runs);
        print!("{}", report::table(workload, &measured, &machine));
        rows.extend(measured);
    }
    if let Some(path) = &options.json
        && let Err(error) = std::fs::write(path, report::json(&rows, &machine))
    {
        eprintln!("peers: {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let failed = rows.iter().any(|row| row.error.is_some());
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// All rows of a workload: the limits, the peers, `mp`.
fn cases(workload: &frame::Workload, scale: frame::Scale) -> Vec<frame::Case> {
    let mut cases = limits::cases(workload.name, scale);
    cases.extend(rivals::cases(workload.name, scale));
    cases.extend(mp_rows::cases(workload.name, scale));
    cases
}
