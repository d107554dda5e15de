//! The table of `#[mp::test]`s, through which the process of a test finds its body. Relies on `panic` and `returned`.

use std::panic::catch_unwind;
use std::sync::OnceLock;

use super::panic;
use super::returned::Outcome;

/// A test without a limit of its own may take this long.
const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// One test.
#[doc(hidden)]
pub struct TestEntry {
    type_name: fn() -> &'static str,
    body: fn() -> Outcome,
    timeout_ms: Option<u64>,
    name: OnceLock<&'static str>,
}

impl TestEntry {
    /// The test whose function encloses the type that `type_name` names.
    pub const fn new(
        type_name: fn() -> &'static str,
        body: fn() -> Outcome,
        timeout_ms: Option<u64>,
    ) -> Self {
        TestEntry {
            type_name,
            body,
            timeout_ms,
            name: OnceLock::new(),
        }
    }

    /// The path of the test's function.
    pub(crate) fn name(&self) -> &'static str {
        self.name.get_or_init(|| {
            let name = (self.type_name)();
            name.rsplit_once("::")
                .map_or(name, |(function, _)| function)
        })
    }

    /// How long it may take.
    pub(crate) fn timeout_ms(&self) -> u64 {
        self.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS)
    }

    /// Runs the body in this process.
    pub(crate) fn run(&self) -> Result<(), String> {
        match catch_unwind(self.body) {
            Ok(outcome) => outcome.0,
            Err(payload) => Err(panic::report_of(payload).to_string()),
        }
    }
}

/// What an expansion submits to the table of tests.
#[doc(hidden)]
pub struct RegisteredTest(&'static TestEntry);

impl RegisteredTest {
    /// One test.
    pub const fn new(entry: &'static TestEntry) -> Self {
        RegisteredTest(entry)
    }
}

inventory::collect!(RegisteredTest);

/// The test of this name.
pub(crate) fn find_test(name: &str) -> Option<&'static TestEntry> {
    inventory::iter::<RegisteredTest>()
        .map(|test| test.0)
        .find(|test| test.name() == name)
}
