//! Nothing is left in the heap of pipes and queues that were made, passed and dropped.

use crate as mp;
use crate::session;
use mp::{Failure, Process, Queue, Receiver, Result, Sender};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Both(Queue<u64>, Sender<Vec<u8>>, Option<Receiver<Vec<u8>>>);

#[mp::task]
fn pass_on(from: &Queue<Both>, to: &Queue<Both>) -> std::result::Result<(), Failure> {
    while let Ok(Both(queue, sender, receiver)) = from.get() {
        queue.put(1)?;
        sender.send(vec![2; 5000])?;
        to.put(Both(queue, sender, receiver))?;
    }
    Ok(())
}

struct Close<'q>(&'q Queue<Both>);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// As the issue asks: ten thousand queues (and pipes) made, passed to another process and back, and dropped.
#[mp::test(timeout = "600s")]
fn ten_thousand_queues_leave_nothing() -> Result<()> {
    let heap = session::current()?.heap;
    let count = std::env::var("MP_QUEUES").map_or(10_000, |text| text.parse().unwrap());
    let (there, back) = (Queue::bounded(20)?, Queue::bounded(20)?);
    let child = Process::new(pass_on, (&there, &back)).start()?;
    let mut at_begin = None;
    std::thread::scope(|scope| {
        let maker = scope.spawn(|| {
            // Whatever ends this, the others end, too.
            let _close = Close(&there);
            for number in 0..count {
                let (queue, (sender, receiver)) = (Queue::unbounded()?, mp::pipe()?);
                queue.put(number)?;
                there.put(Both(queue, sender, Some(receiver)))?;
            }
            Result::<()>::Ok(())
        });
        for number in 0..count {
            // Its error says more.
            let Ok(Both(queue, sender, receiver)) = back.get() else {
                break;
            };
            assert_eq!(queue.get()?, number);
            assert_eq!(queue.len(), 1);
            match number % 3 {
                0 => drop((receiver, sender)),
                1 => drop((sender, receiver)),
                _ => assert_eq!(receiver.unwrap().recv()?.len(), 5000),
            }
            if number == 100 {
                at_begin = Some(heap.stats().used_bytes);
            }
        }
        maker.join().unwrap()
    })?;
    child.join()?;
    drop((there, back));
    crate::process::graves::settle(
        heap,
        std::time::Instant::now() + std::time::Duration::from_secs(20),
    );
    heap.trim();
    let stats = heap.stats();
    assert!(stats.used_bytes < 64 << 10, "{stats:?}, {at_begin:?}");
    assert!(stats.blocks < 8 && stats.extents == 0, "{stats:?}");
    assert!(stats.high_water < 64 << 20, "{stats:?}");
    Ok(())
}
