//! What can still be had from a worker that is gone: what it was on, and what it had finished of its last job, salvaged from
//! the block it was writing.

use super::super::Event;
use super::worker::{Sent, Worker};
use crate::codec::Parcel;
use crate::heap::Heap;
use crate::pool::mail::{FOLD, FRAMED};
use crate::pool::payload::Payload;
use crate::pool::scheduler::{JobId, Part, WorkerId};
use crate::task;

impl Worker {
    /// What a dead worker was on, and what of it can still be had.
    pub(super) fn last_words(
        &mut self,
        heap: &'static Heap,
        id: WorkerId,
        events: &mut Vec<Event>,
    ) -> Option<(JobId, u32)> {
        while self.sent.front().is_some_and(|sent| sent.recalled) {
            self.sent.pop_front();
        }
        let sent = self.sent.front()?;
        if !self.mail.is_claimed(sent.seq) {
            return None;
        }
        let Part { job, from, to } = sent.part;
        let (progress, block) = self.mail.remains();
        let reached = u32::try_from(progress)
            .ok()
            .filter(|reached| (from..=to).contains(reached))
            .unwrap_or(from);
        if reached > from && sent.flags & FOLD == 0 && !self.condemned {
            let salvaged = self.salvage(heap, block, sent, from, reached);
            let Some(values) = salvaged else {
                // What it had finished is lost and runs again; to blame is the item it was on all the same.
                return Some((job, reached.min(to - 1)));
            };
            events.push(Event::Values {
                worker: id,
                job,
                from,
                to: reached,
                ns: 0,
                values,
                folded: false,
            });
            return (reached < to).then_some((job, reached));
        }
        if self.condemned {
            return Some((job, from));
        }
        Some((job, reached.min(to - 1)))
    }

    /// The results of the finished items of a job that was never published, if they stand where the mailbox says.
    fn salvage(
        &self,
        heap: &'static Heap,
        block: u64,
        sent: &Sent,
        from: u32,
        reached: u32,
    ) -> Option<Payload> {
        let entry = task::table().ok()?.get(sent.task)?;
        if entry.fixed_out() == Some(0) {
            // Values without size stand nowhere.
            return Some(Payload::slot(heap, Default::default(), 0, 0));
        }
        if block == 0 || heap.owner(block).ok()? != self.member.slot {
            return None;
        }
        let room = heap.size_of(block).ok()?;
        let count = (reached - from) as usize;
        let (len, flags) = match entry.fixed_out() {
            Some(size) => (size.checked_mul(count)?, 0),
            // How long a lone value is was never said: it is lost with its worker.
            None if sent.lone => return None,
            None => (room, FRAMED),
        };
        if len > room {
            return None;
        }
        if flags == FRAMED {
            // Only whole frames count: what is cut off or forged makes the items run again.
            let mut reader = Parcel::Block { offset: block, len }.reader(heap).ok()?;
            for _ in 0..count {
                reader.skip_frame().ok()?;
            }
        }
        heap.give(block, heap.me()).ok()?;
        Some(Payload::block(heap, block, len as u64, flags))
    }
}
