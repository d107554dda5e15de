#![allow(unsafe_code)]
//! The guard of an array, and the pieces it has lent. Relies on `array` and `lease`.
//!
//! A guard without leases gives the lock back itself. With the first leases that duty goes to a [`Lending`], which the guard shares
//! with those chunks of this process that are worked on here: the last of them to go ends all leases, waits for the pieces
//! that are out in other processes, and gives the lock back. So a guard that is dropped before a chunk of its own thread does not
//! wait for that thread.
//!
//! The guard is no slice of the elements while a lease is open: using it as one ends them all first. That also holds
//! for a guard whose user has leaked (`mem::forget`) whatever it had to do with its leases, and therefore it is here and not
//! in lifetimes.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::array::Array;
use super::chunk::Chunk;
use super::lease::End;
use super::view::View;
use crate::codec::Plain;
use crate::error::{Error, Kind, Result};
use crate::sys::memory;

/// The elements of an [`Array`], while its lock is held: a slice, in place.
///
/// It also lends pieces of them ([`chunks`](Self::chunks)). While pieces are lent, the first use of the guard as a slice ends the leases:
/// pieces that were sent and not yet begun are refused to whoever comes late, those that are worked on are waited for.
/// The same happens when the guard is dropped.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct ArrayGuard<'a, T: Plain> {
    array: &'a Array<T>,
    lending: Option<Arc<Lending<T>>>,
    /// What was half-written when the lock was taken.
    damaged: Vec<Range<usize>>,
    view: View<T>,
    of: PhantomData<&'a mut [T]>,
}

impl<'a, T: Plain> ArrayGuard<'a, T> {
    pub(super) fn new(array: &'a Array<T>, damaged: Vec<Range<usize>>) -> Self {
        ArrayGuard {
            array,
            lending: None,
            damaged,
            view: View::new(),
            of: PhantomData,
        }
    }

    /// Lends all elements in `count` pieces of about the same length, in order; fewer where there are fewer elements.
    ///
    /// Each piece is a [`Chunk`] to hand to a task. Pieces lent before are taken back first, as [`reclaim`](Self::reclaim) does it.
    ///
    /// # Errors
    /// `count` is 0 (`is_usage`), the heap is at its limit, or a piece lent before is worked on in this process (`is_usage`).
    pub fn chunks(&mut self, count: usize) -> Result<Vec<Chunk<T>>> {
        if count == 0 {
            return Err(Error::new(
                Kind::Usage,
                "an array cannot be lent in 0 pieces",
            ));
        }
        let len = self.array.len();
        let count = count.min(len);
        let (each, longer) = match count {
            0 => (0, 0),
            count => (len / count, len % count),
        };
        let begin = |piece: usize| piece * each + piece.min(longer);
        self.lend((0..count).map(|piece| begin(piece)..begin(piece + 1)))
    }

    /// Lends all elements in pieces of `len` elements, in order; the last may be shorter.
    ///
    /// # Errors
    /// As [`chunks`](Self::chunks).
    pub fn chunks_of(&mut self, len: usize) -> Result<Vec<Chunk<T>>> {
        if len == 0 {
            return Err(Error::new(
                Kind::Usage,
                "an array cannot be lent in pieces of no elements",
            ));
        }
        let all = self.array.len();
        let begins = (0..all).step_by(len);
        self.lend(begins.map(|begin| begin..begin.saturating_add(len).min(all)))
    }

    /// Ends all leases: waits for the pieces that are worked on in other processes, and for none that is merely sent, which
    /// whoever comes late is refused. If a process with a piece dies, that piece counts as back, once the process is wholly gone.
    ///
    /// # Errors
    /// Pieces came back half-written (`is_poisoned`): the text says which, and so does [`damaged`](Self::damaged). A piece is worked on
    /// in this process, through a chunk of this guard (`is_usage`): drop or [`release`](Chunk::release) it first.
    pub fn reclaim(&mut self) -> Result<()> {
        let Some(lending) = &self.lending else {
            return Ok(());
        };
        lending.settle()?;
        let mut state = lending.state();
        let state = &mut *state;
        state.unreported = None;
        let told = std::mem::replace(&mut state.told, state.damaged.len());
        match &state.damaged[told..] {
            [] => Ok(()),
            damaged => {
                let text = format!(
                    "elements {damaged:?} of the array may be half-written: whoever worked on them died or panicked"
                );
                Err(Error::new(Kind::Poisoned, text))
            }
        }
    }

    /// Which elements may be half-written: because a holder of the lock died before, or whoever worked on a piece. Open leases are
    /// not counted; [`reclaim`](Self::reclaim) ends them.
    ///
    /// Who has asked has been told: dropping the guard does not poison the array for the next.
    pub fn damaged(&self) -> Vec<Range<usize>> {
        let mut damaged = self.damaged.clone();
        if let Some(lending) = &self.lending {
            let mut state = lending.state();
            state.unreported = None;
            damaged.extend(state.damaged.iter().cloned());
        }
        damaged
    }

    fn lend(&mut self, pieces: impl Iterator<Item = Range<usize>>) -> Result<Vec<Chunk<T>>> {
        let lending = self.lending.get_or_insert_with(|| Lending::new(self.array));
        lending.settle()?;
        // The borrowers see what was written here.
        self.view.write_back(self.array, &(0..self.array.len()));
        let mut state = lending.state();
        // Before the first of them is out.
        lending.open.store(true, Ordering::Release);
        let handle = self.array.handle();
        let mut chunks = Vec::with_capacity(pieces.size_hint().0);
        for (index, piece) in pieces.enumerate() {
            let lease = self
                .array
                .leases()
                .lend(handle.heap(), handle.place(), index as u32)?;
            state.leases.push((lease.entry, piece.clone()));
            chunks.push(Chunk::lent(self.array, lease, piece, lending));
        }
        Ok(chunks)
    }

    /// Sees to it that no lease is open.
    #[inline]
    #[track_caller]
    fn take_back(&self) {
        if let Some(lending) = &self.lending
            && lending.open.load(Ordering::Acquire)
            && let Err(error) = lending.settle()
        {
            panic!("{error}");
        }
    }
}

impl<T: Plain> Deref for ArrayGuard<'_, T> {
    type Target = [T];

    /// # Panics
    /// A piece is worked on in this process, through a [`Chunk`] of this guard.
    #[inline]
    #[track_caller]
    fn deref(&self) -> &[T] {
        self.take_back();
        // SAFETY: the lock is held, no lease is open (just seen to), and leases are opened through `&mut self` only.
        unsafe { self.view.get(self.array, &(0..self.array.len())) }
    }
}

impl<T: Plain> DerefMut for ArrayGuard<'_, T> {
    /// # Panics
    /// As `deref`.
    #[inline]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut [T] {
        self.take_back();
        // SAFETY: as in `deref`.
        unsafe { self.view.get_mut(self.array, &(0..self.array.len())) }
    }
}

impl<T: Plain> Drop for ArrayGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if memory::forked() {
            return;
        }
        // Nothing was changed since pieces were lent.
        self.view.write_back(self.array, &(0..self.array.len()));
        if self.lending.is_none() {
            self.array.unlock();
        }
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for ArrayGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.lending {
            Some(lending) if lending.open.load(Ordering::Acquire) => f.write_str("[lent]"),
            _ => (**self).fmt(f),
        }
    }
}

/// The leases that a guard has opened, and the duty to give the lock back after the last of them.
pub(super) struct Lending<T: Plain> {
    array: Array<T>,
    /// Whether there may be open leases.
    open: AtomicBool,
    /// How many chunks are worked on in this process, by whoever has them from the guard.
    here: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The entry and the elements of each open lease.
    leases: Vec<(u32, Range<usize>)>,
    damaged: Vec<Range<usize>>,
    /// How many of those `reclaim` has told.
    told: usize,
    /// A process died with a piece, and nobody has asked.
    unreported: Option<Option<u32>>,
}

impl<T: Plain> Lending<T> {
    fn new(array: &Array<T>) -> Arc<Self> {
        Arc::new(Lending {
            array: array.clone(),
            open: AtomicBool::new(false),
            here: AtomicUsize::new(0),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A chunk of this process is worked on from now on, or no more.
    pub(super) fn count_here(&self, begins: bool) {
        if begins {
            self.here.fetch_add(1, Ordering::AcqRel);
        } else {
            self.here.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Ends all leases.
    fn settle(&self) -> Result<()> {
        if self.here.load(Ordering::Acquire) > 0 {
            return Err(Error::new(
                Kind::Usage,
                "a piece of the array is worked on in this process: drop or release its chunk first",
            ));
        }
        self.end_all();
        Ok(())
    }

    fn end_all(&self) {
        let mut state = self.state();
        let State {
            leases,
            damaged,
            unreported,
            ..
        } = &mut *state;
        let handle = self.array.handle();
        let ends = |entry| {
            let (heap, place) = (handle.heap(), handle.place());
            loop {
                // Without a deadline none can pass.
                if let Ok(end) = self.array.leases().end(heap, place, entry, None) {
                    return end;
                }
            }
        };
        // First those that nobody has, so that no more of them go out.
        let mut ended: Vec<(End, Range<usize>)> = Vec::new();
        leases.retain(|(entry, piece)| {
            let end = self
                .array
                .leases()
                .end_idle(handle.heap(), handle.place(), *entry);
            ended.extend(end.map(|end| (end, piece.clone())));
            end.is_none()
        });
        ended.extend(leases.drain(..).map(|(entry, piece)| (ends(entry), piece)));
        for (end, piece) in ended {
            match end {
                End::Whole => continue,
                End::Broken => {}
                End::Died(pid) => *unreported = Some(pid),
            }
            self.array.mend(piece.clone());
            damaged.push(piece);
        }
        self.open.store(false, Ordering::Release);
    }
}

impl<T: Plain> Drop for Lending<T> {
    fn drop(&mut self) {
        if memory::forked() {
            return;
        }
        self.end_all();
        let state = self.state();
        if let Some(pid) = state.unreported {
            let from = state.damaged.iter().map(|piece| piece.start).min();
            let to = state.damaged.iter().map(|piece| piece.end).max();
            self.array.poison(from.unwrap_or(0)..to.unwrap_or(0), pid);
        }
        self.array.unlock();
    }
}
