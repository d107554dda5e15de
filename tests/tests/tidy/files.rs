//! The tree as the rules see it: every Rust source of the workspace, with its path from the root; and what a rule reports.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::Source;

/// One thing that is not as it should be.
#[derive(Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// Folders without code of the house: what cargo builds, the examples' text, and the programs that must not compile (their
/// lines and words are what is tested).
const NOT_OURS: &[&str] = &["target", "data", "ui"];

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn text(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust sources of the members, sorted by path.
pub(crate) fn sources(root: &Path) -> Vec<Source> {
    let mut paths = Vec::new();
    let mut folders: Vec<PathBuf> = ["macros", "runtime", "tests", "examples", "benches"]
        .map(|member| root.join(member))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path
                    .file_name()
                    .is_some_and(|name| !NOT_OURS.iter().any(|other| name == *other))
                {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let name = |path: &Path| {
        let path = path.strip_prefix(root).unwrap_or(path);
        path.to_string_lossy().into_owned()
    };
    let read = |path: &PathBuf| {
        let name = name(path);
        Source::new(&name, &text(root, &name))
    };
    paths.iter().map(read).collect()
}
