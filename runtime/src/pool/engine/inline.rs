//! The in-process twin of the worker engine: the same encoding, the same events, no processes. Tasks run on the thread that
//! waits, one at a time; a panic is caught. For debugging, and for places where no process can be started.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::{End, Ending, Engine, Event, Sleep, Who};
use crate::codec::{BlockStore, Reader, Writer};
use crate::error::{Error, Kind};
use crate::heap::Heap;
use crate::pool::mail::{BARE, FOLD, FRAMED, IN_BLOCK, INLINE, Job};
use crate::pool::payload::Payload;
use crate::pool::scheduler::{At, JobId, Part, WorkerId};
use crate::pool::service::Services;
use crate::task::{self, Batch, Report, Stop};

pub(crate) struct InProcess {
    heap: &'static Heap,
    services: Services,
    queue: VecDeque<Work>,
    events: Vec<Event>,
    /// A thread is at work. One at a time: a worker finishes its parts in their order.
    busy: bool,
    /// The block of arguments that the running task reads, and whether nobody else needs it any more.
    read: Option<u64>,
    released: bool,
}

/// A part to be run without the pool's lock.
pub(crate) struct Work {
    heap: &'static Heap,
    worker: WorkerId,
    part: Part,
    job: Job,
}

/// What came of it.
pub(crate) struct Done(Vec<Event>);

impl InProcess {
    pub(crate) fn new(heap: &'static Heap, services: Services) -> Self {
        InProcess {
            heap,
            services,
            queue: VecDeque::new(),
            events: Vec::new(),
            busy: false,
            read: None,
            released: false,
        }
    }
}

impl Work {
    /// The block its arguments stand in, if they do.
    fn block(&self) -> Option<u64> {
        (self.job.flags & IN_BLOCK != 0).then_some(self.job.body[0])
    }

    /// Runs the part; user code runs here.
    pub(crate) fn run(self) -> Done {
        let mut events = Vec::new();
        let mut at = self.part.from;
        while at < self.part.to {
            at = self.segment(at, &mut events);
        }
        Done(events)
    }

    /// Runs items from `at` until the end or a failure; gives where to go on.
    fn segment(&self, at: u32, events: &mut Vec<Event>) -> u32 {
        let Part { job, to, .. } = self.part;
        let worker = self.worker;
        let (stop, values) = match self.batch(at) {
            Ok(ran) => ran,
            Err(error) => {
                let report = Report::Decode(error.to_string());
                (Stop::Item { at, report }, None)
            }
        };
        let fold = self.job.flags & FOLD != 0;
        let reached = match &stop {
            Stop::Done => to,
            Stop::Item { at, .. } => *at,
        };
        // Where the folding itself failed, the values of the items before went with it.
        let lost = fold && !matches!(stop, Stop::Done) && values.is_none();
        if let Some(values) = values.filter(|_| reached > at) {
            events.push(Event::Values {
                worker,
                job,
                from: at,
                to: reached,
                ns: 0,
                values,
                folded: fold,
            });
        }
        let Stop::Item { at: item, report } = stop else {
            return to;
        };
        let bytes = report.to_bytes();
        let first = if lost { at } else { item };
        events.extend((first..=item).map(|item| Event::Failed {
            worker,
            job,
            item,
            report: self.payload(&bytes),
        }));
        item + 1
    }

    /// The bytes as what a worker would have sent.
    fn payload(&self, bytes: &[u8]) -> Payload {
        let mut store = BlockStore::new(self.heap);
        let mut writer = Writer::new(&mut store);
        let written = writer.put_bytes(bytes);
        match (written, store.into_block()) {
            (Ok(()), Some(block)) => Payload::block(self.heap, block.offset, bytes.len() as u64, 0),
            _ => Payload::slot(self.heap, [0; INLINE / 8], 0, 0),
        }
    }

    fn batch(&self, from: u32) -> Result<(Stop, Option<Payload>), Error> {
        let job = &self.job;
        let table = task::table()?;
        let missing = || Error::new(Kind::Protocol, "no task has that number");
        let entry = table.get(job.task).ok_or_else(missing)?;
        let bytes = inline_bytes(&job.body);
        let mut args = if job.flags & IN_BLOCK != 0 {
            let [offset, len, ..] = job.body;
            super::args_in(self.heap, offset, len as usize)?
        } else {
            Reader::from_slice(bytes.0.get(..job.len as usize).ok_or_else(missing)?)
        };
        let framed = job.flags & FRAMED != 0;
        if framed {
            for _ in 0..from {
                args.skip_frame()?;
            }
        } else if let Some(size) = entry.fixed_in().filter(|_| job.flags & BARE == 0) {
            args.skip(from as usize * size)?;
        }
        let fold = job.flags & FOLD != 0;
        let out_framed = entry.fixed_out().is_none() && !fold;
        let progress = AtomicU64::new(0);
        let mut store = BlockStore::new(self.heap);
        let mut out = Writer::new(&mut store);
        let mut batch = Batch {
            args,
            framed,
            out_framed,
            from,
            to: self.part.to,
            progress: &progress,
            out: &mut out,
        };
        let stop = if fold {
            let reducer = table.get(job.reducer).ok_or_else(missing)?;
            entry.fold(&mut batch, reducer)
        } else {
            entry.run(&mut batch)
        };
        let len = out.len();
        let flags = if out_framed { FRAMED } else { 0 };
        let values = match store.into_block() {
            Some(block) => Some(Payload::block(self.heap, block.offset, len as u64, flags)),
            // Nothing was written: the values have no size, or there are none.
            None if fold && !matches!(stop, Stop::Done) && entry.fixed_out() != Some(0) => None,
            None => Some(Payload::slot(self.heap, [0; INLINE / 8], 0, flags)),
        };
        Ok((stop, values))
    }
}

#[repr(align(16))]
struct Bytes([u8; INLINE]);

fn inline_bytes(body: &[u64; INLINE / 8]) -> Bytes {
    let mut bytes = [0; INLINE];
    for (to, word) in bytes.chunks_exact_mut(8).zip(body) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    Bytes(bytes)
}

impl Engine for InProcess {
    fn start(&mut self, _: WorkerId) -> Result<bool, Error> {
        if let Some(service) = &self.services.initializer {
            let ran = service.place().run(self.heap);
            ran.map_err(|report| service.error(report))?;
        }
        Ok(true)
    }

    fn send(&mut self, worker: WorkerId, part: Part, job: &Job) {
        self.queue.push_back(Work {
            heap: self.heap,
            worker,
            part,
            job: *job,
        });
    }

    fn flush(&mut self) {}

    fn recall(&mut self, worker: WorkerId, part: Part) -> bool {
        let found = self
            .queue
            .iter()
            .position(|work| work.worker == worker && work.part == part);
        found.is_some_and(|at| self.queue.remove(at).is_some())
    }

    fn kill(&mut self, _: WorkerId) {}

    fn warn(&mut self, _: WorkerId, _: JobId, _: Option<u32>) {}

    fn at(&self, _: WorkerId) -> At {
        At::NotUp
    }

    fn can_kill(&self) -> bool {
        false
    }

    fn retire(&mut self, _: WorkerId) {}

    fn poll(&mut self, events: &mut Vec<Event>) {
        events.append(&mut self.events);
    }

    fn has_news(&self) -> bool {
        !self.events.is_empty() || !self.queue.is_empty()
    }

    fn worth_spinning(&self) -> bool {
        false
    }

    fn prepare_sleep(&mut self, _: bool) -> Option<Sleep> {
        let quiet = self.events.is_empty() && (self.busy || self.queue.is_empty());
        quiet.then_some(Sleep {
            seen: 0,
            backstop: None,
        })
    }

    fn awake(&mut self) {}

    fn work(&mut self) -> Option<Work> {
        if self.busy {
            return None;
        }
        let work = self.queue.pop_front()?;
        self.busy = true;
        self.read = work.block();
        Some(work)
    }

    fn worked(&mut self, done: Done) {
        self.events.extend(done.0);
        self.busy = false;
        let released = std::mem::take(&mut self.released);
        if let Some(block) = self.read.take().filter(|_| released) {
            let _ = self.heap.free(block);
        }
    }

    fn keep(&mut self, block: u64) -> bool {
        let keep = self.read == Some(block);
        self.released |= keep;
        keep
    }

    fn who(&self, _: WorkerId) -> Option<Who> {
        Some(Who {
            name: crate::process::current_process().name().to_owned(),
            pid: std::process::id(),
        })
    }

    fn everybody(&self) -> Vec<Who> {
        Vec::new()
    }

    fn stop(&mut self, how: End) -> Ending {
        self.queue.clear();
        let heap = self.heap;
        let finalizer = self.services.finalizer.take();
        let wait = move || {
            if let (End::Ask, Some(service)) = (how, finalizer)
                && let Err(report) = service.place().run(heap)
            {
                eprintln!("mp: the finalizer has failed: {}", service.error(report));
            }
        };
        Ending {
            wait: Box::new(wait),
            hurry: Arc::new(|_| ()),
        }
    }
}
