//! What the parent knows of one worker: what it sent and read, and what the worker's words make of it.
//!
//! The parent keeps its own account, and checks what a worker says against it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::{Event, Who};
use crate::heap::Heap;
use crate::pool::mail::{IN_BLOCK, Job, Mail, News, Note, SLOTS};
use crate::pool::payload::Payload;
use crate::pool::scheduler::{Part, WorkerId};
use crate::process::family::Member;
use crate::process::watch;
use crate::session::Session;

pub(super) struct Worker {
    pub(super) member: Arc<Member>,
    pub(super) watch: watch::Watch,
    pub(super) mail: Mail,
    pub(super) mail_block: u64,
    /// Jobs written so far, and how many of them the worker was shown; the parent's own counts.
    pub(super) tail: u32,
    pub(super) shown: u32,
    /// Results read so far, and what of it the worker was told.
    pub(super) read: u32,
    pub(super) told: u32,
    pub(super) sent: VecDeque<Sent>,
    /// What the ring has no room for: recalled jobs that the worker has not passed yet take it up.
    pub(super) overflow: VecDeque<(Part, Job)>,
    pub(super) dirty: bool,
    /// It was said to take jobs.
    pub(super) ready: bool,
    /// A kill was sent, or its ring was broken: nothing more is believed.
    pub(super) condemned: bool,
}

pub(super) struct Sent {
    pub(super) seq: u32,
    pub(super) part: Part,
    pub(super) recalled: bool,
    /// How the results of the job are laid out, for the salvage: those of a lone item stand without a frame.
    pub(super) task: u32,
    pub(super) flags: u32,
    pub(super) lone: bool,
}

impl Worker {
    /// Copies out the results that stand, and turns them into events.
    pub(super) fn collect(&mut self, heap: &'static Heap, id: WorkerId, events: &mut Vec<Event>) {
        if self.condemned {
            return;
        }
        let fresh = self.mail.done().wrapping_sub(self.read);
        if fresh == 0 {
            return;
        }
        if fresh > SLOTS {
            self.condemned = true;
            events.push(Event::Nonsense { worker: id });
            return;
        }
        for _ in 0..fresh {
            let note = self.mail.note(self.read);
            self.read = self.read.wrapping_add(1);
            match self.understand(heap, id, &note) {
                Some(event) => events.push(event),
                None => {
                    self.condemned = true;
                    events.push(Event::Nonsense { worker: id });
                    break;
                }
            }
        }
        // The worker needs to know only before its ring is full.
        if self.read.wrapping_sub(self.told) >= SLOTS / 4 {
            self.told = self.read;
            self.mail.set_read(self.read);
        }
        self.refill();
    }

    /// Moves what waits for room into the ring, and lets the worker see it.
    #[inline]
    pub(super) fn refill(&mut self) {
        if !self.overflow.is_empty() {
            self.fill();
            self.publish();
        }
    }

    /// Lets the worker see the jobs that were written.
    #[inline]
    pub(super) fn publish(&mut self) {
        self.shown = self.tail;
        self.mail.publish(self.tail);
    }

    #[inline]
    fn understand(&mut self, heap: &'static Heap, id: WorkerId, note: &Note) -> Option<Event> {
        if note.news() == Some(News::Unfit) {
            let [offset, len, ..] = note.body;
            let report = if note.flags & IN_BLOCK == 0 {
                Payload::slot(heap, note.body, note.len, note.flags)
            } else if heap.owner(offset).ok()? == self.member.slot {
                heap.give(offset, heap.me()).ok()?;
                Payload::block(heap, offset, len, note.flags)
            } else {
                return None;
            };
            return (!self.ready).then_some(Event::Unfit { worker: id, report });
        }
        // What was recalled before it is passed over by now.
        while self.sent.front().is_some_and(|sent| sent.recalled) {
            self.sent.pop_front();
        }
        let sent = self.sent.front_mut().filter(|sent| sent.seq == note.seq)?;
        let Part { job, from, to } = sent.part;
        if note.from != from || note.to <= note.from || note.to > to {
            return None;
        }
        let news = note.news()?;
        let payload = || {
            if note.flags & IN_BLOCK == 0 {
                return Some(Payload::slot(heap, note.body, note.len, note.flags));
            }
            let [offset, len, ..] = note.body;
            // From here on it is ours, and stays when the worker goes.
            if news == News::Returned || heap.owner(offset).ok()? != self.member.slot {
                return None;
            }
            heap.give(offset, heap.me()).ok()?;
            Some(Payload::block(heap, offset, len, note.flags))
        };
        let event = match news {
            News::Values | News::Folded => {
                let values = payload()?;
                let folded = news == News::Folded;
                Event::Values {
                    worker: id,
                    job,
                    from,
                    to: note.to,
                    ns: note.ns,
                    values,
                    folded,
                }
            }
            News::Failed if note.to == note.from + 1 => Event::Failed {
                worker: id,
                job,
                item: from,
                report: payload()?,
            },
            News::Returned if note.to == to => Event::Returned {
                worker: id,
                job,
                from,
                to,
            },
            News::Failed | News::Returned | News::Unfit => return None,
        };
        sent.part.from = note.to;
        if sent.part.from == to {
            self.sent.pop_front();
        }
        Some(event)
    }

    /// Puts into the ring what there is room for.
    #[inline]
    pub(super) fn fill(&mut self) {
        while !self.overflow.is_empty() {
            if self.sent.len() >= SLOTS as usize {
                self.prune();
                if self.sent.len() >= SLOTS as usize {
                    return;
                }
            }
            let Some((part, job)) = self.overflow.pop_front() else {
                return;
            };
            let seq = self.tail;
            self.mail.put(seq, &job.part(part.from, part.to));
            self.tail = seq.wrapping_add(1);
            let (task, flags) = (job.task, job.flags);
            self.sent.push_back(Sent {
                seq,
                part,
                recalled: false,
                task,
                flags,
                lone: part.to - part.from == 1,
            });
        }
    }

    /// Forgets recalled jobs that the worker has passed.
    fn prune(&mut self) {
        let head = self.mail.head();
        while self
            .sent
            .front()
            .is_some_and(|sent| sent.recalled && (head.wrapping_sub(sent.seq) as i32) > 0)
        {
            self.sent.pop_front();
        }
    }
}

impl Worker {
    pub(super) fn who(&self) -> Who {
        Who {
            name: self.member.identity.name.clone(),
            pid: self.member.pid,
        }
    }

    /// Gives back all that is left of a worker that has ended.
    pub(super) fn bury(self, session: &'static Session) {
        drop(self.watch);
        self.member.bury(session);
        let _ = session.heap.free(self.mail_block);
    }
}
