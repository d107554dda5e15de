//! What every worker of a pool runs once, beside its items: the initializer before the first, the finalizer after the last.
//!
//! The arguments are encoded once, into a block that belongs to the pool; each worker reads them in place.

use std::sync::atomic::AtomicU64;

use crate::codec::{BlockStore, Reader, Writer};
use crate::error::{Error, Kind, Result};
use crate::heap::Heap;
use crate::session;
use crate::task::{self, Batch, Report, Stop, Task};

/// A task and its arguments.
pub(crate) struct Service {
    heap: &'static Heap,
    task: u32,
    block: Option<u64>,
    len: usize,
}

/// Where a worker finds it: the task's number, the block, its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) task: u32,
    pub(crate) block: u64,
    pub(crate) len: u64,
}

/// The two there are.
#[derive(Debug, Default)]
pub(crate) struct Services {
    pub(crate) initializer: Option<Service>,
    pub(crate) finalizer: Option<Service>,
}

impl Service {
    pub(crate) fn new<T: Task>(input: &T::Input<'_>) -> Result<Self> {
        let heap = session::current()?.heap;
        let named = |error: Error| error.with_task(task::name_of::<T>());
        let mut store = BlockStore::new(heap).lending();
        let mut out = Writer::new(&mut store);
        // So that there is a block in any case.
        out.reserve(1).map_err(named)?;
        task::encode_input::<T>(input, &mut out).map_err(named)?;
        let len = out.len();
        Ok(Service {
            heap,
            task: task::index_of::<T>()?,
            block: store.into_block().map(|block| block.offset),
            len,
        })
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            task: self.task,
            block: self.block.unwrap_or(0),
            len: self.len as u64,
        }
    }

    /// The error of one that failed, with its name.
    pub(crate) fn error(&self, report: Report) -> Error {
        self.name(Error::from(report))
    }

    pub(crate) fn name(&self, error: Error) -> Error {
        match task::name_at(self.task) {
            Some(name) => error.with_task(name),
            None => error,
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(block) = self.block {
            let _ = self.heap.free(block);
        }
    }
}

impl Place {
    /// Runs it in this process; user code runs here. Its value is thrown away.
    pub(crate) fn run(self, heap: &'static Heap) -> std::result::Result<(), Report> {
        let decode = |error: Error| Report::Decode(error.to_string());
        let args: Reader<'static> =
            super::engine::args_in(heap, self.block, self.len as usize).map_err(decode)?;
        let entry = task::table()
            .map(|table| table.get(self.task))
            .map_err(decode)?
            .ok_or_else(|| decode(Error::new(Kind::Protocol, "no task has that number")))?;
        let progress = AtomicU64::new(0);
        let mut store = BlockStore::new(heap);
        let mut out = Writer::new(&mut store);
        let mut batch = Batch {
            args,
            framed: false,
            out_framed: false,
            from: 0,
            to: 1,
            progress: &progress,
            out: &mut out,
        };
        match entry.run(&mut batch) {
            Stop::Done => Ok(()),
            Stop::Item { report, .. } => Err(report),
        }
    }
}
