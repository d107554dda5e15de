//! What leaves its place when the message that carries it is sent, and not before. Relies on nothing.
//!
//! A receiver is in one place at a time. Encoding a message may fail half-way, there may be no room for it, nobody may be left
//! to take it: then the value comes back whole, and its receivers must be in it still. So encoding only notes here which
//! of them the message carries, and they leave when the message becomes the session's, just before it is committed.
//!
//! A thread notes for the message that it is encoding. Elsewhere (arguments, results) there is no such moment, and what is
//! encoded leaves at once.

use std::cell::RefCell;
use std::sync::Arc;

/// What can leave.
pub(super) trait Traveller: Send + Sync {
    /// It is on its way: this process does not have it any more.
    fn leave(&self);
}

/// Those that leave with one message.
pub(super) type Party = Vec<Arc<dyn Traveller>>;

thread_local! {
    static NOTED: RefCell<Option<Party>> = const { RefCell::new(None) };
}

/// Puts back what was there before, also when the user's code panics.
struct Outer(Option<Party>);

impl Drop for Outer {
    fn drop(&mut self) {
        let mine = NOTED.try_with(|noted| noted.replace(self.0.take()));
        drop(mine);
    }
}

/// Runs `encode`, and gives those that are to leave with what it has encoded.
#[inline]
pub(super) fn noting<R>(encode: impl FnOnce() -> R) -> (R, Party) {
    let outer = Outer(
        NOTED
            .try_with(|noted| noted.replace(Some(Party::new())))
            .ok()
            .flatten(),
    );
    let encoded = encode();
    let party = NOTED
        .try_with(RefCell::take)
        .ok()
        .flatten()
        .unwrap_or_default();
    drop(outer);
    (encoded, party)
}

/// Has `traveller` leave with the message that is being encoded, or now if there is none; `false` if it is in this one already.
pub(super) fn depart(traveller: &Arc<impl Traveller + 'static>) -> bool {
    let at = Arc::as_ptr(traveller).cast::<()>();
    let noted = NOTED.try_with(|noted| {
        let mut noted = noted.borrow_mut();
        let party = noted.as_mut()?;
        let is_new = party
            .iter()
            .all(|other| Arc::as_ptr(other).cast::<()>() != at);
        if is_new {
            party.push(Arc::clone(traveller) as Arc<dyn Traveller>);
        }
        Some(is_new)
    });
    // A thread at its very end notes nothing.
    noted.ok().flatten().unwrap_or_else(|| {
        traveller.leave();
        true
    })
}
