//! Queues and pipes while their users are killed and stopped at random: each item once, or lost with a dead process that is named.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mp::{Child, Failure, Process, Queue, Receiver, Sender};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Who put it, which of its items it is, and something to carry.
type Item = (u64, u64, Vec<u8>);

fn load(number: u64) -> Vec<u8> {
    let size = [0, 10, 100, 6000][number as usize % 4];
    vec![number as u8; size]
}

#[mp::task]
fn put_for_ever(to: &Queue<Item>, me: u64) -> Result<(), Failure> {
    for number in 0.. {
        to.put((me, number, load(number)))?;
    }
    Ok(())
}

#[mp::task]
fn get_for_ever(from: &Queue<Item>, notes: Sender<(u64, u64)>) -> Result<(), Failure> {
    while let Ok((who, number, bytes)) = from.get() {
        if bytes != load(number) {
            return Err(Failure::new("an item was torn"));
        }
        notes.send((who, number))?;
    }
    Ok(())
}

/// Small random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

struct Account {
    /// How often each item of each putter was got.
    got: BTreeMap<u64, BTreeMap<u64, u32>>,
    notes: Receiver<(u64, u64)>,
}

impl Account {
    fn note(&mut self, who: u64, number: u64) {
        *self.got.entry(who).or_default().entry(number).or_default() += 1;
    }

    fn read(&mut self) -> mp::Result<()> {
        while let Ok(Some((who, number))) = self.notes.try_recv() {
            self.note(who, number);
        }
        Ok(())
    }
}

#[mp::test(timeout = "400s")]
fn killed_at_random() -> mp::Result<()> {
    let kills: u64 = std::env::var("MP_QUEUE_KILLS").map_or(120, |text| text.parse().unwrap());
    let queue = Queue::bounded(64)?;
    let (to, notes) = mp::pipe()?;
    let mut account = Account {
        got: BTreeMap::new(),
        notes,
    };
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut putters: Vec<Child<()>> = Vec::new();
    let mut getters: Vec<Child<()>> = Vec::new();
    let mut next = 0;
    let mut dead_getters = 0;
    let mut graves = Vec::new();
    for _ in 0..kills {
        while putters.len() < 3 {
            putters.push(Process::new(put_for_ever, (&queue, next)).start()?);
            next += 1;
        }
        while getters.len() < 3 {
            getters.push(Process::new(get_for_ever, (&queue, to.clone())).start()?);
        }
        let until = Instant::now() + Duration::from_micros(random.below(12_000));
        while Instant::now() < until {
            account.read()?;
            std::thread::sleep(Duration::from_micros(200));
        }
        let which = random.below(3) as usize;
        let victim = if random.below(2) == 0 {
            putters.remove(which)
        } else {
            dead_getters += 1;
            getters.remove(which)
        };
        victim.kill()?;
        graves.push(victim);
        if graves.len() > 8 {
            // Some are found dead before they are buried, some after.
            assert!(graves.remove(0).join().unwrap_err().is_death());
        }
    }
    for child in putters {
        child.kill()?;
        graves.push(child);
    }
    queue.close();
    drop(to);
    // What is left is taken by those who are left; then their notes are at their end.
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Some((who, number)) = match account.notes.recv_timeout(Duration::from_secs(60)) {
        Ok(note) => note,
        Err(error) if error.is_closed() => None,
        Err(error) => return Err(error),
    } {
        account.note(who, number);
        assert!(Instant::now() < deadline);
    }
    for child in getters {
        child.join()?;
    }
    for child in graves {
        assert!(child.join().unwrap_err().is_death());
    }
    assert!(queue.is_empty());
    let lost = queue.lost();
    println!(
        "{next} putters, {dead_getters} killed getters, {} lost",
        lost.len()
    );
    assert!(lost.len() as u64 <= dead_getters && lost.iter().all(|lost| lost.pid() != 0));
    // Each item at most once, and of each putter all up to its last, except the holes: no more than are named.
    let (mut items, mut holes) = (0, 0);
    for (who, numbers) in &account.got {
        assert!(numbers.values().all(|times| *times == 1), "putter {who}");
        let last = numbers.keys().next_back().copied().unwrap_or(0);
        items += numbers.len();
        holes += last as usize + 1 - numbers.len();
    }
    assert!(holes <= lost.len(), "{holes} holes, {lost:?}");
    assert!(items > 1000, "{items}");
    Ok(())
}

#[mp::task]
fn drain(from: &Queue<u64>) -> Result<u64, Failure> {
    let mut sum = 0;
    while let Ok(item) = from.get() {
        sum += item;
    }
    Ok(sum)
}

fn signal(child: u32, signal: Signal) {
    kill(Pid::from_raw(child as i32), signal).unwrap();
}

/// A getter that is stopped anywhere, also with the lock in its hand: calls with a time-out end in time, and all goes on
/// when it does.
#[mp::test(timeout = "100s")]
fn a_stopped_getter() -> mp::Result<()> {
    let queue = Queue::bounded(100)?;
    let child = Process::new(drain, &queue).start()?;
    let (mut put, mut sum) = (0, 0);
    for _ in 0..40 {
        let until = Instant::now() + Duration::from_millis(2);
        while Instant::now() < until {
            if queue.put_timeout(put, Duration::from_millis(1)).is_ok() {
                sum += put;
                put += 1;
            }
        }
        signal(child.pid(), Signal::SIGSTOP);
        let full = loop {
            match queue.put_timeout(put, Duration::from_millis(3)) {
                Ok(()) => {
                    sum += put;
                    put += 1;
                }
                Err(refused) => break refused,
            }
        };
        assert!(full.is_full());
        let taken = queue.get_timeout(Duration::from_millis(3))?;
        sum -= taken.unwrap_or(0);
        signal(child.pid(), Signal::SIGCONT);
    }
    queue.close();
    assert_eq!(child.join()?, sum);
    Ok(())
}

#[mp::task]
fn receive_all(from: Receiver<u64>) -> Result<u64, Failure> {
    from.iter().try_fold(0, |sum, item| Ok(sum + item?))
}

#[mp::test(timeout = "100s")]
fn a_stopped_receiver() -> mp::Result<()> {
    let (to, from) = mp::pipe()?;
    let child = Process::new(receive_all, from).start()?;
    let (mut sent, mut sum) = (0, 0);
    for round in 0..10 {
        signal(child.pid(), Signal::SIGSTOP);
        while to.send_timeout(sent, Duration::from_millis(5)).is_ok() {
            sum += sent;
            sent += 1;
        }
        signal(child.pid(), Signal::SIGCONT);
        to.send(sent)?;
        sum += sent;
        sent += 1;
        assert!(round > 0 || sent > 1000);
    }
    drop(to);
    assert_eq!(child.join()?, sum);
    Ok(())
}

/// Killed while it is stopped, perhaps before it has begun, and while others wait for what it holds.
#[mp::test(timeout = "60s")]
fn stopped_and_then_killed() -> mp::Result<()> {
    for _ in 0..20 {
        let queue = Queue::bounded(4)?;
        let child = Process::new(drain, &queue).start()?;
        std::thread::scope(|scope| {
            let putter = scope.spawn(|| (0..).map(|item| queue.put(item)).find(|put| put.is_err()));
            std::thread::sleep(Duration::from_millis(3));
            signal(child.pid(), Signal::SIGSTOP);
            std::thread::sleep(Duration::from_millis(1));
            child.kill().unwrap();
            // Nobody is left to take: the putter is told.
            let refused = putter.join().unwrap().expect("it ends").unwrap_err();
            assert!(refused.error().is_closed(), "{refused}");
        });
        assert_eq!(queue.len(), 4);
        drop(child);
    }
    Ok(())
}

#[mp::task]
fn drip(to: &Sender<u64>, go: &mp::Event) -> Result<(), Failure> {
    go.set()?;
    loop {
        to.send(0)?;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(120) {
            std::hint::spin_loop();
        }
    }
}

/// A sender that is stopped anywhere, also while it wakes the receiver: what others send arrives.
#[mp::test(timeout = "200s")]
fn a_stopped_sender_holds_up_no_other() -> mp::Result<()> {
    let (to, from) = mp::pipe()?;
    let (note, notes) = mp::pipe()?;
    let go = mp::Event::new()?;
    let child = Process::new(drip, (&to, &go)).start()?;
    go.wait()?;
    let receiver = std::thread::spawn(move || {
        for item in from.iter().map_while(Result::ok).filter(|item| *item > 0) {
            note.send(item).unwrap();
        }
    });
    for round in 1..=300 {
        std::thread::sleep(Duration::from_micros(300 + round * 13 % 700));
        signal(child.pid(), Signal::SIGSTOP);
        std::thread::sleep(Duration::from_millis(1));
        to.send(round)?;
        let arrived = notes.recv_timeout(Duration::from_secs(30))?;
        assert_eq!(arrived, Some(round), "while another is stopped");
        signal(child.pid(), Signal::SIGCONT);
    }
    drop(to);
    child.kill()?;
    receiver.join().unwrap();
    assert!(child.join().unwrap_err().is_death());
    Ok(())
}

#[mp::task]
fn put_each(to: &Queue<u64>, begun: &mp::Event) -> Result<u64, Failure> {
    begun.set()?;
    Ok((0..).take_while(|item| to.put(*item).is_ok()).count() as u64)
}

/// A putter that is stopped anywhere while the queue is closed: whoever takes with a time-out is late by no more than that, and
/// what was put is taken in the end, all of it.
#[mp::test(timeout = "200s")]
fn closed_while_a_putter_is_stopped() -> mp::Result<()> {
    for round in 0..60_u64 {
        let (queue, begun) = (Queue::unbounded()?, mp::Event::new()?);
        let child = Process::new(put_each, (&queue, &begun)).start()?;
        begun.wait()?;
        std::thread::sleep(Duration::from_micros(100 + round * 37 % 400));
        signal(child.pid(), Signal::SIGSTOP);
        queue.close();
        let mut got = 0;
        let ended = loop {
            match queue.get_timeout(Duration::from_millis(20)) {
                Ok(Some(item)) => {
                    assert_eq!(item, got, "round {round}");
                    got += 1;
                }
                Ok(None) => break false,
                Err(error) => break error.is_closed(),
            }
        };
        signal(child.pid(), Signal::SIGCONT);
        let put = child.join()?;
        got += queue.iter().count() as u64;
        assert_eq!(got, put, "round {round}, at its end while stopped: {ended}");
    }
    Ok(())
}

#[mp::task]
fn do_for_ever(from: &mp::JoinableQueue<Item>, notes: Sender<(u64, u64)>) -> Result<(), Failure> {
    while let Ok(job) = from.get() {
        let (who, number, bytes) = &*job;
        if *bytes != load(*number) {
            return Err(Failure::new("an item was torn"));
        }
        notes.send((*who, *number))?;
    }
    Ok(())
}

/// Workers killed at random: each item is done, once or, where its holder died over it, once more; and `join` ends.
#[mp::test(timeout = "400s")]
fn workers_of_a_joinable_queue_killed_at_random() -> mp::Result<()> {
    let kills: u64 = std::env::var("MP_QUEUE_KILLS").map_or(60, |text| text.parse().unwrap());
    let jobs = mp::JoinableQueue::bounded(64)?;
    let (to, notes) = mp::pipe()?;
    let mut random = Random(0x0123_4567_89ab_cdef);
    let mut workers: Vec<Child<()>> = Vec::new();
    let mut graves: Vec<Child<()>> = Vec::new();
    let mut got: BTreeMap<u64, u64> = BTreeMap::new();
    let mut note = |from: &Receiver<(u64, u64)>| {
        while let Ok(Some((_, number))) = from.try_recv() {
            *got.entry(number).or_default() += 1;
        }
    };
    let mut put = 0;
    for _ in 0..kills {
        while workers.len() < 3 {
            workers.push(Process::new(do_for_ever, (&jobs, to.clone())).start()?);
        }
        let until = Instant::now() + Duration::from_micros(random.below(8_000));
        while Instant::now() < until {
            if jobs
                .put_timeout((0, put, load(put)), Duration::from_millis(1))
                .is_ok()
            {
                put += 1;
            }
            note(&notes);
        }
        let victim = workers.remove(random.below(3) as usize);
        victim.kill()?;
        graves.push(victim);
        if graves.len() > 8 {
            assert!(graves.remove(0).join().unwrap_err().is_death());
        }
    }
    while !jobs.join_timeout(Duration::from_millis(5))? {
        note(&notes);
    }
    assert_eq!((jobs.unfinished(), jobs.len()), (0, 0));
    jobs.close();
    for worker in workers {
        worker.join()?;
    }
    for child in graves {
        assert!(child.join().unwrap_err().is_death());
    }
    note(&notes);
    let more = got.values().map(|times| times - 1).sum::<u64>();
    println!("{put} items, {kills} kills, {more} done once more");
    // Who is killed has done no more than it had noted.
    assert!(got.keys().copied().eq(0..put) && more <= kills);
    Ok(())
}

#[mp::task]
fn send_for_ever(to: Sender<Item>, me: u64) -> Result<(), Failure> {
    for number in 0.. {
        to.send((me, number, load(number)))?;
    }
    Ok(())
}

/// Of each sender that is killed all arrives up to some message, whole and in order; and nothing of it is left.
#[mp::test(timeout = "400s")]
fn senders_killed_at_random() -> mp::Result<()> {
    let kills: u64 = std::env::var("MP_PIPE_KILLS").map_or(60, |text| text.parse().unwrap());
    let (to, from) = mp::pipe()?;
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut senders: Vec<Child<()>> = Vec::new();
    let mut graves = Vec::new();
    let mut next: BTreeMap<u64, u64> = BTreeMap::new();
    let mut started = 0;
    let mut take = |(who, number, bytes): Item| {
        let expected = next.entry(who).or_default();
        assert!(
            number == *expected && bytes == load(number),
            "{who}: {number}"
        );
        *expected += 1;
    };
    for _ in 0..kills {
        while senders.len() < 3 {
            senders.push(Process::new(send_for_ever, (to.clone(), started)).start()?);
            started += 1;
        }
        let until = Instant::now() + Duration::from_micros(random.below(8_000));
        while Instant::now() < until {
            match from.recv_timeout(Duration::from_millis(1))? {
                Some(item) => take(item),
                None => continue,
            }
        }
        let victim = senders.remove(random.below(3) as usize);
        victim.kill()?;
        graves.push(victim);
        if graves.len() > 8 {
            assert!(graves.remove(0).join().unwrap_err().is_death());
        }
    }
    for child in senders {
        child.kill()?;
        graves.push(child);
    }
    drop(to);
    for item in &from {
        take(item?);
    }
    for child in graves {
        assert!(child.join().unwrap_err().is_death());
    }
    assert!(next.values().sum::<u64>() > 1000, "{next:?}");
    Ok(())
}

/// A receiver that is killed anywhere: senders that wait for room, or do not, are told.
#[mp::test(timeout = "100s")]
fn receivers_killed_at_random() -> mp::Result<()> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20 {
        let (to, from) = mp::pipe::<u64>()?;
        let child = Process::new(receive_all, from).start()?;
        std::thread::scope(|scope| {
            for to in [to.clone(), to] {
                scope.spawn(move || {
                    let refused = (0..).map(|item| to.send(item)).find_map(Result::err);
                    assert!(refused.is_some_and(|refused| refused.error().is_closed()));
                });
            }
            std::thread::sleep(Duration::from_micros(random.below(15_000)));
            child.kill().unwrap();
        });
        assert!(child.join().unwrap_err().is_death());
    }
    Ok(())
}
