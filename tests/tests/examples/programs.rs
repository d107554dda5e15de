//! Building and running the examples.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Where the examples are, built.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build
            .args([
                "build",
                "--quiet",
                "-p",
                "mp-examples",
                "--examples",
                "--target-dir",
            ])
            .arg(&target);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the examples do not build");
        target
            .join(if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            })
            .join("examples")
    })
}

/// The example, with a minute to end by itself.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", "60"])
        .arg(folder().join(name));
    command
}

/// Runs it to its end, which must be a good one; gives what it printed.
pub(crate) fn run(name: &str, arguments: &[&str]) -> String {
    let output = program(name)
        .args(arguments)
        .output()
        .expect("timeout is there");
    assert!(
        output.status.success(),
        "{name}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn both(output: &Output) -> (String, String) {
    (text(&output.stdout), text(&output.stderr))
}

pub(crate) fn lines(output: &str) -> impl Iterator<Item = &str> {
    output.lines()
}
