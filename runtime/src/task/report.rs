//! Why an item gave no value, on its way to whoever asked for it. Relies on the error type.
//!
//! As bytes: one for the kind, then texts, each with its length in four bytes before it. Written within a limit, and read
//! whatever the bytes are: of a report that was cut off or damaged, what can be read is kept.

use std::fmt;

use crate::error::{Error, Failure, Kind};

/// What happened to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The task returned `Err(Failure)`.
    Failure(Failure),
    /// The task panicked.
    Panic {
        /// What it said.
        message: String,
        /// Where, as `file:line:column`.
        location: Option<String>,
        /// How it got there, where that is recorded.
        backtrace: Option<String>,
    },
    /// The result could not be encoded.
    Encode(String),
    /// The arguments could not be decoded.
    Decode(String),
}

/// No text is longer than this in a report, and a backtrace at most four times that.
const TEXT: usize = 8 << 10;
/// No more causes than this travel.
const CAUSES: usize = 32;

const FAILURE: u8 = 1;
const PANIC: u8 = 2;
const ENCODE: u8 = 3;
const DECODE: u8 = 4;

impl Report {
    /// The report in bytes, 320 KiB at most.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Report::Failure(failure) => {
                bytes.push(FAILURE);
                put(&mut bytes, failure.message(), TEXT);
                for cause in failure.causes().iter().take(CAUSES) {
                    put(&mut bytes, cause, TEXT);
                }
            }
            Report::Panic {
                message,
                location,
                backtrace,
            } => {
                bytes.push(PANIC);
                put(&mut bytes, message, TEXT);
                put(&mut bytes, location.as_deref().unwrap_or(""), TEXT);
                put(&mut bytes, backtrace.as_deref().unwrap_or(""), 4 * TEXT);
            }
            Report::Encode(text) => {
                bytes.push(ENCODE);
                put(&mut bytes, text, TEXT);
            }
            Report::Decode(text) => {
                bytes.push(DECODE);
                put(&mut bytes, text, TEXT);
            }
        }
        bytes
    }

    /// What can be read of a report.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let Some((kind, mut rest)) = bytes.split_first() else {
            return Report::Decode("the process sent an empty report".to_owned());
        };
        let mut text = || take(&mut rest);
        match *kind {
            FAILURE => {
                let message = text().unwrap_or_default();
                let causes = std::iter::from_fn(text).take(CAUSES).collect();
                Report::Failure(Failure::with_causes(message, causes))
            }
            PANIC => Report::Panic {
                message: text().unwrap_or_default(),
                location: text().filter(|text| !text.is_empty()),
                backtrace: text().filter(|text| !text.is_empty()),
            },
            ENCODE => Report::Encode(text().unwrap_or_default()),
            DECODE => Report::Decode(text().unwrap_or_default()),
            _ => Report::Decode("the process sent a report that cannot be read".to_owned()),
        }
    }
}

fn put(bytes: &mut Vec<u8>, text: &str, limit: usize) {
    const CUT: &str = "…";
    let (text, mark) = if text.len() <= limit {
        (text, "")
    } else {
        let end = (0..=limit - CUT.len())
            .rev()
            .find(|end| text.is_char_boundary(*end));
        (&text[..end.unwrap_or(0)], CUT)
    };
    let len = (text.len() + mark.len()) as u32;
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(mark.as_bytes());
}

fn take(rest: &mut &[u8]) -> Option<String> {
    let (len, tail) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
    let (text, tail) = tail.split_at(len.min(tail.len()));
    *rest = tail;
    Some(String::from_utf8_lossy(text).into_owned())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Failure(failure) => write!(f, "{failure}"),
            Report::Panic {
                message, location, ..
            } => {
                write!(f, "panicked: {message}")?;
                match location {
                    Some(location) => write!(f, " at {location}"),
                    None => Ok(()),
                }
            }
            Report::Encode(text) | Report::Decode(text) => f.write_str(text),
        }
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        match report {
            Report::Failure(failure) => failure.into_error(),
            Report::Panic {
                message,
                location,
                backtrace,
            } => {
                let mut error = Error::new(Kind::Panic, format!("panicked: {message}"));
                if let Some(location) = location {
                    error = error.with_location(location);
                }
                if let Some(backtrace) = backtrace {
                    error = error.with_backtrace(backtrace);
                }
                error
            }
            Report::Encode(text) => Error::new(Kind::Encode, text),
            Report::Decode(text) => Error::new(Kind::Decode, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Report> {
        let panic = |location: Option<&str>| Report::Panic {
            message: "böse".to_owned(),
            location: location.map(str::to_owned),
            backtrace: None,
        };
        let causes = vec!["a".to_owned(), String::new()];
        vec![
            Report::Failure(Failure::new("no")),
            Report::Failure(Failure::with_causes("no".to_owned(), causes)),
            panic(None),
            panic(Some("src/main.rs:3:5")),
            Report::Encode("e".to_owned()),
            Report::Decode(String::new()),
        ]
    }

    #[test]
    fn reports_come_back() {
        for report in samples() {
            assert_eq!(Report::from_bytes(&report.to_bytes()), report);
        }
    }

    #[test]
    fn every_damaged_report_is_read() {
        for report in samples() {
            let bytes = report.to_bytes();
            for end in 0..bytes.len() {
                let _ = Report::from_bytes(&bytes[..end]);
                let mut damaged = bytes.clone();
                for byte in [0, 1, 0x7f, 0xff] {
                    damaged[end] = byte;
                    let _ = Report::from_bytes(&damaged);
                }
            }
        }
        let cut = Report::Failure(Failure::new("a long text")).to_bytes();
        let Report::Failure(failure) = Report::from_bytes(&cut[..11]) else {
            panic!("another kind");
        };
        assert_eq!(failure.message(), "a long");
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let report = Report::Encode("ö".repeat(TEXT));
        let bytes = report.to_bytes();
        assert!(bytes.len() <= TEXT + 5);
        let Report::Encode(text) = Report::from_bytes(&bytes) else {
            panic!("another kind");
        };
        assert!(text.ends_with("ö…") && text.len() >= TEXT - 4);
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_place() {
        let error = Error::from(samples().remove(3));
        assert!(error.is_panic());
        assert_eq!(error.location(), Some("src/main.rs:3:5"));
        assert_eq!(error.to_string(), "panicked: böse at src/main.rs:3:5");
    }
}
