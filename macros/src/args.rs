//! The arguments of the attributes: `key = value, …`, read one by one, so that one mistake hides no other.
//!
//! Relies on `errors` only. What the keys mean is said by the macro that asks.

use proc_macro2::{Ident, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::Parser as _;
use syn::{LitBool, LitInt, LitStr, Path};

use crate::errors::Errors;

/// One `key = value`.
pub(crate) struct Arg {
    pub(crate) key: Ident,
    /// Empty where there is only the key.
    pub(crate) value: TokenStream,
}

impl Arg {
    /// The value as a string literal.
    pub(crate) fn string(&self, example: &str, errors: &mut Errors) -> Option<LitStr> {
        let literal = syn::parse2::<LitStr>(self.value.clone()).ok();
        if literal.is_none() {
            let key = &self.key;
            errors.on(
                self.place(),
                format_args!("`{key}` needs a string: `{key} = {example}`"),
            );
        }
        literal
    }

    /// The value as a time, in milliseconds.
    pub(crate) fn time(&self, errors: &mut Errors) -> Option<u64> {
        let text = self.string("\"30s\"", errors)?;
        let time = milliseconds(&text);
        if time.is_none() {
            errors.on(
                text,
                "a time is a whole number above 0 and a unit: `\"500ms\"`, `\"30s\"`, `\"2m\"`",
            );
        }
        time
    }

    /// The value as a whole number.
    pub(crate) fn number(&self, errors: &mut Errors) -> Option<u32> {
        let literal = syn::parse2::<LitInt>(self.value.clone());
        let number = literal.and_then(|literal| literal.base10_parse()).ok();
        if number.is_none() {
            let key = &self.key;
            errors.on(
                self.place(),
                format_args!("`{key}` needs a whole number: `{key} = 2`"),
            );
        }
        number
    }

    /// Whether it is set: the key alone, or `true` or `false`.
    pub(crate) fn flag(&self, errors: &mut Errors) -> Option<bool> {
        if self.value.is_empty() {
            return Some(true);
        }
        let flag = syn::parse2::<LitBool>(self.value.clone()).ok();
        if flag.is_none() {
            let key = &self.key;
            errors.on(
                self.place(),
                format_args!("`{key}` stands alone, or is `true` or `false`: `{key} = false`"),
            );
        }
        flag.map(|flag| flag.value)
    }

    /// What an error about the value underlines.
    fn place(&self) -> TokenStream {
        match self.value.is_empty() {
            true => self.key.to_token_stream(),
            false => self.value.clone(),
        }
    }

    /// The value as the path of this library's crate.
    pub(crate) fn krate(&self, errors: &mut Errors) -> Option<Path> {
        let path = match syn::parse2::<LitStr>(self.value.clone()) {
            Ok(text) => text.parse_with(Path::parse_mod_style),
            Err(_) => Path::parse_mod_style.parse2(self.value.clone()),
        };
        if path.is_err() {
            errors.on(
                self.place(),
                "`crate` needs the path under which this crate knows `mp`: `crate = other_name`",
            );
        }
        path.ok()
    }
}

/// The path that generated code uses where `crate =` is not given.
pub(crate) fn default_crate() -> Path {
    syn::parse_quote!(::mp)
}

/// Reads `key = value, …`. What is not of that form is reported and left out; so is a key that comes twice.
pub(crate) fn read(tokens: TokenStream, example: &str, errors: &mut Errors) -> Vec<Arg> {
    let mut args: Vec<Arg> = Vec::new();
    for chunk in split(tokens) {
        let Some(arg) = read_one(chunk, example, errors) else {
            continue;
        };
        if args.iter().any(|known| known.key == arg.key) {
            errors.on(
                &arg.key,
                format_args!("`{}` is given more than once", arg.key),
            );
        } else {
            args.push(arg);
        }
    }
    args
}

fn read_one(chunk: TokenStream, example: &str, errors: &mut Errors) -> Option<Arg> {
    let parser = |input: syn::parse::ParseStream<'_>| {
        let key = input.call(Ident::parse_any)?;
        if !input.is_empty() {
            input.parse::<syn::Token![=]>()?;
        }
        Ok(Arg {
            key,
            value: input.parse::<TokenStream>()?,
        })
    };
    let arg = parser.parse2(chunk.clone()).ok();
    if arg.is_none() {
        errors.on(chunk, format_args!("expected `{example}`"));
    }
    arg
}

/// Cuts at the commas that are in no bracket; `<` and `>` count as brackets (`total = <f64, u32>`).
fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut chunks = Vec::new();
    let mut chunk: Vec<TokenTree> = Vec::new();
    let mut depth = 0_usize;
    let mut after_minus = false;
    for token in tokens {
        let mut minus = false;
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                ',' if depth == 0 => {
                    if !chunk.is_empty() {
                        chunks.push(chunk.drain(..).collect());
                    }
                    continue;
                }
                '<' => depth += 1,
                '>' if !after_minus => depth = depth.saturating_sub(1),
                '-' => minus = punct.spacing() == Spacing::Joint,
                _ => {}
            }
        }
        after_minus = minus;
        chunk.push(token);
    }
    if !chunk.is_empty() {
        chunks.push(chunk.into_iter().collect());
    }
    chunks
}

/// `"500ms"`, `"30s"`, `"2m"` in milliseconds.
fn milliseconds(text: &LitStr) -> Option<u64> {
    let value = text.value();
    let digits = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().ok()?;
    let unit = match value[digits.len()..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        _ => return None,
    };
    number.checked_mul(unit).filter(|&time| time > 0)
}

/// `tokens` as if they stood at `place`: an error in them is shown there. Names in them are found as before.
pub(crate) fn located_at(tokens: TokenStream, place: Span) -> TokenStream {
    let relocated = tokens.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            let inside = located_at(group.stream(), place);
            let mut moved = proc_macro2::Group::new(group.delimiter(), inside);
            moved.set_span(group.span());
            token = TokenTree::Group(moved);
        }
        let span = token.span().located_at(place);
        token.set_span(span);
        token
    });
    relocated.collect()
}

/// An identifier that is written by the macro but stands at `place`: lints about names leave it alone, while messages
/// and editors still show the user's own token.
pub(crate) fn ident_at(name: &str, place: Span) -> Ident {
    let span = Span::call_site().located_at(place);
    match name.strip_prefix("r#") {
        Some(name) => Ident::new_raw(name, span),
        None => Ident::new(name, span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn keys(tokens: TokenStream) -> (Vec<String>, Vec<String>) {
        let mut errors = Errors::default();
        let args = read(tokens, "name = \"…\"", &mut errors);
        let keys = args.iter().map(|arg| arg.key.to_string()).collect();
        (keys, errors.texts())
    }

    #[test]
    fn every_argument_is_read_and_every_mistake_reported() {
        let (known, errors) = keys(quote!(name = "a", crate = x::y, total = <f64, (u8, u8)>));
        assert_eq!(known, ["name", "crate", "total"]);
        assert!(errors.is_empty());
        let (known, errors) = keys(quote!(more, 3, a b, retries = 2, name = "x", name = "y",));
        assert_eq!(known, ["more", "retries", "name"]);
        assert_eq!(
            errors,
            [
                "expected `name = \"…\"`",
                "expected `name = \"…\"`",
                "`name` is given more than once",
            ]
        );
    }

    #[test]
    fn times() {
        let time = |text: &str| milliseconds(&LitStr::new(text, Span::call_site()));
        assert_eq!(time("30s"), Some(30_000));
        assert_eq!(time("500ms"), Some(500));
        assert_eq!(time("2 m"), Some(120_000));
        for bad in ["", "s", "3", "3h", "0s", "-1s", "99999999999999999999s"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
