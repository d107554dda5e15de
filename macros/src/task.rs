//! `#[mp::task]`: parse (attribute and function) → model (what the signature means, every refusal) → expand (tokens).
//!
//! Relies on `args` and `errors`. Whatever is refused, the user's function is still emitted, so that the editor and
//! the errors after it survive.

mod binds;
mod expand;
mod model;
mod output;
mod parse;
mod types;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

/// Line and column of an attribute. It tells hidden names apart, so that two tasks of one name in
/// one place are one error.
pub(crate) type Place = (usize, usize);

/// The whole attribute: its arguments, the function under it, and where it stands.
pub(crate) fn task(args: TokenStream, item: TokenStream, place: Place) -> TokenStream {
    let mut errors = Errors::default();
    let args = parse::arguments(args, &mut errors);
    let function = match parse::function(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.add(error);
            let errors = errors.into_tokens();
            return quote!(#item #errors);
        }
    };
    // On refusal the function stays, but an attribute of ours on a parameter would be an error of its own.
    let mut kept = function.clone();
    for input in &mut kept.sig.inputs {
        if let syn::FnArg::Typed(input) = input {
            input
                .attrs
                .retain(|attribute| !attribute.path().is_ident("state"));
        }
    }
    match model::Model::new(args, function) {
        // A mistake among the arguments alone does not unmake the task: its uses need no second error.
        Ok(model) => {
            let expansion = expand::expand(&model, place);
            let errors = errors.into_tokens();
            quote!(#expansion #errors)
        }
        Err(refused) => {
            let (errors, refused) = (errors.into_tokens(), refused.into_tokens());
            quote!(#kept #errors #refused)
        }
    }
}

#[cfg(test)]
mod tests;
