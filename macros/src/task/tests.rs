//! From tokens to tokens: what is refused and how, and the parts of an expansion that later code relies on.

mod names_and_failures;

use super::task;
use proc_macro2::TokenStream;
use quote::quote;

const PLACE: (usize, usize) = (7, 1);

/// The texts of the `compile_error!`s of an expansion.
fn errors(args: TokenStream, item: TokenStream) -> Vec<String> {
    let expansion = task(args, item, PLACE).to_string();
    expansion
        .split("compile_error ! { \"")
        .skip(1)
        .map(|rest| rest.split("\" }").next().unwrap_or(rest).to_owned())
        .collect()
}

fn expansion(item: TokenStream) -> String {
    task(quote!(), item, PLACE).to_string().replace(' ', "")
}

#[test]
fn every_refusal_names_its_reason_and_keeps_the_function() {
    for (item, reason) in [
        (
            quote!(
                fn f<T: Clone>(x: T) {}
            ),
            "cannot be generic",
        ),
        (
            quote!(
                fn f<const N: usize>() {}
            ),
            "cannot be generic",
        ),
        (
            quote!(
                fn f<'a: 'b, 'b>(x: &'a u8) {}
            ),
            "lifetimes cannot have bounds",
        ),
        (
            quote!(
                fn f<'a, 'b>(x: &'a u8)
                where
                    'a: 'b,
                {
                }
            ),
            "lifetimes cannot have bounds",
        ),
        (
            quote!(
                async fn f() {}
            ),
            "cannot be `async` yet",
        ),
        (
            quote!(
                const fn f() {}
            ),
            "cannot be `const`",
        ),
        (
            quote!(
                unsafe fn f() {}
            ),
            "cannot be `unsafe`",
        ),
        (
            quote!(
                extern "C" fn f() {}
            ),
            "cannot be `extern`",
        ),
        (
            quote!(
                fn f(&self) {}
            ),
            "cannot have `self`",
        ),
        (
            quote!(
                fn f(x: impl Into<u8>) {}
            ),
            "cannot have `impl Trait`",
        ),
        (
            quote!(
                fn f(x: Vec<impl Into<u8>>) {}
            ),
            "cannot have `impl Trait`",
        ),
        (
            quote!(
                fn f() -> impl Iterator<Item = u8> {}
            ),
            "cannot have `impl Trait`",
        ),
        (
            quote!(
                fn f(x: &dyn Debug) {}
            ),
            "cannot have `dyn Trait`",
        ),
        (
            quote!(
                fn f(x: _) {}
            ),
            "must be written out",
        ),
        (
            quote!(
                fn f(x: &mut u8) {}
            ),
            "change through `&mut` would be lost",
        ),
        (
            quote!(
                fn f(x: &str) -> &str {}
            ),
            "cannot be borrowed: return `String`",
        ),
        (
            quote!(
                fn f(x: &[u8]) -> &[u8] {}
            ),
            "cannot be borrowed: return `Vec`",
        ),
        (
            quote!(
                fn f<'a>(x: &'a str) -> Cow<'a, str> {}
            ),
            "cannot be borrowed: return an owned value",
        ),
        (
            quote!(
                fn f(x: Cow<str>) {}
            ),
            "write `Cow<'_, …>`",
        ),
        (
            quote!(
                fn f(x: &'static str) {}
            ),
            "not `'static`",
        ),
        (
            quote!(
                fn f(x: Option<&str>) {}
            ),
            "only a whole argument can be borrowed",
        ),
        (
            quote!(
                fn f(x: &[(u8, &str)]) {}
            ),
            "only a whole argument can be borrowed",
        ),
        (
            quote!(
                fn f(x: &Cow<'_, str>) {}
            ),
            "only a whole argument can be borrowed",
        ),
        (
            quote!(
                fn f(x: Self) {}
            ),
            "knows no `Self`",
        ),
        (
            quote!(
                fn f(#[state] x: u8) {}
            ),
            "`#[state]` is not there yet",
        ),
        (
            quote!(
                #[target_feature(enable = "avx2")]
                fn f() {}
            ),
            "cannot have `#[target_feature]`",
        ),
        (
            quote!(
                struct F;
            ),
            "goes on a function, and this is a struct",
        ),
        (
            quote!(
                fn f(x: u8);
            ),
            "a task needs a body",
        ),
        (
            quote!(
                fn f(
                    a: u8,
                    b: u8,
                    c: u8,
                    d: u8,
                    e: u8,
                    f: u8,
                    g: u8,
                    h: u8,
                    i: u8,
                    j: u8,
                    k: u8,
                    l: u8,
                    m: u8,
                ) {
                }
            ),
            "at most 12 parameters",
        ),
    ] {
        let errors = errors(quote!(), item.clone());
        assert_eq!(errors.len(), 1, "{item}: {errors:?}");
        assert!(errors[0].contains(reason), "{item}: {errors:?}");
        let kept = expansion(item.clone());
        let item = item.to_string().replace(' ', "").replace("#[state]", "");
        assert!(kept.starts_with(&item), "{kept}");
        assert!(!kept.contains("__mp_task"), "{kept}");
    }
}

#[test]
fn all_reasons_are_reported_at_once() {
    let errors = errors(
        quote!(nam = "x", retries = -2),
        quote!(
            async unsafe fn f<T>(self, x: &mut T) -> &str {}
        ),
    );
    assert_eq!(errors.len(), 8, "{errors:?}");
}

#[test]
fn a_wrong_argument_does_not_unmake_the_task() {
    for (args, reason) in [
        (
            quote!(nam = "x"),
            "unknown argument `nam`: `#[mp::task]` knows `name`, `timeout`, `retries`, `fallible` and `crate`",
        ),
        (quote!(timeout = "3h"), "a time is a whole number above 0"),
        (quote!(retries = "3"), "`retries` needs a whole number"),
        (quote!(retries = -1), "`retries` needs a whole number"),
        (
            quote!(total = <f64, u8>),
            "named instances of a generic function (`total = <…>`) are not there yet",
        ),
        (quote!(name), "`name` needs a string"),
        (quote!(fallible = 1), "`fallible` stands alone"),
        (quote!(retry), "unknown argument `retry`"),
        (quote!(name = 3), "`name` needs a string"),
        (quote!(name = " "), "cannot be empty"),
        (quote!(crate = 3), "`crate` needs the path"),
    ] {
        let errors = errors(
            args.clone(),
            quote!(
                fn f() {}
            ),
        );
        assert_eq!(errors.len(), 1, "{args}: {errors:?}");
        assert!(errors[0].contains(reason), "{args}: {errors:?}");
        assert!(
            task(
                args,
                quote!(
                    fn f() {}
                ),
                PLACE,
            )
            .to_string()
            .contains("__mp_task_f")
        );
    }
}

#[test]
fn types_lose_their_own_lifetimes() {
    let text = expansion(quote!(
        fn f<'x>(a: &'x str, b: Cow<'_, str>, c: u8) {}
    ));
    assert!(
        text.contains("typeInput<'a>=(&'astr,Cow<'a,str>,u8);"),
        "{text}"
    );
    assert!(
        text.contains("typeParams<'a>=(&'astr,Cow<'a,str>,u8,);"),
        "{text}"
    );
    assert!(text.contains("Probe::<&'_str>::NEW"), "{text}");
    assert!(
        text.contains("typeTarget=for<'x>fn(&'xstr,Cow<'_,str>,u8);"),
        "{text}"
    );
    let text = expansion(quote!(
        fn f(a: u8) -> u8 {}
    ));
    assert!(
        text.contains("typeInput<'a>=u8;typeParams<'a>=(u8,);typeOutput=u8;"),
        "{text}"
    );
    let text = expansion(quote!(
        fn f() {}
    ));
    assert!(
        text.contains("typeInput<'a>=();typeParams<'a>=();typeOutput=();"),
        "{text}"
    );
}

#[test]
fn names_and_visibility() {
    let text = expansion(quote!(
        fn count(count: u64) {}
    ));
    assert!(
        text.contains("fncount(count:u64){}"),
        "the body keeps its name: {text}"
    );
    assert!(text.contains("fnrun(self,count_:u64)"), "{text}");
    let text = expansion(quote!(
        fn count(mut n: u64, (a, b): (u8, u8), _: u8) {}
    ));
    assert!(
        text.contains("fncount_(mutn:u64,"),
        "the name means the task: {text}"
    );
    assert!(
        text.contains("fnrun(self,n:u64,arg2:(u8,u8),arg3:u8)"),
        "{text}"
    );
    let text = expansion(quote!(
        pub(crate) fn r#match(r#fn: u8) {}
    ));
    assert!(text.contains("mod__mp_task_match_7_1{"), "{text}");
    assert!(
        text.contains("pub(crate)staticr#match:__mp_task_match_7_1::r#match"),
        "{text}"
    );
    for (vis, deeper) in [
        (quote!(), "pub(super)struct"),
        (quote!(pub), "pubstruct"),
        (quote!(pub(super)), "pub(insuper::super)struct"),
        (quote!(pub(self)), "pub(super)struct"),
        (
            quote!(pub(in super::super)),
            "pub(insuper::super::super)struct",
        ),
        (quote!(pub(in self::super)), "pub(insuper::super)struct"),
        (quote!(pub(in crate::a)), "pub(incrate::a)struct"),
    ] {
        let text = expansion(quote!(#vis fn f() {}));
        assert!(text.contains(deeper), "{text}");
    }
}

#[test]
fn attributes_go_where_they_belong() {
    let text = expansion(quote! {
        #[cfg(unix)] #[doc = "Words."] #[inline] #[allow(dead_code)] #[must_use] fn f() {}
    });
    assert_eq!(text.matches("#[cfg(unix)]").count(), 6, "{text}");
    assert!(
        text.contains("#[inline]#[allow(dead_code)]fnf_()"),
        "{text}"
    );
    assert!(
        text.contains("#[cfg(unix)]#[doc=\"Words.\"]#[allow(dead_code)]#[doc="),
        "{text}"
    );
    assert!(
        text.contains("#[deprecated(note=\"`#[must_use]`hasnoeffect"),
        "{text}"
    );
}

#[test]
fn the_signature_is_in_the_documentation() {
    let text = task(
        quote!(),
        quote!(
            fn dot(a: &[f64], b: Vec<(u8, crate::T)>) -> f64 {}
        ),
        PLACE,
    )
    .to_string();
    assert!(
        text.contains("fn dot(a: &[f64], b: Vec<(u8, crate::T)>) -> f64"),
        "{text}"
    );
}
