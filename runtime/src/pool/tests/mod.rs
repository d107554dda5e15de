//! Tests of the pool that need to look inside; what a stranger sees of it is tested from outside.

mod explorer;
mod late;
mod lone;
