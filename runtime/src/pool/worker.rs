//! What a worker does: take jobs from its mailbox, run them, put the results back, sleep when there is nothing to do.
//!
//! A job of many items runs in steps whose length follows the measured time, so that a clock is read every few tens of
//! microseconds and not every item; a job that takes longer than was thought hands its rest back to the parent. Results are
//! written by `out`.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

use self::out::Out;
use super::mail::{
    BARE, Bell, FOLD, FRAMED, For, IN_BLOCK, INLINE, Job, Mail, News, Next, Note, SLOTS, TIMED,
};
use crate::codec::Reader;
use crate::error::{Error, Kind};
use crate::heap::Heap;
use crate::process::record::Record;
use crate::session::Session;
use crate::sys::child::leave_at_once;
use crate::sys::clock;
use crate::sys::memory::forked;
use crate::sys::points::stored;
use crate::task::{self, Batch, Entry, Report, Stop};

mod out;

/// A step of a job that took less than this is doubled, one that took more than the other halved.
const STEP_SHORT_NS: u64 = 20_000;
const STEP_LONG_NS: u64 = 100_000;
/// A job that has run for so long hands the rest back.
const OVERRUN_NS: u64 = 1_000_000;
/// Results beyond this, or a sixteenth of what the heap may hold, are published although the job goes on.
const OUT_LIMIT: u64 = 8 << 20;

static MAIL: OnceLock<Mail> = OnceLock::new();

/// Whether the item that is running here has been called off, or its time is up, and its call gave it a grace to end by
/// itself (see [`On::grace`](crate::On::grace)): a long task may ask now and then, and return what it likes.
///
/// `false` everywhere but in a worker. Any thread of the worker may ask.
///
/// ```
/// use std::time::Duration;
///
/// #[mp::task]
/// fn patient() -> u32 {
///     let mut rounds = 0;
///     while !mp::cancelled() {
///         std::thread::sleep(Duration::from_millis(1));
///         rounds += 1;
///     }
///     rounds
/// }
///
/// mp::main! {
///     let pool = mp::Pool::builder().workers(1).build()?;
///     let grace = Duration::from_secs(10);
///     let rounds = pool.on(patient).timeout(Duration::from_millis(20)).grace(grace).apply(())?;
///     assert!(rounds > 0);
/// }
/// ```
pub fn cancelled() -> bool {
    MAIL.get().is_some_and(Mail::asks_to_end)
}

/// Serves the pool whose mailbox is at `offset`; gives the exit code.
pub(crate) fn serve(session: &'static Session, record: Record, offset: u64) -> i32 {
    let heap = session.heap;
    let opened = Mail::at(heap, offset).and_then(|mail| Ok((mail, mail.bell(heap)?)));
    let (mail, bell) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("mp: a worker cannot open its mailbox: {error}");
            return 70;
        }
    };
    let mut worker = Worker {
        heap,
        mail,
        bell,
        record,
        head: 0,
        done: 0,
        rung: 0,
        step: 1,
        out_limit: OUT_LIMIT.min(heap.limit() / 16) as usize,
        clock: Clock,
    };
    let [initializer, finalizer] = mail.services();
    if let Some(Err(report)) = initializer.map(|place| place.run(heap)) {
        worker.unfit(&report);
        return 1;
    }
    let _ = MAIL.set(mail);
    mail.set_up();
    worker.bell.ring();
    worker.run();
    if let Some(Err(report)) = finalizer.map(|place| place.run(heap)) {
        eprintln!(
            "mp: the finalizer of a worker has failed: {}",
            Error::from(report)
        );
        return 1;
    }
    0
}

/// The clock it shares with its parent.
struct Clock;

impl Clock {
    fn now(&self) -> u64 {
        clock::now()
    }
}

struct Worker {
    heap: &'static Heap,
    mail: Mail,
    bell: Bell,
    record: Record,
    head: u32,
    done: u32,
    /// The `done` at which the bell was rung last.
    rung: u32,
    /// How many items the next step of a job takes.
    step: u32,
    /// When results are published although the job goes on.
    out_limit: usize,
    clock: Clock,
}

impl Worker {
    fn run(&mut self) {
        let mut now = self.clock.now();
        loop {
            match self.mail.claim(self.head) {
                Next::Job(job) => {
                    // The claim was a full barrier: what was published before is weighed here.
                    if self.done != self.rung && self.mail.wants_ring(self.done) {
                        self.ring();
                    }
                    now = self.job(&job, now);
                    self.next();
                }
                Next::Skipped => self.next(),
                Next::Empty => {
                    self.idle();
                    now = self.clock.now();
                }
                Next::Stop => return,
            }
        }
    }

    fn next(&mut self) {
        self.head = self.head.wrapping_add(1);
        self.mail.set_head(self.head);
    }

    fn ring(&mut self) {
        self.rung = self.done;
        self.bell.ring();
    }

    /// Nothing to do: rings if something was published since the last time, polls for a while, sleeps.
    ///
    /// A parent that begins to listen later sees for itself that this worker has run dry.
    fn idle(&mut self) {
        self.ring_if(true);
        let until = self.clock.now() + self.mail.spin_ns();
        let mut polls = 0u32;
        loop {
            for _ in 0..4 {
                std::hint::spin_loop();
                if self.mail.has_job(self.head) {
                    return;
                }
            }
            polls += 1;
            if polls.is_multiple_of(8) && self.clock.now() >= until {
                break;
            }
        }
        let seen = self.mail.fall_asleep(For::Job);
        if self.mail.has_job(self.head) || self.mail.is_stopped() {
            self.mail.stay_awake();
        } else {
            self.mail.sleep(seen);
        }
    }

    /// Rings for what was published since the last ring: whatever it is, or what the parent waits for.
    fn ring_if(&mut self, whatever: bool) {
        if self.done != self.rung {
            fence(Ordering::SeqCst);
            if whatever || self.mail.wants_ring(self.done) {
                self.ring();
            }
        }
    }

    /// Waits for room in the ring of results.
    fn room(&mut self) {
        while self.mail.unread(self.done) >= SLOTS {
            self.ring();
            let seen = self.mail.fall_asleep(For::Room);
            self.bell.ring();
            if self.mail.unread(self.done) >= SLOTS {
                self.mail.sleep(seen);
            } else {
                self.mail.stay_awake();
            }
        }
    }

    fn publish(&mut self, mut note: Note) {
        self.room();
        note.seq = self.head;
        self.mail.write_note(self.done, &note);
        self.done = self.done.wrapping_add(1);
        self.mail.set_done(self.done);
    }

    /// Tells why it cannot work.
    fn unfit(&mut self, report: &Report) {
        self.tell(report, News::Unfit, [0, 0], 0);
    }

    fn report(&mut self, at: u32, report: &Report, ns: u64) {
        self.tell(report, News::Failed, [at, at + 1], ns);
    }

    fn tell(&mut self, report: &Report, news: News, [from, to]: [u32; 2], ns: u64) {
        let bytes = report.to_bytes();
        let mut out = Out::new(self.heap, self.mail, true);
        if out.with(|out| out.put_bytes(&bytes)).is_err() {
            // The heap is full: what fits the slot must do; a report can always be read from its beginning.
            let _ = out.with(|out| out.put_bytes(&bytes[..bytes.len().min(INLINE)]));
        }
        let body = out.finish(0);
        self.publish(Note {
            news: news as u32,
            from,
            to,
            ns,
            ..body
        });
        self.mail.set_out_block(0);
        if matches!(report, Report::Panic { .. }) {
            // It did not end this process: what the hook wrote down counts no more.
            self.record.forget_panic();
        }
    }

    /// Runs one job; gives the time at its end.
    fn job(&mut self, job: &Job, begun: u64) -> u64 {
        match self.prepare(job) {
            Ok((entry, args, reducer)) => self.items(job, entry, args, reducer, begun),
            Err(error) => {
                let report = Report::Decode(error.to_string());
                for at in job.from..job.to {
                    self.report(at, &report, 0);
                }
                self.clock.now()
            }
        }
    }

    /// Finds the task, and the arguments of the first item.
    fn prepare(
        &self,
        job: &Job,
    ) -> Result<(&'static Entry, Reader<'static>, Option<&'static Entry>), Error> {
        let table = task::table()?;
        let missing = || Error::new(Kind::Protocol, "no task has the number the pool sent");
        let entry = table.get(job.task).ok_or_else(missing)?;
        let reducer = if job.flags & FOLD != 0 {
            Some(table.get(job.reducer).ok_or_else(missing)?)
        } else {
            None
        };
        let mut args = if job.flags & IN_BLOCK != 0 {
            let [offset, len, ..] = job.body;
            self.heap.warm(offset, len as usize);
            super::engine::args_in(self.heap, offset, len as usize)?
        } else {
            self.mail.inline_args(self.head, job.len)?
        };
        if let Some(size) = entry
            .fixed_in()
            .filter(|_| job.flags & (BARE | FRAMED) == 0)
        {
            args.skip(job.from as usize * size)?;
        } else if job.flags & FRAMED != 0 {
            for _ in 0..job.from {
                args.skip_frame()?;
            }
        }
        Ok((entry, args, reducer))
    }

    fn items(
        &mut self,
        job: &Job,
        entry: &'static Entry,
        mut args: Reader<'static>,
        reducer: Option<&'static Entry>,
        begun: u64,
    ) -> u64 {
        let timed = job.flags & TIMED != 0;
        let lone = job.to - job.from == 1;
        let framed = job.flags & FRAMED != 0;
        let out_framed = entry.fixed_out().is_none() && !lone && reducer.is_none();
        let room = if lone || reducer.is_some() {
            0
        } else {
            entry.fixed_out().unwrap_or(0)
        };
        let (mail, mut at, mut now) = (self.mail, job.from, begun);
        loop {
            // One segment: items whose results stand together.
            let (from, since) = (at, now);
            let mut out = Out::new(self.heap, mail, room == 0 && !out_framed);
            out.reserve(room * (job.to - from) as usize);
            let (failed, late) = loop {
                let to = if timed {
                    mail.begin(self.head, at, now);
                    at + 1
                } else if reducer.is_some() {
                    job.to
                } else {
                    at.saturating_add(self.step).min(job.to)
                };
                let stop = out.with(|out| {
                    let progress = mail.progress();
                    let args_here = std::mem::replace(&mut args, Reader::from_slice(&[]));
                    let mut batch = Batch {
                        args: args_here,
                        framed,
                        out_framed,
                        from: at,
                        to,
                        progress,
                        out,
                    };
                    let stop = match reducer {
                        Some(reducer) => entry.fold(&mut batch, reducer),
                        None => entry.run(&mut batch),
                    };
                    args = batch.args;
                    stop
                });
                if forked() {
                    // A copy that the task has made of this process, and that came back from it: the worker is the original.
                    leave_at_once();
                }
                let end = self.clock.now();
                self.adapt(to - at, end.saturating_sub(now));
                now = end;
                let failed = match stop {
                    Stop::Done => {
                        at = to;
                        None
                    }
                    Stop::Item { at: item, report } => {
                        at = item;
                        Some(report)
                    }
                };
                let late = reducer.is_none() && now.saturating_sub(begun) > OVERRUN_NS;
                // A fold gives one value a step: the next, where each item is timed by itself, goes out by itself.
                let full = reducer.is_some() || out.len > self.out_limit;
                if failed.is_some() || late || at == job.to || full {
                    break (failed, late);
                }
            };
            if failed.is_some()
                && reducer.is_some()
                && at > from
                && out.len == 0
                && entry.fixed_out() != Some(0)
            {
                // The folding itself failed: the values of the items before it went with it.
                if let Some(report) = &failed {
                    (from..at).for_each(|item| self.report(item, report, 0));
                }
            } else if at > from {
                let news = if reducer.is_some() {
                    News::Folded
                } else {
                    News::Values
                };
                let body = out.finish(if out_framed { FRAMED } else { 0 });
                self.publish(Note {
                    news: news as u32,
                    from,
                    to: at,
                    ns: now.saturating_sub(since),
                    ..body
                });
                mail.set_out_block(0);
                if at < job.to {
                    self.ring_if(false);
                }
            }
            if let Some(report) = failed {
                self.report(at, &report, now.saturating_sub(since));
                at += 1;
                // The next item may take long.
                self.ring_if(false);
                mail.progress().store(u64::from(at), Ordering::Release);
                stored("progress");
            }
            if at < job.to && late {
                self.publish(Note {
                    news: News::Returned as u32,
                    from: at,
                    to: job.to,
                    ..Note::default()
                });
                at = job.to;
            }
            if at == job.to {
                return now;
            }
        }
    }

    /// Sets the length of the next step by the time the last one of `items` took.
    fn adapt(&mut self, items: u32, took: u64) {
        if took > STEP_LONG_NS {
            self.step = (self.step / 2).max(1);
        } else if took < STEP_SHORT_NS && items == self.step {
            self.step = self.step.saturating_mul(2).min(1 << 20);
        }
    }
}
