//! The house rules that no compiler checks: which module may import which, where a few words may stand, that every file
//! says what it is, that the README and the examples agree.
//!
//! The rules are data (`arrows::RANKS`, `words::PLACES`); when the design changes, they change in the same commit. Each
//! rule is also tried on small made-up sources, so that we know it can fail.

mod arrows;
mod files;
mod listing;
mod source;
mod words;

use files::Finding;
use source::Source;

/// Everything that is wrong with `sources` and the README that goes with them.
fn findings(sources: &[Source], readme: &str, manifest: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    arrows::check(sources, &mut findings);
    words::check(sources, &mut findings);
    listing::check(readme, manifest, &mut findings);
    findings
}

#[test]
fn the_house_is_tidy() {
    let root = files::root();
    let sources = files::sources(&root);
    assert!(
        sources.len() > 10,
        "the sources were not found below {}",
        root.display()
    );
    let readme = files::text(&root, "README.md");
    let manifest = files::text(&root, "examples/Cargo.toml");
    let findings = findings(&sources, &readme, &manifest);
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "not tidy:\n{}", lines.join("\n"));
}
