//! `#[mp::test]`: an ordinary `#[test]` whose body is registered, so that a process of its own can run it.
//!
//! Relies on `args` and `errors`; the judge is in the library.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ItemFn, Path, ReturnType};

use crate::args;
use crate::errors::Errors;

/// The whole attribute.
pub(crate) fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let arguments = arguments(args, &mut errors);
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            errors.on(&item, "`#[mp::test]` goes on a function");
            let errors = errors.into_tokens();
            return quote!(#item #errors);
        }
    };
    check(&function, &mut errors);
    if !errors.is_empty() {
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    }
    expand(&arguments, function)
}

struct Arguments {
    krate: Path,
    timeout: Option<u64>,
}

fn arguments(tokens: TokenStream, errors: &mut Errors) -> Arguments {
    let mut arguments = Arguments {
        krate: args::default_crate(),
        timeout: None,
    };
    for arg in args::read(tokens, "timeout = \"30s\"", errors) {
        match arg.key.to_string().as_str() {
            "crate" => {
                if let Some(path) = arg.krate(errors) {
                    arguments.krate = path;
                }
            }
            "timeout" => arguments.timeout = arg.time(errors),
            key => errors.on(
                &arg.key,
                format_args!("unknown argument `{key}`: `#[mp::test]` knows `timeout` and `crate`"),
            ),
        }
    }
    arguments
}

fn check(function: &ItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(token) = &sig.asyncness {
        errors.on(
            token,
            "a test cannot be `async` here: block on the future in its body",
        );
    }
    if let Some(input) = sig.inputs.first() {
        errors.on(input, "a test has no parameters");
    }
    if !sig.generics.params.is_empty() {
        errors.on(&sig.generics, "a test cannot be generic");
    }
    for attribute in &function.attrs {
        if attribute.path().is_ident("test") {
            errors.on(
                attribute,
                "`#[mp::test]` makes this a test already: take `#[test]` out",
            );
        }
    }
}

fn expand(arguments: &Arguments, function: ItemFn) -> TokenStream {
    let Arguments { krate, timeout } = arguments;
    let private = quote!(#krate::__private);
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = function;
    let timeout = match timeout {
        Some(timeout) => quote!(::core::option::Option::Some(#timeout)),
        None => quote!(::core::option::Option::None),
    };
    let name = &sig.ident;
    let output = &sig.output;
    let span = match output {
        ReturnType::Type(_, ty) => ty.span(),
        ReturnType::Default => Span::call_site(),
    };
    let outcome = quote_spanned!(span=> #private::Outcome::of(__mp_body()));
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() {
            fn __mp_body() #output #block
            struct __MpHere;
            static __MP_TEST: #private::TestEntry = #private::TestEntry::new(
                ::core::any::type_name::<__MpHere>,
                || #outcome,
                #timeout,
            );
            #private::inventory::submit! { #private::RegisteredTest::new(&__MP_TEST) }
            #private::run_test(&__MP_TEST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_stay_and_the_body_is_registered() {
        let expansion = test(
            quote!(timeout = "2m"),
            quote!(
                #[ignore = "slow"]
                fn f() -> Result<(), E> {
                    g()
                }
            ),
        );
        let text = expansion.to_string().replace(' ', "");
        assert!(
            text.starts_with("#[::core::prelude::v1::test]#[ignore=\"slow\"]fnf(){"),
            "{text}"
        );
        assert!(text.contains("fn__mp_body()->Result<(),E>{g()}"), "{text}");
        assert!(text.contains("Option::Some(120000u64)"), "{text}");
    }

    #[test]
    fn refusals() {
        for (args, item, error) in [
            (
                quote!(),
                quote!(
                    async fn f() {}
                ),
                "cannot be `async` here",
            ),
            (
                quote!(),
                quote!(
                    fn f(x: u8) {}
                ),
                "a test has no parameters",
            ),
            (
                quote!(),
                quote!(
                    fn f<T>() {}
                ),
                "cannot be generic",
            ),
            (
                quote!(),
                quote!(
                    #[test]
                    fn f() {}
                ),
                "take `#[test]` out",
            ),
            (
                quote!(),
                quote!(
                    struct S;
                ),
                "goes on a function",
            ),
            (
                quote!(timeout = 3),
                quote!(
                    fn f() {}
                ),
                "needs a string",
            ),
            (
                quote!(timeout = "3h"),
                quote!(
                    fn f() {}
                ),
                "a time is a whole number",
            ),
            (
                quote!(time = "3s"),
                quote!(
                    fn f() {}
                ),
                "unknown argument `time`",
            ),
        ] {
            let expansion = test(args, item.clone()).to_string();
            assert!(expansion.contains(error), "{expansion}");
            assert!(expansion.starts_with(&item.to_string()), "{expansion}");
        }
    }
}
