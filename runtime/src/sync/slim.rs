#![allow(unsafe_code)]
//! A reference, with something more behind it now and then, in one word. Relies on nothing.
//!
//! A guard that is returned inside a `Result` is moved a few times; two words are written one by one and read together, and
//! the processor waits for that longer than a lock takes. One word is moved in a register.

use std::marker::PhantomData;
use std::num::NonZero;
use std::ptr::NonNull;

/// The lowest bit of the word: it points to a [`With`].
const WITH: usize = 1;

/// A `&'a R`, and an `M` or none.
pub(super) struct Slim<'a, R, M> {
    word: NonNull<u8>,
    of: PhantomData<(&'a R, Box<With<'a, R, M>>)>,
}

struct With<'a, R, M> {
    to: &'a R,
    more: M,
}

// SAFETY: it is a reference and a box, and what both allow.
unsafe impl<R: Sync, M: Send> Send for Slim<'_, R, M> {}
// SAFETY: as above.
unsafe impl<R: Sync, M: Sync> Sync for Slim<'_, R, M> {}

impl<'a, R, M> Slim<'a, R, M> {
    #[inline(always)]
    pub(super) fn new(to: &'a R) -> Self {
        const { assert!(align_of::<R>() > WITH && align_of::<With<'_, R, M>>() > WITH) };
        Slim {
            word: NonNull::from(to).cast(),
            of: PhantomData,
        }
    }

    #[inline(always)]
    fn has_more(&self) -> bool {
        self.word.addr().get() & WITH != 0
    }

    fn with(&self) -> NonNull<With<'a, R, M>> {
        self.word
            .map_addr(|word| {
                // The bit is set, and the pointer behind it is no null pointer.
                NonZero::new(word.get() & !WITH).unwrap_or(word)
            })
            .cast()
    }

    #[inline(always)]
    pub(super) fn to(&self) -> &'a R {
        if self.has_more() {
            // SAFETY: with the bit set it is the pointer of a box that is this one's own.
            return unsafe { self.with().as_ref() }.to;
        }
        // SAFETY: without the bit it is the reference that this was made of.
        unsafe { self.word.cast().as_ref() }
    }

    /// Puts something behind it, in place of what was.
    pub(super) fn add(&mut self, more: M) {
        let to = self.to();
        let boxed = Box::new(With { to, more });
        let word = NonNull::from(Box::leak(boxed)).cast::<u8>();
        let old = std::mem::replace(&mut self.word, word.map_addr(|word| word | WITH));
        drop(Slim::<R, M> {
            word: old,
            of: PhantomData,
        });
    }

    /// Drops what is behind it.
    pub(super) fn take(&mut self) {
        let plain = Slim::new(self.to());
        drop(std::mem::replace(self, plain));
    }
}

impl<R, M> Drop for Slim<'_, R, M> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.has_more() {
            drop_with(self);
        }
    }
}

#[cold]
#[inline(never)]
fn drop_with<R, M>(slim: &mut Slim<'_, R, M>) {
    // SAFETY: the box is this one's own, and nobody uses it after this.
    let with = unsafe { Box::from_raw(slim.with().as_ptr()) };
    drop(with.more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn what_is_behind_is_dropped_once() {
        let (to, more) = (7u64, Rc::new(()));
        let mut slim = Slim::new(&to);
        assert_eq!(size_of_val(&slim), size_of::<usize>());
        slim.take();
        for _ in 0..3 {
            slim.add(Rc::clone(&more));
            assert_eq!((*slim.to(), Rc::strong_count(&more)), (7, 2));
        }
        slim.take();
        assert_eq!((*slim.to(), Rc::strong_count(&more)), (7, 1));
        slim.add(Rc::clone(&more));
        drop(slim);
        assert_eq!(Rc::strong_count(&more), 1);
    }
}
