//! What stands in `#[mp::task(…)]` and what stands under it; no meaning yet.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Item, ItemFn, LitStr, Path};

use super::output::Fallible;
use crate::args::{self, Arg};
use crate::errors::Errors;

/// The arguments that are known and well formed.
pub(super) struct Arguments {
    /// `name = "…"`.
    pub(super) name: Option<LitStr>,
    /// `timeout = "…"`, in milliseconds.
    pub(super) timeout: Option<u64>,
    /// `retries = …`.
    pub(super) retries: Option<u32>,
    /// `fallible`, or `fallible = false`.
    pub(super) fallible: Option<Fallible>,
    /// `crate = path`, or `::mp`.
    pub(super) krate: Path,
}

const EXAMPLE: &str = "name = \"…\"";
const LONGEST_NAME: usize = 200;

/// Reads the arguments; every mistake is reported, what is left is used.
pub(super) fn arguments(tokens: TokenStream, errors: &mut Errors) -> Arguments {
    let mut name = None;
    let (mut timeout, mut retries) = (None, None);
    let (mut krate, mut fallible) = (None, None);
    for arg in args::read(tokens, EXAMPLE, errors) {
        let key = arg.key.to_string();
        match key.as_str() {
            "name" => name = task_name(&arg, errors),
            "crate" => krate = arg.krate(errors),
            "timeout" => timeout = arg.time(errors),
            "retries" => retries = arg.number(errors),
            "fallible" => {
                fallible = arg.flag(errors).map(|yes| Fallible { key: arg.key, yes });
            }
            _ if opens_angle(&arg.value) => errors.on(
                &arg.key,
                format_args!(
                    "named instances of a generic function (`{key} = <…>`) are not there yet: \
                     write one task for each type and let it call the generic function"
                ),
            ),
            _ => errors.on(
                &arg.key,
                format_args!(
                    "unknown argument `{key}`: `#[mp::task]` knows `name`, `timeout`, `retries`, \
                     `fallible` and `crate`"
                ),
            ),
        }
    }
    Arguments {
        name,
        timeout,
        retries,
        fallible,
        krate: krate.unwrap_or_else(args::default_crate),
    }
}

fn task_name(arg: &Arg, errors: &mut Errors) -> Option<LitStr> {
    let name = arg.string("\"…\"", errors)?;
    let text = name.value();
    let problem = if text.trim().is_empty() {
        "a task's name cannot be empty"
    } else if text.len() > LONGEST_NAME {
        "a task's name has at most 200 bytes"
    } else if text.chars().any(char::is_control) {
        "a task's name has no control characters"
    } else {
        return Some(name);
    };
    errors.on(name, problem);
    None
}

fn opens_angle(value: &TokenStream) -> bool {
    matches!(value.clone().into_iter().next(), Some(TokenTree::Punct(punct)) if punct.as_char() == '<')
}

/// The function under the attribute.
pub(super) fn function(tokens: TokenStream) -> syn::Result<ItemFn> {
    let whole = match syn::parse2::<ItemFn>(tokens.clone()) {
        Ok(function) => return Ok(function),
        Err(error) => error,
    };
    if let Ok(method) = syn::parse2::<syn::TraitItemFn>(tokens.clone())
        && method.default.is_none()
    {
        return Err(syn::Error::new_spanned(
            method.sig,
            "a task needs a body: `#[mp::task]` goes on a free function",
        ));
    }
    let Ok(item) = syn::parse2::<Item>(tokens) else {
        return Err(whole);
    };
    let what = match &item {
        Item::Struct(_) => "a struct",
        Item::Enum(_) => "an enum",
        Item::Impl(_) => "an `impl` block",
        Item::Trait(_) => "a trait",
        Item::Mod(_) => "a module",
        Item::Const(_) => "a constant",
        Item::Static(_) => "a static",
        Item::Macro(_) => "a macro call",
        _ => "something else",
    };
    Err(syn::Error::new_spanned(
        item,
        format_args!("`#[mp::task]` goes on a function, and this is {what}"),
    ))
}
