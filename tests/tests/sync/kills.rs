//! Processes that are killed in every role.
