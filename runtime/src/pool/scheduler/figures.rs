//! How fast the bare scheduler is; run by hand, in release.

use std::time::Instant;

use super::*;

/// Submits, sends and finishes `items` single-item jobs as fast as the scheduler can, and gives nanoseconds per item.
fn dispatch_rate(workers: u32, items: u64, apply: bool) -> f64 {
    let mut s = Scheduler::new(Policy::default());
    s.resize(workers);
    while let Some(action) = s.next_action() {
        if let Action::Start { worker } = action {
            s.worker_up(worker);
        }
    }
    let mut rings: Vec<VecDeque<Part>> = vec![VecDeque::new(); workers as usize];
    let mut start = Instant::now();
    let (mut submitted, mut finished) = (0, 0);
    let mut call = None;
    // The first eighth warms up.
    let mut warm = false;
    while finished < items {
        if !warm && finished >= items / 8 {
            warm = true;
            start = Instant::now();
        }
        let id = *call.get_or_insert_with(|| match s.open_call(CallSpec::default()) {
            Ok(call) => call,
            Err(error) => panic!("{error}"),
        });
        let room = if apply { 1 } else { s.room(id) };
        for _ in 0..u64::from(room).min(items - submitted) {
            submitted += 1;
            assert!(s.submit(id, 1).is_ok());
        }
        if apply {
            s.input_done(id);
        }
        loop {
            match s.next_action() {
                Some(Action::Send { worker, part }) => rings[worker.0 as usize].push_back(part),
                Some(Action::CallDone { .. }) => call = None,
                Some(_) => {}
                None => break,
            }
        }
        for (worker, ring) in rings.iter_mut().enumerate() {
            for _ in 0..ring.len().div_ceil(2) {
                let Some(part) = ring.pop_front() else { break };
                let worker = WorkerId(worker as u32);
                let verdict = s.finished(worker, part.job, part.from, part.to, 100);
                assert_eq!(verdict, Verdict::Accept);
                finished += 1;
            }
        }
        if apply {
            while let Some(action) = s.next_action() {
                if let Action::CallDone { .. } = action {
                    call = None;
                }
            }
        }
    }
    start.elapsed().as_nanos() as f64 / (items - items / 8) as f64
}

#[test]
#[ignore = "prints figures: cargo test --release -p mp-runtime --lib dispatch_rates -- --ignored --nocapture"]
fn dispatch_rates() {
    for workers in [2, 64, 1024] {
        let mut runs: Vec<f64> = (0..7)
            .map(|_| dispatch_rate(workers, 1_000_000, false))
            .collect();
        runs.sort_by(f64::total_cmp);
        println!(
            "{workers} workers: {:.1} / {:.1} / {:.1} ns a job, {:.1} M/s",
            runs[0],
            runs[3],
            runs[6],
            1e3 / runs[3]
        );
    }
    println!("a call each: {:.1} ns", dispatch_rate(2, 1_000_000, true));
}
