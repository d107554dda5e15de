//! Pipes, queues, and waiting for several of them: CPython's `_TestConnection`, `_TestPoll`, `_TestQueue`, `TestSimpleQueue`
//! and `TestWait` as behaviour, then what those cannot do: kills, stops, many of everything.

mod forks;
mod futures;
mod joinable;
mod kills;
mod parting;
mod pipe;
mod queue;
mod wait;
