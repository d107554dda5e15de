//! The README and the examples agree: every example is shown with its command, and every command names an example.

use std::collections::BTreeSet;

use crate::files::Finding;

/// `readme` is the text of README.md, `manifest` that of examples/Cargo.toml.
pub(crate) fn check(readme: &str, manifest: &str, findings: &mut Vec<Finding>) {
    let shown = shown(readme);
    let known = known(manifest);
    for (name, line) in &shown {
        if !known.contains(name) {
            let text = format!("there is no example `{name}`");
            findings.push(Finding {
                file: "README.md".to_string(),
                line: *line,
                text,
            });
        }
    }
    for name in known {
        if !shown.iter().any(|(other, _)| *other == name) {
            let text = format!("the README does not say `--example {name}`");
            findings.push(Finding {
                file: "examples/Cargo.toml".to_string(),
                line: 1,
                text,
            });
        }
    }
}

/// The names behind every `--example`, with their lines.
fn shown(readme: &str) -> BTreeSet<(String, usize)> {
    let is_name = |sign: &char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-');
    let mut shown = BTreeSet::new();
    for (at, line) in readme.lines().enumerate() {
        for part in line.split("--example ").skip(1) {
            shown.insert((part.chars().take_while(is_name).collect(), at + 1));
        }
    }
    shown
}

/// The names of all `[[example]]` tables.
fn known(manifest: &str) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut table = "";
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            table = line;
        }
        if let (true, Some(name)) = (table == "[[example]]", line.strip_prefix("name = ")) {
            known.insert(name.trim_matches('"').to_string());
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"p\"\n[[example]]\nname = \"one\"\npath = \"one.rs\"\n[[example]]\nname = \"two\"\n";

    fn found(readme: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(readme, MANIFEST, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn both_sides_are_compared() {
        assert_eq!(
            found("run --example one, or `cargo run --example two -- x`"),
            [""; 0]
        );
        assert_eq!(
            found("run --example one"),
            ["examples/Cargo.toml:1: the README does not say `--example two`"]
        );
        assert_eq!(
            found("--example one\n--example two\n--example three"),
            ["README.md:3: there is no example `three`"]
        );
    }
}
