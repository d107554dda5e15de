//! What goes wrong in taking a lock: [`LockError`], and in it, when a holder has died, [`Poisoned`] with the lock taken.

use super::latch::Dead;
use super::word::TimedOut;
use crate::error::{Error, Kind};
use std::fmt;

/// What `lock`, `read`, `write` and the like of all shared objects give.
pub type LockResult<G> = std::result::Result<G, LockError<G>>;
/// What the same give with a time-out: `None` when it passed.
pub type TryLockResult<G> = std::result::Result<Option<G>, LockError<G>>;

/// Why a lock was not simply taken.
///
/// One design for everything that can be locked: a time-out that passes is no error but `Ok(None)` (or `Ok(false)`), as with
/// `join_timeout` and `get_timeout`, because whoever sets one expects it. What nobody expects is an `Err`: that a holder has
/// *died* ([`Poisoned`](Self::Poisoned); the lock *is* taken, and the guard is inside), or that the call was impossible
/// ([`Failed`](Self::Failed)). So there are three ways to treat a lock whose holder may die:
///
/// ```
/// # mp::init().unwrap();
/// # fn put_right() {}
/// # fn main() -> mp::Result<()> {
/// let lock = mp::Lock::new()?;
/// // The death of a holder ends this function too, with an error that says which process it was.
/// let guard = lock.lock()?;
/// # drop(guard);
/// // It does not matter: what the lock protects is good at every moment.
/// let guard = lock.lock().or_else(mp::LockError::into_guard)?;
/// # drop(guard);
/// // What it protects is put right first.
/// let guard = match lock.lock() {
///     Ok(guard) => guard,
///     Err(mp::LockError::Poisoned(dead)) => {
///         put_right();
///         dead.into_guard()
///     }
///     Err(error) => return Err(error.into()),
/// };
/// # drop(guard);
/// # Ok(())
/// # }
/// ```
///
/// A death is reported once, to whoever takes the lock over from the dead process; after that the lock is as any other.
pub enum LockError<G> {
    /// A process died while it held the lock. This one holds it now; what it protects may be half-way.
    Poisoned(Poisoned<G>),
    /// The call could not be carried out, and nothing is held.
    Failed(Error),
}

impl<G> LockError<G> {
    /// Whether a process died while it held the lock.
    pub fn is_poisoned(&self) -> bool {
        matches!(self, LockError::Poisoned(_))
    }

    /// The guard, as if nobody had died.
    ///
    /// # Errors
    /// The call could not be carried out; then there is none.
    pub fn into_guard(self) -> Result<G, Error> {
        match self {
            LockError::Poisoned(poisoned) => Ok(poisoned.guard),
            LockError::Failed(error) => Err(error),
        }
    }
}

/// What a call gives that has taken a latch, or has not.
#[inline]
pub(crate) fn outcome<G>(
    taken: Result<Option<Dead>, TimedOut>,
    what: &'static str,
    guard: impl FnOnce() -> G,
) -> TryLockResult<G> {
    match taken {
        Ok(None) => Ok(Some(guard())),
        Ok(Some(dead)) => Err(LockError::Poisoned(Poisoned::new(guard(), what, dead.pid))),
        Err(TimedOut) => Ok(None),
    }
}

/// The same of a call without a deadline.
#[inline]
pub(crate) fn without_deadline<G>(outcome: TryLockResult<G>) -> LockResult<G> {
    outcome?.ok_or_else(|| LockError::Failed(Error::new(Kind::Timeout, "no deadline was set")))
}

/// A lock that was taken over from a process that died while it held it, with the guard inside.
pub struct Poisoned<G> {
    guard: G,
    what: &'static str,
    pid: Option<u32>,
}

impl<G> Poisoned<G> {
    pub(crate) fn new(guard: G, what: &'static str, pid: Option<u32>) -> Self {
        Poisoned { guard, what, pid }
    }

    /// The guard. The lock is held, as if nobody had died.
    pub fn into_guard(self) -> G {
        self.guard
    }

    /// The guard, to look at or to put things right.
    pub fn guard_mut(&mut self) -> &mut G {
        &mut self.guard
    }

    /// The process that died, by its process id; `None` where that is not known any more.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }
}

/// The error of a lock that was taken over.
pub(crate) fn poisoned(what: &str, pid: Option<u32>) -> Error {
    let error = Error::new(
        Kind::Poisoned,
        format!("a process died while it held the {what}: what it protects may be half-way"),
    );
    match pid {
        Some(pid) => error.with_pid(pid),
        None => error,
    }
}

impl<G> From<LockError<G>> for Error {
    /// Gives the lock back, if it was taken.
    fn from(error: LockError<G>) -> Error {
        match error {
            LockError::Poisoned(dead) => poisoned(dead.what, dead.pid),
            LockError::Failed(error) => error,
        }
    }
}

impl<G> From<Error> for LockError<G> {
    fn from(error: Error) -> Self {
        LockError::Failed(error)
    }
}

impl<G> fmt::Display for Poisoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        poisoned(self.what, self.pid).fmt(f)
    }
}

impl<G> fmt::Debug for Poisoned<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<G> std::error::Error for Poisoned<G> {}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::Poisoned(dead) => dead.fmt(f),
            LockError::Failed(error) => error.fmt(f),
        }
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Not an `Error` itself: it would be one with the lifetime of the guard, and `?` could not put it into a `Box<dyn Error>`. Instead it
// becomes whatever an `mp::Error` becomes, and gives the lock back.

impl<G> From<LockError<G>> for Box<dyn std::error::Error> {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}

impl<G> From<LockError<G>> for Box<dyn std::error::Error + Send + Sync> {
    fn from(error: LockError<G>) -> Self {
        Error::from(error).into()
    }
}
