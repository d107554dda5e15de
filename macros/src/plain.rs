//! `#[derive(mp::Plain)]`: checks the layout's promises, and lists the fields. Relies on `args` and `errors`.
//!
//! What it emits, and why that is sound, is written at the trait (`codec::plain` in the library).

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DataEnum, DeriveInput, Fields, GenericParam, Ident, Member, Path, Type};

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
    integer: Option<Ident>,
}

/// The only word of a path, as rustc reads it: `r#align` is `align`.
fn word(path: &Path) -> Option<Ident> {
    path.get_ident().map(IdentExt::unraw)
}

fn representation(input: &DeriveInput, errors: &mut Errors) -> Representation {
    let mut found = Representation::default();
    let is_enum = matches!(input.data, Data::Enum(_));
    for attribute in &input.attrs {
        if word(attribute.path()).is_none_or(|word| word != "repr") {
            continue;
        }
        let parsed = attribute.parse_nested_meta(|meta| {
            let word = word(&meta.path);
            let is = |name: &str| word.as_ref().is_some_and(|word| word == name);
            if is("packed") {
                errors.on(
                    &meta.path,
                    "plain data cannot be packed: its fields could not be borrowed",
                );
            }
            if is("align") && is_enum {
                errors.on(
                    &meta.path,
                    "an enum with `align` cannot be plain data: it has bytes that belong to no value; \
                     leave `align` out, or put it on a `#[repr(C)]` struct around the enum",
                );
            }
            found.layout |= is("C") || is("transparent");
            if INTEGERS.iter().any(|integer| is(integer)) {
                let before = found.integer.take();
                if before.is_some() && before != word {
                    errors.on(&meta.path, "a plain enum needs one integer for its tag");
                }
                found.integer = word;
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
    /// What makes rustc refuse the type where it is not the one that was read here: an attribute behind the derive may change it.
    check: TokenStream,
    /// Likewise, beside the impl.
    beside: TokenStream,
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
        check: quote! {
            let _ = |__mp_value: Self| {
                #(let _: #types = __mp_value.#members;)*
                let Self { #(#members: _),* } = __mp_value;
            };
        },
        beside: TokenStream::new(),
    }
}

fn variants(
    input: &DeriveInput,
    data: &DataEnum,
    integer: Option<Ident>,
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
    let integer = Ident::new(&integer.to_string(), proc_macro2::Span::call_site());
    let integer = quote!(::core::primitive::#integer);
    let variants = data.variants.iter().map(|variant| &variant.ident);
    let is_its_tag = |of: TokenStream| {
        quote! {
            ::core::assert!(
                ::core::mem::size_of::<#of>() == ::core::mem::size_of::<#integer>(),
                "a plain enum is its tag, and nothing else",
            )
        }
    };
    let own = is_its_tag(quote!(Self));
    // That in the impl is evaluated only where the type is used.
    let beside = input.generics.params.is_empty().then(|| {
        let name = &input.ident;
        let own = is_its_tag(quote!(#name));
        quote!(const _: () = #own;)
    });
    Some(Parts {
        any: quote!(false),
        padded: quote!({ #own; false }),
        valid: quote! {
            match #private::plain_value::<#integer>(__mp_bytes) {
                ::core::option::Option::Some(__mp_tag) => {
                    false #(|| __mp_tag == Self::#variants as #integer)*
                }
                ::core::option::Option::None => false,
            }
        },
        scrub: TokenStream::new(),
        check: TokenStream::new(),
        beside: beside.unwrap_or_default(),
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
        check,
        beside,
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
                #check
                #scrub
            }
        }
        #beside
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
        assert!(
            text.contains("let_:u64=__mp_value.0;letSelf{0:_}=__mp_value;"),
            "{text}"
        );
    }

    #[test]
    fn an_enum_is_as_large_as_its_integer() {
        let text = plain(quote!(
            #[repr(i16)]
            enum E {
                A = -1,
            }
        ))
        .to_string()
        .replace(' ', "");
        for of in [
            "constPADDED:::core::primitive::bool={::core::assert!(::core::mem::size_of::<Self>()==",
            "const_:()=::core::assert!(::core::mem::size_of::<E>()==",
        ] {
            let check = format!("{of}::core::mem::size_of::<::core::primitive::i16>()");
            assert!(text.contains(&check), "{text}");
        }
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
                    #[repr(u8, align(16))]
                    enum E {
                        A,
                    }
                ),
                "an enum with `align`",
            ),
            (
                quote!(
                    #[repr(u8)]
                    #[r#repr(r#align(16))]
                    enum E {
                        A,
                    }
                ),
                "an enum with `align`",
            ),
            (
                quote!(
                    #[repr(u8, u16)]
                    enum E {
                        A,
                    }
                ),
                "one integer",
            ),
            (
                quote!(
                    #[repr(C, r#packed)]
                    struct P {
                        a: u8,
                    }
                ),
                "cannot be packed",
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
