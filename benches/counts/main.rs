//! The gate that counts: instructions of each hot path by callgrind, system calls and page faults
//! of each way to start.
//!
//! `cargo bench -p mp-benches --bench counts -- [FILTER] [--write] [--against FILE]`
//!
//! What is counted is the same on every machine, but not with every toolchain;
//! `benches/budgets.json` has budgets by toolchain. The gate fails where a row costs over 3 % more
//! than its budget, and names the functions that grew. `--write` writes the budgets of this
//! toolchain anew; `--against FILE` reads and writes another file. Exit codes: 1 is a row that grew
//! or has no budget; 2 that something went wrong; 3 that there are no budgets for this toolchain,
//! or nothing to count with.
//!
//! Relies on valgrind (x86-64 or another machine that it knows) and strace; what is absent is named
//! and left out.

mod callgrind;
mod startup;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use mp_benches::budgets::{self, Budgets, Rows};
use mp_benches::parts;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

mp::main!(run);

fn run() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        // What runs under callgrind.
        Some((first, names)) if first == "--counted" => callgrind::bodies(names),
        _ => Options::parse(arguments).and_then(|options| gate(&options)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("counts: {error}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    filter: Option<String>,
    write: bool,
    file: PathBuf,
}

impl Options {
    fn parse(arguments: Vec<String>) -> Outcome<Self> {
        let mut options = Options {
            filter: None,
            write: false,
            file: budgets::checked_in(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo adds this one to every bench.
                "--bench" => {}
                "--write" => options.write = true,
                "--against" => {
                    options.file = arguments.next().ok_or("--against needs a file")?.into();
                }
                flag if flag.starts_with('-') => return Err(format!("no flag {flag}").into()),
                _ => options.filter = Some(argument),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|part| name.contains(part))
    }
}

fn gate(options: &Options) -> Outcome<ExitCode> {
    if cfg!(debug_assertions) {
        return Err("a debug build: its counts mean nothing".into());
    }
    let toolchain = toolchain()?;
    println!("toolchain  {toolchain}");
    let mut file = Budgets::read(&options.file)?;
    if !options.write && !file.counts.contains_key(&toolchain) {
        println!(
            "no budgets for this toolchain in {}",
            options.file.display()
        );
        return Ok(ExitCode::from(3));
    }
    let (found, complete) = measure(options)?;
    if found.is_empty() {
        println!("nothing was counted");
        return Ok(ExitCode::from(3));
    }
    for (name, cost) in &found {
        println!("  {name:<28} {:>12.2}", cost.total);
    }
    let rows = file.counts.entry(toolchain).or_default();
    if options.write {
        if complete {
            rows.clear();
        }
        rows.extend(found);
        file.write(&options.file)?;
        println!("written: {}", options.file.display());
        return Ok(ExitCode::SUCCESS);
    }
    if !complete {
        rows.retain(|name, _| found.contains_key(name));
    }
    let verdict = budgets::compare(rows, &found, startup::leeway);
    print!("{}", verdict.text);
    if verdict.stale || verdict.new {
        println!("budgets out of date: cargo bench -p mp-benches --bench counts -- --write");
    }
    // An older state's budgets need not know all rows of today.
    let unknown = verdict.new && options.file == budgets::checked_in();
    Ok(match verdict.grown || unknown {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// All rows that are wanted, and whether these are all rows there are.
fn measure(options: &Options) -> Outcome<(Rows, bool)> {
    let mut found = Rows::new();
    let mut complete = options.filter.is_none();
    let wanted: Vec<_> = parts::all()
        .filter(|part| options.wants(part.name))
        .collect();
    if works("valgrind", &["--version"]) {
        found.extend(callgrind::count(&wanted)?);
    } else {
        println!("left out: instructions of the hot paths: there is no valgrind");
        complete = false;
    }
    // It may be there, and not be allowed to look.
    if works("strace", &["-o", "/dev/null", "true"]) {
        found.extend(startup::count(|name| options.wants(name))?);
    } else {
        println!("left out: system calls and page faults of starting: strace cannot be used");
        complete = false;
    }
    Ok((found, complete))
}

/// Whether the command can be run, and succeeds.
fn works(command: &str, arguments: &[&str]) -> bool {
    let out = Command::new(command).args(arguments).output();
    out.is_ok_and(|out| out.status.success())
}

/// What the counts depend on: the compiler, the target, the profile, and the C library, whose
/// functions are counted, too.
fn toolchain() -> Outcome<String> {
    let said = |command: &str, arguments: &[&str]| -> Outcome<String> {
        let out = Command::new(command).args(arguments).output();
        let out = out.map_err(|error| format!("{command}: {error}"))?;
        Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    let rustc = said("rustc", &["-vV"])?;
    let line = |name: &str| {
        let found = rustc.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or("unknown").trim().to_owned()
    };
    let libc = said("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_default();
    Ok(format!(
        "rustc {}, {}, bench, {libc}",
        line("release:"),
        line("host:")
    ))
}
