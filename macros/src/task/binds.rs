//! Does a function bind its own name, in a parameter or in its body?
//!
//! A task's name is a static, which no binding in its scope may carry; such a function becomes an
//! inner function of that name, which hides the static. What stands in a macro call can only be
//! guessed from its tokens.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::ItemFn;
use syn::visit::{self, Visit};

/// Whether a pattern anywhere in `function` may bind the function's own name.
pub(super) fn binds_itself(function: &ItemFn) -> bool {
    struct Search<'i> {
        name: &'i Ident,
        found: bool,
    }
    impl Visit<'_> for Search<'_> {
        fn visit_pat_ident(&mut self, pattern: &syn::PatIdent) {
            self.found |= &pattern.ident == self.name;
            visit::visit_pat_ident(self, pattern);
        }
        fn visit_macro(&mut self, call: &syn::Macro) {
            self.found |= may_bind(call.tokens.clone(), self.name);
        }
    }
    let mut search = Search {
        name: &function.sig.ident,
        found: false,
    };
    for input in &function.sig.inputs {
        search.visit_fn_arg(input);
    }
    search.visit_block(&function.block);
    search.found
}

/// Whether `name` stands in `tokens` where a macro could bind it: after `let`, `mut`, `ref` or `for`, or beside a `|`.
fn may_bind(tokens: TokenStream, name: &Ident) -> bool {
    let mut after_binder = false;
    let mut after_name = false;
    for token in tokens {
        let is_name = matches!(&token, TokenTree::Ident(ident) if ident == name);
        let is_bar = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '|');
        if (is_name && after_binder) || (is_bar && after_name) {
            return true;
        }
        if let TokenTree::Group(group) = &token
            && ((after_binder && is_pattern_with(group, name)) || may_bind(group.stream(), name))
        {
            return true;
        }
        after_name = is_name;
        after_binder = is_bar
            || matches!(&token, TokenTree::Ident(word)
                if ["let", "mut", "ref", "for"].iter().any(|binder| word == binder));
    }
    false
}

/// `let (a, square) = …`: whatever stands in a bracket after a binder may be a pattern.
fn is_pattern_with(group: &Group, name: &Ident) -> bool {
    group.delimiter() != Delimiter::Brace
        && group
            .stream()
            .into_iter()
            .any(|token| matches!(&token, TokenTree::Ident(ident) if *ident == *name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn bindings_are_seen() {
        for (tokens, binds) in [
            (
                quote!(
                    fn square(square: u64) {}
                ),
                true,
            ),
            (
                quote!(
                    fn square((a, square): (u64, u64)) {}
                ),
                true,
            ),
            (
                quote!(
                    fn square() {
                        let square = 3;
                    }
                ),
                true,
            ),
            (
                quote!(
                    fn square() {
                        f(|square| 1)
                    }
                ),
                true,
            ),
            (
                quote!(
                    fn square() {
                        if let S { square } = s {}
                    }
                ),
                true,
            ),
            (
                quote!(
                    fn square() {
                        println!("{}", {
                            let square = 3;
                            square
                        })
                    }
                ),
                true,
            ),
            (
                quote!(
                    fn square() {
                        m!(xs.map(|square| 1))
                    }
                ),
                true,
            ),
            (
                quote!(
                    fn square() {
                        m! { let (a, square) = p; }
                    }
                ),
                true,
            ),
            (
                quote!(
                    fn square(x: u64) -> u64 {
                        square(x - 1)
                    }
                ),
                false,
            ),
            (
                quote!(
                    fn square(x: u64) {
                        assert_eq!(square(x), 3)
                    }
                ),
                false,
            ),
            (
                quote!(
                    fn square(x: u64) {
                        let x = square(3);
                    }
                ),
                false,
            ),
        ] {
            let function = syn::parse2(tokens.clone()).unwrap();
            assert_eq!(binds_itself(&function), binds, "{tokens}");
        }
    }
}
