//! Instructions of the parts, by callgrind: all of them in one process, each warm before it is
//! counted.
//!
//! Callgrind counts inside `counted` only, and writes one file each time that returns.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use mp_benches::budgets::{Counts, Rows};
use mp_benches::parts::{self, Body, Part};

use crate::Outcome;

/// How often a body runs before it is counted, and while it is.
const WARM: u32 = 20;
const ROUNDS: u32 = 20;

/// Which variants of its functions the C library takes must not depend on the processor.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX_Fast_Unaligned_Load,\
    -ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,-BMI2:glibc.cpu.x86_non_temporal_threshold=0x100000:\
    glibc.cpu.x86_rep_movsb_threshold=0x100000";

/// Where the C library calls `main`, which does all there is.
const START: &str = "__libc_start_main";

/// What callgrind counts.
#[inline(never)]
fn counted(body: &mut Body) -> mp::Result<()> {
    (0..ROUNDS).try_for_each(|_| body())
}

/// Runs the parts of these names, in this order.
pub(crate) fn bodies(names: &[String]) -> Outcome<ExitCode> {
    for name in names {
        let part = parts::all().find(|part| part.name == *name);
        let mut body = part.ok_or(format!("no part {name}"))?.body()?;
        (0..WARM).try_for_each(|_| body())?;
        counted(&mut body)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The instructions of one operation of each part.
pub(crate) fn count(wanted: &[&Part]) -> Outcome<Rows> {
    if wanted.is_empty() {
        return Ok(Rows::new());
    }
    let folder = std::env::temp_dir().join(format!("mp-counts-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let rows = run(wanted, &folder).and_then(|()| {
        let program = std::env::current_exe()?.canonicalize()?;
        let program = program.to_string_lossy();
        let mut rows = Rows::new();
        for (at, part) in wanted.iter().enumerate() {
            let text = fs::read_to_string(folder.join(format!("out.{}", at + 1)))?;
            let operations = part.operations * u64::from(ROUNDS);
            let counts = costs(&text, &program).ok_or("callgrind's file cannot be read")?;
            rows.insert(part.name.to_owned(), counts.by(operations));
        }
        Ok(rows)
    });
    fs::remove_dir_all(&folder)?;
    rows
}

fn run(wanted: &[&Part], folder: &Path) -> Outcome {
    let mut valgrind = Command::new("timeout");
    valgrind
        .args(["300", "valgrind", "--tool=callgrind", "-q"])
        .arg(format!(
            "--callgrind-out-file={}",
            folder.join("out").display()
        ))
        .args(["--toggle-collect=counts::callgrind::counted"])
        .args(["--dump-after=counts::callgrind::counted"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(std::env::current_exe()?)
        .arg("--counted")
        .args(wanted.iter().map(|part| part.name));
    let out = valgrind
        // Where the stack begins must not depend on the environment.
        .env_clear()
        .env("GLIBC_TUNABLES", TUNABLES)
        .output()?;
    if out.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    Err(format!("valgrind ended with {}: {said}", out.status).into())
}

/// What callgrind counted in a file of its, by place: the program's functions by their own code,
/// and calls of the C library by all that they did, as most functions in there have no names.
fn costs(text: &str, program: &str) -> Option<Counts> {
    let summary = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let total = summary?.parse().ok()?;
    let mut parts = BTreeMap::new();
    let (mut function, mut home, mut file) = ("", "", "");
    let (mut object, mut callee_object, mut callee) = ("", "", "");
    let mut called = false;
    for line in text.lines() {
        match line.split_once('=') {
            Some(("ob", name)) => (object, callee_object) = (name, name),
            Some(("fn", name)) => function = name,
            Some(("fl", name)) => (home, file) = (name, name),
            Some(("fi" | "fe", name)) => file = name,
            Some(("cob", name)) => callee_object = name,
            Some(("cfn", name)) => callee = name,
            Some(("calls", _)) => called = true,
            Some(_) => {}
            None => {
                let Some(cost) = cost_in(line) else { continue };
                let name = match std::mem::take(&mut called) {
                    false if object == program => Some(place(function, home, file)),
                    true if object == program && callee_object != program => Some(short(callee)),
                    _ => None,
                };
                if let Some(name) = name {
                    *parts.entry(name).or_default() += cost;
                }
                callee_object = object;
            }
        }
    }
    parts.retain(|name, _| !name.starts_with(START));
    Some(Counts { total, parts })
}

/// The cost in a line of two numbers: a place in the source, and what it cost.
fn cost_in(line: &str) -> Option<f64> {
    let (at, cost) = line.split_once(' ')?;
    at.parse::<u64>().ok().and(cost.parse().ok())
}

/// The function, and of code that was put into it from another file of ours or of a dependency that
/// file.
fn place(function: &str, home: &str, file: &str) -> String {
    let ours = |path: &str| {
        let (_, inside) = path.rsplit_once("/runtime/src/")?;
        Some(inside.to_owned())
    };
    let registry = |path: &str| {
        let (_, inside) = path.split_once("/registry/src/")?;
        inside.split_once('/').map(|(_, inside)| inside.to_owned())
    };
    match ours(file).or_else(|| registry(file)) {
        Some(from) if file != home => format!("{} ← {from}", short(function)),
        _ => short(function),
    }
}

/// A name without callgrind's mark of recursion, and without the hashes in brackets that name
/// crates.
fn short(name: &str) -> String {
    let (name, _) = name
        .rsplit_once('\'')
        .filter(|(_, mark)| is_number(mark))
        .unwrap_or((name, ""));
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, behind)) = rest.split_once('[') {
        out += before;
        match behind.split_once(']') {
            Some((hash, after)) if is_hash(hash) => rest = after,
            _ => {
                out.push('[');
                rest = behind;
            }
        }
    }
    out + rest
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|sign| sign.is_ascii_digit())
}

fn is_hash(text: &str) -> bool {
    text.len() >= 8 && text.bytes().all(|sign| sign.is_ascii_hexdigit())
}
