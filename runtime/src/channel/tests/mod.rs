//! Tests that need the inside: kills behind every store, what is left in the heap, a writer that scribbles.

mod explorer;
mod leaks;
mod scribble;
