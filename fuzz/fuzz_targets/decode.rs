//! The decoder under coverage-guided fuzzing: no panic, no abort, no hang, no memory beyond the
//! message's; what it accepts can be written again and is accepted again.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mp_fuzz::decode(input));
