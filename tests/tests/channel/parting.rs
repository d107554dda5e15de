//! Queues whose holders change while somebody sleeps, that are closed while others put, and what a kill at any moment leaves of
//! them: no item twice or lost, no wrong count, no sleeper left, no processor used.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use mp::{Event, Failure, JoinableQueue, OnDeath, Process, Queue, Receiver, Sender};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn kill_now(pid: u32) {
    kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Of this process, in microseconds.
fn processor_time() -> i64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let (user, system) = (used.user_time(), used.system_time());
    (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec()
}

/// Every `Ok` of a `put` is an item that can be taken, however close the closing.
#[mp::test(timeout = "120s")]
fn what_is_put_while_it_is_closed_is_taken() -> mp::Result<()> {
    for round in 0..300 {
        let queue = Queue::<u64>::unbounded()?;
        let (putting, getting) = (queue.clone(), queue.clone());
        let put = std::thread::spawn(move || (0..).take_while(|n| putting.put(*n).is_ok()).count());
        let got = std::thread::spawn(move || std::iter::from_fn(|| getting.get().ok()).count());
        std::thread::sleep(Duration::from_micros(100 + round));
        queue.close();
        assert_eq!(got.join().unwrap(), put.join().unwrap(), "round {round}");
        assert!(queue.is_empty());
    }
    Ok(())
}

#[mp::task]
fn take_all(from: &JoinableQueue<u64>, begun: &Event) -> Result<(), Failure> {
    begun.set()?;
    while let Ok(job) = from.get() {
        drop(job);
    }
    Ok(())
}

#[mp::test(timeout = "120s")]
fn an_item_that_comes_back_has_one_holder() -> mp::Result<()> {
    for round in 0..60 {
        let jobs = JoinableQueue::<u64>::unbounded()?;
        for item in 0..3000 {
            jobs.put(item)?;
        }
        let begun = Event::new()?;
        let worker = Process::new(take_all, (&jobs, &begun)).start()?;
        begun.wait()?;
        std::thread::sleep(Duration::from_micros(100 + round * 37));
        kill_now(worker.pid());
        let _ = worker.join();
        let mut held = Vec::new();
        while let Some(job) = jobs.try_get()? {
            held.push(job);
        }
        let mut items: Vec<u64> = held.iter().map(|job| **job).collect();
        items.sort_unstable();
        items.dedup();
        assert_eq!(items.len(), held.len(), "round {round}: an item twice");
        assert_eq!(jobs.unfinished(), held.len());
        drop(held);
        assert!(jobs.join_timeout(ms(20_000))?);
    }
    Ok(())
}

#[mp::task]
fn take_and_hang(from: &JoinableQueue<u64>, has: &Event) -> Result<(), Failure> {
    let _job = from.get()?;
    has.set()?;
    std::thread::sleep(Duration::from_secs(100));
    Ok(())
}

/// The worker came when `join` slept already.
#[mp::test(timeout = "60s")]
fn join_sees_the_death_of_a_late_worker() -> mp::Result<()> {
    let jobs = JoinableQueue::with(None, OnDeath::Report)?;
    jobs.put(1)?;
    let joining = jobs.clone();
    let join = std::thread::spawn(move || joining.join());
    std::thread::sleep(ms(100));
    let has = Event::new()?;
    let worker = Process::new(take_and_hang, (&jobs, &has)).start()?;
    has.wait()?;
    std::thread::sleep(ms(50));
    kill_now(worker.pid());
    let _ = worker.join();
    join.join().unwrap()?;
    assert_eq!(jobs.lost().len(), 1);
    Ok(())
}

#[mp::task]
fn let_go_and_stay(from: &Queue<Queue<u64>>, stay: &Event) -> Result<(), Failure> {
    let queue = from.get()?;
    std::thread::sleep(ms(100));
    drop(queue);
    stay.wait()?;
    Ok(())
}

/// The other process drops its handle, and lives on. It came in a message: what is lent to a child as an argument is kept by the
/// parent until the child has ended.
#[mp::test(timeout = "60s")]
fn get_ends_when_the_others_let_go() -> mp::Result<()> {
    let (queue, stay) = (Queue::<u64>::unbounded()?, Event::new()?);
    let way = Queue::unbounded()?;
    way.put(queue.clone())?;
    let other = Process::new(let_go_and_stay, (&way, &stay)).start()?;
    assert!(queue.get().unwrap_err().is_closed());
    stay.set()?;
    other.join()
}

#[mp::task]
fn hold(queue: Queue<u64>) {
    std::thread::sleep(Duration::from_secs(100));
    drop(queue);
}

#[mp::task]
fn hand_on(from: &Queue<Queue<u64>>, stay: &Event, done: Sender<()>) -> Result<(), Failure> {
    let queue = from.get()?;
    std::thread::sleep(ms(100));
    let child = Process::new(hold, queue.clone()).start()?;
    drop(queue);
    std::thread::sleep(ms(50));
    kill_now(child.pid());
    let _ = child.join();
    done.send(())?;
    stay.wait()?;
    Ok(())
}

/// The last other came later, by way of another, and is killed.
#[mp::test(timeout = "60s")]
fn get_ends_when_a_late_holder_is_killed() -> mp::Result<()> {
    let (queue, stay) = (Queue::<u64>::unbounded()?, Event::new()?);
    let (to, from) = mp::pipe()?;
    let way = Queue::unbounded()?;
    way.put(queue.clone())?;
    let other = Process::new(hand_on, (&way, &stay, to)).start()?;
    assert!(queue.get().unwrap_err().is_closed());
    from.recv()?;
    stay.set()?;
    other.join()
}

#[mp::task]
fn put_on(to: &Queue<u64>, begun: &Event) -> Result<(), Failure> {
    begun.set()?;
    loop {
        to.put(1)?;
    }
}

/// Whatever the killed putter held.
#[mp::test(timeout = "120s")]
fn waiting_after_a_kill_uses_no_processor() -> mp::Result<()> {
    for round in 0..25 {
        let (queue, begun) = (Queue::<u64>::unbounded()?, Event::new()?);
        let stays = Process::new(hold, queue.clone()).start()?;
        let putter = Process::new(put_on, (&queue, &begun)).start()?;
        begun.wait()?;
        std::thread::sleep(Duration::from_micros(500 + round * 97));
        kill_now(putter.pid());
        let _ = putter.join();
        while queue.try_get()?.is_some() {}
        let before = processor_time();
        assert!(queue.get_timeout(ms(200))?.is_none());
        assert!(mp::wait(&[&queue], Some(ms(200)))?.is_empty());
        let used = processor_time() - before;
        assert!(used < 150_000, "round {round}: {used} us of 400 ms");
        kill_now(stays.pid());
        let _ = stays.join();
    }
    Ok(())
}

#[mp::test(timeout = "20s")]
fn waiting_for_nothing_ends() -> mp::Result<()> {
    assert!(mp::wait(&[], None)?.is_empty());
    assert!(mp::wait(&[], Some(ms(5)))?.is_empty());
    Ok(())
}

struct Bad;

impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        panic!("a bad waker");
    }
}

struct Good(AtomicBool);

impl Wake for Good {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[mp::test(timeout = "20s")]
fn a_waker_that_panics_harms_nobody_else() -> mp::Result<()> {
    let (one, other) = (Queue::<u64>::unbounded()?, Queue::<u64>::unbounded()?);
    let good = Arc::new(Good(AtomicBool::new(false)));
    let wakers = (Waker::from(Arc::new(Bad)), Waker::from(Arc::clone(&good)));
    let mut bad_get = Box::pin(one.get_async());
    let mut good_get = Box::pin(other.get_async());
    let bad_poll = bad_get.as_mut().poll(&mut Context::from_waker(&wakers.0));
    let good_poll = good_get.as_mut().poll(&mut Context::from_waker(&wakers.1));
    assert!(bad_poll.is_pending() && good_poll.is_pending());
    one.put(1)?;
    std::thread::sleep(ms(50));
    other.put(1)?;
    while !good.0.load(Ordering::SeqCst) {
        std::thread::sleep(ms(1));
    }
    Ok(())
}

#[mp::task]
fn eat(from: &Queue<Vec<u8>>, begun: &Event) -> Result<(), Failure> {
    begun.set()?;
    while from.get().is_ok() {}
    Ok(())
}

#[mp::test(timeout = "120s")]
fn len_is_true_after_a_kill() -> mp::Result<()> {
    for round in 0..60 {
        let queue = Queue::<Vec<u8>>::unbounded()?;
        for _ in 0..800 {
            queue.put(vec![1; 5000])?;
        }
        let begun = Event::new()?;
        let eater = Process::new(eat, (&queue, &begun)).start()?;
        begun.wait()?;
        std::thread::sleep(Duration::from_micros(50 + round * 37));
        kill_now(eater.pid());
        let _ = eater.join();
        let len = queue.len();
        let mut got = 0;
        while queue.try_get()?.is_some() {
            got += 1;
        }
        assert_eq!(got, len, "round {round}");
    }
    Ok(())
}

/// Drops what it got, says so, and stays.
#[mp::task]
fn drop_and_stay(
    given: (Sender<u64>, Receiver<u64>, Queue<u64>),
    dropped: &Event,
    stay: &Event,
) -> Result<(), Failure> {
    drop(given);
    dropped.set()?;
    Ok(stay.wait()?)
}

#[mp::test(timeout = "120s")]
fn what_a_child_drops_of_its_arguments_is_gone() -> mp::Result<()> {
    for _ in 0..30 {
        let ((to, from), (its, mine)) = (mp::pipe::<u64>()?, mp::pipe::<u64>()?);
        let queue = Queue::<u64>::unbounded()?;
        let (dropped, stay) = (Event::new()?, Event::new()?);
        let child =
            Process::new(drop_and_stay, ((to, mine, queue.clone()), &dropped, &stay)).start()?;
        assert!(from.recv().unwrap_err().is_closed());
        assert!(dropped.wait_timeout(ms(20_000))?);
        assert!(its.send(1).is_err());
        assert!(queue.get().unwrap_err().is_closed());
        stay.set()?;
        child.join()?;
    }
    Ok(())
}

/// Says three things, and waits for an answer to all of them.
#[mp::task]
fn ask(to: Sender<u64>, answer: Receiver<u64>) -> Result<u64, Failure> {
    for n in 1..=3 {
        to.send(n)?;
    }
    drop(to);
    Ok(answer.recv()?)
}

#[mp::test(timeout = "60s")]
fn an_answer_to_all_that_was_said() -> mp::Result<()> {
    let ((to, from), (answer, its)) = (mp::pipe()?, mp::pipe()?);
    let child = Process::new(ask, (to, its)).start()?;
    answer.send(from.iter().sum::<mp::Result<u64>>()?)?;
    assert_eq!(child.join()?, 6);
    Ok(())
}
