//! What the macro does to the types of a signature: look for what cannot be in one, and give every lifetime one name.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::visit_mut::VisitMut;
use syn::{Lifetime, Type};

use crate::errors::Errors;

/// `ty` with every lifetime, written or left out, named `lifetime`.
pub(super) fn with_lifetime(ty: &Type, lifetime: &str) -> Type {
    struct Rename(Lifetime);
    impl VisitMut for Rename {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            if lifetime.ident != "static" {
                let span = lifetime.span();
                *lifetime = self.0.clone();
                lifetime.set_span(span);
            }
        }
        fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
            let lifetime = reference.lifetime.get_or_insert_with(|| self.0.clone());
            self.visit_lifetime_mut(lifetime);
            self.visit_type_mut(&mut reference.elem);
        }
        // The lifetimes in these are their own.
        fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments_mut(
            &mut self,
            _: &mut syn::ParenthesizedGenericArguments,
        ) {
        }
    }
    let mut ty = ty.clone();
    let lifetime = Lifetime::new(lifetime, Span::call_site());
    Rename(lifetime).visit_type_mut(&mut ty);
    ty
}

/// The type itself, without the groups that macros and parentheses put around it.
pub(super) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

/// Reports what a parameter's type cannot contain.
pub(super) fn check_parameter(ty: &Type, errors: &mut Errors) {
    let ty = bare(ty);
    let mut check = Check {
        errors,
        parameter: true,
    };
    match ty {
        Type::Reference(reference) => {
            if let Some(mutable) = &reference.mutability {
                check.errors.on(
                    mutable,
                    "a task gets a copy of its arguments, so a change through `&mut` would be lost: \
                     take the value, and return it",
                );
            }
            if let Some(lifetime) = &reference.lifetime {
                check.static_lifetime(lifetime);
            }
            Inside(check).visit_type(&reference.elem);
        }
        Type::Path(path) => {
            check.path(path);
            let mut inside = Inside(check);
            let arguments = path.path.segments.iter().map(|segment| &segment.arguments);
            for argument in arguments {
                let syn::PathArguments::AngleBracketed(arguments) = argument else {
                    inside.visit_path_arguments(argument);
                    continue;
                };
                for argument in &arguments.args {
                    match argument {
                        syn::GenericArgument::Lifetime(lifetime) => {
                            inside.0.static_lifetime(lifetime)
                        }
                        other => inside.visit_generic_argument(other),
                    }
                }
            }
        }
        other => Inside(check).visit_type(other),
    }
}

/// Reports what a result's type cannot contain.
pub(super) fn check_result(ty: &Type, errors: &mut Errors) {
    Check {
        errors,
        parameter: false,
    }
    .visit_type(ty);
}

/// Reports what the type of an error cannot contain; the error itself stays in the process that ran
/// the task.
pub(super) fn check_error(ty: &Type, errors: &mut Errors) {
    struct Named<'e>(Check<'e>);
    impl Visit<'_> for Named<'_> {
        fn visit_type_impl_trait(&mut self, ty: &syn::TypeImplTrait) {
            self.0.visit_type_impl_trait(ty);
        }
        fn visit_type_infer(&mut self, ty: &syn::TypeInfer) {
            self.0.visit_type_infer(ty);
        }
    }
    Named(Check {
        errors,
        parameter: false,
    })
    .visit_type(ty);
}

struct Check<'e> {
    errors: &'e mut Errors,
    parameter: bool,
}

impl Check<'_> {
    fn static_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident == "static" {
            self.errors.on(
                lifetime,
                "what a task borrows lives as long as the call, not `'static`: leave the lifetime out",
            );
        }
    }

    fn path(&mut self, ty: &syn::TypePath) {
        if ty
            .path
            .segments
            .first()
            .is_some_and(|first| first.ident == "Self")
        {
            self.errors.on(
                ty,
                "a task is a free function, it knows no `Self`: write the type's name",
            );
        }
        if self.parameter && ends_in(ty, "Cow") && hides_lifetime(ty) {
            self.errors.on(
                ty,
                "this hides a lifetime, and a task must show it: write `Cow<'_, …>`",
            );
        }
    }
}

impl Visit<'_> for Check<'_> {
    fn visit_type_impl_trait(&mut self, ty: &syn::TypeImplTrait) {
        self.errors.on(
            ty.impl_token,
            "a task cannot have `impl Trait` in its signature: its types must be known by name, \
             so that they can be sent to another process",
        );
    }

    fn visit_type_trait_object(&mut self, ty: &syn::TypeTraitObject) {
        self.errors.on(
            ty,
            "a task cannot have `dyn Trait` in its signature: another process cannot tell which type it was",
        );
    }

    fn visit_type_infer(&mut self, ty: &syn::TypeInfer) {
        self.errors
            .on(ty, "the types of a task must be written out");
    }

    fn visit_type_reference(&mut self, reference: &syn::TypeReference) {
        let instead = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "`String`",
            Type::Path(path) if ends_in(path, "Path") => "`PathBuf`",
            Type::Slice(_) => "`Vec`",
            _ => "the value itself",
        };
        self.errors.on(
            reference.and_token,
            format_args!(
                "a task's result is sent to another process and cannot be borrowed: return {instead}"
            ),
        );
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if !self.parameter && lifetime.ident != "static" {
            self.errors.on(
                lifetime,
                "a task's result is sent to another process and cannot be borrowed: return an owned value",
            );
        }
    }

    fn visit_type_path(&mut self, ty: &syn::TypePath) {
        self.path(ty);
        visit::visit_type_path(self, ty);
    }

    // The lifetimes in these are their own; the codec's check says that a pointer cannot travel.
    fn visit_type_fn_ptr(&mut self, _: &syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &syn::ParenthesizedGenericArguments) {}
}

/// What is inside a parameter's type, where nothing can be borrowed: it is decoded as a whole.
struct Inside<'e>(Check<'e>);

impl Inside<'_> {
    fn borrowed(&mut self, tokens: impl quote::ToTokens) {
        self.0.errors.on(
            tokens,
            "only a whole argument can be borrowed (`&str`, `&[T]`, `&T`), not a part of it: use an owned type here",
        );
    }
}

impl Visit<'_> for Inside<'_> {
    fn visit_type_impl_trait(&mut self, ty: &syn::TypeImplTrait) {
        self.0.visit_type_impl_trait(ty);
    }

    fn visit_type_trait_object(&mut self, ty: &syn::TypeTraitObject) {
        self.0.visit_type_trait_object(ty);
    }

    fn visit_type_infer(&mut self, ty: &syn::TypeInfer) {
        self.0.visit_type_infer(ty);
    }

    fn visit_type_path(&mut self, ty: &syn::TypePath) {
        self.0.path(ty);
        visit::visit_type_path(self, ty);
    }

    fn visit_type_reference(&mut self, reference: &syn::TypeReference) {
        self.borrowed(reference.and_token);
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        if lifetime.ident != "static" {
            self.borrowed(lifetime);
        }
    }

    fn visit_type_fn_ptr(&mut self, _: &syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &syn::ParenthesizedGenericArguments) {}
}

fn ends_in(ty: &syn::TypePath, name: &str) -> bool {
    ty.path
        .segments
        .last()
        .is_some_and(|last| last.ident == name)
}

fn hides_lifetime(ty: &syn::TypePath) -> bool {
    match ty.path.segments.last().map(|last| &last.arguments) {
        Some(syn::PathArguments::AngleBracketed(arguments)) => !arguments
            .args
            .iter()
            .any(|argument| matches!(argument, syn::GenericArgument::Lifetime(_))),
        _ => false,
    }
}
