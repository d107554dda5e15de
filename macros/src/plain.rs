//! `#[derive(mp::Plain)]`: checks the layout's promises, and lists the fields. Relies on `args` and `errors`.
//!
//! What it emits, and why that is sound, is written at the trait (`codec::plain` in the library).

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Fields, GenericParam, Member, Path, Type};

use crate::args;
use crate::errors::Errors;

const INTEGERS: [&str; 12] = [
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
];

/// The whole derive.
pub(crate) fn plain(input: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::default();
    let krate = krate(&input, &mut errors);
    let private = quote!(#krate::__private);
    let representation = representation(&input, &mut errors);
    for parameter in &input.generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.on(
                lifetime,
                "plain data cannot borrow: an address means nothing in another process",
            );
        }
    }
    let parts = match &input.data {
        Data::Struct(data) => {
            if !representation.layout {
                errors.on(
                    &input.ident,
                    "plain data needs a fixed layout: add `#[repr(C)]` (or `#[repr(transparent)]`)",
                );
            }
            Some(fields(&data.fields, &private))
        }
        Data::Enum(data) => variants(&input, data, representation.integer, &private, &mut errors),
        Data::Union(data) => {
            errors.on(
                data.union_token,
                "a union cannot be plain data: its bytes do not say which field is valid",
            );
            None
        }
    };
    match parts {
        Some(parts) if errors.is_empty() => expand(input, parts, &private),
        _ => errors.into_tokens(),
    }
}

/// `#[plain(crate = path)]`, or `::mp`.
fn krate(input: &DeriveInput, errors: &mut Errors) -> Path {
    let mut krate = None;
    for attribute in &input.attrs {
        if !attribute.path().is_ident("plain") {
            continue;
        }
        let arguments = match attribute.parse_args::<TokenStream>() {
            Ok(arguments) => arguments,
            Err(error) => {
                errors.add(error);
                continue;
            }
        };
        for arg in args::read(arguments, "crate = other_name", errors) {
            if arg.key == "crate" {
                krate = arg.krate(errors);
            } else {
                errors.on(
                    &arg.key,
                    format_args!(
                        "unknown argument `{}`: `#[plain(…)]` knows `crate`",
                        arg.key
                    ),
                );
            }
        }
    }
    krate.unwrap_or_else(args::default_crate)
}

/// What stands in `#[repr(…)]`.
#[derive(Default)]
struct Representation {
    /// `C` or `transparent`.
    layout: bool,
    /// An integer type.
    integer: Option<syn::Ident>,
}

fn representation(input: &DeriveInput, errors: &mut Errors) -> Representation {
    let mut found = Representation::default();
    for attribute in &input.attrs {
        if !attribute.path().is_ident("repr") {
            continue;
        }
        let parsed = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("packed") {
                errors.on(
                    &meta.path,
                    "plain data cannot be packed: its fields could not be borrowed",
                );
            }
            found.layout |= meta.path.is_ident("C") || meta.path.is_ident("transparent");
            if INTEGERS.iter().any(|integer| meta.path.is_ident(integer)) {
                found.integer = meta.path.get_ident().cloned();
            }
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
            }
            Ok(())
        });
        if let Err(error) = parsed {
            errors.add(error);
        }
    }
    found
}

/// The bodies of the items of the impl.
struct Parts {
    any: TokenStream,
    padded: TokenStream,
    valid: TokenStream,
    scrub: TokenStream,
}

fn fields(fields: &Fields, private: &TokenStream) -> Parts {
    let types: Vec<Type> = fields.iter().map(|field| field.ty.clone()).collect();
    let members: Vec<Member> = fields.members().collect();
    Parts {
        any: quote!(true #(&& <#types as #private::Plain>::ANY)*),
        padded: quote! {
            false #(|| <#types as #private::Plain>::PADDED)*
                || 0 #(+ ::core::mem::size_of::<#types>())* != ::core::mem::size_of::<Self>()
        },
        valid: quote! {
            true #(&& <#types as #private::Plain>::valid_at(__mp_bytes, ::core::mem::offset_of!(Self, #members)))*
        },
        scrub: quote!(#(<#types as #private::Plain>::scrub_at(__mp_at, ::core::mem::offset_of!(Self, #members));)*),
    }
}

fn variants(
    input: &DeriveInput,
    data: &DataEnum,
    integer: Option<syn::Ident>,
    private: &TokenStream,
    errors: &mut Errors,
) -> Option<Parts> {
    if data.variants.is_empty() {
        errors.on(
            &input.ident,
            "an enum without variants has no values to send",
        );
    }
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            errors.on(
                &variant.fields,
                "an enum with fields cannot be plain data: derive serde's `Serialize` and `Deserialize` instead",
            );
        }
    }
    let Some(integer) = integer else {
        errors.on(
            &input.ident,
            "a plain enum needs an integer for its tag: add `#[repr(u8)]`",
        );
        return None;
    };
    let integer = syn::Ident::new(&integer.to_string(), proc_macro2::Span::call_site());
    let integer = quote!(::core::primitive::#integer);
    let variants = data.variants.iter().map(|variant| &variant.ident);
    Some(Parts {
        any: quote!(false),
        padded: quote!(false),
        valid: quote! {
            match #private::plain_value::<#integer>(__mp_bytes) {
                ::core::option::Option::Some(__mp_tag) => {
                    false #(|| __mp_tag == Self::#variants as #integer)*
                }
                ::core::option::Option::None => false,
            }
        },
        scrub: TokenStream::new(),
    })
}

fn expand(mut input: DeriveInput, parts: Parts, private: &TokenStream) -> TokenStream {
    let name = &input.ident;
    let parameters: Vec<_> = input
        .generics
        .type_params()
        .map(|parameter| parameter.ident.clone())
        .collect();
    let clause = input.generics.make_where_clause();
    for parameter in parameters {
        clause
            .predicates
            .push(syn::parse_quote!(#parameter: #private::Plain));
    }
    let (generics, arguments, clause) = input.generics.split_for_impl();
    let Parts {
        any,
        padded,
        valid,
        scrub,
    } = parts;
    quote! {
        #[automatically_derived]
        unsafe impl #generics #private::Plain for #name #arguments #clause {
            const ANY: ::core::primitive::bool = #any;
            const PADDED: ::core::primitive::bool = #padded;
            #[inline]
            fn valid(__mp_bytes: &[::core::primitive::u8]) -> ::core::primitive::bool {
                #valid
            }
            fn scrub(__mp_at: &mut #private::Scrub<'_>) {
                #scrub
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_lists_its_fields() {
        let text = plain(quote!(
            #[repr(C)]
            struct P<T> {
                a: u8,
                b: T,
            }
        ))
        .to_string()
        .replace(' ', "");
        assert!(
            text.contains(
                "unsafeimpl<T>::mp::__private::PlainforP<T>whereT:::mp::__private::Plain{"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "<Tas::mp::__private::Plain>::scrub_at(__mp_at,::core::mem::offset_of!(Self,b));"
            ),
            "{text}"
        );
        let text = plain(quote!(
            #[repr(transparent)]
            #[plain(crate = x::y)]
            struct P(u64);
        ))
        .to_string()
        .replace(' ', "");
        assert!(
            text.contains("unsafeimplx::y::__private::PlainforP"),
            "{text}"
        );
        assert!(text.contains("offset_of!(Self,0)"), "{text}");
    }

    #[test]
    fn refusals() {
        for (input, error) in [
            (
                quote!(
                    struct P {
                        a: u8,
                    }
                ),
                "needs a fixed layout",
            ),
            (
                quote!(
                    #[repr(C, packed(2))]
                    struct P {
                        a: u8,
                    }
                ),
                "cannot be packed",
            ),
            (
                quote!(
                    #[repr(C)]
                    struct P<'a> {
                        a: &'a u8,
                    }
                ),
                "cannot borrow",
            ),
            (
                quote!(#[repr(C)] union U { a: u8 }),
                "a union cannot be plain",
            ),
            (
                quote!(
                    enum E {
                        A,
                    }
                ),
                "add `#[repr(u8)]`",
            ),
            (
                quote!(
                    #[repr(C)]
                    enum E {
                        A,
                    }
                ),
                "add `#[repr(u8)]`",
            ),
            (
                quote!(
                    #[repr(u8)]
                    enum E {
                        A(u8),
                    }
                ),
                "an enum with fields",
            ),
            (
                quote!(
                    #[repr(u8)]
                    enum E {}
                ),
                "without variants",
            ),
            (
                quote!(
                    #[repr(C)]
                    #[plain(name = x)]
                    struct P(u64);
                ),
                "knows `crate`",
            ),
        ] {
            let expansion = plain(input.clone()).to_string();
            assert!(expansion.contains(error), "{input}\n{expansion}");
        }
    }
}
