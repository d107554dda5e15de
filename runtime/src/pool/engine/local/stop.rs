//! How workers are ended: asked, then SIGTERM, then SIGKILL; each step bounded. Runs without the pool's lock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{End, Ending};
use super::worker::Worker;
use crate::process::family::Member;
use crate::session::Session;
use crate::sys::signal::{SIGKILL, SIGTERM};

/// How long a worker that was asked to end may take before SIGTERM, and then before SIGKILL.
const ASK_GRACE: Duration = Duration::from_secs(2);
const TERM_GRACE: Duration = Duration::from_millis(500);
/// How long to wait for a process that was killed: only the kernel can hold it up.
const KILL_GRACE: Duration = Duration::from_secs(30);

/// Asks these workers to end, or sends the first signal.
pub(super) fn begin(session: &'static Session, all: Vec<Worker>, how: End) -> Ending {
    let members: Vec<Arc<Member>> = all
        .iter()
        .map(|worker| Arc::clone(&worker.member))
        .collect();
    let hurry = move |how| {
        let signal = match how {
            End::Ask => return,
            End::Terminate => SIGTERM,
            End::Kill => SIGKILL,
        };
        // To those that have ended already it does nothing.
        for member in &members {
            if matches!(member.try_exit(session), Ok(None)) {
                let _ = member.signal(signal);
            }
        }
    };
    match how {
        End::Ask => all.iter().for_each(|worker| worker.mail.stop()),
        End::Terminate | End::Kill => hurry(how),
    }
    Ending {
        wait: Box::new(move || wait(session, all, how)),
        hurry: Arc::new(hurry),
    }
}

fn wait(session: &'static Session, all: Vec<Worker>, how: End) {
    let steps = [
        (End::Ask, None, ASK_GRACE),
        (End::Terminate, Some(SIGTERM), TERM_GRACE),
        (End::Kill, Some(SIGKILL), KILL_GRACE),
    ];
    for (step, signal, grace) in steps {
        if step < how {
            continue;
        }
        let left: Vec<_> = all
            .iter()
            .filter(|worker| matches!(worker.member.try_exit(session), Ok(None)))
            .collect();
        if let Some(signal) = signal.filter(|_| step > how) {
            left.iter()
                .for_each(|worker| drop(worker.member.signal(signal)));
        }
        let deadline = Instant::now() + grace;
        for worker in left {
            let _ = worker.member.wait(session, Some(deadline));
        }
    }
    for worker in all {
        worker.bury(session);
    }
    // What the calls left half empty goes back to the session.
    session.heap.trim();
}
