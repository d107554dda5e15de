//! Waiting for several handles at once, of one pool or of many. Each handle gets a waker that puts its number into one list;
//! the pools are driven by their keepers meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::drive::{before_waiting, wait_on};
use super::{Handle, call};
use crate::error::{Error, Kind, Result};

/// The handles that may be ready.
#[derive(Default)]
struct News {
    list: Mutex<VecDeque<usize>>,
    some: Condvar,
}

impl News {
    fn lock(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(self: &Arc<Self>, index: usize) -> Waker {
        let news = Arc::clone(self);
        Waker::from(Arc::new(One { news, index }))
    }

    /// The next that may be ready; `None` at the deadline.
    fn next(&self, deadline: Option<Instant>) -> Option<usize> {
        let mut list = self.lock();
        loop {
            if let Some(index) = list.pop_front() {
                return Some(index);
            }
            // In a callback somebody else must drive its pool.
            drop(list);
            let again = before_waiting();
            list = self.lock();
            if list.is_empty() {
                list = wait_on(&self.some, list, deadline, again)?;
            }
        }
    }
}

/// The waker of one handle.
struct One {
    news: Arc<News>,
    index: usize,
}

impl Wake for One {
    fn wake(self: Arc<Self>) {
        self.news.lock().push_back(self.index);
        self.news.some.notify_one();
    }
}

/// The handles' values as they are ready, each with the handle's place among those given. As in `concurrent.futures`.
///
/// The handles may be of several pools. What is not taken when this is dropped goes on.
///
/// ```
/// #[mp::task]
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// mp::main! {
///     let pool = mp::Pool::builder().workers(2).build()?;
///     let handles = (0..10).map(|x| pool.apply_async(square, x)).collect::<mp::Result<Vec<_>>>()?;
///     for (place, value) in mp::as_completed(handles) {
///         assert_eq!(value?, (place * place) as u64);
///     }
/// }
/// ```
pub fn as_completed<O>(handles: impl IntoIterator<Item = Handle<O>>) -> AsCompleted<O> {
    let news = Arc::new(News::default());
    let mut handles: Vec<Option<Handle<O>>> = handles.into_iter().map(Some).collect();
    for (index, handle) in handles.iter_mut().enumerate() {
        if let Some(handle) = handle
            && handle.poll_ready(&news.waker(index))
        {
            news.lock().push_back(index);
        }
    }
    AsCompleted {
        left: handles.len(),
        handles,
        news,
    }
}

/// What [`as_completed`] gives.
pub struct AsCompleted<O> {
    handles: Vec<Option<Handle<O>>>,
    news: Arc<News>,
    left: usize,
}

impl<O> AsCompleted<O> {
    /// The next value, waited for up to `timeout`; `None` at the end.
    ///
    /// # Errors
    /// None is there by then (`is_timeout`); ask again. The handle's own error is inside.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<(usize, Result<O>)>> {
        self.step(call::deadline(timeout))
    }

    fn step(&mut self, deadline: Option<Instant>) -> Result<Option<(usize, Result<O>)>> {
        while self.left > 0 {
            let Some(index) = self.news.next(deadline) else {
                return Err(Error::new(Kind::Timeout, "no value was there in time"));
            };
            let Some(slot) = self.handles.get_mut(index) else {
                continue;
            };
            if let Some(handle) = slot.take_if(|handle| handle.poll_ready(&self.news.waker(index)))
            {
                self.left -= 1;
                return Ok(Some((index, handle.get())));
            }
        }
        Ok(None)
    }
}

impl<O> Iterator for AsCompleted<O> {
    type Item = (usize, Result<O>);

    fn next(&mut self) -> Option<Self::Item> {
        self.step(None).unwrap_or_default()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<O> std::fmt::Debug for AsCompleted<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

/// Waits until one of the handles is ready and gives its place; `None` when none is within `timeout`, or there is none.
/// `None` for `timeout` waits for ever.
///
/// ```
/// use std::time::Duration;
///
/// #[mp::task]
/// fn nap(ms: u64) -> u64 {
///     std::thread::sleep(Duration::from_millis(ms));
///     ms
/// }
///
/// mp::main! {
///     let pool = mp::Pool::builder().workers(2).build()?;
///     let handles = [pool.apply_async(nap, 60_000)?, pool.apply_async(nap, 1)?];
///     assert_eq!(mp::wait_any(&handles, None), Some(1));
///     assert!(!mp::wait_all(&handles, Some(Duration::from_millis(10))));
///     assert!(handles[0].cancel());
/// }
/// ```
pub fn wait_any<'h, O: 'h>(
    handles: impl IntoIterator<Item = &'h Handle<O>>,
    timeout: Option<Duration>,
) -> Option<usize> {
    let handles: Vec<&Handle<O>> = handles.into_iter().collect();
    let deadline = timeout.and_then(call::deadline);
    let news = Arc::new(News::default());
    let ready = |index: usize| handles[index].poll_ready(&news.waker(index));
    if let Some(index) = (0..handles.len()).find(|index| ready(*index)) {
        return Some(index);
    }
    while !handles.is_empty() {
        let index = news.next(deadline)?;
        if ready(index) {
            return Some(index);
        }
    }
    None
}

/// Waits until all the handles are ready; whether they are, within `timeout`. `None` for `timeout` waits for ever.
pub fn wait_all<'h, O: 'h>(
    handles: impl IntoIterator<Item = &'h Handle<O>>,
    timeout: Option<Duration>,
) -> bool {
    let deadline = timeout.and_then(call::deadline);
    let news = Arc::new(News::default());
    // One after the other: the last to be ready ends the wait in any case.
    handles.into_iter().all(|handle| {
        while !handle.poll_ready(&news.waker(0)) {
            if news.next(deadline).is_none() {
                return false;
            }
        }
        true
    })
}
