//! Panics of user code: where they happened and how, which the payload that unwinds does not say.
//!
//! The hook notes each panic in a slot of its thread, and in one slot for all threads (a task may pass on the panic of a
//! thread of its own). Whoever catches a payload takes the note that has the same message; another note belongs to a
//! panic that somebody caught before. The hook only tries locks: it must not wait inside a panic.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, Once, OnceLock, PoisonError, TryLockError};

use super::report::Report;
use crate::error::Error;

/// What the hook saw of a panic.
struct Note {
    message: String,
    location: Option<String>,
    /// Kept as it is: to find the names in it takes long, and most panics that are caught are never shown.
    backtrace: Option<Backtrace>,
}

thread_local! {
    static HERE: RefCell<Option<Note>> = const { RefCell::new(None) };
}
static ANYWHERE: Mutex<Option<Note>> = Mutex::new(None);
static TELL: OnceLock<fn(&Report)> = OnceLock::new();

/// Notes panics from now on, before the hook that stands does what it does. `tell`, where given, hears of each panic at
/// once: it may be the last thing this process does.
pub(crate) fn install_panic_hook(tell: Option<fn(&Report)>) {
    static ONCE: Once = Once::new();
    if let Some(tell) = tell {
        let _ = TELL.set(tell);
    }
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            note(info);
            before(info);
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let message = message_of(info.payload());
    let location = info.location().map(ToString::to_string);
    let capture =
        || Some(Backtrace::capture()).filter(|trace| trace.status() == BacktraceStatus::Captured);
    let note = || Note {
        message: message.clone(),
        location: location.clone(),
        backtrace: capture(),
    };
    if let Some(tell) = TELL.get() {
        let backtrace = capture().map(|trace| shorten(&trace.to_string()));
        tell(&Report::Panic {
            message: message.clone(),
            location: location.clone(),
            backtrace,
        });
    }
    let _ = HERE.try_with(|here| here.try_borrow_mut().map(|mut here| *here = Some(note())));
    match ANYWHERE.try_lock() {
        Ok(mut anywhere) => *anywhere = Some(note()),
        Err(TryLockError::Poisoned(poisoned)) => *poisoned.into_inner() = Some(note()),
        Err(TryLockError::WouldBlock) => {}
    }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}

/// The report of a panic that was caught.
pub(super) fn report_of(payload: Box<dyn Any + Send>) -> Report {
    let message = message_of(&*payload);
    // What the user panicked with may panic again when it is dropped.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    let same = |note: &Note| note.message == message;
    let here = HERE
        .try_with(|here| here.try_borrow_mut().ok()?.take().filter(same))
        .ok()
        .flatten();
    let note = here.or_else(|| {
        let mut anywhere = ANYWHERE.lock().unwrap_or_else(PoisonError::into_inner);
        anywhere.take_if(|note| same(note))
    });
    match note {
        Some(note) => Report::Panic {
            message,
            location: note.location,
            backtrace: note.backtrace.map(|trace| shorten(&trace.to_string())),
        },
        None => Report::Panic {
            message,
            location: None,
            backtrace: None,
        },
    }
}

/// The error of a panic that was caught in this process.
pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Error {
    report_of(payload).into()
}

/// The frames between the panic and the trampoline: what is above and below is std's and ours. All of them where those
/// two are not found.
fn shorten(trace: &str) -> String {
    let is_frame = |line: &&str| {
        let number = line.trim_start().split(':').next().unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut short: Vec<&str> = Vec::new();
    for line in trace.lines() {
        if is_frame(&line) && line.contains("__rust_end_short_backtrace") {
            short.clear();
        }
        if is_frame(&line) && line.contains("mp::task::trampoline::") {
            break;
        }
        short.push(line);
    }
    short.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::resume_unwind;

    fn caught(f: impl FnOnce()) -> (String, Option<String>) {
        install_panic_hook(None);
        let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
        match report_of(payload) {
            Report::Panic {
                message, location, ..
            } => (message, location),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_panic_is_told_with_its_place() {
        let (message, location) = caught(|| panic!("one {}", 1));
        assert_eq!(message, "one 1");
        assert!(location.is_some_and(|location| location.contains("panic.rs:")));
        let (message, location) = caught(|| std::panic::panic_any(7_u8));
        assert_eq!(message, "a panic without a message");
        assert!(location.is_some());
    }

    #[test]
    fn the_place_of_another_panic_is_not_taken() {
        let (message, location) = caught(|| {
            let _ = catch_unwind(|| panic!("an inner one"));
            resume_unwind(Box::new("an outer one without the hook"));
        });
        assert_eq!(message, "an outer one without the hook");
        assert_eq!(location, None);
    }

    #[test]
    fn a_panic_passed_on_from_another_thread_keeps_its_place() {
        let (message, location) = caught(|| {
            let thread = std::thread::spawn(|| panic!("in a thread of the task"));
            let Err(payload) = thread.join();
            resume_unwind(payload);
        });
        assert_eq!(message, "in a thread of the task");
        // Other tests panic meanwhile and may have taken the one slot; if it is known, it is right.
        assert!(location.is_none_or(|location| location.contains("panic.rs:")));
    }

    #[test]
    fn a_backtrace_begins_at_the_panic_and_ends_at_the_trampoline() {
        let trace = "  0: mp::task::panic::note\n   at a.rs:1\n  1: std::sys::__rust_end_short_backtrace\n   at b.rs:2\n  \
                     2: core::panicking::panic_fmt\n  3: app::square\n   at c.rs:3\n  4: mp::task::trampoline::run\n   at d.rs";
        let short = shorten(trace);
        assert!(
            short.starts_with("  1: std::sys::__rust_end_short_backtrace"),
            "{short}"
        );
        assert!(short.ends_with("  3: app::square\n   at c.rs:3"), "{short}");
        assert_eq!(shorten("no frames"), "no frames");
    }

    #[test]
    fn a_payload_that_panics_in_its_drop() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        let (message, _) = caught(|| std::panic::panic_any(Bad));
        assert_eq!(message, "a panic without a message");
    }
}
