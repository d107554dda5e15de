//! The engine of worker processes: one mailbox each, one bell for all.
//!
//! The parent keeps its own account of what it sent and read, and checks what a worker says against it. A worker that is gone
//! is first read to the end, then what it had finished of its last job is salvaged from the block it was writing, and only
//! then is what it owned given back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{End, Engine, Event, Sleep, Who};
use crate::codec::Parcel;
use crate::error::{Error, Kind};
use crate::heap::Heap;
use crate::pool::mail::{self, BARE, Bell, FOLD, FRAMED, IN_BLOCK, Job, Mail, News, Note, SLOTS};
use crate::pool::payload::Payload;
use crate::pool::scheduler::{At, JobId, Part, WorkerId};
use crate::pool::service::{Service, Services};
use crate::process::family::{self, Member, Plan};
use crate::process::record::{Args, Duty};
use crate::process::watch;
use crate::session::{Identity, Session};
use crate::spawn::{Settings, StartMethod};
use crate::sys::signal::{SIGKILL, SIGTERM};
use crate::task;

/// How long a worker that was asked to end may take before SIGTERM, and then before SIGKILL.
const ASK_GRACE: Duration = Duration::from_secs(2);
const TERM_GRACE: Duration = Duration::from_millis(500);
/// While results may stand unread behind a low-water mark, the parent looks this often although nobody rang.
const BACKSTOP: Duration = Duration::from_millis(2);

pub(crate) struct Local {
    session: &'static Session,
    bell: Bell,
    bell_block: u64,
    name: String,
    method: StartMethod,
    settings: Settings,
    services: Services,
    processors: usize,
    workers: Vec<Option<Worker>>,
    /// Who was the last in each place, for what is still to be said of it.
    gone: Vec<Option<Who>>,
    /// Workers with something published since the last flush.
    dirty: Vec<usize>,
}

struct Worker {
    member: Arc<Member>,
    watch: watch::Watch,
    mail: Mail,
    mail_block: u64,
    /// Jobs published so far; the parent's own count.
    tail: u32,
    /// Results read so far, and what of it the worker was told.
    read: u32,
    told: u32,
    sent: VecDeque<Sent>,
    /// What the ring has no room for: recalled jobs that the worker has not passed yet take it up.
    overflow: VecDeque<(Part, Job)>,
    dirty: bool,
    /// It was said to take jobs.
    ready: bool,
    /// A kill was sent, or its ring was broken: nothing more is believed.
    condemned: bool,
}

struct Sent {
    seq: u32,
    part: Part,
    recalled: bool,
    /// How the results of the job are laid out, for the salvage: those of a lone item stand without a frame.
    task: u32,
    flags: u32,
    lone: bool,
}

impl Local {
    pub(crate) fn new(
        session: &'static Session,
        name: String,
        method: StartMethod,
        settings: Settings,
        services: Services,
    ) -> Result<Self, Error> {
        let heap = session.heap;
        let block = heap.alloc(Bell::SIZE, 64)?;
        let bell = Bell::at(heap, block.offset)?;
        bell.reset();
        Ok(Local {
            session,
            bell,
            bell_block: block.offset,
            name,
            method,
            settings,
            services,
            processors: crate::process::cpu_count(),
            workers: Vec::new(),
            gone: Vec::new(),
            dirty: Vec::new(),
        })
    }

    /// What its pool sleeps on.
    pub(crate) fn bell(&self) -> Bell {
        self.bell
    }

    fn worker(&mut self, worker: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(worker.0 as usize)?.as_mut()
    }

    /// How long an idle worker polls before it sleeps: about what a wake-up costs, more where a processor is free for it.
    fn spin_ns(&self) -> u32 {
        if self.processors > 2 { 50_000 } else { 20_000 }
    }

    fn try_start(&mut self) -> Result<Worker, Error> {
        let heap = self.session.heap;
        let block = heap.alloc(mail::SIZE, 64)?;
        let started = Mail::at(heap, block.offset).and_then(|mail| {
            mail.reset(self.bell_block, self.spin_ns());
            let Services {
                initializer,
                finalizer,
            } = &self.services;
            mail.set_services([initializer, finalizer].map(|it| it.as_ref().map(Service::place)));
            let line = self.session.next_line();
            let plan = Plan {
                duty: Duty::Pool(block.offset),
                task: 0,
                fingerprint: task::table()?.fingerprint(),
                identity: Identity {
                    name: format!("{}-{line}", self.name),
                    line,
                },
                daemon: true,
                method: self.method,
            };
            let member = family::start(self.session, plan, Args::Inline(&[], 0), &self.settings)?;
            Ok((mail, member))
        });
        let (mail, member) = match started {
            Ok(started) => started,
            Err(error) => {
                let _ = heap.free(block.offset);
                return Err(error);
            }
        };
        let bell = self.bell;
        let watch = match watch::watch(member.pidfd(), Box::new(move || bell.ring_anyway())) {
            Ok(watch) => watch,
            Err(cause) => {
                let _ = member.signal(SIGKILL);
                let _ = member.wait(self.session, None);
                member.bury(self.session);
                let _ = heap.free(block.offset);
                return Err(Error::system("cannot watch a worker", cause));
            }
        };
        Ok(Worker {
            member,
            watch,
            mail,
            mail_block: block.offset,
            tail: 0,
            read: 0,
            told: 0,
            overflow: VecDeque::new(),
            sent: VecDeque::new(),
            dirty: false,
            ready: self.services.initializer.is_none(),
            condemned: false,
        })
    }
}

impl Worker {
    /// Copies out the results that stand, and turns them into events.
    fn collect(&mut self, heap: &'static Heap, id: WorkerId, events: &mut Vec<Event>) {
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
    fn refill(&mut self) {
        if !self.overflow.is_empty() {
            self.fill();
            self.mail.publish(self.tail);
        }
    }

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

    /// What a dead worker was on, and what of it can still be had.
    fn last_words(
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

    /// Puts into the ring what there is room for.
    fn fill(&mut self) {
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

impl Engine for Local {
    fn start(&mut self, worker: WorkerId) -> Result<bool, Error> {
        let index = worker.0 as usize;
        let fresh = self.try_start()?;
        if self.workers.len() <= index {
            self.workers.resize_with(index + 1, || None);
        }
        self.workers[index] = Some(fresh);
        Ok(self.services.initializer.is_none())
    }

    fn send(&mut self, worker: WorkerId, part: Part, job: &Job) {
        let index = worker.0 as usize;
        let Some(worker) = self.worker(worker) else {
            return;
        };
        worker.overflow.push_back((part, *job));
        worker.fill();
        if !std::mem::replace(&mut worker.dirty, true) {
            self.dirty.push(index);
        }
    }

    fn flush(&mut self) {
        while let Some(index) = self.dirty.pop() {
            if let Some(worker) = self.workers[index].as_mut() {
                worker.dirty = false;
                worker.mail.publish(worker.tail);
            }
        }
    }

    fn recall(&mut self, worker: WorkerId, part: Part) -> bool {
        let Some(worker) = self.worker(worker) else {
            return false;
        };
        if let Some(at) = worker
            .overflow
            .iter()
            .position(|(waiting, _)| *waiting == part)
        {
            worker.overflow.remove(at);
            return true;
        }
        let Some(sent) = worker
            .sent
            .iter_mut()
            .rev()
            .find(|sent| !sent.recalled && sent.part == part)
        else {
            return false;
        };
        sent.recalled = worker.mail.recall(sent.seq);
        sent.recalled
    }

    fn kill(&mut self, worker: WorkerId) {
        if let Some(worker) = self.worker(worker) {
            // What it finished before counts still; a broken ring does not.
            let _ = worker.member.signal(SIGKILL);
        }
    }

    fn warn(&mut self, worker: WorkerId, job: JobId, item: Option<u32>) {
        if let Some(worker) = self.worker(worker)
            && let Some(sent) = worker.sent.iter().find(|sent| !sent.recalled)
            && sent.part.job == job
        {
            worker.mail.ask_to_end(sent.seq, item);
        }
    }

    fn at(&self, worker: WorkerId) -> At {
        let Some(Some(worker)) = self.workers.get(worker.0 as usize) else {
            return At::NotUp;
        };
        if !worker.mail.is_up() {
            return At::NotUp;
        }
        let Some(sent) = worker.sent.iter().find(|sent| !sent.recalled) else {
            return At::Nothing;
        };
        if !worker.mail.is_claimed(sent.seq) {
            return At::Nothing;
        }
        let job = sent.part.job;
        match worker.mail.began() {
            Some((seq, item, since)) if seq == sent.seq => At::Item { job, item, since },
            _ => {
                let item = u32::try_from(worker.mail.remains().0).unwrap_or(u32::MAX);
                At::Between { job, item }
            }
        }
    }

    fn can_kill(&self) -> bool {
        true
    }

    fn retire(&mut self, worker: WorkerId) {
        if let Some(worker) = self.worker(worker) {
            worker.mail.stop();
        }
    }

    fn poll(&mut self, events: &mut Vec<Event>) {
        let heap = self.session.heap;
        for index in 0..self.workers.len() {
            let id = WorkerId(index as u32);
            let Some(worker) = self.workers[index].as_mut() else {
                continue;
            };
            worker.collect(heap, id, events);
            if !worker.ready && worker.mail.is_up() {
                worker.ready = true;
                events.push(Event::Ready { worker: id });
            }
            if !worker.watch.fired() {
                continue;
            }
            let exit = match worker.member.try_exit(self.session) {
                Ok(Some(exit)) => exit,
                Ok(None) => continue,
                Err(_) => crate::sys::child::Exit::Unknown,
            };
            // Everything it published before its end stands now.
            worker.collect(heap, id, events);
            let running = worker.last_words(heap, id, events);
            let unready = !worker.ready;
            let error = worker.member.end(heap, exit);
            if let Some(worker) = self.workers[index].take() {
                self.gone.resize(self.workers.len(), None);
                self.gone[index] = Some(worker.who());
                worker.bury(self.session);
            }
            events.push(Event::Lost {
                worker: id,
                running,
                unready,
                error,
            });
        }
    }

    fn has_news(&self) -> bool {
        let mut workers = self.workers.iter().flatten();
        workers.any(|worker| worker.mail.done() != worker.read || worker.watch.fired())
    }

    fn worth_spinning(&self) -> bool {
        let busy = self
            .workers
            .iter()
            .flatten()
            .filter(|worker| !worker.sent.is_empty())
            .count();
        busy < self.processors
    }

    fn prepare_sleep(&mut self) -> Option<Sleep> {
        let mut early = false;
        for worker in self.workers.iter_mut().flatten() {
            worker.refill();
            early |= !worker.overflow.is_empty();
            // Half of what it holds, and at once if that is one.
            let low_water = (worker.sent.len() as u32 / 2).max(1);
            early |= low_water > 1;
            worker.mail.set_wake_at(worker.read.wrapping_add(low_water));
        }
        let seen = self.bell.listen();
        let news = self.workers.iter().flatten().any(|worker| {
            let fresh = worker.mail.done().wrapping_sub(worker.read);
            // A worker that ran dry before it could see that we listen has rung for nobody.
            let dry = fresh > 0 && worker.mail.head() == worker.tail;
            let up = !worker.ready && worker.mail.is_up();
            worker.watch.fired() || up || dry || fresh >= (worker.sent.len() as u32 / 2).max(1)
        });
        if news {
            self.bell.stop_listening();
            return None;
        }
        Some(Sleep {
            seen,
            backstop: early.then(|| Instant::now() + BACKSTOP),
        })
    }

    fn awake(&mut self) {
        self.bell.stop_listening();
    }

    fn who(&self, worker: WorkerId) -> Option<Who> {
        let index = worker.0 as usize;
        match self.workers.get(index)? {
            Some(worker) => Some(worker.who()),
            None => self.gone.get(index)?.clone(),
        }
    }

    fn everybody(&self) -> Vec<Who> {
        self.workers.iter().flatten().map(Worker::who).collect()
    }

    fn unfit(&self, error: Error) -> Error {
        match &self.services.initializer {
            Some(service) => service.name(error),
            None => error,
        }
    }

    fn stop(&mut self, how: End) {
        let session = self.session;
        let all: Vec<Worker> = self.workers.iter_mut().filter_map(Option::take).collect();
        if how == End::Ask {
            all.iter().for_each(|worker| worker.mail.stop());
            wait_all(session, &all, ASK_GRACE);
        }
        for signal in [SIGTERM, SIGKILL] {
            if how == End::Kill && signal == SIGTERM {
                continue;
            }
            let left: Vec<_> = all
                .iter()
                .filter(|worker| matches!(worker.member.try_exit(session), Ok(None)))
                .collect();
            left.iter()
                .for_each(|worker| drop(worker.member.signal(signal)));
            let grace = if signal == SIGTERM {
                TERM_GRACE
            } else {
                Duration::from_secs(30)
            };
            wait_all(session, left, grace);
        }
        for worker in all {
            worker.bury(session);
        }
        self.dirty.clear();
        // What the calls left half empty goes back to the session.
        session.heap.trim();
    }
}

fn wait_all<'a>(
    session: &'static Session,
    workers: impl IntoIterator<Item = &'a Worker>,
    grace: Duration,
) {
    let deadline = Instant::now() + grace;
    for worker in workers {
        let _ = worker.member.wait(session, Some(deadline));
    }
}

impl Worker {
    fn who(&self) -> Who {
        Who {
            name: self.member.identity.name.clone(),
            pid: self.member.pid,
        }
    }

    /// Gives back all that is left of a worker that has ended.
    fn bury(self, session: &'static Session) {
        drop(self.watch);
        self.member.bury(session);
        let _ = session.heap.free(self.mail_block);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.stop(End::Terminate);
        let _ = self.session.heap.free(self.bell_block);
    }
}

/// The name of a death, where no worker can say more.
pub(crate) fn no_workers() -> Error {
    Error::new(Kind::Died, "no worker is left, and none can be started")
}

const _: () = assert!(BARE != FRAMED);
