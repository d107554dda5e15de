//! `mp::main!`: one function path, a list of statements, or a whole `fn main`. Relies on `args` and `errors`.
//!
//! Whatever is wrong, a `main` comes out, so that rustc does not add that there is none.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Block, Expr, ExprPath, Item, ItemFn, Path, Stmt, Token};

use crate::args;

/// What stands in the macro.
enum Form {
    /// `run`: the path of a function.
    Path(ExprPath),
    /// `fn main() { … }`, with its attributes.
    Whole(Box<ItemFn>),
    /// The body of `main`.
    Statements(Vec<Stmt>),
}

struct Input {
    krate: Path,
    form: Form,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let krate = if input.peek(Token![crate]) && input.peek2(Token![=]) {
            input.call(Ident::parse_any)?;
            input.parse::<Token![=]>()?;
            let path = input.call(Path::parse_mod_style)?;
            if input.parse::<Option<Token![;]>>()?.is_none() {
                input.parse::<Token![,]>()?;
            }
            path
        } else {
            args::default_crate()
        };
        if input.is_empty() {
            return Err(input.error(
                "`mp::main!` needs the function to run, as in `mp::main!(run);`, or the body of `main`",
            ));
        }
        let tokens: TokenStream = input.parse()?;
        let form = if let Ok(path) = syn::parse2::<ExprPath>(tokens.clone()) {
            Form::Path(path)
        } else {
            let statements = Block::parse_within.parse2(tokens)?;
            match <[Stmt; 1]>::try_from(statements) {
                Ok([Stmt::Item(Item::Fn(function))]) if function.sig.ident == "main" => {
                    check_main(&function)?;
                    Form::Whole(Box::new(function))
                }
                Ok([statement]) => Form::Statements(vec![statement]),
                Err(statements) => Form::Statements(statements),
            }
        };
        Ok(Input { krate, form })
    }
}

/// Refuses what no attribute could make a `main` of.
fn check_main(function: &ItemFn) -> syn::Result<()> {
    let sig = &function.sig;
    if let Some(token) = &sig.asyncness
        && function
            .attrs
            .iter()
            .all(|attribute| attribute.path().is_ident("doc"))
    {
        return Err(syn::Error::new_spanned(
            token,
            "`main` cannot be `async` without a runtime: add its attribute (as `#[tokio::main]`), or block on a future",
        ));
    }
    if let Some(input) = sig.inputs.first() {
        return Err(syn::Error::new_spanned(input, "`main` has no parameters"));
    }
    Ok(())
}

/// The expansion of `mp::main!`.
pub(crate) fn main(input: TokenStream) -> TokenStream {
    let Input { krate, form } = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(fn main() {} #error);
        }
    };
    let private = quote!(#krate::__private);
    let (items, run) = match form {
        Form::Path(path) => (TokenStream::new(), path.to_token_stream()),
        Form::Whole(function) => (quote!(#function), function.sig.ident.to_token_stream()),
        Form::Statements(statements) => (body(&private, statements), quote!(__mp_body)),
    };
    // The call stands where the function's name does: that is where its type is found wanting.
    let place = run.span();
    let call = args::located_at(quote!(#private::run_main), place);
    let call = quote_spanned!(place=> #call(#run));
    quote! {
        fn main() -> #private::ExitCode {
            #items
            #call
        }
    }
}

fn body(private: &TokenStream, mut statements: Vec<Stmt>) -> TokenStream {
    // The body may end in something that never returns.
    let done = quote!(#[allow(unreachable_code)] return #private::done(););
    let last = statements.pop().map(|last| match last {
        Stmt::Expr(tail, None) if is_value(&tail) => quote!(#tail),
        // A `Result` that stands here by itself is an error and not silently dropped; `!` is fine.
        Stmt::Expr(tail, None) if !is_block(&tail) => {
            quote_spanned! {tail.span()=>
                #[allow(clippy::diverging_sub_expression)]
                let _: () = #tail;
                #done
            }
        }
        other => quote!(#other #done),
    });
    quote! {
        fn __mp_body() -> #private::MainResult {
            #(#statements)*
            #last
        }
    }
}

/// Whether the tail of the body is, by its syntax, what `main` returns: `Ok(…)` or `Err(…)`, also at the end of branches.
fn is_value(tail: &Expr) -> bool {
    let block = |block: &Block| matches!(block.stmts.last(), Some(Stmt::Expr(tail, None)) if is_value(tail));
    match tail {
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => path
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == "Ok" || last.ident == "Err"),
            _ => false,
        },
        Expr::Block(inner) => block(&inner.block),
        Expr::Unsafe(inner) => block(&inner.block),
        Expr::If(branches) => {
            block(&branches.then_branch)
                || branches
                    .else_branch
                    .as_ref()
                    .is_some_and(|(_, branch)| is_value(branch))
        }
        Expr::Match(branches) => branches.arms.iter().any(|arm| is_value(&arm.body)),
        Expr::Paren(inner) => is_value(&inner.expr),
        _ => false,
    }
}

/// Whether the expression is a statement without a semicolon.
fn is_block(tail: &Expr) -> bool {
    matches!(
        tail,
        Expr::Block(_)
            | Expr::Unsafe(_)
            | Expr::If(_)
            | Expr::Match(_)
            | Expr::ForLoop(_)
            | Expr::While(_)
            | Expr::Loop(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: TokenStream) -> String {
        main(input).to_string().replace(' ', "")
    }

    #[test]
    fn a_path() {
        let path = text(quote!(app::run));
        assert!(path.ends_with("::mp::__private::run_main(app::run)}"));
        assert!(text(quote!(crate = other; run)).contains("other::__private::run_main"));
    }

    #[test]
    fn a_whole_main_keeps_its_attributes() {
        let whole = text(quote!(
            #[tokio::main]
            async fn main() {
                f().await
            }
        ));
        assert!(
            whole.contains("{#[tokio::main]asyncfnmain(){f().await}::mp::__private::run_main(")
        );
    }

    #[test]
    fn the_end_of_the_body_is_decided_by_syntax() {
        let done = "#[allow(unreachable_code)]return::mp::__private::done();";
        for (input, end) in [
            (quote!(let x = 1; f(x)?;), format!("f(x)?;{done}")),
            (
                quote!(f()?),
                format!("#[allow(clippy::diverging_sub_expression)]let_:()=f()?;{done}"),
            ),
            (
                quote!(std::process::exit(4)),
                format!(
                    "#[allow(clippy::diverging_sub_expression)]let_:()=std::process::exit(4);{done}"
                ),
            ),
            (quote!(f(); Ok(())), "f();Ok(())".into()),
            (
                quote!(if a { Ok(()) } else { Err(b)? }),
                "{Ok(())}else{Err(b)?}".into(),
            ),
            (
                quote!(for x in y {
                    f(x)
                }),
                format!("{{f(x)}}{done}"),
            ),
            (quote!(println!("x")), format!("println!(\"x\");{done}")),
            (
                quote!(
                    fn run() {}
                ),
                format!("fnrun(){{}}{done}"),
            ),
        ] {
            let expansion = text(input.clone());
            let end = format!("{end}}}::mp::__private::run_main(__mp_body)}}");
            assert!(expansion.ends_with(&end), "{input}\n{expansion}\n{end}");
        }
    }

    #[test]
    fn a_mistake_still_gives_a_main() {
        for (input, error) in [
            (quote!(), "needs the function to run"),
            (quote!(let x = ;), "expected an expression"),
            (
                quote!(
                    async fn main() {}
                ),
                "without a runtime",
            ),
            (
                quote!(
                    fn main(x: u8) {}
                ),
                "has no parameters",
            ),
        ] {
            let expansion = main(input).to_string();
            assert!(expansion.starts_with("fn main () { }"), "{expansion}");
            assert!(expansion.contains(error), "{expansion}");
        }
    }
}
