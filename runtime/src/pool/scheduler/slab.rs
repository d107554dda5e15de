//! A slab with generations: entries are reused with what they have allocated, and an id of a former entry finds nothing.
//! Relies on nothing.

/// Entries by slot; a slot's generation changes when its entry is freed.
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

struct Entry<T> {
    generation: u32,
    live: bool,
    value: T,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Slab {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Takes a slot and gives its number, its generation and the value its last owner left there (`fresh` where there
    /// was none), to be reset by the caller.
    pub(super) fn claim(&mut self, fresh: impl FnOnce() -> T) -> (u32, u32, &mut T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                live: false,
                value: fresh(),
            });
            (self.entries.len() - 1) as u32
        });
        let entry = &mut self.entries[slot as usize];
        entry.live = true;
        (slot, entry.generation, &mut entry.value)
    }

    /// Frees the slot, if that generation still lives there.
    #[inline]
    pub(super) fn free(&mut self, slot: u32, generation: u32) {
        if let Some(entry) = self.entries.get_mut(slot as usize)
            && entry.live
            && entry.generation == generation
        {
            entry.live = false;
            entry.generation = entry.generation.wrapping_add(1);
            self.free.push(slot);
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: u32, generation: u32) -> Option<&T> {
        let entry = self.entries.get(slot as usize)?;
        (entry.live && entry.generation == generation).then_some(&entry.value)
    }

    pub(super) fn get_mut(&mut self, slot: u32, generation: u32) -> Option<&mut T> {
        let entry = self.entries.get_mut(slot as usize)?;
        (entry.live && entry.generation == generation).then_some(&mut entry.value)
    }

    /// The entry of a slot that is known to be live.
    #[inline]
    pub(super) fn at(&self, slot: u32) -> &T {
        let entry = &self.entries[slot as usize];
        debug_assert!(entry.live);
        &entry.value
    }

    /// The entry of a slot that is known to be live.
    #[inline]
    pub(super) fn at_mut(&mut self, slot: u32) -> &mut T {
        let entry = &mut self.entries[slot as usize];
        debug_assert!(entry.live);
        &mut entry.value
    }

    /// The generation that lives in a slot.
    #[inline]
    pub(super) fn generation(&self, slot: u32) -> u32 {
        self.entries[slot as usize].generation
    }

    /// The slots that are in use.
    pub(super) fn live(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.entries.len() as u32).filter(|&slot| self.entries[slot as usize].live)
    }
}
