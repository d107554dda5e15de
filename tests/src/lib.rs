//! Helpers shared by the tests; the tests themselves are in `tests/`.
