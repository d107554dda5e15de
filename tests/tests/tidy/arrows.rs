//! Who may import whom inside the library: a module looks down, never up, and not into a peer.
//!
//! Followed are all paths that begin with `crate::` or `super::`, in `use` trees and in the middle of code. Paths that
//! begin otherwise reach a module's own inside or another crate, and cannot point up.

use proc_macro2::Delimiter;

use crate::files::Finding;
use crate::source::{Source, Token, Word};

/// The modules below `runtime/src` by rank. The root itself (`lib.rs`) has the highest.
const RANKS: &[(u8, &[&str])] = &[
    (0, &["sys", "error"]),
    (1, &["heap"]),
    (2, &["codec", "session"]),
    (3, &["sync", "task"]),
    (4, &["shared", "channel", "spawn"]),
    (5, &["process"]),
    (6, &["pool"]),
    (7, &["entry", "testing", "__private", ROOT]),
];

/// Modules that may name nothing but themselves and these, whatever their rank would allow.
const PURE: &[(&str, &[&str])] = &[("pool::scheduler", &["error"])];

const ROOT: &str = "lib.rs";
const FOLDER: &str = "runtime/src/";

/// One path in the code: from which module, to which, at which line.
struct Arrow {
    from: Vec<String>,
    to: Vec<String>,
    file: String,
    line: usize,
}

pub(crate) fn check(sources: &[Source], findings: &mut Vec<Finding>) {
    let library: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.starts_with(FOLDER))
        .collect();
    let modules: Vec<Vec<String>> = library
        .iter()
        .map(|source| module_of(&source.path))
        .collect();
    let test_only: Vec<Vec<String>> = library
        .iter()
        .flat_map(|source| {
            source
                .test_modules
                .iter()
                .map(|name| [module_of(&source.path), vec![name.clone()]].concat())
        })
        .collect();
    let arrows: Vec<Arrow> = library
        .iter()
        .filter(|source| {
            !test_only
                .iter()
                .any(|module| module_of(&source.path).starts_with(module))
        })
        .flat_map(|source| arrows_of(source))
        .collect();
    let mut report = |arrow: &Arrow, text: String| {
        findings.push(Finding {
            file: arrow.file.clone(),
            line: arrow.line,
            text,
        });
    };

    let target = |path: &[String]| target(path, &modules);
    for arrow in &arrows {
        let (from, to) = (top(&arrow.from), target(&arrow.to));
        // A module without a rank is reported once, below.
        let (Some(from_rank), Some(to_rank)) = (rank(from), rank(&to)) else {
            continue;
        };
        if let Some((pure, allowed)) = pure(&arrow.from)
            && !allowed.contains(&to.as_str())
            && !arrow.to.join("::").starts_with(pure)
        {
            let names = (allowed.join(", "), arrow.to.join("::"));
            report(
                arrow,
                format!(
                    "{pure} is pure: it may name {} only, not {}",
                    names.0, names.1
                ),
            );
        }
        if from == to {
            continue;
        }
        if to_rank > from_rank {
            report(
                arrow,
                format!("{from} (rank {from_rank}) names {to} (rank {to_rank}): arrows point down"),
            );
        } else if to_rank == from_rank {
            let inside = modules
                .iter()
                .any(|module| module.len() >= 2 && arrow.to.starts_with(module));
            let mutual = arrows
                .iter()
                .any(|other| top(&other.from) == to && target(&other.to) == from);
            if inside {
                report(
                    arrow,
                    format!(
                        "{from} reaches into its peer {}: name what {to} itself offers",
                        arrow.to.join("::")
                    ),
                );
            } else if mutual {
                report(
                    arrow,
                    format!("{from} and {to} are peers and name each other"),
                );
            }
        }
    }

    findings.dedup();
    for (source, module) in library.iter().zip(&modules) {
        if rank(top(module)).is_none() {
            let text = format!("module {} has no rank: add it to RANKS", top(module));
            findings.push(Finding {
                file: source.path.clone(),
                line: 1,
                text,
            });
        }
    }
}

fn rank(module: &str) -> Option<u8> {
    RANKS
        .iter()
        .find(|(_, names)| names.contains(&module))
        .map(|(rank, _)| *rank)
}

fn pure(module: &[String]) -> Option<(&'static str, &'static [&'static str])> {
    let path = module.join("::");
    PURE.iter()
        .copied()
        .find(|(name, _)| path == *name || path.starts_with(&format!("{name}::")))
}

fn top(module: &[String]) -> &str {
    module.first().map_or(ROOT, String::as_str)
}

/// The top module a path leads to. What is no module is a name that the root offers.
fn target(path: &[String], modules: &[Vec<String>]) -> String {
    match path.first() {
        Some(first)
            if rank(first).is_some()
                || modules.iter().any(|module| module.first() == Some(first)) =>
        {
            first.clone()
        }
        _ => ROOT.to_string(),
    }
}

/// `runtime/src/heap/alloc.rs` is `["heap", "alloc"]`, the root is `[]`.
fn module_of(path: &str) -> Vec<String> {
    let path = path
        .strip_prefix(FOLDER)
        .unwrap_or(path)
        .trim_end_matches(".rs");
    let mut parts: Vec<String> = path.split('/').map(str::to_string).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// All paths in `source` that begin at the crate's root or above the module they stand in.
fn arrows_of(source: &Source) -> Vec<Arrow> {
    let tokens: Vec<Token> = source
        .tokens
        .iter()
        .filter(|token| !token.test)
        .cloned()
        .collect();
    let mut arrows = Vec::new();
    let mut module = module_of(&source.path);
    // For every open brace whether it belongs to an inline `mod name { … }`.
    let mut braces = Vec::new();
    for at in 0..tokens.len() {
        match &tokens[at].word {
            Word::Open(Delimiter::Brace) => {
                let inline = match at
                    .checked_sub(2)
                    .map(|before| (&tokens[before].word, &tokens[before + 1].word))
                {
                    Some((Word::Name(keyword), Word::Name(name))) if keyword == "mod" => {
                        Some(name.clone())
                    }
                    _ => None,
                };
                braces.push(inline.is_some());
                module.extend(inline);
            }
            Word::Close(Delimiter::Brace) if braces.pop() == Some(true) => {
                module.pop();
            }
            Word::Name(name)
                if matches!(name.as_str(), "crate" | "super") && begins_a_path(&tokens, at) =>
            {
                let mut base = if name == "super" {
                    parent(&module)
                } else {
                    Vec::new()
                };
                let mut next = at + 1;
                while name == "super" && is_name(&tokens, next + 2, "super") {
                    base = parent(&base);
                    next += 3;
                }
                follow(&tokens, next, base, &mut |to, line| {
                    arrows.push(Arrow {
                        from: module.clone(),
                        to,
                        file: source.path.clone(),
                        line,
                    });
                });
            }
            _ => {}
        }
    }
    arrows
}

/// Whether the `crate` or `super` at `at` opens a path: `::` behind it, and before it neither `::` nor the `$` of `$crate`.
fn begins_a_path(tokens: &[Token], at: usize) -> bool {
    let sign_before = |sign| at > 0 && tokens[at - 1].word == Word::Sign(sign);
    is_colons(tokens, at + 1)
        && !sign_before(':')
        && !sign_before('$')
        && !is_visibility(tokens, at)
}

/// `pub(in crate::x)` names a module without using it.
fn is_visibility(tokens: &[Token], at: usize) -> bool {
    at > 0 && is_name(tokens, at - 1, "in") && at > 2 && is_name(tokens, at - 3, "pub")
}

/// Follows a path from the `::` at `at`, through the braces of a `use` tree, and gives every end it has.
fn follow(
    tokens: &[Token],
    mut at: usize,
    mut path: Vec<String>,
    found: &mut impl FnMut(Vec<String>, usize),
) -> usize {
    while is_colons(tokens, at) {
        match tokens.get(at + 2).map(|token| &token.word) {
            Some(Word::Name(name)) => {
                if name != "self" {
                    path.push(name.clone());
                }
                at += 3;
            }
            Some(Word::Open(Delimiter::Brace)) => {
                at += 3;
                while let Some(token) = tokens.get(at) {
                    match &token.word {
                        Word::Close(Delimiter::Brace) => return at + 1,
                        Word::Name(name) => {
                            let mut branch = path.clone();
                            if name != "self" {
                                branch.push(name.clone());
                            }
                            at = follow(tokens, at + 1, branch, found);
                            // `as other` is no path of its own.
                            if is_name(tokens, at, "as") {
                                at += 2;
                            }
                        }
                        _ => at += 1,
                    }
                }
                return at;
            }
            // A glob, or `::<…>` behind a function.
            _ => break,
        }
    }
    let line = tokens
        .get(at.saturating_sub(1))
        .map_or(0, |token| token.line);
    found(path, line);
    at
}

fn is_colons(tokens: &[Token], at: usize) -> bool {
    let colon = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| token.word == Word::Sign(':'))
    };
    colon(at) && colon(at + 1)
}

fn is_name(tokens: &[Token], at: usize, name: &str) -> bool {
    matches!(tokens.get(at).map(|token| &token.word), Some(Word::Name(word)) if word == name)
}

fn parent(module: &[String]) -> Vec<String> {
    module[..module.len().saturating_sub(1)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(&format!("{FOLDER}{path}"), text))
            .collect();
        let mut findings = Vec::new();
        check(&sources, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    fn one(files: &[(&str, &str)], place: &str, part: &str) {
        let found = found(files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("{FOLDER}{place}: ")) && found[0].contains(part),
            "{found:?}"
        );
    }

    #[test]
    fn down_is_allowed() {
        let text = "use crate::{error::Error, heap::{self, alloc::Block}}; fn f() { crate::sys::g(); super::sys::h() }";
        assert_eq!(
            found(&[
                ("task.rs", text),
                ("lib.rs", "mod task; pub use crate::task::Task;")
            ]),
            [""; 0]
        );
    }

    #[test]
    fn up_is_not() {
        one(
            &[("heap/mod.rs", "//! x\nuse crate::task::Task;")],
            "heap/mod.rs:2",
            "heap (rank 1) names task (rank 3)",
        );
        one(
            &[("heap/alloc.rs", "use super::super::pool::Pool;")],
            "heap/alloc.rs:1",
            "names pool (rank 6)",
        );
        one(
            &[("codec.rs", "fn f() {\n\n m(crate::process::g::<u8>()) }")],
            "codec.rs:3",
            "names process",
        );
        one(
            &[(
                "sys/mod.rs",
                "use std::io; use crate::{error::Error,\n heap::{Heap as H}};",
            )],
            "sys/mod.rs:2",
            "names heap",
        );
        one(
            &[("task.rs", "use crate::Error;")],
            "task.rs:1",
            "names lib.rs",
        );
        one(
            &[("heap.rs", "mod deep { use super::super::entry::x; }")],
            "heap.rs:1",
            "names entry",
        );
        one(
            &[("heap.rs", "macro_rules! m { () => { crate::codec::x() } }")],
            "heap.rs:1",
            "names codec",
        );
    }

    #[test]
    fn own_inside_tests_and_visibility_are_free() {
        let text = "pub(in crate::heap) fn f() {} use super::alloc::A; mod deep { use super::super::segment::S; }
            #[cfg(test)] mod tests { use crate::pool::Pool; }";
        assert_eq!(
            found(&[
                ("heap/process_table.rs", text),
                ("heap/alloc.rs", ""),
                ("heap/segment.rs", "")
            ]),
            [""; 0]
        );
        let files = [
            ("heap/mod.rs", "#[cfg(test)] mod kill;"),
            ("heap/kill.rs", "use crate::pool::Pool;"),
        ];
        assert_eq!(found(&files), [""; 0]);
        assert_eq!(
            found(&[(
                "task.rs",
                "macro_rules! m { () => { $crate::__private::x() } }"
            )]),
            [""; 0]
        );
    }

    #[test]
    fn peers_are_met_at_the_door() {
        let inside = ("sync/lock.rs", "");
        assert_eq!(
            found(&[("task.rs", "use crate::sync::Lock;"), inside]),
            [""; 0]
        );
        one(
            &[("task.rs", "use crate::sync::lock::Lock;"), inside],
            "task.rs:1",
            "reaches into its peer sync::lock",
        );
        let mutual = found(&[
            ("task.rs", "use crate::sync::Lock;"),
            ("sync/mod.rs", "use crate::task::Task;"),
        ]);
        assert_eq!(mutual.len(), 2, "{mutual:?}");
        assert!(mutual.iter().all(|text| text.contains("name each other")));
    }

    #[test]
    fn the_scheduler_is_pure() {
        assert_eq!(
            found(&[(
                "pool/scheduler.rs",
                "use crate::error::Error; use super::scheduler::X;"
            )]),
            [""; 0]
        );
        one(
            &[("pool/scheduler.rs", "use crate::sys::now;")],
            "pool/scheduler.rs:1",
            "is pure",
        );
        one(
            &[(
                "pool/scheduler/window.rs",
                "use super::super::worker::Worker;",
            )],
            "pool/scheduler/window.rs:1",
            "is pure",
        );
    }

    #[test]
    fn a_module_needs_a_rank() {
        let utils = ("utils.rs", "use crate::pool::Pool;");
        one(
            &[utils, ("pool/mod.rs", "use crate::utils::x;")],
            "utils.rs:1",
            "has no rank",
        );
    }
}
