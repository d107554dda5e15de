//! The tokens of a task: the static under the user's name, the function as it was written, two
//! impls, one entry in the table. Everything else is an ordinary function of the library.
//!
//! Rules: every path is absolute, no name of the prelude or of a primitive type is used; whatever the user could have
//! named alike stands in the hidden module or inside a function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, ItemFn, Type};

use super::Place;
use super::model::{Model, bare, one_deeper};
use super::output::{Output, Thrown};
use crate::args::{ident_at, located_at};

/// How many levels the probe has: one `&` each.
const LEVELS: usize = 6;

/// How many levels the probe of errors has: one `&` each.
const ERROR_LEVELS: usize = 7;

pub(super) fn expand(model: &Model, (line, column): Place) -> TokenStream {
    let cfgs = &model.cfgs;
    let user = &model.function.sig.ident;
    // Messages call the type by the task's name; lints about names leave a macro's tokens alone.
    let hidden = format!("__mp_task_{}_{line}_{column}", bare(user));
    let hidden = Ident::new(&hidden, Span::call_site());
    let value = ident_at(&user.to_string(), user.span());
    let name = ident_at(&user.to_string(), Span::call_site());
    let path = quote!(#hidden::#name);
    let vis = &model.function.vis;
    let struct_vis = one_deeper(vis);
    let (outer, docs) = (&model.outer, documentation(&model.function));
    // A static, not a constant: rustc refuses a binding of its name where it stands, and says
    // nothing of its uses. All of it stands at the user's name: that is where messages about the
    // static point.
    let declaration = quote_spanned! {value.span()=>
        static #value: #hidden::#value = #hidden::#value;
    };
    let warnings = model
        .useless
        .iter()
        .map(|attribute| useless(attribute, cfgs));
    let deref = deref(model, &path);
    let task = task(model, &path);
    let calls = calls(model, &path);
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        mod #hidden {
            #[::core::prelude::v1::derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            #struct_vis struct #name;
        }
        #(#cfgs)*
        #(#outer)*
        #[doc = #docs]
        #vis #declaration
        #(#cfgs)*
        #deref
        #(#cfgs)*
        #task
        #(#cfgs)*
        #calls
        #(#warnings)*
    }
}

/// The function as it was written, and the dereference that makes `square(3)` a call of it.
fn deref(model: &Model, path: &TokenStream) -> TokenStream {
    let sig = &model.function.sig;
    let mut function = model.function.clone();
    function.vis = syn::Visibility::Inherited;
    if !model.binds_itself {
        // So that the task's name means the task in its own body: `pool.map(quicksort, halves)`.
        function.sig.ident = ident_at(&format!("{}_", bare(&sig.ident)), sig.ident.span());
    }
    let inner = &function.sig.ident;
    let lifetimes = sig.generics.params.iter();
    let types = sig.inputs.iter().filter_map(|input| match input {
        syn::FnArg::Typed(input) => Some(&input.ty),
        syn::FnArg::Receiver(_) => None,
    });
    let output = &sig.output;
    quote! {
        impl ::core::ops::Deref for #path {
            type Target = for<#(#lifetimes),*> fn(#(#types),*) #output;
            #[inline(always)]
            fn deref(&self) -> &Self::Target {
                #function
                const __MP_FUNCTION: <#path as ::core::ops::Deref>::Target = #inner;
                &__MP_FUNCTION
            }
        }
    }
}

fn task(model: &Model, path: &TokenStream) -> TokenStream {
    let krate = &model.krate;
    let private = quote!(#krate::__private);
    let params: Vec<&Type> = model.params.iter().map(|param| &param.named).collect();
    let output = used_type(model, path);
    let defined = defined_type(&model.output, &private);
    let refs = match params.len() {
        0 => quote!(*__mp_input),
        1 => quote!((__mp_input,)),
        count => {
            let fields = (0..count).map(syn::Index::from);
            quote!((#(&__mp_input.#fields),*))
        }
    };
    let input = match params.len() {
        1 => quote!(#(#params)*),
        _ => quote!((#(#params),*)),
    };
    let tags = model
        .params
        .iter()
        .map(|param| checked_tag("parameter", &private, &param.open));
    let tags = match params.len() {
        0 => quote!(#private::no_parameters()),
        _ => quote!((#(#tags,)*)),
    };
    let result = checked_tag("result", &private, &output);
    let name = match &model.name {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let defaults = (model.timeout.is_some() || model.retries.is_some()).then(|| {
        let timeout = model.timeout.unwrap_or(0);
        let retries = match model.retries {
            Some(retries) => quote!(::core::option::Option::Some(#retries)),
            None => quote!(::core::option::Option::None),
        };
        quote!(.with_defaults(#timeout, #retries))
    });
    let call = invocation(model, path, &private);
    let reducer = (params.len() == 2).then(|| {
        quote! {
            fn reducer() -> ::core::option::Option<#private::Reduce> {
                use #private::reduce_levels::*;
                (&&#private::ReduceProbe::<#path, #output>::NEW).reduce()
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #krate::Task for #path {
            type Input<'a> = #input;
            type Params<'a> = (#(#params,)*);
            type Output = #defined;
            type State = ();
            fn entry() -> &'static #private::Entry {
                static ENTRY: #private::Entry = #private::Entry::of::<#path>(
                    #name, ::core::line!(), ::core::column!(), ::core::option_env!("CARGO_PKG_VERSION"),
                )#defaults;
                #private::inventory::submit! { #private::Registered::new(&ENTRY) }
                &ENTRY
            }
            fn refs<'r, 'a>(__mp_input: &'r Self::Input<'a>) -> #private::Refs<'r, Self::Params<'a>> {
                #refs
            }
            fn codec() -> impl #private::Codec<Self> {
                use #private::levels::*;
                #tags
            }
            fn result() -> impl #private::ResultTag<Self> {
                use #private::levels::*;
                #result
            }
            #reducer
            #[inline(always)]
            fn invoke(__mp_params: Self::Params<'_>) -> ::core::result::Result<Self::Output, #krate::Failure> {
                #call
            }
        }
    }
}

/// The body of `invoke`: the call, and what it gave as a result.
fn invocation(model: &Model, path: &TokenStream, private: &TokenStream) -> TokenStream {
    let fields = (0..model.params.len()).map(syn::Index::from);
    let call = quote!((*<#path as ::core::ops::Deref>::deref(&#path))(#(__mp_params.#fields),*));
    match &model.output {
        Output::Unit => quote! {
            let () = #call;
            ::core::result::Result::Ok(())
        },
        Output::Never => call,
        Output::Value(_) => quote!(::core::result::Result::Ok(#call)),
        Output::Fallible { error, place, .. } => fallible(&call, *error, *place, private),
        Output::Alias(ty) => fallible(&call, Thrown::Any, ty.span(), private),
    }
}

/// The call of a task that can fail, with its error made a failure. Errors about it are shown at
/// `place`.
fn fallible(call: &TokenStream, error: Thrown, place: Span, private: &TokenStream) -> TokenStream {
    let ands = std::iter::repeat_n(quote!(&), ERROR_LEVELS);
    let tokens = match error {
        Thrown::Failure => quote!(#private::failure(#call)),
        Thrown::Any => quote! {
            use #private::error_levels::*;
            let __mp_returned = #call;
            let __mp_way = (#(#ands)* #private::error_of(&__mp_returned)).failure_way();
            #private::failed(__mp_returned, __mp_way)
        },
    };
    located_at(tokens, place)
}

/// `parameter(&Probe::<T>::NEW, (&&…&Probe::<T>::NEW).tag())`: the first level that fits the type answers, and the function
/// checks that it is not the last. The tokens of the second argument lie from the first token of the type to the
/// last, so that an error underlines the type.
fn checked_tag(check: &str, private: &TokenStream, ty: &Type) -> TokenStream {
    let tokens = || ty.to_token_stream().into_iter();
    let first = tokens()
        .next()
        .map_or_else(Span::call_site, |token| token.span());
    let last = tokens().last().map_or(first, |token| token.span());
    let check = Ident::new(check, Span::call_site());
    let ands = std::iter::repeat_n(quote!(&), LEVELS);
    let (begin, private) = (
        located_at(quote!(#(#ands)*), first),
        located_at(private.clone(), first),
    );
    let probe = {
        let head = located_at(quote!(Probe::), first);
        let tail = located_at(quote!(::NEW), first);
        quote!(#private::#head<#ty>#tail)
    };
    let mut asked =
        proc_macro2::Group::new(proc_macro2::Delimiter::Parenthesis, quote!(#begin #probe));
    asked.set_span(Span::call_site().located_at(first));
    let call = located_at(quote!(.tag()), last);
    let check = located_at(quote!(#check), first);
    quote!(#private::#check(&#probe, #asked #call))
}

/// What the caller gets, where the task is defined.
fn defined_type(output: &Output, private: &TokenStream) -> Type {
    match output {
        Output::Unit | Output::Never => syn::parse_quote!(()),
        Output::Value(value) | Output::Fallible { value, .. } => (**value).clone(),
        Output::Alias(ty) => syn::parse_quote!(<#ty as #private::AnyResult>::Value),
    }
}

/// The same everywhere else: an alias is asked once, so that a wrong one is one error.
fn used_type(model: &Model, path: &TokenStream) -> Type {
    let krate = &model.krate;
    match &model.output {
        Output::Alias(_) => syn::parse_quote!(<#path as #krate::Task>::Output),
        other => defined_type(other, &quote!(#krate::__private)),
    }
}

/// `.start(…)` and `.run(…)` with the names of the parameters.
fn calls(model: &Model, path: &TokenStream) -> TokenStream {
    let (krate, vis) = (&model.krate, &model.function.vis);
    let idents: Vec<&Ident> = model.params.iter().map(|param| &param.ident).collect();
    let types = model.params.iter().map(|param| &param.open);
    let params = quote!(#(#idents: #types),*);
    let input = match idents.as_slice() {
        [one] => quote!(#one),
        more => quote!((#(#more),*)),
    };
    let output = used_type(model, path);
    quote! {
        #[automatically_derived]
        impl #path {
            /// Starts a process that runs this task with these arguments.
            #vis fn start(self, #params) -> #krate::Result<#krate::Child<#output>> {
                #krate::Process::new(#path, #input).start()
            }
            /// Runs this task with these arguments in a process of its own, and waits for its value.
            #vis fn run(self, #params) -> #krate::Result<#output> {
                #krate::Process::new(#path, #input).start()?.join()
            }
        }
    }
}

/// A warning on stable Rust: the use of something deprecated, at the attribute.
fn useless(attribute: &Attribute, cfgs: &[Attribute]) -> TokenStream {
    let word = attribute.path().to_token_stream().to_string();
    let note = format!("`#[{word}]` has no effect on a task, because it is called through a value");
    let name = ident_at(&word, attribute.path().span());
    quote_spanned! {attribute.path().span()=>
        #(#cfgs)*
        const _: () = {
            #[deprecated(note = #note)]
            const #name: () = ();
            #name
        };
    }
}

/// What rustdoc shows under the static: the signature, which its type does not tell.
fn documentation(function: &ItemFn) -> String {
    let sig = tidy(&function.sig.to_token_stream().to_string());
    format!("\n\n```text\n{sig}\n```\n\nA task: call it here, or run it in another process.")
}

/// Tokens are printed with a space between any two; takes most of them out.
fn tidy(tokens: &str) -> String {
    let mut text = String::with_capacity(tokens.len());
    let mut rest = tokens.split(' ').peekable();
    while let Some(word) = rest.next() {
        text.push_str(word);
        let glued = word.ends_with(['(', '&', '<', '[']) || word.ends_with("::");
        let Some(next) = rest.peek() else { break };
        let gluing = next.starts_with([')', ',', ':', ';', '>', ']', '<', '(']);
        if !glued && !gluing {
            text.push(' ');
        }
    }
    text
}
