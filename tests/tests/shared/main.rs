//! Shared data as a stranger uses them: values, arrays, pieces of them, in every place a handle can be, and under kills.

mod arrays;
mod atomics;
mod chunks;
mod common;
mod heap;
mod kills;
mod raws;
mod scribble;
mod travel;
mod values;
