//! One source file as a flat list of words with their lines. Comments and literals are gone, test-only code is marked.
//!
//! The lexer is proc-macro2's, so raw strings, lifetimes and nested comments are no trouble of ours.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A token, as far as the rules care.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Word {
    Name(String),
    Sign(char),
    Open(Delimiter),
    Close(Delimiter),
    /// A number, a string, a character.
    Literal,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) word: Word,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Behind `#[cfg(test)]`.
    pub(crate) test: bool,
    /// Inside the arguments of a macro call.
    pub(crate) quoted: bool,
}

pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
    /// Empty where the file is no valid Rust (a trybuild case may be such a file).
    pub(crate) tokens: Vec<Token>,
    /// The modules this file declares as `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut reader = Reader::default();
        if let Ok(stream) = text.parse::<TokenStream>() {
            reader.group(stream, false, false);
        }
        Source {
            path: path.to_string(),
            lines: text.lines().map(str::to_string).collect(),
            tokens: reader.tokens,
            test_modules: reader.test_modules,
        }
    }
}

#[derive(Default)]
struct Reader {
    tokens: Vec<Token>,
    test_modules: Vec<String>,
}

impl Reader {
    fn group(&mut self, stream: TokenStream, test: bool, quoted: bool) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        // True from `#[cfg(test)]` to the end of the item it stands on.
        let mut item_is_test = false;
        for (at, tree) in trees.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| &trees[at]);
            let test_here = test || item_is_test;
            match tree {
                TokenTree::Group(group) => {
                    let attribute = is_sign(before, '#')
                        || is_sign(before, '!') && at >= 2 && is_sign(trees.get(at - 2), '#');
                    let in_macro = !attribute && is_sign(before, '!');
                    self.push(
                        Word::Open(group.delimiter()),
                        group.span_open().start().line,
                        test_here,
                        quoted,
                    );
                    self.group(group.stream(), test_here, quoted || in_macro);
                    self.push(
                        Word::Close(group.delimiter()),
                        group.span_close().end().line,
                        test_here,
                        quoted,
                    );
                    if attribute && means_test(group.stream()) {
                        item_is_test = true;
                    } else if group.delimiter() == Delimiter::Brace {
                        item_is_test = false;
                    }
                }
                TokenTree::Ident(name) => {
                    self.push(
                        Word::Name(name.to_string()),
                        name.span().start().line,
                        test_here,
                        quoted,
                    );
                }
                TokenTree::Punct(sign) => {
                    let line = sign.span().start().line;
                    self.push(Word::Sign(sign.as_char()), line, test_here, quoted);
                    if item_is_test && matches!(sign.as_char(), ';' | ',') {
                        if let (Some(TokenTree::Ident(name)), true) = (
                            before,
                            is_name(at.checked_sub(2).and_then(|at| trees.get(at)), "mod"),
                        ) {
                            self.test_modules.push(name.to_string());
                        }
                        item_is_test = false;
                    }
                }
                TokenTree::Literal(literal) => {
                    self.push(
                        Word::Literal,
                        literal.span().start().line,
                        test_here,
                        quoted,
                    );
                }
            }
        }
    }

    fn push(&mut self, word: Word, line: usize, test: bool, quoted: bool) {
        self.tokens.push(Token {
            word,
            line,
            test,
            quoted,
        });
    }
}

/// Whether the inside of `#[…]` is a `cfg` that asks for `test` and not for its absence.
fn means_test(attribute: TokenStream) -> bool {
    let trees: Vec<TokenTree> = attribute.into_iter().collect();
    match &trees[..] {
        [TokenTree::Ident(cfg), TokenTree::Group(condition)] if cfg == "cfg" => {
            let text = condition.stream().to_string();
            let mut words = text.split(|sign: char| !sign.is_alphanumeric() && sign != '_');
            words.clone().any(|word| word == "test") && words.all(|word| word != "not")
        }
        _ => false,
    }
}

fn is_sign(tree: Option<&TokenTree>, sign: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

fn is_name(tree: Option<&TokenTree>, name: &str) -> bool {
    matches!(tree, Some(TokenTree::Ident(ident)) if ident == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, test: bool) -> Vec<String> {
        let of_kind = |token: &Token| match &token.word {
            Word::Name(name) if token.test == test => Some(name.clone()),
            _ => None,
        };
        Source::new("x.rs", text)
            .tokens
            .iter()
            .filter_map(of_kind)
            .collect()
    }

    #[test]
    fn comments_and_strings_are_no_words() {
        assert_eq!(
            names("// a\n/* b /* c */ */ d(\"e\", r#\"f\"#, 'g', 1u8)", false),
            ["d"]
        );
    }

    #[test]
    fn test_code_is_marked() {
        let text = "fn a() {} #[cfg(test)] mod b { fn c() {} } fn d() {} #[cfg(test)] use e::{f}; fn g() {}";
        assert_eq!(
            names(text, false),
            [
                "fn", "a", "cfg", "test", "fn", "d", "cfg", "test", "fn", "g"
            ]
        );
        assert_eq!(names(text, true), ["mod", "b", "fn", "c", "use", "e", "f"]);
        assert_eq!(
            names("#[cfg(not(test))] fn a() {}", true),
            Vec::<String>::new()
        );
        assert_eq!(
            names("#[cfg(all(test, loom))] fn a() {}", true),
            ["fn", "a"]
        );
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_known() {
        let source = Source::new(
            "x.rs",
            "mod a; #[cfg(test)] mod b; #[cfg(test)] #[path = \"z\"] mod c;",
        );
        assert_eq!(source.test_modules, ["b", "c"]);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let lines: Vec<usize> = Source::new("x.rs", "a\n\nb")
            .tokens
            .iter()
            .map(|token| token.line)
            .collect();
        assert_eq!(lines, [1, 3]);
    }
}
