//! Tasks from the attribute to the trampoline, in one process.
