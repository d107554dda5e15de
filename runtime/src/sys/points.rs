//! Where tests end or stop a process: behind each of its stores into memory that others see. Nothing at all in the product.

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn stored(_what: &'static str) {}

#[cfg(test)]
pub(crate) use armed::{arm, stored};

#[cfg(test)]
mod armed {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::getpid;

    /// How many stores are left; 0 when nothing is to happen.
    static LEFT: AtomicU64 = AtomicU64::new(0);
    static ORDER: Mutex<Option<(Signal, PathBuf)>> = Mutex::new(None);

    /// Sends this process the signal behind its `count`-th store from now on, and says in the file who that was, and where.
    pub(crate) fn arm(count: u64, signal: Signal, file: PathBuf) {
        *ORDER.lock().unwrap_or_else(PoisonError::into_inner) = Some((signal, file));
        LEFT.store(count, Ordering::SeqCst);
    }

    pub(crate) fn stored(what: &'static str) {
        if LEFT.load(Ordering::Relaxed) == 0 || LEFT.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        let order = ORDER.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((signal, file)) = order {
            // Whole or not at all.
            let draft = file.with_extension("draft");
            let _ = std::fs::write(&draft, format!("{} {what}", getpid()));
            let _ = std::fs::rename(draft, file);
            // Sent to oneself, it is delivered before this returns.
            let _ = kill(getpid(), signal);
        }
    }
}
