//! What a task's signature means, and every reason to refuse one.

use proc_macro2::{Ident, Span};
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, GenericParam, ItemFn, LitStr, Pat, Path, Safety, Type, Visibility};

use super::binds::binds_itself;
use super::output::{Output, output};
use super::parse::Arguments;
use super::types;
use crate::args::ident_at;
use crate::errors::Errors;

/// A function that can be a task.
pub(super) struct Model {
    pub(super) krate: Path,
    pub(super) name: Option<LitStr>,
    pub(super) timeout: Option<u64>,
    pub(super) retries: Option<u32>,
    pub(super) function: ItemFn,
    pub(super) params: Vec<Param>,
    pub(super) output: Output,
    /// Attributes that decide whether the function is there at all: they go on everything.
    pub(super) cfgs: Vec<Attribute>,
    /// Attributes for the static: documentation, lints, deprecation.
    pub(super) outer: Vec<Attribute>,
    /// Attributes that do nothing on a task, to be warned of.
    pub(super) useless: Vec<Attribute>,
    /// Whether the body stays a function of the task's own name, because it binds that name.
    pub(super) binds_itself: bool,
}

/// One parameter.
pub(super) struct Param {
    /// What `.start` and `.run` call it.
    pub(super) ident: Ident,
    /// The type with every lifetime named `'a`, for the associated types.
    pub(super) named: Type,
    /// The type with every lifetime left open.
    pub(super) open: Type,
}

const MOST_PARAMETERS: usize = 12;

impl Model {
    /// The model of `function`, or all reasons why it cannot be a task.
    pub(super) fn new(args: Arguments, function: ItemFn) -> Result<Self, Errors> {
        let mut errors = Errors::default();
        check_qualifiers(&function, &mut errors);
        check_generics(&function, &mut errors);
        let params = params(&function, &mut errors);
        let output = output(&function.sig.output, args.fallible.as_ref(), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let binds_itself = binds_itself(&function);
        let mut model = Model {
            krate: args.krate,
            name: args.name,
            timeout: args.timeout,
            retries: args.retries,
            params,
            output,
            cfgs: Vec::new(),
            outer: Vec::new(),
            useless: Vec::new(),
            binds_itself,
            function,
        };
        model.sort_attributes();
        Ok(model)
    }

    /// Takes the attributes apart: some belong on the static, some on the body, a few on both.
    fn sort_attributes(&mut self) {
        let mut inner = Vec::new();
        for attribute in std::mem::take(&mut self.function.attrs) {
            let path = attribute.path();
            let is = |names: &[&str]| names.iter().any(|name| path.is_ident(name));
            if is(&["cfg"]) {
                self.cfgs.push(attribute);
            } else if is(&["must_use", "track_caller"]) {
                self.useless.push(attribute);
            } else if is(&["doc", "deprecated"]) {
                self.outer.push(attribute);
            } else {
                if is(&["allow", "warn", "deny", "forbid"]) {
                    self.outer.push(attribute.clone());
                }
                inner.push(attribute);
            }
        }
        self.function.attrs = inner;
    }
}

fn check_qualifiers(function: &ItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(token) = &sig.constness {
        errors.on(
            token,
            "a task cannot be `const`: it is called through a value, which constants cannot do",
        );
    }
    if let Some(token) = &sig.asyncness {
        errors.on(
            token,
            "a task cannot be `async` yet: block on the future inside an ordinary function",
        );
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.on(
            token,
            "a task cannot be `unsafe`: what its caller must uphold cannot be sent to another process",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.on(
            abi,
            "a task cannot be `extern`: it is a Rust function, called in another process",
        );
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(
            variadic,
            "a task cannot take a variable number of arguments: take a `Vec`",
        );
    }
    for attribute in &function.attrs {
        if attribute.path().is_ident("target_feature") {
            errors.on(
                attribute,
                "a task cannot have `#[target_feature]`: call such a function from the task, \
                 after asking whether the processor has the feature",
            );
        }
    }
}

fn check_generics(function: &ItemFn, errors: &mut Errors) {
    let generics = &function.sig.generics;
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) if lifetime.bounds.is_empty() => {}
            GenericParam::Lifetime(lifetime) => errors.on(
                &lifetime.bounds,
                "a task's lifetimes cannot have bounds: all its arguments live as long as the call",
            ),
            _ => errors.on(
                parameter,
                "a task cannot be generic, because another process must find it by name: \
                 write one task for each type and let it call the generic function",
            ),
        }
    }
    for predicate in generics
        .where_clause
        .iter()
        .flat_map(|clause| &clause.predicates)
    {
        if matches!(predicate, syn::WherePredicate::Lifetime(_)) {
            errors.on(
                predicate,
                "a task's lifetimes cannot have bounds: all its arguments live as long as the call",
            );
        }
    }
}

fn params(function: &ItemFn, errors: &mut Errors) -> Vec<Param> {
    let mut params: Vec<Param> = Vec::new();
    for (index, input) in function.sig.inputs.iter().enumerate() {
        let input = match input {
            FnArg::Typed(input) => input,
            FnArg::Receiver(receiver) => {
                errors.on(
                    receiver,
                    "a task cannot have `self`: make it a free function and take the value as a parameter",
                );
                continue;
            }
        };
        check_parameter_attributes(&input.attrs, errors);
        types::check_parameter(&input.ty, errors);
        let named = match &*input.pat {
            Pat::Ident(pattern) => Some(&pattern.ident),
            _ => None,
        };
        let taken = |ident: &Ident| params.iter().any(|param| &param.ident == ident);
        let ident = match named {
            Some(ident) if *ident != function.sig.ident && !taken(ident) => ident.clone(),
            Some(ident) => ident_at(&format!("{}_", bare(ident)), ident.span()),
            None => ident_at(&format!("arg{}", index + 1), Span::call_site()),
        };
        params.push(Param {
            ident,
            named: types::with_lifetime(&input.ty, "'a"),
            open: types::with_lifetime(&input.ty, "'_"),
        });
    }
    if let Some(beyond) = function.sig.inputs.iter().nth(MOST_PARAMETERS) {
        errors.on(
            beyond,
            format_args!(
                "a task has at most {MOST_PARAMETERS} parameters: put them together in a struct"
            ),
        );
    }
    params
}

fn check_parameter_attributes(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in attributes {
        if attribute.path().is_ident("state") {
            errors.on(attribute, "`#[state]` is not there yet");
        }
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            errors.on(
                attribute,
                "a task's parameters cannot come and go with `#[cfg]`: write two tasks",
            );
        }
    }
}

/// The identifier without `r#`.
pub(super) fn bare(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#")
        .map_or_else(|| text.clone(), str::to_owned)
}

/// The visibility for something one module deeper than `vis`, so that it is seen as far and no farther.
pub(super) fn one_deeper(vis: &Visibility) -> Visibility {
    match vis {
        Visibility::Inherited => syn::parse_quote!(pub(super)),
        Visibility::Public(_) => vis.clone(),
        Visibility::Restricted(restricted) => {
            let path = &restricted.path;
            let first = path.segments.first().map(|first| first.ident.to_string());
            match first.as_deref() {
                Some("super") => syn::parse_quote!(pub(in super::#path)),
                Some("self") => {
                    let rest: Punctuated<syn::PathSegment, syn::Token![::]> =
                        path.segments.iter().skip(1).cloned().collect();
                    match rest.is_empty() {
                        true => syn::parse_quote!(pub(super)),
                        false => syn::parse_quote!(pub(in super::#rest)),
                    }
                }
                _ => vis.clone(),
            }
        }
    }
}
