//! Waiting for several things at once: CPython's `TestWait` as behaviour, and what else can be waited for.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mp::{
    Event, Failure, JoinableQueue, Process, Queue, Readable, Receiver, Semaphore, Sender, Waitable,
    wait,
};
use mp_tests::grief::{end, sleep_ms};

#[mp::task]
fn send_slowly(to: Sender<(u32, u32)>, me: u32, count: u32) -> Result<(), Failure> {
    for item in 0..count {
        std::thread::sleep(Duration::from_millis(u64::from((me + item) % 3)));
        to.send((me, item))?;
    }
    Ok(())
}

/// Python's `test_wait`: all of several pipes, each up to its end.
#[mp::test]
fn pipes_of_several_processes() -> mp::Result<()> {
    let mut open = Vec::new();
    for me in 0..4 {
        let (to, from) = mp::pipe()?;
        drop(Process::new(send_slowly, (to, me, 10)).start()?);
        open.push(from);
    }
    let mut got = Vec::new();
    while !open.is_empty() {
        let things: Vec<&dyn Waitable> = open.iter().map(|from| from as &dyn Waitable).collect();
        let ready = wait(&things, None)?;
        assert!(!ready.is_empty());
        for at in ready.into_iter().rev() {
            match open[at].recv() {
                Ok(message) => got.push(message),
                Err(error) if error.is_closed() => drop(open.remove(at)),
                Err(error) => return Err(error),
            }
        }
    }
    got.sort_unstable();
    let all: Vec<(u32, u32)> = (0..4)
        .flat_map(|me| (0..10).map(move |item| (me, item)))
        .collect();
    assert_eq!(got, all);
    Ok(())
}

#[mp::task]
fn write_to(port: u16, milliseconds: u64) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    sleep_ms(milliseconds);
    stream.write_all(b"x")?;
    Ok(())
}

/// Python's `test_wait_socket`.
#[mp::test]
fn sockets_beside_pipes() -> mp::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (to, from) = mp::pipe::<u32>()?;
    let child = Process::new(write_to, (port, 50)).start()?;
    let listening = Readable(&listener);
    assert_eq!(wait(&[&from, &listening], None)?, [1]);
    let (stream, _) = listener.accept().unwrap();
    let stream = Readable(stream);
    assert!(wait(&[&stream, &from], Some(Duration::ZERO))?.is_empty());
    assert_eq!(wait(&[&stream, &from], None)?, [0]);
    to.send(1)?;
    assert_eq!(wait(&[&stream, &from], None)?, [0, 1]);
    child.join()
}

/// Python's `test_wait_timeout`, `test_wait_slow`.
#[mp::test]
fn time_passes() -> mp::Result<()> {
    let (_to, from) = mp::pipe::<u32>()?;
    let queue = Queue::<u32>::unbounded()?;
    let (event, permits) = (Event::new()?, Semaphore::new(0)?);
    let begun = Instant::now();
    let things: [&dyn Waitable; 4] = [&from, &queue, &event, &permits];
    assert!(wait(&things, Some(Duration::from_millis(60)))?.is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(60));
    assert!(wait(&[], Some(Duration::ZERO))?.is_empty());
    Ok(())
}

#[mp::task]
fn release(of: &Semaphore, milliseconds: u64) -> Result<(), Failure> {
    sleep_ms(milliseconds);
    Ok(of.release()?)
}

#[mp::task]
fn set(event: &Event, milliseconds: u64) -> Result<(), Failure> {
    sleep_ms(milliseconds);
    Ok(event.set()?)
}

#[mp::task]
fn put(to: &Queue<u32>, milliseconds: u64) -> Result<(), Failure> {
    sleep_ms(milliseconds);
    Ok(to.put(1)?)
}

/// Python's `test_wait_integer`: sentinels and semaphores; and all the rest, one after the other.
#[mp::test]
fn one_of_everything() -> mp::Result<()> {
    let (_to, from) = mp::pipe::<u32>()?;
    let (queue, jobs) = (Queue::unbounded()?, JoinableQueue::<u32>::unbounded()?);
    let (event, permits) = (Event::new()?, Semaphore::new(0)?);
    let pool = mp::Pool::builder().workers(1).build()?;
    // Others have the queues, so that they are not abandoned.
    let (queue2, jobs2) = (queue.clone(), jobs.clone());
    for round in 0..6 {
        let delay = 30;
        let child;
        let handle;
        let mut things: Vec<&dyn Waitable> = vec![&from, &queue, &jobs, &event, &permits];
        match round {
            0 => drop(Process::new(put, (&queue, delay)).start()?),
            1 => drop(Process::new(set, (&event, delay)).start()?),
            2 => drop(Process::new(release, (&permits, delay)).start()?),
            3 => {
                child = Process::new(end_after, (delay, "kill")).start()?;
                things.push(&child);
            }
            4 => {
                handle = pool.apply_async(sleep_ms, delay)?;
                things.push(&handle);
            }
            _ => {
                let jobs = jobs2.clone();
                drop(std::thread::spawn(move || {
                    sleep_ms(30);
                    jobs.put(3).unwrap();
                }));
            }
        }
        let ready = wait(&things, None)?;
        let expected = [1, 3, 4, 5, 5, 2][round];
        assert_eq!(ready, [expected], "{round}");
        match round {
            0 => assert_eq!(queue.get()?, 1),
            1 => event.clear()?,
            2 => permits.acquire()?.forget(),
            _ => {}
        }
    }
    drop((queue2, jobs2));
    Ok(())
}

#[mp::task]
fn end_after(milliseconds: u64, way: &str) {
    sleep_ms(milliseconds);
    end(way);
}

/// More than the kernel takes in one call; the last one is the one.
#[mp::test]
fn three_hundred_pipes() -> mp::Result<()> {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..300)
        .map(|_| mp::pipe::<usize>())
        .collect::<mp::Result<Vec<_>>>()?
        .into_iter()
        .unzip();
    let things: Vec<&dyn Waitable> = receivers.iter().map(|from| from as &dyn Waitable).collect();
    assert!(wait(&things, Some(Duration::from_millis(30)))?.is_empty());
    for which in [299, 0, 150] {
        std::thread::scope(|scope| {
            let to = senders[which].clone();
            scope.spawn(move || {
                sleep_ms(30);
                to.send(which).unwrap();
            });
            let ready = wait(&things, None).unwrap();
            assert_eq!(ready, [which]);
        });
        assert_eq!(receivers[which].recv()?, which);
    }
    Ok(())
}

#[mp::task]
fn wait_and_say(from: &Receiver<u32>, start: &Event) -> Result<Vec<usize>, Failure> {
    Ok(wait(&[from, start], None)?)
}

#[mp::test]
fn an_idle_wait_costs_nothing() -> mp::Result<()> {
    let (to, from) = mp::pipe::<u32>()?;
    let event = Event::new()?;
    let child = Process::new(wait_and_say, (&from, &event)).start()?;
    std::thread::sleep(Duration::from_millis(300));
    let before = ticks(child.pid());
    std::thread::sleep(Duration::from_millis(1000));
    assert!(ticks(child.pid()) - before <= 1, "clock ticks of 10 ms");
    to.send(1)?;
    assert_eq!(child.join()?, [0]);
    Ok(())
}

/// The time of the processor that a process has used, in ticks.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
