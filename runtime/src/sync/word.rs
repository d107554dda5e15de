//! The lock word: 32 bits in the shared heap that name the process which holds the lock.
//!
//! Relies on `seam` (atomics, futexes) and on [`Peers`] (who lives). It names a process, not a thread: threads of one
//! process exclude each other by the same compare-and-swap.
//!
//! States: the low 31 bits are 0 (free) or the owner's `SlotId::pack()`; bit 31, WAITERS, says that somebody may sleep.
//!
//! | from | to | by |
//! |---|---|---|
//! | free | owner | who takes it; without WAITERS: all who slept were woken, and set it again before they sleep |
//! | owner | owner + WAITERS | who is about to sleep |
//! | owner | free | the owner |
//! | owner + WAITERS | free | the owner, by the kernel, which wakes all in the same call |
//! | dead owner (± WAITERS) | owner + WAITERS | who takes it over: the dead one is wholly gone |
//!
//! Every operation is one store. A holder that is killed leaves its name; it is found by who sleeps on the
//! holder's liveness word as well. The kernel wakes *one* sleeper of that word, so this one first wakes all the others, and
//! only then sees to it that the dead process is gone. That one must not be dying itself. So nobody sleeps on the life of one with
//! whom it dies, its parent or a parent of that; and who sleeps behind a process of another family sleeps on the lives of that
//! one's parents as well, for who kills a parent kills the holder and others who may be waiting for it, but no sleeper on the
//! parent's word. Should the one that is woken be killed all the same before it has come to wake the others, nobody else has been told:
//! therefore a sleeper behind another process looks again after [`BACKSTOP`]. (The parent tells all, too, when it reaps.)
//! Unlocking wakes all, and in the same step, so that neither a killed holder nor a killed waiter takes a wake-up with it.
//!
//! A word may be written over by a process that writes wildly. One that names nobody, or the dead, is taken over. One that names this
//! process looks as if another thread of it had the lock, for ever if need be; but a lock that running code holds for moments
//! only, as those inside of the objects, is not waited for longer than [`PATIENCE`] then (see [`Word::lock_within`]).
//!
//! Orderings: taking is Acquire, giving back is Release; WAITERS is set with Relaxed, because it carries nothing. The kernel's
//! own changes and the compare in its sleep are sequentially consistent.

use super::seam::{
    AtomicU32, Change, Ordering, Spin, Wait, change_and_wake, stored, wait_any, wake_all,
};
use std::time::{Duration, Instant};

const FREE: u32 = 0;
/// Somebody may sleep on the word.
const WAITERS: u32 = 1 << 31;

/// How long one sleeps behind another process before one looks whether it lives, unasked.
/// (In the unit tests never: they show that all else works without.)
pub(super) const BACKSTOP: Duration = Duration::from_secs(if cfg!(test) { 3600 } else { 1 });

/// How often a sleep of [`LAP`] behind this very process has to end without any sign before a lock that is held for moments only counts
/// as written over. Counted in sleeps, not by the clock: what stops this process (a debugger, SIGSTOP, a suspended
/// machine) ends one sleep at most.
const PATIENCE: u32 = 10;
const LAP: Duration = Duration::from_millis(if cfg!(test) { 100 } else { 1000 });

/// How long one waits behind a lock that is held for ever, and one that is held for moments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    ForEver,
    Moments,
}

/// The lock word. All-zero is free.
#[repr(transparent)]
pub(crate) struct Word(AtomicU32);

/// What the lock word asks about the processes of the session, which it knows by their packed names.
pub(crate) trait Peers {
    /// This process; never 0, bit 31 clear.
    fn me(&self) -> u32;
    /// What is known of that one, by a look at its liveness word.
    fn life(&self, owner: u32) -> Life<'_>;
    /// On whose lives to sleep behind that one.
    fn family(&self, owner: u32) -> Family<'_>;
    /// Waits for the end of a process whose parent is dead, or the deadline; whether it is gone.
    fn wait_orphan(&self, owner: u32, deadline: Instant) -> bool;
    /// Wakes all who sleep on its liveness word.
    fn tell(&self, owner: u32);
    /// Waits until a process that is marked dead is wholly gone; `false` when the deadline passed.
    fn wait_gone(&self, owner: u32, deadline: Option<Instant>) -> bool;
    /// Whether a process that is not marked dead is gone all the same: a look at the process itself, which takes a while.
    fn is_gone_unmarked(&self, owner: u32) -> bool;
}

/// What is known of a process.
pub(crate) enum Life<'a> {
    /// It lives; the word no longer has this value, and is woken, when it dies.
    Alive(&'a AtomicU32, u32),
    /// It is dead; threads of it may still write.
    Dying,
    /// It can write no more.
    Gone,
}

/// The most lives that one sleeps on behind one process besides its own.
pub(crate) const FAMILY: usize = 7;

/// On whose lives to sleep behind a process.
pub(crate) enum Family<'a> {
    /// On none: it is a parent of this process, or of its parents, and this process dies with it.
    Own,
    /// Its own, and those of its parents with whom this process does not die: the words, and what they hold.
    Other([Option<(&'a AtomicU32, u32)>; FAMILY]),
    /// This parent is dead, and the kernel may have told nobody else: the process dies in a moment.
    Orphan(u32),
}

/// How long one waits for an orphan to die, and for nothing else.
pub(crate) const ORPHAN: Duration = Duration::from_millis(200);

/// The lock has been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what it guards may have been left half-way"]
pub(crate) struct Acquired {
    /// The packed name of the process that held it when it died, if it was taken over. Reported once.
    pub(crate) from_dead: Option<u32>,
}

/// The deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimedOut;

impl Word {
    /// One that this process holds already; 0 for nobody.
    #[cfg(test)]
    pub(crate) fn held_by(owner: u32) -> Self {
        Word(AtomicU32::new(owner))
    }

    /// As somebody does who writes where it must not.
    #[cfg(test)]
    pub(crate) fn write_over(&self, with: u32) {
        self.0.store(with, Ordering::SeqCst);
    }

    /// The packed name of who holds it, if anybody does. Out of date at once.
    pub(crate) fn owner(&self) -> Option<u32> {
        let owner = self.0.load(Ordering::Acquire) & !WAITERS;
        (owner != FREE).then_some(owner)
    }

    /// Takes it, as soon as it is free or its holder is dead and gone.
    #[inline]
    pub(crate) fn lock(
        &self,
        peers: &impl Peers,
        deadline: Option<Instant>,
    ) -> Result<Acquired, TimedOut> {
        let me = peers.me();
        let taken = self
            .0
            .compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_ok() {
            stored("lock: taken");
            return Ok(Acquired { from_dead: None });
        }
        self.contend(peers, me, Spin::new(), deadline, Held::ForEver)
    }

    /// As [`lock`](Self::lock), of a lock that is only ever held for moments, by code that runs. Without a deadline it is taken, or it
    /// cannot be: it names this process, none of whose threads has it, because somebody wrote over it (`TimedOut`).
    #[inline(always)]
    pub(crate) fn lock_within(
        &self,
        peers: &impl Peers,
        deadline: Option<Instant>,
    ) -> Result<Acquired, TimedOut> {
        let me = peers.me();
        if self.take_free(me) {
            return Ok(Acquired { from_dead: None });
        }
        self.contend(peers, me, Spin::new(), deadline, Held::Moments)
    }

    /// Takes it if it is free, and nothing has to be looked up for that.
    #[inline(always)]
    pub(crate) fn take_free(&self, me: u32) -> bool {
        let taken = self
            .0
            .compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed)
            .is_ok();
        if taken {
            stored("lock: taken");
        }
        taken
    }

    /// Takes it if nobody who lives holds it.
    pub(crate) fn try_lock(&self, peers: &impl Peers) -> Option<Acquired> {
        let me = peers.me();
        let taken = self
            .0
            .compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed);
        match taken {
            Ok(_) => {
                stored("lock: taken");
                Some(Acquired { from_dead: None })
            }
            // What is over is over: this looks once, and takes over what a dead process has held.
            Err(_) => {
                let now = Some(Instant::now());
                self.contend(peers, me, Spin::none(), now, Held::ForEver)
                    .ok()
            }
        }
    }

    /// Gives it back, if this process holds it.
    #[inline]
    pub(crate) fn unlock(&self, peers: &impl Peers) {
        self.give_back(peers.me());
    }

    /// The same, by who knows its own name.
    #[inline(always)]
    pub(crate) fn give_back(&self, me: u32) {
        match self
            .0
            .compare_exchange(me, FREE, Ordering::Release, Ordering::Relaxed)
        {
            Ok(_) => stored("lock: free"),
            Err(seen) => self.unlock_and_wake(me, seen),
        }
    }

    #[cold]
    fn unlock_and_wake(&self, me: u32, seen: u32) {
        // Else it is not ours. Only who writes wildly brings us there.
        if seen == me | WAITERS {
            change_and_wake(&self.0, Change::Set(FREE));
            stored("lock: free, all woken");
        }
    }

    #[cold]
    fn contend(
        &self,
        peers: &impl Peers,
        me: u32,
        mut spin: Spin,
        deadline: Option<Instant>,
        held: Held,
    ) -> Result<Acquired, TimedOut> {
        // Found out not by its mark, but by a look at the process.
        let mut gone = None;
        let mut laps = 0;
        let mut orphan = None;
        loop {
            let seen = self.0.load(Ordering::Relaxed);
            let owner = seen & !WAITERS;
            if owner == FREE {
                if self.replace(seen, me | seen, Ordering::Acquire) {
                    stored("lock: taken after a wait");
                    return Ok(Acquired { from_dead: None });
                }
                continue;
            }
            if spin.again() {
                continue;
            }
            let life = match gone {
                Some(gone) if gone == owner => Life::Gone,
                _ => peers.life(owner),
            };
            let Life::Alive(word, value) = life else {
                if let Life::Dying = life {
                    // The kernel has told one of us.
                    peers.tell(owner);
                    let until = Instant::now() + BACKSTOP;
                    let until = deadline.map_or(until, |deadline| deadline.min(until));
                    if !peers.wait_gone(owner, Some(until)) {
                        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                            return Err(TimedOut);
                        }
                        // Other threads of it live on, and may give the lock back.
                        continue;
                    }
                }
                if self.take_over(peers, owner, me) {
                    return Ok(Acquired {
                        from_dead: Some(owner),
                    });
                }
                continue;
            };
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(TimedOut);
            }
            if seen & WAITERS == 0 {
                if !self.replace(seen, seen | WAITERS, Ordering::Relaxed) {
                    continue;
                }
                stored("lock: a waiter");
            }
            let expected = owner | WAITERS;
            if owner == me {
                // A thread of this process, which does not die alone.
                let lap =
                    (held == Held::Moments && deadline.is_none()).then(|| Instant::now() + LAP);
                let how = wait_any(&[(&self.0, expected)], deadline.or(lap));
                laps = if how == Wait::TimedOut { laps + 1 } else { 0 };
                if lap.is_some() && laps >= PATIENCE {
                    return Err(TimedOut);
                }
                continue;
            }
            let mut words = [(&self.0, expected); 2 + FAMILY];
            words[1] = (word, value);
            let mut count = 2;
            match peers.family(owner) {
                Family::Own => count = 1,
                Family::Other(lives) => {
                    for life in lives.into_iter().flatten() {
                        words[count] = life;
                        count += 1;
                    }
                }
                Family::Orphan(dead) if orphan != Some(owner) => {
                    peers.tell(dead);
                    // Once: one that lives on after all is waited for as any other.
                    orphan = Some(owner);
                    let until = Instant::now() + ORPHAN;
                    let until = deadline.map_or(until, |deadline| deadline.min(until));
                    if peers.wait_orphan(owner, until) {
                        gone = Some(owner);
                    }
                    continue;
                }
                Family::Orphan(_) => {}
            }
            let backstop = Instant::now() + BACKSTOP;
            let until = deadline.map_or(backstop, |deadline| deadline.min(backstop));
            let how = wait_any(&words[..count], Some(until));
            if how == Wait::TimedOut && until == backstop && peers.is_gone_unmarked(owner) {
                gone = Some(owner);
            }
        }
    }

    /// In place of a process that is gone. Whoever else sleeps behind it is told whose turn it is now.
    fn take_over(&self, peers: &impl Peers, dead: u32, me: u32) -> bool {
        let taken = self.replace(dead | WAITERS, me | WAITERS, Ordering::Acquire)
            || self.replace(dead, me | WAITERS, Ordering::Acquire);
        if taken {
            stored("lock: taken over");
            wake_all(&self.0);
            peers.tell(dead);
        }
        taken
    }

    fn replace(&self, old: u32, new: u32, success: Ordering) -> bool {
        self.0
            .compare_exchange(old, new, success, Ordering::Relaxed)
            .is_ok()
    }
}
