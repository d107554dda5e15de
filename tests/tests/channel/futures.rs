//! Receiving and getting as futures and streams, under two runtimes.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use futures_core::Stream;
use mp::{Failure, Process, Queue, Sender};
use mp_tests::grief::sleep_ms;

#[mp::task]
fn send_some(to: Sender<u64>, count: u64) -> Result<(), Failure> {
    for item in 0..count {
        if item % 50 == 0 {
            sleep_ms(2);
        }
        to.send(item)?;
    }
    Ok(())
}

#[mp::task]
fn put_some(to: &Queue<u64>, count: u64) -> Result<(), Failure> {
    for item in 0..count {
        if item % 50 == 0 {
            sleep_ms(2);
        }
        to.put(item)?;
    }
    to.close();
    Ok(())
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
}

async fn all_of_it() -> mp::Result<()> {
    let (to, mut from) = mp::pipe()?;
    let child = Process::new(send_some, (to, 500)).start()?;
    for item in 0..250 {
        assert_eq!(from.recv_async().await?, item);
    }
    let mut stream = from.into_stream();
    for item in 250..500 {
        assert_eq!(next(&mut stream).await.expect("there is more")?, item);
    }
    assert!(next(&mut stream).await.is_none());
    child.join()?;

    let queue = Queue::bounded(10)?;
    let child = Process::new(put_some, (&queue, 500)).start()?;
    for item in 0..250 {
        assert_eq!(queue.get_async().await?, item);
    }
    let mut stream = queue.into_stream();
    for item in 250..500 {
        assert_eq!(next(&mut stream).await.expect("there is more")?, item);
    }
    assert!(next(&mut stream).await.is_none());
    child.join()
}

async fn killed() -> mp::Result<()> {
    let (to, mut from) = mp::pipe::<u64>()?;
    let child = Process::new(hold, &to).start()?;
    drop(to);
    let pid = nix::unistd::Pid::from_raw(child.pid() as i32);
    std::thread::spawn(move || {
        sleep_ms(50);
        nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL)
    });
    assert!(from.recv_async().await.unwrap_err().is_closed());
    drop(child);
    Ok(())
}

#[mp::task]
fn hold(_to: &Sender<u64>) {
    sleep_ms(100_000);
}

fn is_send<F: Future + Send>(future: F) -> F {
    future
}

#[mp::test]
fn under_tokio() -> mp::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let work = tokio::spawn(is_send(all_of_it()));
        let end = tokio::spawn(is_send(killed()));
        work.await.unwrap()?;
        end.await.unwrap()?;
        // Dropped before it is ready, it has taken nothing.
        let (to, mut from) = mp::pipe::<u64>()?;
        let early = tokio::time::timeout(Duration::from_millis(20), from.recv_async()).await;
        assert!(early.is_err());
        to.send(5)?;
        assert_eq!(from.recv_async().await?, 5);
        Ok(())
    })
}

/// In the process of all tests: smol keeps its descriptors.
#[test]
fn under_smol() -> mp::Result<()> {
    smol::block_on(async {
        let work = smol::spawn(is_send(all_of_it()));
        killed().await?;
        work.await?;
        let queue = Queue::<u64>::unbounded()?;
        let mut waiting = pin!(queue.get_async());
        assert!(smol::future::poll_once(waiting.as_mut()).await.is_none());
        queue.put(1)?;
        assert_eq!(waiting.await?, 1);
        Ok(())
    })
}
