//! What a task gives: a value, or a value unless it fails. Decided by the words of the return type,
//! for the macro sees no other; `fallible` and `fallible = false` decide where the words say the
//! wrong thing.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned as _;
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound, TypePath};

use super::types;
use crate::errors::Errors;

/// What a task gives.
pub(super) enum Output {
    /// Nothing.
    Unit,
    /// Nothing, because it never returns.
    Never,
    /// A value, whatever it is.
    Value(Box<Type>),
    /// A `Result`: the caller gets `value`, and an error is the task's failure.
    Fallible {
        value: Box<Type>,
        error: Thrown,
        /// Where a wrong error is shown.
        place: Span,
    },
    /// A `Result` in other words, which alone know what the caller gets.
    Alias(Box<Type>),
}

/// What is known of the error of a task that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thrown {
    /// It is called `Failure`, and must be the one of this library.
    Failure,
    /// Anything that is an error, or has a text.
    Any,
}

/// `fallible` or `fallible = …`: the key, and whether the task is.
pub(super) struct Fallible {
    pub(super) key: Ident,
    pub(super) yes: bool,
}

/// Error types that no task can return as a value, by the last two words of their paths.
const ERRORS: &[(&str, &str)] = &[
    ("anyhow", "Error"),
    ("eyre", "Report"),
    ("color_eyre", "Report"),
    ("mp", "Error"),
];

/// Reads a return type.
pub(super) fn output(
    returned: &ReturnType,
    fallible: Option<&Fallible>,
    errors: &mut Errors,
) -> Output {
    let asked = fallible.map(|fallible| fallible.yes);
    let ty = match returned {
        ReturnType::Type(_, ty) if !matches!(types::bare(ty), Type::Never(_)) => ty,
        _ => {
            check_asked(fallible, errors);
            return match returned {
                ReturnType::Default => Output::Unit,
                ReturnType::Type(..) => Output::Never,
            };
        }
    };
    if asked != Some(false)
        && let Some((value, error, thrown)) = by_words(ty, asked == Some(true))
    {
        types::check_result(value, errors);
        if let Some(error) = error {
            types::check_error(error, errors);
        }
        return Output::Fallible {
            value: Box::new(value.clone()),
            error: thrown,
            place: error.map_or_else(|| ty.span(), |error| error.span()),
        };
    }
    if asked == Some(true) {
        if !matches!(types::bare(ty), Type::Path(_) | Type::Macro(_)) {
            check_asked(fallible, errors);
        }
        types::check_error(ty, errors);
        return Output::Alias(ty.clone());
    }
    types::check_result(ty, errors);
    Output::Value(ty.clone())
}

/// `fallible` on a task that returns no `Result`.
fn check_asked(fallible: Option<&Fallible>, errors: &mut Errors) {
    if let Some(fallible) = fallible.filter(|fallible| fallible.yes) {
        errors.on(
            &fallible.key,
            "a task that is `fallible` returns a `Result`: its error fails the task",
        );
    }
}

/// Value and error of a `Result` that says in its words that it fails the task. `Result<T>` has its
/// error in an alias; where the attribute says `fallible`, the alias is asked for its value, too.
fn by_words(ty: &Type, asked: bool) -> Option<(&Type, Option<&Type>, Thrown)> {
    let Type::Path(path) = types::bare(ty) else {
        return None;
    };
    if path.path.segments.last()?.ident != "Result" {
        return None;
    }
    let arguments = arguments(path);
    match *arguments.as_slice() {
        [value] if !asked => Some((value, None, Thrown::Any)),
        [value, error] if asked => Some((value, Some(error), Thrown::Any)),
        [value, error] => Some((value, Some(error), thrown(error)?)),
        _ => None,
    }
}

/// What an error's type says of itself; nothing where it may be a value.
fn thrown(error: &Type) -> Option<Thrown> {
    let Type::Path(path) = types::bare(error) else {
        return None;
    };
    let mut words = path.path.segments.iter().rev().map(|word| &word.ident);
    let (last, before) = (words.next()?, words.next());
    if last == "Failure" {
        return Some(Thrown::Failure);
    }
    let known = ERRORS
        .iter()
        .any(|(krate, name)| last == name && before.is_some_and(|before| before == krate));
    let boxed = last == "Box" && matches!(*arguments(path), [inner] if is_dyn_error(inner));
    (known || boxed).then_some(Thrown::Any)
}

/// `dyn Error + …`, or of another trait whose name ends so.
fn is_dyn_error(ty: &Type) -> bool {
    let Type::TraitObject(object) = types::bare(ty) else {
        return false;
    };
    object.bounds.iter().any(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return false;
        };
        let last = bound.path.segments.last();
        last.is_some_and(|last| last.ident.to_string().ends_with("Error"))
    })
}

/// The types among the arguments of the last word of a path.
fn arguments(path: &TypePath) -> Vec<&Type> {
    match path.path.segments.last().map(|last| &last.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::{ToTokens as _, quote};

    /// What the caller gets and what the error is, or the texts of the refusals.
    fn read(ty: proc_macro2::TokenStream, asked: Option<bool>) -> Result<String, Vec<String>> {
        let returned: ReturnType = syn::parse2(quote!(-> #ty)).unwrap();
        let fallible = asked.map(|yes| Fallible {
            key: Ident::new("fallible", Span::call_site()),
            yes,
        });
        let mut errors = Errors::default();
        let output = output(&returned, fallible.as_ref(), &mut errors);
        if !errors.is_empty() {
            return Err(errors.texts());
        }
        Ok(match output {
            Output::Unit => "unit".to_owned(),
            Output::Never => "never".to_owned(),
            Output::Value(_) => "value".to_owned(),
            Output::Alias(_) => "alias".to_owned(),
            Output::Fallible { value, error, .. } => {
                let value = value.to_token_stream().to_string().replace(' ', "");
                format!("{error:?} {value}")
            }
        })
    }

    #[test]
    fn the_words_decide() {
        for (ty, expected) in [
            (quote!(u64), "value"),
            (quote!(!), "never"),
            (quote!(Result), "value"),
            (quote!(std::fmt::Result), "value"),
            (quote!(Result<u64>), "Any u64"),
            (quote!(anyhow::Result<Vec<u8>>), "Any Vec<u8>"),
            (quote!((io::Result<()>)), "Any ()"),
            (quote!(MyResult<u64>), "value"),
            (quote!(Result<u64, mp::Failure>), "Failure u64"),
            (quote!(other::Result<u64, Failure>), "Failure u64"),
            (quote!(Result<u64, String>), "value"),
            (quote!(Result<u64, Error>), "value"),
            (quote!(Result<u64, io::Error>), "value"),
            (quote!(Result<u64, anyhow::Error>), "Any u64"),
            (quote!(Result<u64, ::anyhow::Error>), "Any u64"),
            (quote!(Result<u64, eyre::Report>), "Any u64"),
            (quote!(Result<u64, color_eyre::eyre::Report>), "Any u64"),
            (quote!(Result<u64, Report>), "value"),
            (quote!(Result<u64, mp::Error>), "Any u64"),
            (quote!(Result<u64, Box<dyn Error>>), "Any u64"),
            (
                quote!(Result<u64, Box<dyn StdError + Send + Sync + 'static>>),
                "Any u64",
            ),
            (
                quote!(Result<u64, Box<(dyn Send + std::error::Error)>>),
                "Any u64",
            ),
            (quote!(Result<u64, Box<String>>), "value"),
        ] {
            assert_eq!(read(ty.clone(), None).as_deref(), Ok(expected), "{ty}");
        }
    }

    #[test]
    fn the_attribute_decides_otherwise() {
        for (ty, yes, expected) in [
            (quote!(Result<u64>), false, "value"),
            (quote!(Result<u64, Failure>), false, "value"),
            (quote!(Result<u64, anyhow::Error>), false, "value"),
            (quote!(Result<u64, Failure>), true, "Any u64"),
            (quote!(Result<u64, String>), true, "Any u64"),
            (quote!(Result<u64, &str>), true, "Any u64"),
            (quote!(Result<u64>), true, "alias"),
            (quote!(Mine), true, "alias"),
        ] {
            assert_eq!(read(ty.clone(), Some(yes)).as_deref(), Ok(expected), "{ty}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (ty, asked, reason) in [
            (quote!(!), Some(true), "returns a `Result`"),
            (quote!((u8, u8)), Some(true), "returns a `Result`"),
            (quote!(Result<&str>), None, "cannot be borrowed"),
            (quote!(Result<&str, Failure>), None, "cannot be borrowed"),
            (quote!(Result<u8, impl Error>), Some(true), "`impl Trait`"),
        ] {
            let texts = read(ty.clone(), asked).unwrap_err();
            assert!(
                texts.len() == 1 && texts[0].contains(reason),
                "{ty}: {texts:?}"
            );
        }
    }
}
