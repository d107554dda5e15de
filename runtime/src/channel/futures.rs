//! Receiving and getting without blocking the thread: futures and streams, for whatever runtime. Relies on `helper` and `wait`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::helper::{Registered, register};
use super::message::Message;
use super::pipe::Receiver;
use super::queue::Queue;
use super::sleep::Sleep;
use super::wait::Source;
use crate::error::{Error, Result};

/// Polls `look` until it finds something, or the thread `mp-wait` is asked to call again.
fn poll_by<R>(
    source: &dyn Source,
    registered: &mut Option<Registered>,
    context: &mut Context<'_>,
    mut look: impl FnMut() -> Result<Option<R>>,
) -> Poll<Result<R>> {
    *registered = None;
    for _ in 0..3 {
        match look() {
            Ok(Some(found)) => return Poll::Ready(Ok(found)),
            Ok(None) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
        let mut sleep = Sleep::new();
        // A process that is just dying is waited for a moment.
        if !source.prepare(&mut sleep, None) {
            return match register(sleep, context.waker().clone()) {
                Ok(one) => {
                    *registered = Some(one);
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            };
        }
    }
    context.waker().wake_by_ref();
    Poll::Pending
}

fn item<T>(found: Poll<Result<T>>) -> Poll<Option<Result<T>>> {
    found.map(|found| match found {
        Err(error) if Error::is_closed(&error) => None,
        other => Some(other),
    })
}

/// The next message of a [`Receiver`], as a future. Nothing is lost when it is dropped before it is ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct RecvAsync<'r, T: Message> {
    receiver: &'r mut Receiver<T>,
    registered: Option<Registered>,
}

/// The messages of a [`Receiver`], as a stream that ends with the pipe.
#[derive(Debug)]
#[must_use = "streams do nothing unless they are polled"]
pub struct ReceiverStream<T: Message> {
    receiver: Receiver<T>,
    registered: Option<Registered>,
}

/// The next item of a [`Queue`], as a future. Nothing is lost when it is dropped before it is ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct GetAsync<'q, T: Message> {
    queue: &'q Queue<T>,
    registered: Option<Registered>,
}

/// The items of a [`Queue`], as a stream that ends when the queue is closed and empty.
#[derive(Debug)]
#[must_use = "streams do nothing unless they are polled"]
pub struct QueueStream<T: Message> {
    queue: Queue<T>,
    registered: Option<Registered>,
}

impl<T: Message> Receiver<T> {
    /// Takes the next message without blocking the thread. For any runtime: who waits is woken by the thread `mp-wait` of
    /// this process.
    ///
    /// # Errors
    /// As [`recv`](Self::recv); `is_system` when that thread cannot be started.
    ///
    /// ```
    /// # mp::init()?;
    /// # use std::task::{Context, Poll, Waker};
    /// let (to, mut from) = mp::pipe::<u32>()?;
    /// to.send(7)?;
    /// let mut next = std::pin::pin!(from.recv_async());
    /// let Poll::Ready(message) = next.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
    ///     panic!("it is there");
    /// };
    /// assert_eq!(message?, 7);
    /// # Ok::<(), mp::Error>(())
    /// ```
    pub fn recv_async(&mut self) -> RecvAsync<'_, T> {
        RecvAsync {
            receiver: self,
            registered: None,
        }
    }

    /// The messages as a stream (of `futures-core`), up to the end of the pipe.
    pub fn into_stream(self) -> ReceiverStream<T> {
        ReceiverStream {
            receiver: self,
            registered: None,
        }
    }
}

impl<T: Message> Queue<T> {
    /// Takes the next item without blocking the thread. For any runtime: who waits is woken by the thread `mp-wait` of this
    /// process.
    ///
    /// # Errors
    /// As [`get`](Self::get); `is_system` when that thread cannot be started.
    pub fn get_async(&self) -> GetAsync<'_, T> {
        GetAsync {
            queue: self,
            registered: None,
        }
    }

    /// The items as a stream (of `futures-core`), until the queue is closed and empty.
    pub fn into_stream(self) -> QueueStream<T> {
        QueueStream {
            queue: self,
            registered: None,
        }
    }
}

impl<T: Message> Future for RecvAsync<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        let receiver = &*this.receiver;
        poll_by(receiver, &mut this.registered, context, || {
            receiver.try_recv()
        })
    }
}

impl<T: Message> Stream for ReceiverStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = &mut *self;
        let receiver = &this.receiver;
        item(poll_by(receiver, &mut this.registered, context, || {
            receiver.try_recv()
        }))
    }
}

impl<T: Message> Future for GetAsync<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let this = &mut *self;
        let queue = this.queue;
        poll_by(queue, &mut this.registered, context, || take(queue))
    }
}

impl<T: Message> Stream for QueueStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let this = &mut *self;
        let queue = &this.queue;
        item(poll_by(queue, &mut this.registered, context, || {
            take(queue)
        }))
    }
}

/// The next item, or the error that there will be none.
fn take<T: Message>(queue: &Queue<T>) -> Result<Option<T>> {
    match queue.try_get()? {
        Some(item) => Ok(Some(item)),
        None if queue.is_abandoned() => queue.get().map(Some),
        None => Ok(None),
    }
}

// What is inside is not pinned by them.
impl<T: Message> Unpin for ReceiverStream<T> {}
impl<T: Message> Unpin for QueueStream<T> {}
