//! Words that may stand in a few places only, and what every file must say about itself.

use proc_macro2::Delimiter;

use crate::files::Finding;
use crate::source::{Source, Word};

/// A name, the part of the tree it is watched in, and the only place there that may say it.
const PLACES: &[(&str, &[&str], &str)] = &[
    (
        "bincode",
        &["runtime/", "macros/", "examples/"],
        "runtime/src/codec/serial/primitive.rs",
    ),
    (
        "libc",
        &["runtime/", "macros/", "examples/"],
        "runtime/src/sys/",
    ),
    ("proc_macro", &["runtime/", "macros/"], "macros/src/lib.rs"),
];

/// Macros that belong on no main branch.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

const UNSAFE: &str = "#![allow(unsafe_code)]";

pub(crate) fn check(sources: &[Source], findings: &mut Vec<Finding>) {
    for source in sources {
        let mut report = |line, text: String| {
            findings.push(Finding {
                file: source.path.clone(),
                line,
                text,
            })
        };
        if !opens_with_a_comment(&source.lines) {
            report(
                1,
                "the file does not open with a comment that says what it is".to_string(),
            );
        }
        let may_be_unsafe = source.lines.first().is_some_and(|line| line == UNSAFE);
        let macro_crate = source.path.starts_with("macros/");
        for (at, token) in source.tokens.iter().enumerate() {
            let Word::Name(name) = &token.word else {
                continue;
            };
            let next = source.tokens.get(at + 1).map(|token| &token.word);
            for (watched, parts, place) in PLACES {
                if name == watched
                    && parts.iter().any(|part| source.path.starts_with(part))
                    && !source.path.starts_with(place)
                {
                    report(token.line, format!("`{name}` may be named in {place} only"));
                }
            }
            if UNFINISHED.contains(&name.as_str()) && next == Some(&Word::Sign('!')) {
                report(token.line, format!("`{name}!` is left over"));
            }
            // In the macro crate the word also stands in tokens that are matched or made.
            if name == "unsafe" && !(macro_crate && token.quoted) {
                if !may_be_unsafe {
                    report(
                        token.line,
                        format!("`unsafe` in a file that does not say {UNSAFE} on line 1"),
                    );
                }
                let needs_reason = next == Some(&Word::Open(Delimiter::Brace))
                    || next == Some(&Word::Name("impl".to_string()));
                if needs_reason && !has_reason(&source.lines, token.line) {
                    report(token.line, "`unsafe` without a SAFETY comment".to_string());
                }
            }
        }
    }
}

/// Whether the first line that is no inner attribute is a comment.
fn opens_with_a_comment(lines: &[String]) -> bool {
    let first = lines
        .iter()
        .map(|line| line.trim())
        .find(|line| !line.is_empty() && !line.starts_with("#!["));
    first.is_none_or(|line| line.starts_with("//"))
}

/// Whether a comment with `SAFETY:` stands on the line (counted from 1), or above the statement it is part of.
fn has_reason(lines: &[String], line: usize) -> bool {
    let says = |line: &str| {
        line.split_once("//")
            .is_some_and(|(_, comment)| comment.contains("SAFETY:"))
    };
    if lines.get(line - 1).is_some_and(|line| says(line)) {
        return true;
    }
    for above in lines[..(line - 1).min(lines.len())].iter().rev() {
        let above = above.trim();
        if says(above) {
            return true;
        }
        if !above.starts_with("//") && (above.is_empty() || above.ends_with([';', '{', '}'])) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&[Source::new(path, text)], &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    fn one(path: &str, text: &str, line: usize, part: &str) {
        let found = found(path, text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!("{path}:{line}: ")) && found[0].contains(part),
            "{found:?}"
        );
    }

    #[test]
    fn some_names_have_one_place() {
        one(
            "runtime/src/heap/mod.rs",
            "//! x\nuse libc::c_int;",
            2,
            "`libc` may be named in runtime/src/sys/ only",
        );
        one(
            "runtime/src/heap/mod.rs",
            "//! x\nuse nix::libc::c_int;",
            2,
            "`libc`",
        );
        one(
            "runtime/src/codec/mod.rs",
            "//! x\n\nfn f() { bincode::serde::g() }",
            3,
            "`bincode`",
        );
        one(
            "macros/src/task.rs",
            "//! x\nuse proc_macro::TokenStream;",
            2,
            "`proc_macro`",
        );
        assert_eq!(
            found("runtime/src/sys/mod.rs", "//! x\nuse libc::c_int;"),
            [""; 0]
        );
        assert_eq!(
            found(
                "runtime/src/codec/serial/primitive.rs",
                "//! x\nuse bincode::config;"
            ),
            [""; 0]
        );
        assert_eq!(found("benches/ring.rs", "//! x\nuse libc::c_int;"), [""; 0]);
        assert_eq!(
            found(
                "macros/src/task.rs",
                "//! proc_macro\nuse proc_macro2::TokenStream;"
            ),
            [""; 0]
        );
    }

    #[test]
    fn unsafe_is_opened_per_file_and_reasoned() {
        let unsafe_file = |rest: &str| format!("{UNSAFE}\n//! x\n{rest}");
        one(
            "runtime/src/a.rs",
            "//! x\n// SAFETY: y\nunsafe impl Send for A {}",
            3,
            "on line 1",
        );
        one(
            "runtime/src/a.rs",
            &unsafe_file("fn f() {\n let a = 1;\n unsafe { g() } }"),
            5,
            "SAFETY",
        );
        one(
            "runtime/src/a.rs",
            &unsafe_file("// SAFETY: far away\nfn f() {}\nunsafe impl Send for A {}"),
            5,
            "SAFETY",
        );
        let fine = [
            "fn f() {\n // SAFETY: y\n // more\n unsafe { g() } }",
            "fn f() {\n // SAFETY: y\n let a =\n  b(unsafe { g() }); }",
            "fn f() { unsafe { g() } // SAFETY: y\n }",
            "unsafe fn f() {}",
            "// SAFETY: y\n#[cfg(x)]\nunsafe impl Send for A {}",
        ];
        for rest in fine {
            assert_eq!(
                found("runtime/src/a.rs", &unsafe_file(rest)),
                [""; 0],
                "{rest}"
            );
        }
        assert_eq!(
            found(
                "macros/src/plain.rs",
                "//! x\nfn f() { quote! { unsafe impl P for X {} } }"
            ),
            [""; 0]
        );
        one(
            "macros/src/plain.rs",
            "//! x\nunsafe fn f() {}",
            2,
            "on line 1",
        );
        assert_eq!(
            found(
                "runtime/src/a.rs",
                "//! \"unsafe {\"\n#![deny(unsafe_code)]"
            ),
            [""; 0]
        );
    }

    #[test]
    fn every_file_says_what_it_is() {
        one("runtime/src/a.rs", "fn f() {}", 1, "open with a comment");
        one(
            "runtime/src/a.rs",
            "\n#![deny(x)]\nfn f() {}",
            1,
            "open with a comment",
        );
        assert_eq!(
            found("runtime/src/a.rs", "#![deny(x)]\n// y\nfn f() {}"),
            [""; 0]
        );
        assert_eq!(found("tests/tests/ui/x.rs", "// broken\nfn ( {"), [""; 0]);
    }

    #[test]
    fn nothing_unfinished_stays() {
        for name in UNFINISHED {
            one(
                "runtime/src/a.rs",
                &format!("//! x\nfn f() {{ {name}!() }}"),
                2,
                "left over",
            );
        }
        assert_eq!(
            found("runtime/src/a.rs", "//! todo!\nfn todo() { todo() }"),
            [""; 0]
        );
    }
}
