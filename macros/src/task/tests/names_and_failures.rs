//! Expansions of tasks that can fail, and of two tasks of one name.

use super::super::task;
use super::{PLACE, expansion};
use quote::quote;

#[test]
fn a_failure_is_no_value() {
    let text = expansion(quote!(
        fn f() -> Result<u8, mp::Failure> {}
    ));
    assert!(text.contains("typeOutput=u8;"), "{text}");
    let text = expansion(quote!(
        fn f() -> Result<u8, MyError> {}
    ));
    assert!(text.contains("typeOutput=Result<u8,MyError>;"), "{text}");
}

#[test]
fn every_error_is_made_a_failure_by_the_library() {
    let text = |args, item| task(args, item, PLACE).to_string().replace(' ', "");
    let probed = "let__mp_way=(&&&&&&&::mp::__private::error_of(&__mp_returned)).failure_way();\
                  ::mp::__private::failed(__mp_returned,__mp_way)";
    for item in [
        quote!(
            fn f() -> anyhow::Result<u8> {}
        ),
        quote!(
            fn f() -> Result<u8, Box<dyn Error>> {}
        ),
    ] {
        let text = text(quote!(), item);
        assert!(text.contains("typeOutput=u8;"), "{text}");
        assert!(text.contains(probed), "{text}");
        assert!(text.contains("Probe::<u8>::NEW"), "{text}");
        assert!(text.contains("->::mp::Result<u8>"), "{text}");
    }
    let by_name = text(
        quote!(),
        quote!(
            fn f() -> Result<u8, mp::Failure> {}
        ),
    );
    assert!(by_name.contains("::mp::__private::failure("), "{by_name}");
    // An alias is asked once; everything else asks the task.
    let alias = text(
        quote!(fallible, crate = par),
        quote!(
            fn f() -> Outcome {}
        ),
    );
    let asked = "typeOutput=<Outcomeaspar::__private::AnyResult>::Value;";
    assert_eq!(alias.matches("AnyResult").count(), 1, "{alias}");
    assert!(alias.contains(asked), "{alias}");
    assert!(
        alias.contains("->par::Result<<__mp_task_f_7_1::faspar::Task>::Output>"),
        "{alias}"
    );
    let value = text(
        quote!(fallible = false),
        quote!(
            fn f() -> io::Result<u8> {}
        ),
    );
    assert!(value.contains("typeOutput=io::Result<u8>;"), "{value}");
}

#[test]
fn two_tasks_of_one_name_share_nothing_but_the_name() {
    let item = quote!(
        fn work() {}
    );
    let [one, other] = [(3, 1), (9, 5)].map(|place| {
        let text = task(quote!(), item.clone(), place).to_string();
        assert_eq!(text.matches("static work").count(), 1, "{text}");
        text.contains("__mp_task_work_3_1")
    });
    assert!(one && !other);
}
