//! The engine of worker processes: one mailbox each, one bell for all.
//!
//! The parent's account of each is in `worker`. A worker that is gone is first read to the end, then what it had finished of its
//! last job is salvaged (`remains`), and only then is what it owned given back. How all of them are ended is in `stop`.

use std::collections::VecDeque;
use std::time::Instant;

use self::worker::Worker;
use super::{BACKSTOP, End, Ending, Engine, Event, Sleep, Who};
use crate::error::{Error, Kind};
use crate::pool::mail::{self, BARE, Bell, FRAMED, Job, Mail};
use crate::pool::scheduler::{At, JobId, Part, WorkerId};
use crate::pool::service::{Service, Services};
use crate::process::family::{self, Plan};
use crate::process::record::{Args, Duty};
use crate::process::watch;
use crate::session::{Identity, Session};
use crate::spawn::{Settings, StartMethod};
use crate::sys::signal::SIGKILL;
use crate::task;

mod remains;
mod stop;
mod worker;

/// So many workers a processor are a crowd.
const CROWD: u32 = 4;

/// A worker that has so many jobs may be shown further ones later, as many at a time.
const BATCH: u32 = 8;

pub(crate) struct Local {
    session: &'static Session,
    bell: Bell,
    bell_block: u64,
    name: String,
    method: StartMethod,
    settings: Settings,
    services: Services,
    /// Workers are given work only once they have said that they are up.
    waits: bool,
    processors: usize,
    workers: Vec<Option<Worker>>,
    /// Who was the last in each place, for what is still to be said of it.
    gone: Vec<Option<Who>>,
    /// Workers with something published since the last flush.
    dirty: Vec<usize>,
}

impl Local {
    /// `bounded`: their start has a time-out, so it matters when they are up.
    pub(crate) fn new(
        session: &'static Session,
        name: String,
        method: StartMethod,
        settings: Settings,
        services: Services,
        bounded: bool,
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
            waits: bounded || services.initializer.is_some(),
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

    /// How long an idle worker polls before it sleeps: about what a wake-up costs, more where a processor is free for it, and
    /// less where so many poll that they keep those that have something to do from doing it.
    fn spin_ns(&self) -> u32 {
        let alone = if self.processors > 2 { 50_000 } else { 20_000 };
        let workers = self.workers.iter().flatten().count() as u32;
        let processors = self.processors.max(1) as u32;
        if workers <= CROWD * processors {
            return alone;
        }
        (u64::from(alone) * u64::from(processors) / u64::from(workers)) as u32
    }

    /// The workers are more, or fewer, than before.
    fn retune(&self) {
        let spin = self.spin_ns();
        for worker in self.workers.iter().flatten() {
            worker.mail.set_spin(spin);
        }
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
            shown: 0,
            read: 0,
            told: 0,
            overflow: VecDeque::new(),
            sent: VecDeque::new(),
            dirty: false,
            ready: !self.waits,
            condemned: false,
        })
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
        self.retune();
        Ok(!self.waits)
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
                worker.publish();
            }
        }
    }

    fn flush_short(&mut self) {
        let workers = &mut self.workers;
        self.dirty.retain(|&index| {
            let Some(worker) = workers[index].as_mut() else {
                return false;
            };
            let hidden = worker.tail.wrapping_sub(worker.shown);
            let seen = (worker.sent.len() as u32).saturating_sub(hidden);
            if seen >= BATCH && hidden < BATCH {
                return true;
            }
            worker.dirty = false;
            worker.publish();
            false
        });
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
            worker.publish();
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

    fn prepare_sleep(&mut self, look_again: bool) -> Option<Sleep> {
        let mut early = look_again;
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

    fn stop(&mut self, how: End) -> Ending {
        self.dirty.clear();
        let all = self.workers.iter_mut().filter_map(Option::take).collect();
        stop::begin(self.session, all, how)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        (self.stop(End::Terminate).wait)();
        let _ = self.session.heap.free(self.bell_block);
    }
}

/// The name of a death, where no worker can say more.
pub(crate) fn no_workers() -> Error {
    Error::new(Kind::Died, "no worker is left, and none can be started")
}

const _: () = assert!(BARE != FRAMED);
