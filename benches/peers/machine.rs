//! What the figures depend on and a reader must know: the machine, the kernel, the compiler.

use std::fs;
use std::process::Command;

pub(crate) struct Machine {
    pub(crate) kernel: String,
    /// What the system does for memory, and for shared memory.
    pub(crate) huge_pages: String,
    processor: String,
    cores: usize,
    compiler: String,
    /// The day, as `date` tells it.
    date: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let cpuinfo = file("/proc/cpuinfo");
        let processor = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown processor", |(_, name)| name.trim());
        Machine {
            kernel: file("/proc/sys/kernel/osrelease"),
            huge_pages: format!(
                "{} (shared: {})",
                chosen(&file("/sys/kernel/mm/transparent_hugepage/enabled")),
                chosen(&file("/sys/kernel/mm/transparent_hugepage/shmem_enabled"))
            ),
            processor: processor.to_string(),
            cores: mp::cpu_count(),
            compiler: said("rustc", &["--version"]),
            date: said("date", &["+%Y-%m-%d"]),
        }
    }

    pub(crate) fn describe(&self) -> String {
        let build = if cfg!(debug_assertions) {
            "DEBUG BUILD: the figures mean nothing"
        } else {
            "release build"
        };
        [
            format!("kernel     Linux {}", self.kernel),
            format!("cores      {} usable, {}", self.cores, self.processor),
            format!("huge pages {}", self.huge_pages),
            format!("compiler   {}, {build}", self.compiler),
            format!("date       {}", self.date),
            format!("load       {}", file("/proc/loadavg")),
        ]
        .join("\n")
    }

    /// One object, with the keys of a row and then its own.
    pub(crate) fn json(&self, quoted: fn(&str) -> String) -> String {
        let runs = "\"unit\": \"\", \"min\": null, \"median\": null, \"max\": null, \"runs\": 0";
        let mut object = format!(
            "  {{\"workload\": \"machine\", \"who\": {}, \"variant\": \"{} cores\", {runs}",
            quoted(&self.processor),
            self.cores
        );
        for (name, text) in [
            ("kernel", &self.kernel),
            ("huge_pages", &self.huge_pages),
            ("compiler", &self.compiler),
            ("date", &self.date),
        ] {
            object += &format!(", \"{name}\": {}", quoted(text));
        }
        object + "}"
    }
}

/// A small file's text, or nothing.
fn file(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_string()
}

/// What a command prints.
fn said(command: &str, arguments: &[&str]) -> String {
    let out = Command::new(command).args(arguments).output();
    out.map_or(format!("{command} unknown"), |out| {
        String::from_utf8_lossy(&out.stdout).trim().to_string()
    })
}

/// The word in brackets.
fn chosen(text: &str) -> &str {
    text.split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or("unknown", |(word, _)| word)
}
