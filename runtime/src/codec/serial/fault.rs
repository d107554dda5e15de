//! What goes wrong while a value is encoded or decoded, and where in the value. Relies on the error type.
//!
//! One pointer wide, so that results stay in registers.

use std::fmt;

use crate::error::{Error, Kind};

/// An error on its way out of a value; each level of the value adds where it was.
pub(super) struct Fault(Box<Inner>);

struct Inner {
    text: String,
    /// An error that is to arrive as it is: of the heap, of the memory behind the writer.
    own: Option<Error>,
    /// Where, from the inside out.
    path: Vec<Step>,
    /// How many steps there were in all; only so many are kept.
    steps: usize,
}

/// One step into a value.
enum Step {
    Name(String),
    Index(u64),
}

/// How many steps are kept: those next to the fault.
const KEPT: usize = 12;

impl Fault {
    #[cold]
    pub(super) fn new(text: impl Into<String>) -> Fault {
        Fault(Box::new(Inner {
            text: text.into(),
            own: None,
            path: Vec::new(),
            steps: 0,
        }))
    }

    /// An error of ours that arrives as it is.
    #[cold]
    pub(super) fn own(error: Error) -> Fault {
        let mut fault = Fault::new(error.message());
        fault.0.own = Some(error);
        fault
    }

    #[cold]
    pub(super) fn in_field(self, name: &str) -> Fault {
        self.inside(|| Step::Name(name.to_owned()))
    }

    #[cold]
    pub(super) fn in_element(self, index: u64) -> Fault {
        self.inside(|| Step::Index(index))
    }

    fn inside(mut self, step: impl FnOnce() -> Step) -> Fault {
        self.0.steps += 1;
        if self.0.path.len() < KEPT {
            self.0.path.push(step());
        }
        self
    }

    /// Whether it was met on this very level.
    pub(super) fn is_here(&self) -> bool {
        self.0.steps == 0
    }

    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    /// Says something first.
    pub(super) fn before(&mut self, words: &str) {
        self.0.text.insert_str(0, words);
    }

    /// Says more.
    pub(super) fn note(&mut self, more: &str) {
        self.0.text.push_str(more);
    }

    /// The error that a user sees: `what` names the value's type and what could not be done with it.
    #[cold]
    pub(super) fn into_error(self, kind: Kind, what: &str) -> Error {
        if let Some(own) = self.0.own {
            return own;
        }
        let place = self.place();
        Error::new(kind, format!("{what}: {place}{}", self.0.text))
    }

    /// `.items[3].price: `, or nothing.
    fn place(&self) -> String {
        let mut place = String::new();
        if self.0.steps > self.0.path.len() {
            place.push('…');
        }
        for step in self.0.path.iter().rev() {
            match step {
                Step::Name(name) => {
                    place.push('.');
                    place.push_str(name);
                }
                Step::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        if place.is_empty() {
            return place;
        }
        format!("at `{place}`: ")
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.place(), self.0.text)
    }
}

impl std::error::Error for Fault {}

impl serde::ser::Error for Fault {
    #[cold]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Fault::new(text.to_string())
    }
}

impl serde::de::Error for Fault {
    #[cold]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Fault::new(text.to_string())
    }
}
