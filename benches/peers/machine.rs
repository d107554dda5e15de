//! What the figures depend on and a reader must know: the machine, the kernel, the compiler.

use std::fs;
use std::process::Command;

/// The same in a line, with the date: for the README.
pub(crate) fn in_a_line() -> String {
    let date = Command::new("date").arg("+%F").output();
    let date = date.map_or(String::new(), |out| {
        String::from_utf8_lossy(&out.stdout).trim().to_string()
    });
    let described = describe();
    let lines = described.lines().take(4).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.split_first() {
            Some((&"kernel" | &"cores" | &"compiler", rest)) => rest.join(" "),
            _ => words.join(" "),
        }
    });
    lines.chain([date]).collect::<Vec<String>>().join(", ")
}

pub(crate) fn describe() -> String {
    let file = |path: &str| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_string()
    };
    let cpuinfo = file("/proc/cpuinfo");
    let processor = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map_or("rustc unknown".to_string(), |out| {
        String::from_utf8_lossy(&out.stdout).trim().to_string()
    });
    let build = if cfg!(debug_assertions) {
        "DEBUG BUILD: the figures mean nothing"
    } else {
        "release build"
    };
    [
        format!("kernel     Linux {}", file("/proc/sys/kernel/osrelease")),
        format!("cores      {} usable, {processor}", mp::cpu_count()),
        format!(
            "huge pages {} (for memory), {} (for shared memory)",
            chosen(&file("/sys/kernel/mm/transparent_hugepage/enabled")),
            chosen(&file("/sys/kernel/mm/transparent_hugepage/shmem_enabled"))
        ),
        format!("compiler   {compiler}, {build}"),
        format!("load       {}", file("/proc/loadavg")),
    ]
    .join("\n")
}

/// The word in brackets.
fn chosen(text: &str) -> &str {
    text.split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or("unknown", |(word, _)| word)
}
